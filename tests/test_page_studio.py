"""Working on a dream: sliders that change it at once, dice, variants, and looking closely."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny
from chromium import (
    PHOTO,
    canvas_pixels,
    choose,
    cosine,
    note_steps,
    noted_steps,
    pixels,
    saved,
    shrunk,
    touches,
    wait_until_idle,
)

import dreamkit
from dreamkit import recipes

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


def use_tiny_network(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)


def shown(page):
    return canvas_pixels(page)[..., :3].astype(float)


def slide(page, option, value, event):
    """Moves a slider; with the event "change" it rests there. Returns what the picture shows right then."""
    page.evaluate(
        """([option, value, event]) => {
            const slider = document.querySelector(`[type=range][data-option=${option}]`);
            slider.value = String(value);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            if (event === "change") slider.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        [option, value, event],
    )
    return shown(page)


def test_the_photographs_share_changes_without_another_dream(page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    photo, dream = shrunk(PHOTO, 192), shown(page)
    np.testing.assert_allclose(slide(page, "blend", 0.5, "input"), (photo + dream) / 2, atol=0.5)
    half = slide(page, "blend", 0.25, "change")
    np.testing.assert_allclose(half, 0.25 * photo + 0.75 * dream, atol=0.5)
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    np.testing.assert_array_equal(pixels(path), half)
    assert recipes.from_picture(path).options["blend"] == 0.25
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO, tiny.provider()).pixels
    assert np.abs(again - half).max() <= 3
    np.testing.assert_array_equal(slide(page, "blend", 0, "change"), dream)


def test_the_strength_is_shown_at_once_and_dreamed_when_the_slider_rests(page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    photo, dream = shrunk(PHOTO, 192), shown(page)
    preview = slide(page, "strength", 2, "input")
    np.testing.assert_allclose(preview, np.clip(photo + 2**0.75 * (dream - photo), 0, 255), atol=0.5)
    assert page.get_attribute("body", "data-dreams") == "1"
    slide(page, "strength", 2.5, "change")
    wait_until_idle(page, 2)
    path = saved(page, tmp_path)
    assert recipes.from_picture(path).options["strength"] == 2.5
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO, tiny.provider()).pixels
    assert cosine(shown(page) - photo, again - photo) > 0.99
    grey = slide(page, "color", 1, "input")
    inside = (grey > 0).all(-1) & (grey < 255).all(-1)
    assert np.ptp((grey - photo)[inside], axis=-1).max() <= 1  # the three colours change alike
    page.click("#undo")
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(shown(page), dream)


def test_the_dice_dream_another_seed_and_say_how_long_it_takes(page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192, steps=30)
    note_steps(page)
    page.click("#dice")
    wait_until_idle(page, 1)
    assert page.input_value("#option-seed") != "0"
    assert recipes.from_picture(saved(page, tmp_path)).options["seed"] == int(
        page.input_value("#option-seed")
    )
    assert any(" s left" in text for text in noted_steps(page))


def test_a_variant_is_chosen_from_a_sheet(page):
    use_tiny_network(page)
    choose(page, longest=192, steps=1)
    page.click("#try")
    page.wait_for_selector("#variant-tiles button:nth-child(9)[data-variant='dreamed']")
    names = page.locator("#variant-tiles button").all_text_contents()
    assert names[0] == "first, subtle"
    assert names[-1] == "second, wild"
    page.click("#variant-tiles button:has-text('first, wild')")
    wait_until_idle(page, 1)
    assert page.is_hidden("#variants")
    assert page.text_content("#terms") == "Dreams first"
    assert (page.input_value("#option-strength"), page.input_value("#option-seed")) == ("2", "2")
    page.click("#try")
    page.keyboard.press("Escape")
    wait_until_idle(page, 1)
    assert page.is_hidden("#variants")
    assert page.text_content("#terms") == "Dreams first"


def test_the_sheet_counts_its_variants(page):
    use_tiny_network(page)
    choose(page, longest=192)
    note_steps(page)
    page.evaluate(
        """() => {
            window.counts = [];
            const count = document.querySelector("#variant-count");
            const read = () => window.counts.push(count.textContent);
            new MutationObserver(read).observe(count, { childList: true });
        }"""
    )
    page.click("#try")
    page.wait_for_selector("#variant-tiles button:nth-child(9)[data-variant='dreamed']")
    assert page.is_visible("#variants #variant-count")
    assert page.evaluate("() => window.counts") == [f"{number} of 9" for number in range(10)]
    shares = [int(each.partition("%")[0]) for each in noted_steps(page) if "%" in each]
    assert shares == sorted(shares)  # of the whole sheet
    assert shares[-1] == 100


def transform(page):
    """Scale and offset of the picture."""
    return page.evaluate(
        "() => { const { a, e, f } = new DOMMatrix(getComputedStyle(frame).transform); return [a, e, f]; }"
    )


def test_the_picture_is_looked_at_closely(open_page):
    page = open_page(390, 844, has_touch=True)
    use_tiny_network(page)
    choose(page, longest=192)
    box = page.locator("#frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = touches(page)
    touch("touchStart", (x - 20, y), (x + 20, y))
    for distance in (30, 40, 50, 60):
        touch("touchMove", (x - distance, y), (x + distance, y))
    touch("touchEnd")
    scale, left, _ = transform(page)
    assert scale == pytest.approx(3, rel=0.1)
    touch("touchStart", (x, y))
    touch("touchMove", (x + 15, y))
    touch("touchMove", (x + 30, y))
    touch("touchEnd")
    assert transform(page)[1] > left + 10
    for _ in range(3):
        page.click("#further")
    assert transform(page) == [1, 0, 0]
    page.dblclick("#picture")
    assert transform(page)[0] == 3
    # The whole view shows the picture: nothing lies beside it.
    view, frame = (page.locator(each).bounding_box() for each in ("#view", "#frame"))
    assert frame["x"] <= view["x"]
    assert frame["x"] + frame["width"] >= view["x"] + view["width"]


def test_the_picture_fills_the_screen(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#fullscreen")
    page.wait_for_function("() => document.fullscreenElement?.id === 'view'")
    page.wait_for_function(
        "() => frame.clientWidth >= innerWidth - 1 || frame.clientHeight >= innerHeight - 1"
    )
    page.keyboard.press("f")
    page.wait_for_function("() => !document.fullscreenElement")


def test_full_screen_is_left_by_touch_and_nothing_is_painted_there(open_page):
    page = open_page(390, 844, has_touch=True)
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    assert page.is_hidden("#leave-fullscreen")
    page.tap("#brush")
    page.wait_for_selector("#frame.brushing")
    page.evaluate(
        """() => {
            window.ended = 0;
            document.addEventListener("fullscreenchange", () => (window.changed = true));
            document.addEventListener("pointerup", () => window.ended++);
        }"""
    )
    page.tap("#fullscreen")
    page.wait_for_function("() => window.changed && document.fullscreenElement?.id === 'view'")
    touch = touches(page)
    x, y = page.evaluate("() => [innerWidth / 2, innerHeight / 2]")
    before = page.evaluate("() => window.ended")
    for _ in range(2):
        touch("touchStart", (x, y + 40))
        touch("touchEnd")
    page.wait_for_function("before => window.ended === before + 2", arg=before)
    wait_until_idle(page, 1)
    page.wait_for_selector("#frame:not(.brushing)")
    scale = transform(page)[0]  # a double tap may have enlarged the picture
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 40, y), (x + 40, y))
    touch("touchEnd")
    page.wait_for_function(
        "before => new DOMMatrix(getComputedStyle(frame).transform).a > 1.5 * before", arg=scale
    )
    leave = page.get_by_role("button", name="Leave full screen")
    box = leave.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    assert box["x"] + box["width"] <= 390
    leave.tap()
    page.wait_for_function("() => !document.fullscreenElement")
    page.wait_for_selector("#frame.brushing")  # the brush is on again
    assert leave.is_hidden()
    wait_until_idle(page, 1)


def test_a_link_holds_the_colours(page):
    page.fill("#option-color", "0.9")
    page.click("#share")
    page.wait_for_function("() => location.hash.startsWith('#r=')")
    text = page.evaluate("() => atob(location.hash.slice(3).replaceAll('-', '+').replaceAll('_', '/'))")
    assert json.loads(text)["options"]["color"] == 0.9


def test_dream_is_at_hand_where_a_phone_shows_the_layers(open_page):
    page = open_page(390, 844)
    assert page.is_hidden("#dream-at-hand")  # there is no photograph
    choose(page, steps=1, octaves=1)
    page.locator("#layer-section").scroll_into_view_if_needed()
    page.wait_for_selector("#dream-at-hand:enabled")
    box = page.locator("#dream-at-hand").bounding_box()
    assert box["width"] >= 44
    assert box["height"] >= 44
    page.click("#dream-at-hand")
    wait_until_idle(page, 1)
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_selector("#dream-at-hand", state="hidden")  # the first one is in sight


def test_what_changes_the_dream_that_is_shown_stands_beside_its_buttons(page):
    assert page.locator("#tuning [data-option=strength]").count() == 2  # slider and number
    assert page.locator("#tuning label").count() == 3
    assert page.locator("#options [data-option=strength]").count() == 0
