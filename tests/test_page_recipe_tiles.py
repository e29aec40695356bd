"""Built-in recipes as pictures to choose from, in a real browser."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import PHOTO, canvas_pixels, choose, cosine, pixels, saved, shrunk, wait_until_idle

import dreamkit
from dreamkit import recipes

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

SIZES = [(1440, 900), (390, 844)]

# Notes what a tile shows before its dream, by its term.
STARTS = """
    window.starts = {};
    const { putImageData } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.putImageData = function (image, ...place) {
        putImageData.call(this, image, ...place);
        const term = this.canvas.closest?.(".tiles button")?.dataset.term;
        if (term && image.width === 16) window.starts[term] = [...image.data];
    };
"""


def tile(name):
    return f'#recipes button[data-recipe="{name}"]'


def pressed(page):
    return page.locator("#recipes [aria-pressed=true]").all_inner_texts()


@pytest.mark.parametrize("size", [pytest.param(SIZES[0], marks=pytest.mark.long), SIZES[1]])
def test_each_recipe_shows_a_dream_of_the_photograph(open_page, size):
    page = open_page(*size)
    page.wait_for_selector(tile("engraving") + "[data-thumbnail=drawn]")
    choose(page, longest=192)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#recipes button')].every(each => each.dataset.thumbnail)"
    )
    names = page.locator("#recipes button").all_inner_texts()
    assert names == [
        "default", "creatures", "garden", "architecture", "clockwork", "neon", "painterly", "engraving"
    ]  # fmt: skip
    drawn = [canvas_pixels(page, tile(name if name != "default" else "") + " canvas") for name in names]
    changes = np.array([each[..., :3].astype(float) for each in drawn]) - drawn[0][..., :3]
    assert (np.abs(changes[1:]).mean((1, 2, 3)) > 3).all()  # none looks like the page's own
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [pytest.param(SIZES[0], marks=pytest.mark.long), SIZES[1]])
def test_each_concept_shows_a_dream_of_the_photograph(open_page, browser, size):
    """Dreams on clouds looked all alike; until there is one, the tile shows what it begins with."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    context.add_init_script(STARTS)
    page = open_page(context=context)
    choose(page, longest=192)
    page.evaluate("() => { window.starts = {}; }")
    page.set_input_files("#file", PHOTO)
    names = ["dogs", "cats", "big-cats"]
    page.wait_for_function("() => window.starts['concept dogs']")
    page.locator("#concepts").scroll_into_view_if_needed()
    drawn = []
    for name in names:
        place = f'#concepts button[data-term="concept {name}"]'
        page.wait_for_selector(f"{place}[data-thumbnail=drawn]")
        drawn.append(canvas_pixels(page, f"{place} canvas")[..., :3].astype(float))
    photo = shrunk(PHOTO, 192)[:, 32:160]
    start = np.reshape(page.evaluate("() => window.starts['concept dogs']"), (16, 16, 4))[..., :3]
    assert np.abs(photo.reshape(16, 8, 16, 8, 3).mean((1, 3)) - start).mean() < 10
    for i, each in enumerate(drawn):
        assert each.shape == photo.shape
        assert cosine(each - each.mean(), photo - photo.mean()) > 0.5
        assert all(np.abs(each - other).mean() > 10 for other in drawn[:i])
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_a_recipe_sets_all_options_and_redo_repeats_it(open_page, size, tmp_path):
    page = open_page(*size)
    page.click(tile("engraving"))
    assert pressed(page) == ["engraving"]
    assert page.text_content("#status") == "engraving: Fine hatched lines, as if cut in copper"
    assert page.text_content("#terms") == "Dreams engraving"
    assert page.text_content("#terms-detail") == "layer mixed3a"
    assert page.input_value("#option-octave_scale") == "1.8"
    assert page.input_value("#option-color") == "1"
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO).pixels
    photo = shrunk(PHOTO, 192)
    assert cosine(pixels(path) - photo, again - photo) > 0.99
    found, built_in = recipes.from_picture(path).config(), recipes.find("engraving").config()
    assert {found.smooth, found.octave_scale} == {built_in.smooth, built_in.octave_scale}
    page.click(tile(""))
    assert pressed(page) == ["default"]
    assert page.text_content("#terms") == "Dreams the default recipe"
    assert page.input_value("#option-octave_scale") == "1.4"


def test_the_layers_of_a_concept_are_those_of_python(page, tmp_path):
    page.click(tile("architecture"))
    choose(page, longest=192, steps=1, octaves=1)
    page.click("#dream")
    wait_until_idle(page, 1)
    path = saved(page, tmp_path)
    recipe = recipes.find("architecture")
    dream = dreamkit.dream(PHOTO, recipe=recipe, max_size=192, steps=1, octaves=1)
    photo = shrunk(PHOTO, 192)
    assert cosine(pixels(path) - photo, dream - photo) > 0.99


def test_a_link_and_a_kept_session_name_the_recipe(page, open_page):
    page.click(tile("painterly"))
    page.fill("#option-strength", "2")
    page.click("#share")
    address = page.url
    other = open_page(address=address)
    assert pressed(other) == ["painterly"]
    assert other.text_content("#terms") == "Dreams painterly"
    assert other.input_value("#option-strength") == "2"
    choose(other, longest=192)
    other.wait_for_function("() => document.body.dataset.kept === 'true'")
    other.goto(address.partition("#")[0])
    other.reload()
    wait_until_idle(other)
    assert pressed(other) == ["painterly"]
    assert other.text_content("#terms") == "Dreams painterly"
    assert other.input_value("#option-strength") == "2"


def test_a_network_without_the_recipe_gives_it_up(page):
    page.click(tile("neon"))
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    assert page.is_hidden("#recipe-section")
    assert page.input_value("#option-color") == "0.4"
    page.select_option("#model", "pocket")
    wait_until_idle(page)
    assert pressed(page) == ["default"]
