"""What the page keeps, and brings back: sessions, links and photographs, in a real browser."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import tiny
from chromium import PHOTO, canvas_pixels, choose, pixels, saved, stroke, wait_until_idle
from PIL import Image

import dreamkit

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def wait_until_kept(page):
    page.wait_for_function("() => document.body.dataset.kept === 'true'")


def use_tiny_network(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)


def link(recipe):
    return "#r=" + base64.urlsafe_b64encode(json.dumps(recipe).encode()).decode().rstrip("=")


def test_a_session_comes_back_after_a_reload_and_in_a_new_tab(page, open_page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192, steps=3)
    page.click('#layers button[data-term="first"]')
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#brush")
    page.fill("#radius", "100")
    stroke(page, (0.4, 0.5), (0.6, 0.5))
    wait_until_idle(page, 2)
    shown = canvas_pixels(page)
    wait_until_kept(page)
    page.reload()
    wait_until_idle(page, 2)
    assert page.text_content("#status") == "Your dreams of chelsea.jpg are back"
    np.testing.assert_array_equal(canvas_pixels(page), shown)
    assert page.input_value("#model") == "tiny"
    assert page.input_value("#option-steps") == "3"
    assert page.input_value("#longest") == "192"
    assert page.text_content("#terms") == "Dreams first"
    path = saved(page, tmp_path)
    np.testing.assert_array_equal(pixels(path), shown[..., :3])
    page.click("#undo")
    wait_until_idle(page, 1)
    wait_until_kept(page)
    other = open_page(context=page.context)  # the first tab has the session, so this one begins anew
    assert other.get_attribute("body", "data-dreams") == "0"
    assert other.is_visible("#welcome")
    other.close()
    page.close()
    third = open_page(context=other.context)
    wait_until_idle(third, 1)
    third.click("#redo")
    wait_until_idle(third, 2)
    np.testing.assert_array_equal(canvas_pixels(third), shown)
    third.click("#forget")
    wait_until_kept(third)
    assert third.is_visible("#welcome")
    third.reload()
    wait_until_idle(third, 0)
    assert third.is_visible("#welcome")


def test_another_picture_loses_nothing_until_it_is_opened(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    shown = canvas_pixels(page)
    page.click("#replace")
    assert page.is_visible("#choose")
    page.click("#back")
    np.testing.assert_array_equal(canvas_pixels(page), shown)
    page.click("#replace")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("#clouds")
    page.keyboard.press("Escape")
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(canvas_pixels(page), shown)


def test_a_link_is_followed_in_an_open_tab(page):
    choose(page, longest=192)
    given = {"model": "tiny", "options": {"steps": 4, "layers": ["second"]}}
    page.evaluate("hash => { location.hash = hash; }", link(given))
    page.wait_for_function("() => document.querySelector('#option-steps').value === '4'")
    wait_until_idle(page)
    assert page.text_content("#terms-detail") == "layer second"
    assert page.input_value("#model") == "tiny"
    assert page.is_visible("#picture")
    page.evaluate("hash => { location.hash = hash; }", link(given)[:-9])
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice") == (
        "The link is damaged or cut off, so the page's own recipe is used; copy the whole link"
    )


def test_transparency_is_kept_as_in_python(page, tmp_path):
    draw = np.random.default_rng(3)
    rgba = np.full((96, 140, 4), (200, 120, 40, 255), np.uint8)
    rgba[..., :3] = np.kron(draw.integers(0, 256, (12, 14, 3), np.uint8), np.ones((8, 10, 1), np.uint8))
    rgba[20:60, 30:90, 3] = 0
    rgba[70:90, 30:90, 3] = 128
    path = tmp_path / "logo.png"
    Image.fromarray(rgba).save(path)
    use_tiny_network(page)
    choose(page, path, longest=192)
    np.testing.assert_array_equal(canvas_pixels(page)[..., 3], rgba[..., 3])
    page.click("#dream")
    wait_until_idle(page, 1)
    dreamed = saved(page, tmp_path)
    with Image.open(dreamed) as image:
        found = np.asarray(image).astype(int)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        expected = dreamkit.redo(dreamed, path, tiny.provider()).pixels.astype(int)
    np.testing.assert_array_equal(found[..., 3], expected[..., 3])
    assert (
        np.abs(found - expected).max() <= 3
    )  # also where it is transparent: the colours of the file are kept


def test_a_panorama_gets_the_longest_side_that_it_needs(page, tmp_path):
    path = tmp_path / "panorama.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 1000, 3), np.uint8)).save(path)
    use_tiny_network(page)
    choose(page, path, longest=192, steps=1, octaves=1)
    assert page.is_hidden("#notice")
    size = page.evaluate("() => [picture.width, picture.height]")
    assert size == [534, 32]
    assert page.input_value("#longest") == "534"
    assert "its shorter side needs this longest side" in page.text_content("#status")
    page.click("#dream")
    wait_until_idle(page, 1)
    small = tmp_path / "small.png"
    Image.new("RGB", (1000, 2)).save(small)
    page.once("dialog", lambda dialog: dialog.accept())
    page.set_input_files("#file", small)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith(
        "Small.png has 1000 x 2 pixels, and the network needs at least"
    )


def test_the_status_is_never_that_of_something_earlier(page):
    use_tiny_network(page)
    choose(page, longest=192)
    assert page.text_content("#status") == "chelsea.jpg, 192 x 128 pixels"
    page.click("#dream")
    wait_until_idle(page, 1)
    assert page.text_content("#status").startswith("Dreamed in")
    assert page.text_content("#steps") == ""
    page.once("dialog", lambda dialog: dialog.accept())
    page.set_input_files("#file", PHOTO)
    wait_until_idle(page, 0)
    assert page.text_content("#status") == "chelsea.jpg, 192 x 128 pixels"


def test_any_dream_of_the_photograph_is_shown_again_by_its_small_picture(page):
    use_tiny_network(page)
    choose(page, longest=192)
    photo = canvas_pixels(page)
    assert page.locator("#history button").count() == 0
    for seed in (1, 2):
        page.fill("#option-seed", str(seed))
        page.click("#dream")
        wait_until_idle(page, seed)
    latest = canvas_pixels(page)
    assert page.locator("#history button").count() == 3
    page.click("#history button[aria-label='Photograph']")
    wait_until_idle(page, 0)
    np.testing.assert_array_equal(canvas_pixels(page), photo)
    page.click("#history button[aria-label='Dream 2']")
    wait_until_idle(page, 2)
    np.testing.assert_array_equal(canvas_pixels(page), latest)
    assert page.locator("#history [aria-current]").get_attribute("aria-label") == "Dream 2"
