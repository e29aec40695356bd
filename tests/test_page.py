"""The page in a real browser: what a user does with it, and that its dreams agree with Python's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tiny
from chromium import (
    PHOTO,
    TIMEOUT,
    choose,
    cosine,
    note_steps,
    noted_steps,
    pixels,
    saved,
    shrunk,
    wait_for_step,
    wait_until_idle,
)
from PIL import Image

import dreamkit
from dreamkit import recipes
from dreamkit.concepts import library
from dreamkit.errors import RecipeError
from dreamkit.request import request_again

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]


def test_a_dropped_photograph_dreams_as_in_python(page, tmp_path):
    page.select_option("#longest", "256")
    page.fill("#option-steps", "2")
    page.fill("#option-octaves", "1")  # rounding makes pocket's dreams differ more with each octave
    data = list(PHOTO.read_bytes())
    page.evaluate(
        """data => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([Uint8Array.from(data)], "chelsea.jpg", { type: "image/jpeg" }));
            const options = { dataTransfer, bubbles: true, cancelable: true };
            document.dispatchEvent(new DragEvent("drop", options));
        }""",
        data,
    )
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    note_steps(page)
    page.click("#dream")
    wait_until_idle(page, 1)
    text = r"\d+%.*octave 1 of 1, step .* ms a step, .* frames a second"
    assert any(re.match(text, each) for each in noted_steps(page))
    path = saved(page, tmp_path)
    assert path.name == "chelsea.dream.png"
    recipe = recipes.from_picture(path)
    assert recipe.photograph.name == "chelsea.jpg"
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO)
    photo = shrunk(PHOTO)
    assert pixels(path).shape == photo.shape
    assert cosine(pixels(path) - photo, again.pixels - photo) > 0.99
    expected = dreamkit.dream(PHOTO, steps=2, octaves=1, max_size=256)  # the page's defaults are dreamkit's
    assert np.array_equal(expected, again.pixels)


def test_a_dream_grows_under_the_brush_and_redo_repeats_it(page, tmp_path):
    choose(page, steps=1, octaves=1)
    page.click("#brush")
    page.fill("#radius", "120")
    box = page.locator("#frame").bounding_box()
    points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * 0.4) for x in (0.25, 0.4, 0.6)]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.wait_for_function("() => document.body.dataset.activity === 'growing'")
    page.wait_for_function("() => /frames a second/.test(document.querySelector('#steps').textContent)")
    page.mouse.up()
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    photo, dreamed = shrunk(PHOTO), pixels(path)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js") as warned:
        again = dreamkit.redo(path, PHOTO).pixels
    assert len(warned) == 1  # none for the stroke: the recipe holds it
    change = dreamed - photo
    assert cosine(change, again - photo) > 0.9  # each turn rounds, and time tells how many there are
    changed = np.abs(change).max(-1) > 0
    assert 0.05 < changed.mean() < 0.6
    assert not changed[-20:].any()  # the brush did not reach these rows


def test_clouds_undo_stop_and_a_link(page, open_page, tmp_path):
    page.select_option("#longest", "192")
    page.fill("#option-steps", "2")
    page.fill("#option-seed", "7")
    page.fill("#option-octaves", "1")  # dreams of smooth clouds drift apart sooner than those of photographs
    page.click("#clouds")
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    assert path.name == "clouds.dream.png"
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path).pixels.astype(float)
    start = dreamkit.dream(None, steps=1, step_size=1e-9, size=192, octaves=1, seed=7).astype(float)
    assert cosine(pixels(path) - start, again - start) > 0.99
    page.click('#layers button[data-term="mixed4a"]')
    page.fill("#option-steps", "100000")
    page.click("#dream")
    wait_for_step(page)
    page.keyboard.press("d")  # stops, and keeps the dream so far
    wait_until_idle(page, 2)
    assert page.text_content("#status").startswith("Stopped after")
    stopped = saved(page, tmp_path)
    assert stopped.name == "clouds.dream-2.png"
    with Image.open(stopped) as image:
        assert image.size == (192, 192)
    with pytest.warns(dreamkit.DreamkitWarning) as warned:
        request_again(recipes.from_picture(stopped), None)
    assert re.match(
        r"clouds\.dream-2\.png was stopped at octave 1 of 1, step \d+ of 100000; this dream takes all",
        str(warned[0].message),
    )
    page.fill("#option-steps", "2")
    page.click("#dream")
    wait_until_idle(page, 3)
    page.keyboard.press("c")
    assert page.input_value("#compare") == "50"
    page.keyboard.press("u")
    wait_until_idle(page, 2)
    page.click("#share")
    page.wait_for_function("() => location.hash.startsWith('#r=')")
    other = open_page(address=page.url, context=page.context)
    assert other.text_content("#terms") == "Dreams mixed4a"
    assert (other.input_value("#option-seed"), other.input_value("#option-steps")) == ("7", "100000")


def test_an_endless_zoom_moves_until_it_is_stopped(page, tmp_path):
    choose(page, longest=192)
    page.click("#zoom")
    page.wait_for_function("() => document.body.dataset.activity === 'zooming'")
    first = page.evaluate("() => document.querySelector('#picture').toDataURL()")
    page.wait_for_function("before => document.querySelector('#picture').toDataURL() !== before", arg=first)
    page.click("#zoom")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    with Image.open(path) as image:
        assert image.size == (192, 128)
    with pytest.raises(RecipeError, match=r"dream\.png is a frame of an endless zoom, so it carries no"):
        dreamkit.redo(path, PHOTO)


@pytest.mark.parametrize("backend", ["wasm", "webgl", "webgpu", "cpu"])
def test_every_backend_dreams_as_python_does(page, tmp_path, backend):
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    page.select_option("#backend", backend)
    page.wait_for_function(
        "backend => document.querySelector('#status').textContent.includes(`tiny, computed by ${backend}`)",
        arg=backend,
    )
    choose(page, longest=192, steps=2)
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    photo = shrunk(PHOTO, 192)
    expected = dreamkit.dream(PHOTO, tiny.provider(), steps=2, octaves=2, max_size=192).astype(float)
    assert cosine(pixels(path) - photo, expected - photo) > 0.99


def test_a_file_that_is_not_a_picture_is_reported(page, tmp_path):
    wrong = tmp_path / "notes.jpg"
    wrong.write_text("not a picture")
    page.set_input_files("#file", wrong)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith("Notes.jpg cannot be read as a picture; choose")
    choose(page)  # the page still works
    assert page.is_hidden("#notice")


def test_a_damaged_model_is_reported(browser, served):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    page.route("**/weights-0.bin", lambda route: route.fulfill(body=b"x" * 10))
    page.goto(served)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith("Weights-0.bin is damaged")
    context.close()


def test_a_lost_graphics_card_is_reported_and_webassembly_replaces_it(browser, served):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)

    def instrument(route):
        """Serves the worker's script, changed so that it records the contexts that it creates."""
        recorder = """
            const getContext = OffscreenCanvas.prototype.getContext;
            OffscreenCanvas.prototype.getContext = function (...options) {
                const context = getContext.apply(this, options);
                (self.contexts ??= []).push(context);
                return context;
            };
        """
        response = route.fetch()
        route.fulfill(response=response, body=recorder + response.text())

    page.route("**/assets/worker-*.js", instrument)
    page.goto(served)
    wait_until_idle(page)
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    page.select_option("#backend", "webgl")
    page.wait_for_function("() => /computed by webgl/.test(document.querySelector('#status').textContent)")
    choose(page, longest=192, steps=100_000)
    page.click("#dream")
    page.wait_for_function("() => /ms a step/.test(document.querySelector('#steps').textContent)")
    lose = """() => (self.contexts ?? []).some(context => {
        context?.getExtension?.("WEBGL_lose_context")?.loseContext();
        return context?.isContextLost?.();
    })"""
    assert any(worker.evaluate(lose) for worker in page.workers)
    text = "context was lost); the page now uses WebAssembly"
    page.wait_for_function("text => document.querySelector('#notice').textContent.includes(text)", arg=text)
    wait_until_idle(page, 0)
    page.fill("#option-steps", "2")
    page.click("#dream")
    wait_until_idle(page, 1)
    context.close()


def test_a_picture_comes_from_the_camera(page, tmp_path):
    page.context.grant_permissions(["camera"])
    page.select_option("#longest", "192")
    page.fill("#option-steps", "1")
    page.click("#camera")
    page.wait_for_selector("#shoot")
    page.wait_for_function("() => document.querySelector('#video').videoWidth > 0")
    page.click("#shoot")
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    assert page.is_hidden("#viewfinder")
    page.click("#dream")
    wait_until_idle(page, 1)
    with pytest.raises(RecipeError, match="a picture from memory"):
        dreamkit.redo(saved(page, tmp_path))


def test_channels_are_chosen_by_their_pictures(page, tmp_path):
    page.click("#channel-section summary")
    page.select_option("#layer", "mixed3b")
    tiles = page.locator("#channels button")
    assert tiles.count() == 24
    drawn = """tile => {
        const { data } = tile.querySelector("canvas").getContext("2d").getImageData(0, 0, 72, 72);
        return new Set(data).size > 50;
    }"""
    page.wait_for_function(f"() => ({drawn})(document.querySelector('#channels button:nth-child(3)'))")
    page.click("#more")
    assert tiles.count() == 48
    tiles.nth(5).click()
    tiles.nth(7).click(modifiers=["Shift"])
    assert page.text_content("#terms") == "Dreams mixed3b:5 and mixed3b:7"
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    recipe = recipes.from_picture(saved(page, tmp_path))
    assert recipe.options["layers"] == ("mixed3b:5", "mixed3b:7")


def test_a_narrow_screen_has_everything(page):
    page.set_viewport_size({"width": 390, "height": 844})
    choose(page, longest=192, steps=2)
    page.click("#dream")
    wait_until_idle(page, 1)
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390
    for name in ("#dream", "#save", "#layers", "#option-steps"):
        assert page.locator(name).is_visible()


def test_recipe_options_of_a_link_are_checked(open_page, served):
    import base64

    recipe = {
        "model": "pocket",
        "options": {"steps": -5, "seed": "x", "layers": ["mixed9"], "jitter": 5, "unknown": 1},
    }
    text = base64.urlsafe_b64encode(json.dumps(recipe).encode()).decode().rstrip("=")
    other = open_page(address=f"{served}#r={text}")
    assert other.input_value("#option-steps") == ""  # what suits the depth of the layers
    assert other.input_value("#option-jitter") == "5"
    assert other.text_content("#terms") == "Dreams the default recipe"
    assert other.text_content("#notice").startswith("This link asks for steps, seed, unknown, mixed9")


def directions_in(recipe):
    """The directions in a picture's recipe, by layer."""
    return {term["layer"]: np.array(term["direction"]) for term in recipe.options["layers"]}


def test_a_concept_is_dreamed_as_in_python(page, tmp_path):
    choose(page, octaves=1)
    page.click("#concepts [data-term='concept butterflies']")
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    found = directions_in(recipes.from_picture(path))
    expected = library.find("butterflies", "pocket")
    assert set(found) == set(expected.layers)
    for layer, direction in found.items():
        np.testing.assert_array_equal(direction, expected.direction(layer).weights)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO)  # with the page's smoothing, which is the same at every depth
    assert cosine(pixels(path) - shrunk(PHOTO), again.pixels - shrunk(PHOTO)) > 0.95


def test_a_concept_is_learned_in_the_browser_as_in_python(page, tmp_path):
    files = [ROOT / "docs" / "pictures" / f"{name}.jpg" for name in ("chelsea", "astronaut", "coffee")]
    page.fill("#concept-name", "things")
    page.set_input_files("#concept-files", files)
    page.wait_for_function("() => /Learned things/.test(document.querySelector('#status').textContent)")
    assert "stands out from" in page.text_content("#status")
    choose(page, octaves=1)
    page.click("#dream")
    wait_until_idle(page, 1)
    found = directions_in(recipes.from_picture(saved(page, tmp_path)))
    learned = dreamkit.Concept.learn("things", files, layers=list(found), keep=True)
    for layer, direction in found.items():
        assert cosine(direction, learned.concept.direction(layer).weights.astype(float)) > 0.999
