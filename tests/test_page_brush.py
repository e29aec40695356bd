"""Painting with the brush of the page, in a real browser."""

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

import dreamkit
from dreamkit import recipes
from dreamkit.errors import RecipeError

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

LEFT, RIGHT = slice(0, 100), slice(156, 256)  # columns of a picture of 256 x 171 pixels


def shown(page):
    return canvas_pixels(page)[..., :3].astype(float)


def test_strokes_stay_each_with_its_layers_and_strength(page, tmp_path):
    choose(page)
    photo = shrunk(PHOTO)
    page.click("#brush")
    page.fill("#radius", "120")
    page.click('#layers button[data-term="mixed4a"]')
    stroke(page, (0.15, 0.5), (0.25, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    first = shown(page) - photo
    page.click('#layers button[data-term="mixed4c"]')
    page.fill("#brush-strength", "0.5")
    stroke(page, (0.75, 0.5), (0.85, 0.5), wait_for_growth=True)
    wait_until_idle(page, 2)
    second = shown(page) - photo
    assert first[:, LEFT].any()
    assert not first[:, RIGHT].any()  # the photograph is as it was where nothing is painted
    assert not second[:, 110:146].any()
    assert cosine(second[:, LEFT], first[:, LEFT]) > 0.99  # the first stroke stays
    strengths = [np.abs(second[:, side]).mean() for side in (LEFT, RIGHT)]
    assert strengths[1] < 0.8 * strengths[0]
    path = saved(page, tmp_path)
    recipe = recipes.from_picture(path)
    assert [(term["mask"], term["layer"]) for term in recipe.options["layers"]] == [
        ("stroke-1", "mixed4a"),
        ("stroke-2", "mixed4c"),
    ]
    assert set(recipe.masks) == {"stroke-1", "stroke-2"}
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO).pixels - photo
    np.testing.assert_array_equal(pixels(path) - photo, second)
    for side in (LEFT, RIGHT):
        assert cosine(second[:, side], again[:, side]) > 0.99


def test_what_grew_is_shown_until_the_strokes_are_dreamed(page):
    choose(page, steps=4)
    photo = shrunk(PHOTO)
    page.click("#brush")
    page.fill("#radius", "80")
    # Each picture that the stage gets from here on, and what the page is doing then.
    page.evaluate(
        """() => {
            window.pictures = [];
            const put = CanvasRenderingContext2D.prototype.putImageData;
            CanvasRenderingContext2D.prototype.putImageData = function (image, ...rest) {
                if (this.canvas.id === "picture") {
                    window.pictures.push([document.body.dataset.activity, image.width, image.data.slice()]);
                }
                return put.call(this, image, ...rest);
            };
        }"""
    )
    stroke(page, (0.4, 0.5), (0.6, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    changes = page.evaluate(
        """() => {
            const first = document.querySelector("#before").getContext("2d");
            const { width, height } = first.canvas;
            const photo = first.getImageData(0, 0, width, height).data;
            const change = data => data.reduce((sum, each, i) => sum + Math.abs(each - photo[i]), 0);
            return window.pictures.map(([activity, side, data]) => [activity, side === width, change(data)]);
        }"""
    )
    assert all(whole for _, whole, _ in changes)  # never a small octave, enlarged and blurred
    activities = [activity for activity, *_ in changes]
    assert "growing" in activities
    grown = max(change for activity, _, change in changes if activity == "growing")
    assert changes[-1][2] > 0.8 * grown  # nothing weaker takes its place
    assert not (shown(page) - photo)[:10].any()


def test_strokes_on_a_dream_are_added_to_it(page, tmp_path):
    choose(page)
    photo = shrunk(PHOTO)
    page.click('#layers button[data-term="mixed4a"]')
    page.click("#dream")
    wait_until_idle(page, 1)
    whole = shown(page) - photo
    page.click('#layers button[data-term="mixed4c"]')
    page.click("#brush")
    stroke(page, (0.8, 0.4), (0.8, 0.6))
    wait_until_idle(page, 2)
    painted = shown(page) - photo
    assert cosine(painted[:, LEFT], whole[:, LEFT]) > 0.99
    assert cosine(painted[:, RIGHT], whole[:, RIGHT]) < 0.99
    path = saved(page, tmp_path)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO).pixels - photo
    assert cosine(painted, again) > 0.99


def test_strokes_are_undone_redone_erased_and_removed(page):
    choose(page)
    photo = shrunk(PHOTO)
    page.click("#brush")
    stroke(page, (0.2, 0.5))
    wait_until_idle(page, 1)
    one = shown(page)
    stroke(page, (0.8, 0.5))
    wait_until_idle(page, 2)
    two = shown(page)
    page.click("#undo")
    wait_until_idle(page, 1)
    np.testing.assert_array_equal(shown(page), one)
    page.click("#redo")
    wait_until_idle(page, 2)
    np.testing.assert_array_equal(shown(page), two)
    page.fill("#radius", "120")
    page.click("#erase")
    stroke(page, (0.8, 0.4), (0.8, 0.6))
    wait_until_idle(page, 3)
    erased = shown(page) - photo
    assert not erased[:, RIGHT].any()
    assert erased[:, LEFT].any()
    page.click("#clear")
    wait_until_idle(page, 0)
    np.testing.assert_array_equal(shown(page), photo)


def test_every_small_picture_stays_in_the_history(page):
    """Also where a stroke was so quick that nothing grew, and two dreams have one picture."""
    choose(page)
    page.click("#dream")
    wait_until_idle(page, 1)
    page.evaluate(
        """() => {
            const history = document.querySelector("#history");
            const empty = "#history button:not(:has(canvas))";
            window.empty = 0;
            new MutationObserver(() => (window.empty += document.querySelectorAll(empty).length))
                .observe(history, { childList: true, subtree: true });
        }"""
    )
    page.click("#brush")
    stroke(page, (0.3, 0.5), (0.5, 0.5))
    wait_until_idle(page, 2)
    assert page.locator("#history button canvas").count() == 3
    assert page.evaluate("() => window.empty") == 0


def test_strokes_can_be_removed_while_they_are_dreamed(page):
    choose(page, steps=200)
    page.click("#brush")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    page.wait_for_function("() => document.body.dataset.activity === 'painting'")
    page.click("#clear")
    wait_until_idle(page, 0)
    np.testing.assert_array_equal(shown(page), shrunk(PHOTO))


def test_strokes_that_are_stopped_stay_as_they_grew(page, tmp_path):
    choose(page, steps=200)
    page.click("#brush")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    wait_for_step(page)
    page.click("#dream")
    wait_until_idle(page, 1)
    assert "as they grew" in page.text_content("#status")
    assert (shown(page) - shrunk(PHOTO)).any()
    with pytest.raises(RecipeError, match="strokes that were stopped"):
        dreamkit.redo(saved(page, tmp_path), PHOTO)


def test_strokes_of_another_network_stay_in_the_picture(page, tmp_path):
    choose(page)
    page.click("#brush")
    page.fill("#radius", "100")
    stroke(page, (0.2, 0.5))
    wait_until_idle(page, 1)
    first = shown(page)
    page.select_option("#model", "tiny")
    wait_until_idle(page, 1)
    stroke(page, (0.8, 0.5))
    wait_until_idle(page, 2)
    assert page.is_hidden("#notice")
    np.testing.assert_array_equal(shown(page)[:, LEFT], first[:, LEFT])
    assert (shown(page) - first)[:, RIGHT].any()
    with pytest.raises(RecipeError, match="has strokes on a picture that no recipe repeats"):
        dreamkit.redo(saved(page, tmp_path), PHOTO)
