"""The page for every user: touch, keyboard, screen readers, wide and narrow windows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from chromium import (
    PHOTO,
    canvas_pixels,
    choose,
    note_steps,
    noted_steps,
    saved,
    shrunk,
    wait_for_step,
    wait_for_text,
    wait_until_idle,
)

import browser

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

WIDE, NARROW = (1440, 900), (390, 844)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def use_tiny_network(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)


def violations(page):
    """What axe finds, one line for each element."""
    script = browser.APP / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe-core is not installed; run `make web`")
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate(
        "tags => axe.run(document, { runOnly: tags }).then(({ violations }) => violations)", RULES
    )
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_every_state_satisfies_wcag(open_page, size):
    page = open_page(*size)
    use_tiny_network(page)
    page.wait_for_selector("#sight[data-state='dreamed']")
    assert violations(page) == []
    choose(page, longest=192)
    page.click("#channel-section summary")
    page.click("#save-more summary")
    page.click('#layers button[data-term="first"]')
    page.wait_for_selector("#view[data-preview=fine]")
    assert violations(page) == []
    page.click("#brush")
    page.click("#dream")
    wait_until_idle(page, 1)
    page.fill("#compare", "40")
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, summary, input:not([type=checkbox])")]
            .filter(each => each.checkVisibility())
            .filter(each => each.getBoundingClientRect().height < 44)
            .map(each => each.id || each.outerHTML)"""
    )
    assert small == []
    page.evaluate("() => scrollTo(0, 0)")
    for name in ("#replace", "#camera"):  # in sight under the picture, and in its place
        box = page.locator(name).bounding_box()
        assert box["y"] + box["height"] < size[1]
        if name == "#replace":
            page.click(name)
    assert violations(page) == []
    page.click("#back")
    page.click("#try")
    page.wait_for_selector("#variant-tiles button:nth-child(9)[data-variant='dreamed']")
    assert violations(page) == []


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_nothing_moves_while_the_page_opens(open_page, browser, size):
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, reduced_motion="reduce")
    context.add_init_script(
        """
        window.moved = 0;
        new PerformanceObserver((list) => {
            for (const { value } of list.getEntries()) window.moved += value;
        }).observe({ type: "layout-shift", buffered: true });
        """
    )
    page = open_page(context=context)
    page.wait_for_selector("#layers button[data-thumbnail='drawn']")
    assert page.evaluate("() => window.moved") < 0.02
    context.close()


def test_dropping_is_offered_only_where_there_is_a_pointer(open_page):
    assert open_page(*WIDE).is_visible(".drop")
    assert open_page(*NARROW, has_touch=True, is_mobile=True).is_hidden(".drop")


def test_the_messages_keep_their_height_on_a_phone(open_page, tmp_path):
    page = open_page(*NARROW, has_touch=True, is_mobile=True)
    use_tiny_network(page)
    page.evaluate(
        """() => {
            window.heights = [];
            const messages = document.querySelector("#messages");
            const read = () => window.heights.push(messages.getBoundingClientRect().height);
            new ResizeObserver(read).observe(messages);
        }"""
    )
    choose(page, longest=192, steps=30)
    note_steps(page)
    page.tap("#dream")
    wait_until_idle(page, 1)
    assert any("ms a step" in each for each in noted_steps(page))
    assert page.is_hidden("#status small")  # for wide windows
    saved(page, tmp_path)
    assert len(page.evaluate("() => window.heights")) == 1  # where it was first observed


def test_layers_are_added_by_touch(open_page):
    page = open_page(*NARROW, has_touch=True)
    page.tap('#layers button[data-term="mixed4a"]')
    page.tap("#several")
    wait_for_text(page, "#status", "Choose more than one layer, channel or concept; the dream joins them")
    page.tap('#layers button[data-term="mixed4b"]')
    wait_for_text(page, "#terms", "Dreams mixed4a and mixed4b")
    page.tap('#layers button[data-term="mixed4a"]')
    wait_for_text(page, "#terms", "Dreams mixed4b")
    assert page.text_content("#terms-detail") == "layer 5 of 8"


def test_a_swipe_over_the_picture_scrolls_unless_it_paints(open_page):
    page = open_page(*NARROW, has_touch=True)
    use_tiny_network(page)
    choose(page, longest=192)

    def swipe():
        page.evaluate("() => scrollTo(0, 0)")
        session = page.context.new_cdp_session(page)
        box = page.locator("#frame").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 20
        for kind, points in [
            ("touchStart", [(x, y)]),
            *(("touchMove", [(x, y - step * 20)]) for step in range(1, 9)),
            ("touchEnd", []),
        ]:
            touches = [{"x": a, "y": b} for a, b in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    swipe()
    page.wait_for_function("() => scrollY > 50")
    page.tap("#brush")
    page.wait_for_selector("#frame.brushing")
    swipe()
    wait_until_idle(page, 1)
    assert page.evaluate("() => scrollY") == 0


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_divider_is_dragged_with_the_photograph_on_the_side_of_before(open_page, size):
    page = open_page(*size)
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    before, after = (
        page.locator("#comparison span", has_text=each).bounding_box() for each in ("Before", "After")
    )
    assert before["x"] < after["x"]
    page.hover("#divider span")  # where it has stopped to move
    page.mouse.down()
    frame = page.locator("#frame").bounding_box()
    page.mouse.move(frame["x"] + 0.6 * frame["width"], frame["y"] + frame["height"] / 2, steps=4)
    page.mouse.up()
    assert page.input_value("#compare") == "60"
    clip = page.evaluate("() => getComputedStyle(document.querySelector('#before')).clipPath")
    assert re.fullmatch(r"inset\(0(px)? 40% 0(px)? 0(px)?\)|inset\(0(px)? 40% 0(px)?\)", clip)
    photo = canvas_pixels(page, "#before")[..., :3]
    np.testing.assert_array_equal(photo, shrunk(PHOTO, 192))


def test_keys_undo_redo_and_cancel(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    page.keyboard.press("Control+z")
    wait_until_idle(page, 0)
    page.keyboard.press("Control+Shift+z")
    wait_until_idle(page, 1)
    page.fill("#option-steps", "5000")
    page.locator("#option-steps").blur()
    page.keyboard.press("d")
    wait_for_step(page)
    page.keyboard.press("Escape")
    wait_until_idle(page, 2)
    page.keyboard.press("b")
    assert page.is_visible("#brushes")
    page.keyboard.press("Escape")
    assert page.is_hidden("#brushes")
    page.click("text=Keys")
    page.uncheck("#letter-keys")
    page.keyboard.press("b")
    assert page.is_hidden("#brushes")


def test_only_outcomes_are_read_out(page):
    use_tiny_network(page)
    choose(page, longest=192, steps=30)
    page.evaluate(
        """() => {
            window.said = [];
            for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
                new MutationObserver(() => window.said.push(region.textContent))
                    .observe(region, { childList: true, characterData: true, subtree: true });
            }
        }"""
    )
    page.click("#dream")
    wait_until_idle(page, 1)
    said = page.evaluate("() => window.said")
    assert said[0] == "Dreaming"
    assert len(said) == 2
    assert said[1].startswith("Dreamed in")
    assert page.get_attribute("#picture", "aria-label") == "Dream 1 of chelsea.jpg: second"


def test_the_channels_of_a_layer_are_chosen_where_they_are_shown(page):
    use_tiny_network(page)
    assert page.is_hidden("#layer")  # it is folded with the channels
    page.click("#channel-section summary")
    page.select_option("#layer", "first")
    assert page.locator("#channels button").first.get_attribute("data-term") == "first:0"


def test_thumbnails_begin_again_where_the_clouds_excite_nothing(page):
    page.click("#channel-section summary")
    page.select_option("#layer", "mixed5a")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#channels button')].slice(0, 16)"
        ".every(each => each.dataset.thumbnail)"
    )
    drawn = page.evaluate(
        """() => [...document.querySelectorAll("#channels button")].slice(0, 16).map(each => {
            const { width, height } = each.querySelector("canvas");
            const context = each.querySelector("canvas").getContext("2d");
            const { data } = context.getImageData(0, 0, width, height);
            return [each.dataset.thumbnail, [...data.filter((_, i) => i % 4 === 1)], width];
        })"""
    )
    states = [state for state, *_ in drawn]
    assert states.count("drawn") >= 14
    assert page.locator("#channels >> text=no picture").count() >= states.count("failed")
    for channel, (state, values, width) in enumerate(drawn):
        if state == "failed":
            continue
        picture = np.asarray(values, float).reshape(-1, width)
        # Clouds are smooth; what a channel brings out has edges.
        assert np.abs(np.diff(picture, axis=0)).mean() > 6, channel


def test_a_thumbnail_has_the_size_that_its_network_takes(page):
    """Networks of large pictures had black thumbnails, without a word."""

    def enlarge(route):
        response = route.fetch()
        description = {**response.json(), "min_size": 75}
        route.fulfill(response=response, json=description)

    page.route("**/models/tiny/model.json", enlarge)
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    page.wait_for_selector('#layers button[data-term="first"][data-thumbnail="drawn"]')
    assert page.evaluate("() => document.querySelector('#layers canvas').width") == 75
