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
    touches,
    wait_for_step,
    wait_until_idle,
)
from test_page_session import wait_for_status

import dreamkit
from dreamkit import recipes
from dreamkit.errors import RecipeError

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

LEFT, RIGHT = slice(0, 100), slice(156, 256)  # columns of a picture of 256 x 171 pixels


def shown(page):
    return canvas_pixels(page)[..., :3].astype(float)


def recipe_of(path):
    return recipes.from_picture(path)


def dreamed_again(path, photo):
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        return dreamkit.redo(path, PHOTO).pixels - photo


def test_strokes_stay_each_with_its_layers_and_strength(page, tmp_path):
    choose(page, steps=1, octaves=1)
    photo = shrunk(PHOTO)
    page.click("#brush")
    page.fill("#radius", "120")
    page.click('#layers button[data-term="mixed4a"]')
    stroke(page, (0.2, 0.5), wait_for_growth=True)  # one turn, after which nothing has drifted apart
    wait_until_idle(page, 1)
    first = shown(page) - photo
    page.click('#layers button[data-term="mixed4c"]')
    page.fill("#brush-strength", "0.5")
    stroke(page, (0.8, 0.5), wait_for_growth=True)
    wait_until_idle(page, 2)
    second = shown(page) - photo
    assert first[:, LEFT].any()
    assert not first[:, RIGHT].any()  # the photograph is as it was where nothing is painted
    assert not second[:, 110:146].any()
    np.testing.assert_array_equal(second[:, LEFT], first[:, LEFT])
    strengths = [np.abs(second[:, side]).mean() for side in (LEFT, RIGHT)]
    assert strengths[1] < 0.8 * strengths[0]
    path = saved(page, tmp_path)
    recipe = recipe_of(path)
    assert recipe.paints_photograph
    assert [each.options["layers"][0]["layer"] for each in recipe.strokes] == ["mixed4a", "mixed4c"]
    again = dreamed_again(path, photo)
    np.testing.assert_array_equal(pixels(path) - photo, second)
    for side in (LEFT, RIGHT):
        assert cosine(second[:, side], again[:, side]) > 0.9  # each turn rounds


def test_a_stroke_that_hardly_shows_says_so(page):
    choose(page, longest=192, steps=1, octaves=1)
    page.fill("#option-strength", "0.25")
    page.click("#brush")
    page.fill("#brush-strength", "0.25")
    stroke(page, (0.3, 0.5))
    wait_until_idle(page, 1)
    status = page.text_content("#status")
    assert status.startswith("Painted ")
    assert "which hardly shows; raise the brush's strength" in status


def test_the_divider_hides_no_stroke(page):
    choose(page, longest=192, steps=1, octaves=1)
    page.click("#dream")
    wait_until_idle(page, 1)
    page.fill("#compare", "100")  # the photograph alone
    page.click("#brush")
    stroke(page, (0.3, 0.5))
    wait_until_idle(page, 2)
    assert page.input_value("#compare") == "0"


def test_what_grew_is_what_stays(page):
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
    whole, differs = page.evaluate(
        """() => {
            const { width } = document.querySelector("#picture");
            const grown = window.pictures.filter(([activity]) => activity === "growing");
            const [last, kept] = [grown.at(-1), window.pictures.at(-1)].map(([, , data]) => data);
            return [grown.length > 0 && window.pictures.every(([, side]) => side === width),
                    last.some((each, i) => each !== kept[i])];
        }"""
    )
    assert whole  # never a small octave, enlarged and blurred
    assert not differs
    assert (shown(page) - photo)[40:130].any()
    assert not (shown(page) - photo)[:10].any()


def test_strokes_on_a_dream_change_nothing_else(page, tmp_path):
    """Also weak ones show."""
    choose(page, steps=1, octaves=1)
    photo = shrunk(PHOTO)
    page.click('#layers button[data-term="mixed4a"]')
    page.click("#dream")
    wait_until_idle(page, 1)
    whole = shown(page)
    page.click('#layers button[data-term="mixed4c"]')
    page.click("#brush")
    page.fill("#radius", "120")
    page.fill("#brush-strength", "0.25")
    stroke(page, (0.8, 0.4), (0.8, 0.6))
    wait_until_idle(page, 2)
    painted = shown(page)
    np.testing.assert_array_equal(painted[:, LEFT], whole[:, LEFT])
    assert np.abs(painted - whole)[68:103, 200:210].mean() > 0.2
    path = saved(page, tmp_path)
    assert not recipe_of(path).paints_photograph
    again = dreamed_again(path, photo)
    assert cosine(painted - photo, again) > 0.95
    inside = np.s_[68:103, 200:210]
    assert cosine((painted - whole)[inside], (again + photo - whole)[inside]) > 0.7


@pytest.mark.parametrize("brush", ["on", "off"])
def test_another_look_comes_under_the_strokes(page, tmp_path, brush):
    choose(page, steps=1, octaves=1)
    page.click('#layers button[data-term="mixed4a"]')
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#brush")
    page.fill("#radius", "80")
    page.click('#layers button[data-term="mixed5a"]')
    stroke(page, (0.2, 0.5), wait_for_growth=True)
    wait_until_idle(page, 2)
    assert page.inner_text("#terms") == "Dreams mixed4a"  # the look, not what the brush paints
    if brush == "off":
        page.click("#brush")
        assert page.get_attribute('#layers button[data-term="mixed4a"]', "aria-pressed") == "true"
    page.click('#recipes button[data-recipe="architecture"]')
    page.fill("#option-steps", "1")
    page.fill("#option-octaves", "1")
    page.click("#dream")
    wait_until_idle(page, 3)
    assert page.inner_text("#terms") == "Dreams architecture"
    recipe = recipe_of(saved(page, tmp_path))
    assert recipe.options["strength"] == recipes.find("architecture").options["strength"]
    assert all("direction" in each for each in recipe.options["layers"])  # of the concepts
    assert [each.options["layers"][0]["layer"] for each in recipe.strokes] == ["mixed5a"]


def test_another_look_comes_under_strokes_on_a_photograph(page, tmp_path):
    choose(page, steps=1, octaves=1)
    page.click("#brush")
    page.fill("#radius", "80")
    page.click('#layers button[data-term="mixed5a"]')
    stroke(page, (0.2, 0.5), wait_for_growth=True)
    wait_until_idle(page, 1)
    page.click("#brush")
    page.click('#layers button[data-term="mixed4a"]')
    page.click("#dream")
    wait_until_idle(page, 2)
    recipe = recipe_of(saved(page, tmp_path))
    assert not recipe.paints_photograph
    assert [each["layer"] if isinstance(each, dict) else each for each in recipe.options["layers"]] == [
        "mixed4a"
    ]
    assert [each.options["layers"][0]["layer"] for each in recipe.strokes] == ["mixed5a"]


def test_a_link_has_the_look_and_says_that_it_lacks_the_strokes(page, open_page):
    choose(page, steps=1, octaves=1)
    page.click('#layers button[data-term="mixed4a"]')
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#brush")
    page.click('#layers button[data-term="mixed5a"]')
    stroke(page, (0.2, 0.5), wait_for_growth=True)
    wait_until_idle(page, 2)
    page.click("#share")
    wait_for_status(page, "The link to this dream's recipe, without the strokes, is in the")
    friend = open_page(address=page.url)
    wait_for_status(friend, "The link's recipe is chosen; choose a photograph and press Dream")
    assert friend.get_attribute('#layers button[data-term="mixed4a"]', "aria-pressed") == "true"


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


def test_strokes_can_be_removed_while_they_grow(page):
    choose(page, steps=200)
    page.click("#brush")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    page.click("#clear")
    wait_until_idle(page, 0)
    np.testing.assert_array_equal(shown(page), shrunk(PHOTO))
    page.click("#redo")
    wait_until_idle(page, 1)
    assert (shown(page) - shrunk(PHOTO)).any()


def test_strokes_that_are_stopped_stay_as_they_grew(page, tmp_path):
    choose(page, steps=50_000)
    page.click("#brush")
    stroke(page, (0.3, 0.5), (0.5, 0.5), wait_for_growth=True)
    page.click("#dream")
    wait_until_idle(page, 1)
    assert page.text_content("#status").startswith("Stopped; what has grown of ")
    assert (shown(page) - shrunk(PHOTO)).any()
    (only,) = recipe_of(saved(page, tmp_path)).strokes
    assert 0 < only.turns < only.lasts


def test_strokes_of_one_paint_grow_together(page, tmp_path):
    choose(page, steps=50_000)
    page.click("#brush")
    stroke(page, (0.2, 0.5), wait_for_growth=True)
    stroke(page, (0.8, 0.5))
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("#picture");
            const context = canvas.getContext("2d");
            const { data } = context.getImageData(0.8 * canvas.width, canvas.height / 2, 1, 1);
            window.first ??= data;
            return data.some((level, i) => level !== window.first[i]);
        }"""
    )
    page.click("#dream")  # stops
    wait_until_idle(page, 1)
    change = np.abs(shown(page) - shrunk(PHOTO))
    assert change[:, LEFT].any()
    assert change[:, RIGHT].any()


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_ring_shows_the_brush_and_a_trace_the_stroke(open_page, size):
    page = open_page(*size)
    page.select_option("#model", "tiny")
    choose(page)
    box = page.locator("#frame").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    assert page.is_hidden("#ring")
    page.click("#brush")
    page.fill("#radius", "40")
    page.evaluate("() => scrollTo(0, 0)")
    page.mouse.move(*middle)
    ring = page.locator("#ring").bounding_box()
    assert ring["width"] == ring["height"] == 40
    assert (ring["x"] + 20, ring["y"] + 20) == pytest.approx(middle, abs=1)
    assert page.locator("#frame").bounding_box() == box  # nothing moves
    page.keyboard.press("]")
    assert page.locator("#ring").bounding_box()["width"] == 48
    traced = """() => {
        const trace = document.querySelector("#stroke");
        return trace.getContext("2d").getImageData(0, 0, trace.width, trace.height).data.some(Boolean);
    }"""
    page.evaluate(
        f"""() => {{
            const note = () => (window.began = ({traced})());
            document.querySelector("#frame").addEventListener("pointerdown", note);
        }}"""
    )
    page.mouse.down()
    assert page.evaluate("() => window.began")  # before anything has grown
    page.wait_for_function(f"() => !({traced})()")  # also while the pointer is down
    page.mouse.up()
    wait_until_idle(page, 1)
    assert not page.evaluate(traced)
    page.hover("#dream")
    assert page.is_hidden("#ring")


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


def open_with_brush(open_page, **recipe):
    """The page on a phone, with the brush on; gives the page, its touch, and places on the picture."""
    page = open_page(390, 844, has_touch=True)
    choose(page, longest=192, **recipe)
    page.tap("#brush")
    page.wait_for_selector("#frame.brushing")
    page.fill("#radius", "40")
    page.evaluate("() => scrollTo(0, 0)")
    page.evaluate(
        """() => (window.pixel = (x) => {
            const canvas = document.querySelector("#picture");
            const { data } = canvas.getContext("2d").getImageData(x * canvas.width, canvas.height / 2, 1, 1);
            return data.join();
        })"""
    )
    box = page.locator("#frame").bounding_box()

    def at(x, y):
        return box["x"] + box["width"] * x, box["y"] + box["height"] * y

    return page, touches(page), at


def pixel(page, x):
    """What the picture shows half-way down, at this share of its width."""
    return page.evaluate("x => window.pixel(x)", x)


def wait_for_pixel(page, x, *, unlike):
    page.wait_for_function("([x, before]) => window.pixel(x) !== before", arg=[x, unlike])


def wait_for_transform(page, scale, left):
    """Waits until the picture is so large, and begins so many times its width to the left."""
    page.wait_for_function(
        """([scale, left]) => {
            const { a, e } = new DOMMatrix(getComputedStyle(frame).transform);
            return Math.abs(a - scale) < 0.1 && Math.abs(e / frame.clientWidth + left) < 0.03;
        }""",
        arg=[scale, left],
    )


def test_a_second_finger_takes_the_stroke_back(open_page):
    page, touch, at = open_with_brush(open_page)
    photo = shown(page)
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#undo")
    wait_until_idle(page, 0)
    before = pixel(page, 0.4)
    touch("touchStart", at(0.35, 0.5))
    touch("touchMove", at(0.45, 0.5))
    wait_for_pixel(page, 0.4, unlike=before)
    touch("touchStart", at(0.45, 0.5), at(0.55, 0.5))
    touch("touchMove", at(0.3, 0.5), at(0.7, 0.5))
    wait_for_transform(page, 4, 1.5)
    touch("touchMove", at(0.4, 0.5), at(0.8, 0.5))  # both fingers move the picture
    wait_for_transform(page, 4, 1.4)
    touch("touchEnd")
    wait_until_idle(page, 0)
    np.testing.assert_array_equal(shown(page), photo)
    assert page.is_hidden("#notice")
    page.click("#redo")
    wait_until_idle(page, 1)


def test_two_fingers_beside_a_brush_stop_nothing(open_page):
    page, touch, at = open_with_brush(open_page, steps=50_000)
    page.click("#dream")
    wait_for_step(page)
    touch("touchStart", at(0.4, 0.5))
    touch("touchStart", at(0.4, 0.5), at(0.6, 0.5))
    touch("touchMove", at(0.3, 0.5), at(0.7, 0.5))
    touch("touchEnd")
    wait_for_transform(page, 2, 0.5)
    assert page.get_attribute("body", "data-activity") == "dreaming"
    page.click("#dream")
    wait_until_idle(page, 1)
    page.click("#further")
    before = pixel(page, 0.5)
    touch("touchStart", at(0.5, 0.5))
    touch("touchEnd")  # a tap paints
    wait_for_pixel(page, 0.5, unlike=before)
    page.click("#dream")
    wait_until_idle(page, 2)


def test_a_second_finger_leaves_strokes_that_grow(open_page):
    page, touch, at = open_with_brush(open_page, steps=50_000)
    left, right = slice(0, 80), slice(112, 192)
    photo = shown(page)
    before = {x: pixel(page, x) for x in (0.1, 0.9)}
    for x in before:
        touch("touchStart", at(x, 0.4))
        touch("touchMove", at(x, 0.6))
        wait_for_pixel(page, x, unlike=before[x])
        if x < 0.5:
            touch("touchEnd")
    touch("touchStart", at(0.9, 0.6), at(0.9, 0.3))
    touch("touchEnd")
    page.wait_for_function("before => window.pixel(0.9) === before", arg=before[0.9])
    wait_for_pixel(page, 0.1, unlike=pixel(page, 0.1))  # it grows on
    page.click("#dream")  # stops
    wait_until_idle(page, 1)
    change = shown(page) - photo
    assert change[:, left].any()
    assert not change[:, right].any()
