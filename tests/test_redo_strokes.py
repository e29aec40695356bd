"""Strokes of the page's brush, which grow again from what a picture carries."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import dreamkit
from dreamkit import DreamConfig
from dreamkit.engine import growth
from dreamkit.media import image_writer, images
from dreamkit.media.image_metadata import read_recipe

QUICK = ["--model", "tiny", "--octaves", "2", "--steps", "2", "--tile-size", "64"]
PAINTED = np.s_[5:30, 8:26]
OUTSIDE = np.s_[:, 40:]


def embedded(pixels):
    data = base64.b64encode(image_writer.to_png(pixels)).decode()
    return {"name": "", "sha256": images.from_memory(pixels).sha256, "data": data}


def grown(**changes):
    """A stroke of two turns for each pixel, painted at the first turn above and at the second one below."""
    times = np.zeros((40, 56, 3), np.uint8)
    times[PAINTED] = [0, 1, 0]
    times[18:30, 8:26] = [0, 2, 0]
    turn = {"layers": ["high"], "steps": 1, "octaves": 1, "clouds": 0.0, "tile_size": 64}
    options = DreamConfig.of(None, **turn).to_dict()
    return {"options": options, "turns": 3, "lasts": 2, "least": 48, "times": embedded(times), **changes}


def erasing():
    levels = np.zeros((40, 56), np.uint8)
    levels[:20] = 255
    return {"erased": embedded(levels)}


@pytest.fixture
def painted(run, picture, tmp_path):
    """Writes a dream with strokes on it, or on the photograph."""
    assert run("dream", picture, *QUICK, "-o", "d.png", "-q") == (0, "", "")

    def write(*strokes, on="dream"):
        recipe = {**read_recipe(tmp_path / "d.png"), "strokes": list(strokes), "painted_on": on}
        chunk = PngImagePlugin.PngInfo()
        chunk.add_itxt("dreamkit", json.dumps(recipe))
        with Image.open(tmp_path / "d.png") as image:
            image.save(tmp_path / "painted.png", pnginfo=chunk)
        return tmp_path / "painted.png"

    return write


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_strokes_grow_again_and_change_nothing_else(run, painted, picture, tmp_path):
    path = painted(grown())
    assert run("redo", path, picture, "-q", "-o", "again.png") == (0, "", "")
    dream, again = opened(tmp_path / "d.png"), opened(tmp_path / "again.png")
    np.testing.assert_array_equal(again[OUTSIDE], dream[OUTSIDE])
    assert np.abs(again - dream)[PAINTED].mean() > 1
    assert read_recipe("again.png")["strokes"] == read_recipe(path)["strokes"]
    assert run("redo", "again.png", picture, "-q", "-o", "twice.png") == (0, "", "")
    assert (tmp_path / "twice.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_strokes_on_a_photograph_leave_it_as_it_is_elsewhere(painted, picture):
    photo = opened(picture)
    again = dreamkit.redo(painted(grown(), on="photograph"), picture).pixels.astype(int)
    np.testing.assert_array_equal(again[OUTSIDE], photo[OUTSIDE])
    assert np.abs(again - photo)[PAINTED].mean() > 1


def test_what_is_erased_is_the_dream_below(painted, picture, tmp_path):
    dream = opened(tmp_path / "d.png")
    stroke = dreamkit.redo(painted(grown()), picture).pixels
    again = dreamkit.redo(painted(grown(), erasing()), picture).pixels
    np.testing.assert_array_equal(again[:20], dream[:20])
    np.testing.assert_array_equal(again[20:], stroke[20:])


def test_strokes_of_a_recipe_go_onto_another_size(painted, picture, tmp_path):
    with Image.open(picture) as image:
        image.resize((112, 80)).save(tmp_path / "large.png")
    with pytest.warns(dreamkit.DreamkitWarning, match=r"large\.png is not the photograph"):
        again = dreamkit.redo(painted(grown(), on="photograph"), tmp_path / "large.png").pixels
    changed = (again != opened(tmp_path / "large.png")).any(axis=2)
    assert changed[10:60, 16:52].mean() > 0.5
    assert not changed[:, 56:].any()


@pytest.mark.parametrize(
    "changes", [{"turns": 10**9}, {"lasts": 0}, {"options": {"steps": 0}}, {"times": {}}]
)
def test_a_damaged_stroke_is_refused_in_one_line(run, painted, picture, changes):
    code, out, err = run("redo", painted(grown(**changes)), picture)
    assert (code, out) == (1, "")
    assert "the recipe in " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("command", "output"), [("zoom", "out.mp4"), ("sheet", "out.png")])
def test_what_cannot_follow_strokes_says_so(run, painted, picture, command, output):
    code, _, err = run(command, picture, "--recipe", painted(grown()), "-o", output)
    assert code != 0
    assert "has strokes of the brush" in err


def test_growth_stays_in_the_picture():
    grows = np.zeros((300, 200), bool)
    grows[150, 199] = grows[160, 190] = True
    assert growth._box(grows, 128) == (slice(64, 256), slice(72, 200))
    assert growth._box(grows, 500) == (slice(0, 300), slice(0, 200))
