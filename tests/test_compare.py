"""`dreamkit compare`: pictures side by side, and what sets their recipes apart."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from dreamkit.jobs import compare
from dreamkit.media import image_writer, images


def made(path, recipe=None, size=(30, 20)):
    pixels = np.full((size[1], size[0], 3), 120, np.uint8)
    image_writer.write(path, pixels, recipe=None if recipe is None else {"dreamkit": "1", **recipe})
    return path


def size(path):
    with Image.open(path) as image:
        return image.size


def test_what_differs_is_a_table(run, tmp_path):
    photograph = {"name": "photo.jpg", "sha256": "ab" * 32}
    shared = {"models": [{"name": "tiny", "sha256": "12" * 32}], "photograph": photograph}
    made(tmp_path / "a.png", {"options": {"steps": 15, "seed": 1, "layers": ["x"]}, **shared})
    other = {"models": [{"name": "tiny", "sha256": "34" * 32}], "photograph": None}
    made(tmp_path / "b.png", {"options": {"steps": 4, "seed": 1, "octaves": None, "layers": ["x"]}, **other})
    code, out, err = run("compare", "a.png", "b.png")
    assert (code, err) == (0, "wrote compare.png (1008 x 381)\n")
    lines = [line.split() for line in out.splitlines()]
    assert lines == [
        ["a.png", "b.png"],
        ["models[0].sha256", "12" * 6, "34" * 6],
        ["options.steps", "15", "4"],
        ["photograph.name", "photo.jpg", "-"],
        ["photograph.sha256", "ab" * 6, "-"],
    ]
    _, first, second, *_ = out.splitlines()
    assert first.index("12" * 6) == second.index("15")


def test_the_same_recipes_say_so(run, tmp_path):
    for name in ("a.png", "b.jpg"):
        made(tmp_path / name, {"options": {"steps": 15}})
    assert run("compare", "a.png", "b.jpg")[1] == "the recipes are the same\n"


def test_pictures_without_recipes_say_so(run, tmp_path):
    made(tmp_path / "a.png", {"options": {"steps": 15}})
    made(tmp_path / "b.png")
    made(tmp_path / "c.png", {"options": {"steps": 16}})
    assert run("compare", "a.png", "b.png")[1] == "b.png carries no recipe\n"
    code, out, _ = run("compare", "a.png", "b.png", "c.png")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["a.png", "b.png", "c.png"],
        ["options.steps", "15", "-", "16"],
        ["b.png", "carries", "no", "recipe"],
    ]


def test_json_is_all_there_is_on_stdout(run, tmp_path):
    for name, steps in (("a.png", 1), ("b.png", 2)):
        made(tmp_path / name, {"options": {"steps": steps, "sha256": str(steps) * 64}})
    code, out, err = run("compare", "a.png", "b.png", "--json", "-q")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "pictures": ["a.png", "b.png"],
        "recipes": [True, True],
        "differences": [
            {"key": "options.sha256", "values": ["1" * 64, "2" * 64]},
            {"key": "options.steps", "values": [1, 2]},
        ],
    }


def test_real_dreams_are_compared(run, picture, tmp_path):
    quick = ["dream", picture, "--model", "tiny", "--octaves", "1", "--steps", "1", "-q"]
    assert run(*quick, "-o", "a.png")[0] == run(*quick, "--seed", "5", "-o", "b.png")[0] == 0
    code, out, _ = run("compare", "a.png", "b.png")
    assert code == 0
    assert [line.split() for line in out.splitlines()[1:]] == [["options.seed", "0", "5"]]


def test_pictures_stand_at_one_height(run, tmp_path):
    made(tmp_path / "wide.png", size=(60, 20))
    made(tmp_path / "high.png", size=(10, 80))
    assert run("compare", "wide.png", "high.png", "--height", "40", "-o", "out.png", "-q") == (0, "", "")
    grey = (images.read(tmp_path / "out.png", 10**6).pixels == 120).all(-1)
    assert sorted({int(count) for count in grey.sum(0)} - {0})[-1] == 40
    assert grey.sum() == 40 * 120 + 40 * 5


def test_names_are_found_without_writing_over_anything(run, tmp_path):
    made(tmp_path / "a.png")
    for name in ("compare.png", "compare-2.png"):
        assert f"wrote {name}" in run("compare", "a.png", "a.png")[2]
    before = (tmp_path / "compare.png").stat().st_ino
    assert "wrote compare.png" in run("compare", "a.png", "a.png", "--overwrite")[2]
    assert (tmp_path / "compare.png").stat().st_ino != before


def test_pictures_of_one_name_are_told_apart_by_their_paths(run, tmp_path):
    for folder, steps in (("x", 1), ("y", 2)):
        (tmp_path / folder).mkdir()
        made(tmp_path / folder / "a.png", {"options": {"steps": steps}})
    assert run("compare", "x/a.png", "y/a.png")[1].splitlines()[0].split() == ["x/a.png", "y/a.png"]


BAD_INPUT = {
    "one": (["a.png"], 2, "one picture is given; compare takes 2 to 64"),
    "none": ([], 2, "(?i)missing argument 'picture"),
    "too many": (["a.png"] * 65, 2, "65 pictures are given; compare takes 2 to 64"),
    "missing": (["a.png", "nope.png"], 1, "nope.png does not exist"),
    "folder": (["a.png", "folder"], 1, "folder is a folder"),
    "no picture": (["a.png", "text.png"], 1, "text.png cannot be read as a picture"),
    "height": (["a.png", "a.png", "--height", "5"], 1, "height is 5; it takes a whole number, 16 to 4096"),
    "kept": (["a.png", "a.png", "-o", "kept.png"], 1, "kept.png exists; .* --overwrite"),
    "itself": (["a.png", "b.png", "-o", "b.png", "--overwrite"], 1, "b.png is one of the pictures"),
    "ending": (["a.png", "a.png", "-o", "x.bmp"], 1, "x.bmp ends in .bmp"),
    "too wide": (["a.png", "thin.png", "--height", "4000"], 1, "use a smaller --height"),
    "limit": (["a.png", "a.png", "--max-pixels", "9"], 1, "more than the 9 allowed"),
}


@pytest.mark.parametrize(("arguments", "exit_code", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gets_one_clear_line_and_loses_nothing(run, tmp_path, arguments, exit_code, message):
    made(tmp_path / "a.png")
    made(tmp_path / "b.png")
    made(tmp_path / "thin.png", size=(2000, 1))
    (tmp_path / "kept.png").write_bytes(b"a user's file")
    (tmp_path / "text.png").write_text("no picture\n" * 50)
    (tmp_path / "folder").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    code, out, err = run("compare", *arguments)
    assert (code, out) == (exit_code, "")
    assert re.search(message, err)
    assert len(err.splitlines()) == 1
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_strangers_recipe_is_only_shown(run, tmp_path):
    deep = 1
    for _ in range(200):
        deep = {"x": deep}
    made(tmp_path / "a.png", {"options": {"\x1b[31m": "\x1b[2J\n"}, "deep": deep})
    made(tmp_path / "b.png", {"options": "none", "models": [{"name": 1}, 2]})
    code, out, _ = run("compare", "a.png", "b.png")
    assert code == 0
    assert out.replace("\n", "").isprintable()
    assert re.search(r"^models\[0\]\.name +- +1$", out, re.M)


def test_differences_of_nothing():
    assert compare.differences([None, None]) == {}
    assert compare.differences([{"a": [1, 2]}, {"a": [1, 3]}]) == {"a": [[1, 2], [1, 3]]}
