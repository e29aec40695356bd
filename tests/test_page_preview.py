"""Instant previews: what a control shows as soon as it moves, and what keeps them apart from dreams."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import (
    PHOTO,
    canvas_pixels,
    choose,
    cosine,
    pixels,
    saved,
    shrunk,
    stroke,
    wait_for_step,
    wait_until_idle,
)
from test_page_access import NARROW, WIDE, use_tiny_network

from dreamkit import recipes

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

SAVING = ["#save", "#save-jpeg", "#save-card", "#save-film"]
LAYER = '#layers button[data-term="{}"]'


def shown(page, canvas="#picture"):
    return canvas_pixels(page, canvas)[..., :3].astype(float)


def move(page, option, *values):
    """Moves a slider from value to value, and lets it rest nowhere."""
    page.evaluate(
        """([option, values]) => {
            const slider = document.querySelector(`[type=range][data-option=${option}]`);
            for (const value of values) {
                slider.value = String(value);
                slider.dispatchEvent(new Event("input", { bubbles: true }));
            }
        }""",
        [option, values],
    )


def wait_for_preview(page, state="fine"):
    page.wait_for_selector(f"#view[data-preview={state}]")


def is_previewing(page):
    return page.is_visible("#preview") and page.is_visible("#preview-mark")


def dreamed(page):
    """Dreams a photograph with the tiny network; returns what is shown then."""
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    return shown(page)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_control_that_moves_shows_how_the_dream_will_look(open_page, tmp_path, size):
    page = open_page(*size)
    use_tiny_network(page)
    choose(page, longest=192)
    page.evaluate(
        """() => {
            window.states = [];
            const view = document.querySelector("#view");
            const read = () => window.states.push(view.dataset.preview);
            new MutationObserver(read).observe(view, { attributeFilter: ["data-preview"] });
        }"""
    )
    place = "() => document.querySelector('#dream').getBoundingClientRect().top + scrollY"
    before = page.evaluate(place)
    move(page, "step_size", 0.03)
    wait_for_preview(page)
    assert page.evaluate(place) == before  # a finger that is on its way to a button finds it there
    assert page.evaluate("() => window.states[0]") == "rough"
    assert is_previewing(page)
    assert page.get_attribute("body", "data-activity") == "idle"
    np.testing.assert_array_equal(shown(page), shrunk(PHOTO, 192))  # the picture lies under it as it was
    slow = shown(page, "#preview")
    page.evaluate("() => (window.states.length = 0)")
    page.click(LAYER.format("first"))
    page.wait_for_function("() => window.states.at(-1) === 'fine'")
    assert page.evaluate("() => window.states[0]") == "changing"  # the other layer's is out of date at once
    fine = shown(page, "#preview")
    assert (fine != slow).any()
    page.click("#dream")
    wait_until_idle(page, 1)
    assert not is_previewing(page)
    # At this size the preview takes the steps of the dream itself.
    np.testing.assert_array_equal(shown(page), fine)
    path = saved(page, tmp_path)
    np.testing.assert_array_equal(pixels(path), fine)
    assert recipes.from_picture(path).options["step_size"] == 0.03
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_a_preview_is_not_saved_and_undo_and_escape_end_it(open_page, tmp_path, size):
    page = open_page(*size)
    dream = dreamed(page)
    for end in (lambda: page.click("#undo"), lambda: page.keyboard.press("Escape")):
        page.click(LAYER.format("first"))
        wait_for_preview(page)
        assert page.text_content("#status") == "A preview: Dream dreams it, Undo goes back"
        for button in SAVING:
            assert page.is_disabled(button)
            assert page.get_attribute(button, "title").startswith("This is a preview: press Dream")
        end()
        assert not is_previewing(page)
        assert page.text_content("#status") == "Back to the dream; the options stay as you chose them"
        np.testing.assert_array_equal(shown(page), dream)
        assert page.get_attribute("body", "data-dreams") == "1"
        assert page.get_attribute("#save", "title").startswith("As a PNG with its recipe")
    np.testing.assert_array_equal(pixels(saved(page, tmp_path)), dream)
    page.click(LAYER.format("second"))  # that of the dream
    assert not is_previewing(page)
    assert page.is_enabled("#save")


def test_moving_a_control_back_to_the_dream_ends_the_preview(page):
    dreamed(page)
    move(page, "jitter", 8)
    wait_for_preview(page)
    move(page, "jitter", 32)
    page.wait_for_selector("#preview", state="hidden")
    assert page.is_enabled("#save")


def test_a_preview_of_the_newest_control_replaces_those_before_it(page):
    dreamed(page)
    page.evaluate(
        """() => {
            window.begun = 0;
            const post = Worker.prototype.postMessage;
            Worker.prototype.postMessage = function (request, ...rest) {
                if (request.task?.kind === "dream") window.begun++;
                return post.call(this, request, ...rest);
            };
        }"""
    )
    move(page, "seed", *range(1, 200))
    wait_for_preview(page)
    assert page.evaluate("() => window.begun") <= 3  # the first one, and two of the last
    preview = shown(page, "#preview")
    assert page.input_value("#option-seed") == "199"
    page.click("#dream")
    wait_until_idle(page, 2)
    np.testing.assert_array_equal(shown(page), preview)


def test_a_preview_goes_before_thumbnails_that_wait(page):
    use_tiny_network(page)
    choose(page, longest=192)
    posted = page.evaluate(
        """async () => {
            const posted = [];
            const post = Worker.prototype.postMessage;
            Worker.prototype.postMessage = function (request, ...rest) {
                posted.push(request.task?.kind ?? "stop");
                return post.call(this, request, ...rest);
            };
            const channels = document.querySelector("#channel-section");
            const opened = new Promise((resolve) => channels.addEventListener("toggle", resolve));
            channels.open = true;
            await opened;
            const view = document.querySelector("#view");
            const refined = new Promise((resolve) => {
                const read = () => view.dataset.preview === "fine" && resolve([...posted]);
                new MutationObserver(read).observe(view, { attributeFilter: ["data-preview"] });
            });
            const slider = document.querySelector("[type=range][data-option=jitter]");
            slider.value = "8";
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            return refined;
        }"""
    )
    begin = posted.index("dream")
    assert posted[begin - 1] == "stop"  # of the thumbnail that was being drawn
    assert posted[begin:] == ["dream", "dream"]
    page.wait_for_selector("#channels button:last-child[data-thumbnail]")  # they go on after it


def test_what_begins_ends_the_preview_and_begins_with_the_dream(page):
    dream = dreamed(page)

    def preview():
        page.click(LAYER.format("first"))
        page.click(LAYER.format("second"))
        move(page, "steps", 3)
        wait_for_preview(page)

    preview()
    page.click("#history button >> nth=0")
    wait_until_idle(page, 0)
    assert not is_previewing(page)
    np.testing.assert_array_equal(shown(page), shrunk(PHOTO, 192))
    page.click("#redo")
    move(page, "steps", 2)
    preview()
    page.click("#try")
    assert not is_previewing(page)
    page.keyboard.press("Escape")
    wait_until_idle(page, 1)
    move(page, "steps", 2)
    preview()
    page.click("#brush")
    assert not is_previewing(page)
    page.fill("#radius", "40")
    stroke(page, (0.2, 0.5), wait_for_growth=True)
    wait_until_idle(page, 2)
    np.testing.assert_allclose(shown(page)[:, 150:], dream[:, 150:], atol=1)  # sums in another order
    page.click("#brush")
    move(page, "steps", 2)
    preview()
    page.set_input_files("#file", PHOTO)
    wait_until_idle(page, 0)
    page.wait_for_selector("#preview", state="hidden")
    np.testing.assert_array_equal(shown(page), shrunk(PHOTO, 192))


def test_another_control_stops_the_dream_of_one_that_rested(page):
    dream = dreamed(page)
    page.fill("#option-steps", "100000")
    page.locator("#option-steps").blur()
    page.click("#dream")
    wait_for_step(page)
    page.click("#dream")  # a stopped dream stays
    wait_until_idle(page, 2)
    stopped = shown(page)
    move(page, "strength", 2)
    page.locator("[type=range][data-option=strength]").dispatch_event("change")
    wait_for_step(page)
    move(page, "jitter", 8)
    wait_for_preview(page, "rough")
    assert page.get_attribute("body", "data-dreams") == "2"
    page.keyboard.press("Escape")
    np.testing.assert_array_equal(shown(page), stopped)
    page.click("#undo")
    np.testing.assert_array_equal(shown(page), dream)


def test_a_reload_during_a_preview_brings_back_the_dream(page):
    dream = dreamed(page)
    page.fill("#option-steps", "5")
    page.locator("#option-steps").blur()
    wait_for_preview(page)
    page.wait_for_function("() => document.body.dataset.kept === 'true'")
    page.reload()
    wait_until_idle(page, 1)
    assert not is_previewing(page)
    np.testing.assert_array_equal(shown(page), dream)
    assert page.input_value("#option-steps") == "5"


def test_a_recipe_that_cannot_be_previewed_is_only_announced(page):
    use_tiny_network(page)
    choose(page, longest=192)
    wait_until_idle(page)
    page.evaluate(
        """() => {
            const post = Worker.prototype.postMessage;
            Worker.prototype.postMessage = function (request, ...rest) {
                if (request.task?.kind === "dream") request.task.config.tile_size = 1;
                return post.call(this, request, ...rest);
            };
        }"""
    )
    page.click(LAYER.format("first"))
    page.wait_for_function("() => document.querySelector('#status').textContent === 'Press Dream to see it'")
    assert not is_previewing(page)
    assert page.is_hidden("#notice")


def test_strokes_follow_the_strength(page, tmp_path):
    use_tiny_network(page)
    choose(page, longest=192)
    photo = shrunk(PHOTO, 192)
    page.click("#brush")
    page.fill("#radius", "60")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    painted = shown(page)
    before = recipes.from_picture(saved(page, tmp_path)).options["strength"]
    move(page, "strength", 2)
    np.testing.assert_allclose(shown(page), np.clip(photo + 2**0.75 * (painted - photo), 0, 255), atol=0.5)
    page.locator("[type=range][data-option=strength]").dispatch_event("change")
    wait_until_idle(page, 2)
    strong = shown(page)
    assert np.abs(strong - photo).mean() > 1.3 * np.abs(painted - photo).mean()
    path = saved(page, tmp_path)
    np.testing.assert_array_equal(pixels(path), strong)
    recipe = recipes.from_picture(path)
    assert recipe.options["strength"] == pytest.approx(2 * before)
    (only,) = recipe.strokes
    assert only.options["strength"] == pytest.approx(2 * before)
    page.click("#undo")
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(shown(page), painted)


def test_other_options_of_strokes_are_previewed(page):
    use_tiny_network(page)
    choose(page, longest=192)
    page.click("#brush")
    page.fill("#radius", "60")
    stroke(page, (0.3, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    page.click("#brush")
    move(page, "step_size", 0.04)
    wait_for_preview(page)
    preview, photo = shown(page, "#preview"), shrunk(PHOTO, 192)
    assert (preview != photo).any()
    np.testing.assert_array_equal(preview[:, 150:], photo[:, 150:])
    page.click("#dream")
    wait_until_idle(page, 2)
    dream = shown(page)
    assert cosine(dream - photo, preview - photo) > 0.5  # all strokes at once, and not as they grew
    np.testing.assert_array_equal(dream[:, 150:], photo[:, 150:])
