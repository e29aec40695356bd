"""What the page keeps, and brings back: sessions, links and photographs, in a real browser."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import tiny
from chromium import PHOTO, canvas_pixels, choose, forget, pixels, saved, stroke, wait_until_idle
from PIL import Image
from test_page_access import NARROW, WIDE, violations

import dreamkit
from dreamkit import recipes

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def wait_until_kept(page):
    page.wait_for_function("() => document.body.dataset.kept === 'true'")


def use_tiny_network(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)


def wait_for_status(page, start):
    page.wait_for_function(
        "start => document.querySelector('#status').textContent.startsWith(start)", arg=start
    )


def panel(page):
    """What the panel dreams, and with how many steps."""
    term = page.get_attribute('#layers button[aria-pressed="true"]', "data-term")
    return term, page.input_value("#option-steps")


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
    page.close()
    other.wait_for_function("async () => (await navigator.locks.query()).held.length === 1")
    other.close()
    third = open_page(context=other.context)
    wait_until_idle(third, 1)
    third.click("#redo")
    wait_until_idle(third, 2)
    np.testing.assert_array_equal(canvas_pixels(third), shown)
    forget(third)
    wait_until_kept(third)
    assert third.is_visible("#welcome")
    third.reload()
    wait_until_idle(third, 0)
    assert third.is_visible("#welcome")


def test_a_tab_waits_for_its_own_session(page, open_page):
    """The browser frees what a page held a moment after it is left."""
    use_tiny_network(page)
    choose(page, longest=192, steps=1)
    page.click("#dream")
    wait_until_idle(page, 1)
    wait_until_kept(page)
    other = open_page(context=page.context)
    own = page.evaluate("() => sessionStorage.getItem('dreamkit session')")
    other.evaluate("own => sessionStorage.setItem('dreamkit session', own)", own)
    other.reload()  # as a copy of the first tab, which stays: it begins anew
    other.wait_for_function("own => sessionStorage.getItem('dreamkit session') !== own", arg=own)
    wait_until_idle(other, 0)
    assert other.is_visible("#welcome")
    other.evaluate("own => sessionStorage.setItem('dreamkit session', own)", own)
    other.add_init_script("AbortSignal.timeout = () => new AbortController().signal;")  # it waits for ever
    other.reload()
    other.wait_for_function("async () => (await navigator.locks.query()).pending.length === 1")
    page.close()
    wait_until_idle(other, 1)
    assert other.evaluate("() => sessionStorage.getItem('dreamkit session')") == own


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_another_photograph_loses_no_dream(open_page, size):
    page = open_page(*size)
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    dream = canvas_pixels(page)
    page.click("#replace")
    assert page.is_visible("#choose")
    page.click("#back")
    np.testing.assert_array_equal(canvas_pixels(page), dream)
    page.select_option("#longest", "256")  # opens the photograph anew; without a dream, it gives way
    wait_for_status(page, "chelsea.jpg, 451 x 300 pixels, dreamed at 256 x 170; the small pictures lead back")
    page.click("#replace")
    page.click("#clouds")
    wait_for_status(page, "clouds, 256 x 256 pixels")
    page.click("#dream")
    wait_until_idle(page, 1)
    clouds = canvas_pixels(page)
    earlier = page.locator("#history .earlier")
    assert earlier.count() == 1
    assert earlier.get_attribute("aria-label") == (
        "Back to chelsea.jpg, 451 x 300 pixels, dreamed at 192 x 128, 1 dream"
    )
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    wait_until_kept(page)
    page.reload()
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(canvas_pixels(page), clouds)
    earlier.click()
    wait_for_status(page, "Back to chelsea.jpg: second")
    np.testing.assert_array_equal(canvas_pixels(page), dream)
    assert page.input_value("#longest") == "192"
    earlier.click()
    wait_for_status(page, "Back to clouds: second")
    np.testing.assert_array_equal(canvas_pixels(page), clouds)
    forget(page)
    wait_until_kept(page)
    page.reload()
    wait_until_idle(page, 0)
    assert page.is_visible("#welcome")


def test_pictures_are_forgotten_only_after_a_question(open_page):
    page = open_page(*NARROW, has_touch=True, is_mobile=True)
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    page.tap("#forget")
    page.wait_for_selector("#forget-question[open]")
    assert page.evaluate("() => document.activeElement.id") == "keep"
    assert violations(page) == []
    page.tap("#keep")
    page.wait_for_selector("#forget-question", state="hidden")
    page.focus("#forget")
    for key in ("Enter", "Escape"):  # at what the keyboard reaches first, nothing is lost
        page.keyboard.press("Enter")
        page.wait_for_selector("#forget-question[open]")
        page.keyboard.press(key)
        page.wait_for_selector("#forget-question", state="hidden")
        assert page.evaluate("() => document.activeElement.id") == "forget"
    wait_until_kept(page)
    page.reload()
    wait_until_idle(page, 1)
    forget(page)
    wait_until_kept(page)
    assert page.is_visible("#welcome")
    page.reload()
    wait_until_idle(page, 0)
    assert page.is_visible("#welcome")


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_the_panel_and_the_link_follow_the_dream_that_is_shown(open_page, size):
    page = open_page(*size)
    use_tiny_network(page)
    choose(page, longest=192)
    for number, layer in enumerate(("first", "second"), start=1):
        page.click(f'#layers button[data-term="{layer}"]')
        page.fill("#option-steps", str(number))
        page.click("#dream")
        wait_until_idle(page, number)
    page.click("#undo")
    wait_until_idle(page, 1)
    assert page.text_content("#status") == "Back to the previous dream: first"
    assert page.get_attribute("#picture", "aria-label") == "Dream 1 of chelsea.jpg: first"
    assert panel(page) == ("first", "1")
    shown = canvas_pixels(page)
    page.click("#redo")
    wait_until_idle(page, 2)
    assert panel(page) == ("second", "2")
    page.fill("#option-steps", "3")
    page.click("#history button[aria-label='Dream 1']")
    wait_until_idle(page, 1)
    assert panel(page) == ("first", "1")
    page.click("#history button[aria-label='Dream 2']")
    wait_for_status(page, "Dream 2: second; the options are as you changed them")
    assert panel(page) == ("second", "3")
    page.click("#share")
    wait_for_status(page, "The link to this dream's recipe is in the")
    address = page.url
    wait_until_kept(page)
    page.reload()
    wait_until_idle(page, 2)
    assert panel(page) == ("second", "3")  # the session, not the link
    other = open_page(address=address, context=page.context)
    assert panel(other) == ("second", "2")  # the link, which was opened anew
    other.close()
    page.click("#undo")
    wait_until_idle(page, 1)
    page.click("#dream")
    wait_until_idle(page, 2)
    np.testing.assert_array_equal(canvas_pixels(page), shown)


def test_a_dream_of_another_network_names_it(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.fill("#option-steps", "1")
    page.click("#dream")
    wait_until_idle(page, 1)
    page.select_option("#model", "pocket")
    wait_until_idle(page)
    page.fill("#option-steps", "2")
    page.click("#dream")
    wait_until_idle(page, 2)
    page.click("#undo")
    wait_for_status(page, "Back to the previous dream: second; select the network tiny for its options")
    assert panel(page)[1] == "2"
    use_tiny_network(page)
    assert panel(page) == ("second", "1")


def before_its_first_step(page, action):
    """Begins a dream, and clicks or presses a key before anything but promises can end."""
    page.evaluate(
        """async action => {
            const dream = document.querySelector("#dream");
            dream.click();
            for (let i = 0; i < 1000 && dream.textContent !== "Stop"; i++) await null;
            if (dream.textContent !== "Stop") throw new Error("no dream has begun");
            if (action === "click") dream.click();
            else document.body.dispatchEvent(new KeyboardEvent("keydown", { key: action, bubbles: true }));
        }""",
        action,
    )


def test_a_second_tap_on_dream_does_not_stop_it(page):
    use_tiny_network(page)
    choose(page, longest=192, steps=20)
    page.dblclick("#dream")
    wait_until_idle(page, 1)
    assert page.text_content("#status").startswith("Dreamed in")
    before_its_first_step(page, "click")
    wait_until_idle(page, 2)
    assert page.text_content("#status").startswith("Dreamed in")
    dream = canvas_pixels(page)
    before_its_first_step(page, "Escape")
    wait_until_idle(page, 2)
    assert page.text_content("#status") == "Nothing was dreamed"
    np.testing.assert_array_equal(canvas_pixels(page), dream)


def test_undo_and_redo_show_strokes_and_dream_nothing(page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192, steps=2)
    page.click("#brush")
    page.fill("#radius", "80")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    grown = canvas_pixels(page)
    page.click("#undo")
    wait_until_idle(page, 0)
    page.click("#redo")
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(canvas_pixels(page), grown)
    page.fill("#option-steps", "3")
    page.click("#dream")
    wait_until_idle(page, 2)
    assert len(recipes.from_picture(saved(page, tmp_path)).strokes) == 1


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
    page.set_input_files("#file", small)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith(
        "Small.png has 1000 x 2 pixels, and the network needs at least"
    )


def test_the_status_is_never_that_of_something_earlier(page):
    use_tiny_network(page)
    choose(page, longest=192)
    assert page.text_content("#status") == "chelsea.jpg, 451 x 300 pixels, dreamed at 192 x 128"
    page.click("#dream")
    wait_until_idle(page, 1)
    assert page.text_content("#status").startswith("Dreamed in")
    assert page.text_content("#steps") == ""
    page.set_input_files("#file", PHOTO)
    wait_until_idle(page, 0)
    assert page.text_content("#status").startswith("chelsea.jpg, 451 x 300 pixels, dreamed at 192 x 128; ")


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


def test_no_button_moves_when_the_first_dream_ends(open_page):
    page = open_page(*NARROW, has_touch=True, is_mobile=True)
    use_tiny_network(page)
    choose(page, longest=192)
    places = """() => [...document.querySelectorAll("#under button, #panel .actions button")]
        .filter((each) => each.checkVisibility())
        .map((each) => [each.id, each.getBoundingClientRect().top + scrollY])"""
    before = page.evaluate(places)
    page.tap("#dream")
    wait_until_idle(page, 1)
    assert page.is_visible("#history button[aria-label='Dream 1']")
    assert page.evaluate(places) == before  # a finger that is on its way to a button finds it there
