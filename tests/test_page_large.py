"""Dreams that the page finishes with more pixels, in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
from chromium import canvas_pixels, choose, cosine, open_save_menu, pixels, saved, stroke, wait_until_idle
from PIL import Image
from test_page_access import NARROW, WIDE, use_tiny_network, violations

import dreamkit
from dreamkit.engine.resize import resize
from dreamkit.errors import RecipeError
from dreamkit.media import images

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

SHORT = "192"  # longest side of the small dream


@pytest.fixture
def photo(tmp_path):
    """A photograph of 1200 x 800 pixels."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8))
    path = tmp_path / "field.png"
    coarse.resize((1200, 800), Image.Resampling.BICUBIC).save(path)
    return path


def small_change(photo, picture, size):
    """The change of a picture from its photograph, at a smaller size."""
    return resize(picture.astype(np.float32), size) - resize(photo.astype(np.float32), size)


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_a_large_dream_has_the_composition_of_the_small_one(open_page, size, photo, tmp_path):
    page = open_page(*size)
    use_tiny_network(page)
    choose(page, photo, longest=SHORT, steps=6)
    assert page.is_disabled("#finish")
    page.click("#dream")
    wait_until_idle(page, 1)
    small = canvas_pixels(page)[..., :3].astype(float)
    shown = canvas_pixels(page, "#before")[..., :3].astype(float)
    open_save_menu(page)
    assert page.locator("#large-size option").all_inner_texts() == [
        "1024 x 683 pixels", "1200 x 800 pixels", "2048 x 1365 pixels", "4096 x 2731 pixels"
    ]  # fmt: skip
    page.select_option("#large-size", "1200")
    path = saved(page, tmp_path, "#finish")
    assert path.name == "field.large.png"
    wait_until_idle(page, 1)
    assert page.text_content("#status").startswith("Saved field.large.png, 1200 x 800 pixels; no recipe")
    large = pixels(path)
    assert large.shape == (800, 1200, 3)
    change = small_change(images.read(photo, 10**8).pixels, large, small.shape[:2])
    assert cosine(change, small - shown) > 0.8
    np.testing.assert_array_equal(canvas_pixels(page)[..., :3], small)  # the page shows the small one
    with pytest.raises(RecipeError, match=r"was finished with more pixels from a small dream"):
        dreamkit.redo(path, photo)
    assert violations(page) == []


def test_strokes_stay_where_they_are(page, photo, tmp_path):
    use_tiny_network(page)
    choose(page, photo, longest=SHORT)
    page.click("#brush")
    page.fill("#radius", "60")
    stroke(page, (0.1, 0.5), (0.2, 0.5))
    wait_until_idle(page, 1)
    open_save_menu(page)
    page.select_option("#large-size", "1024")
    change = pixels(saved(page, tmp_path, "#finish"))
    with Image.open(photo) as photograph:
        change -= np.asarray(photograph.resize((1024, 683), Image.Resampling.LANCZOS), float)
    assert np.abs(change[200:480, :300]).mean() > 0.5
    assert np.abs(change[:, 600:]).max() <= 1


def test_clouds_are_finished_from_what_they_are(page, tmp_path):
    use_tiny_network(page)
    page.select_option("#longest", SHORT)
    page.fill("#option-steps", "2")
    page.click("#clouds")
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path, "#finish")
    assert path.name == "clouds.large.png"
    assert pixels(path).shape == (1024, 1024, 3)


def test_what_does_not_fit_into_memory_is_refused_with_what_does(open_page, browser, photo):
    context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.add_init_script("Object.defineProperty(navigator, 'deviceMemory', { get: () => 0.5 })")
    page = open_page(context=context)
    use_tiny_network(page)
    choose(page, photo, longest=SHORT)
    page.click("#dream")
    wait_until_idle(page, 1)
    open_save_menu(page)
    page.select_option("#large-size", "4096")
    page.click("#finish")
    found = re.fullmatch(
        r"4096 x 2731 pixels need \d+ MB of memory, and 179 MB are allowed; "
        r"the largest side that fits is (\d+)",
        page.text_content("#notice"),
    )
    assert 192 < int(found[1]) < 1024
    assert page.get_attribute("body", "data-activity") == "idle"
    context.close()


def test_a_large_dream_stops(page, photo):
    use_tiny_network(page)
    choose(page, photo, longest=SHORT, steps=100_000, octaves=1)
    page.click("#dream")
    page.wait_for_function("() => /octave/.test(document.querySelector('#steps').textContent)")
    page.click("#dream")
    wait_until_idle(page, 1)
    open_save_menu(page)
    page.click("#finish")
    page.wait_for_function("() => document.body.dataset.activity === 'finishing'")
    page.wait_for_function("() => /octave/.test(document.querySelector('#steps').textContent)")
    # What takes minutes ends with Stop alone.
    page.keyboard.press("u")
    page.keyboard.press("n")
    assert all(page.is_disabled(f"#{name}") for name in ("undo", "redo", "dice", "brush", "zoom", "try"))
    assert page.evaluate("() => document.querySelector('#history').inert")
    assert page.get_attribute("body", "data-activity") == "finishing"
    page.click("#dream")
    wait_until_idle(page, 1)
    assert page.text_content("#status") == "Stopped; nothing was saved"
    assert page.is_enabled("#undo")


def test_a_zoom_cannot_be_finished(page, photo):
    use_tiny_network(page)
    choose(page, photo, longest=SHORT)
    page.click("#zoom")
    page.wait_for_function("() => /frames a second/.test(document.querySelector('#steps').textContent)")
    page.click("#zoom")
    wait_until_idle(page, 1)
    open_save_menu(page)
    page.click("#finish")
    assert page.text_content("#notice").startswith("This dream has no recipe")
