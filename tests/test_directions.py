"""Directions in files: every kind of table, what is refused, and that a dream's recipe needs no file."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny

import dreamkit
from dreamkit import directions, recipes
from dreamkit.errors import ConfigError
from dreamkit.media import direction_files
from dreamkit.option_values import read_direction
from dreamkit.request import make_request

TABLE = np.random.default_rng(3).normal(size=(7, 5))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def safetensors(tensors):
    """The bytes of a .safetensors file of arrays of floats and, as uint16, of bfloat16."""
    names = {"e": "F16", "f": "F32", "d": "F64", "H": "BF16"}
    header, data = {"__metadata__": {"made": "here"}}, b""
    for name, array in tensors.items():
        begin = len(data)
        data += array.tobytes()
        header[name] = {
            "dtype": names[array.dtype.char],
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_and_columns_of_arrays(folder, dtype, order):
    table = np.asarray(TABLE, dtype, order=order)
    np.save("decoder.npy", table)
    for text, expected in (("decoder.npy:6", table[6]), ("decoder.npy:,0", table[:, 0])):
        found = direction_files.read(text)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_an_array_of_one_axis_is_a_direction(folder):
    np.save("one.npy", TABLE[0])
    np.testing.assert_array_equal(direction_files.read("one.npy"), TABLE[0].astype(np.float32))
    with pytest.raises(ConfigError, match="it holds one direction; write one.npy alone"):
        direction_files.read("one.npy:0")


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_tensors(folder, dtype):
    table = TABLE.astype(dtype)
    given = {"bias": np.ones(7, "<f4"), "W_dec": table}
    (folder / "sae.safetensors").write_bytes(safetensors(given))
    for text, expected in (
        ("sae.safetensors:2", table[2]),  # of the only table
        ("sae.safetensors:W_dec:2", table[2]),
        ("sae.safetensors:W_dec:,4", table[:, 4]),
        ("sae.safetensors:bias", np.ones(7)),
    ):
        np.testing.assert_array_equal(direction_files.read(text), expected.astype(np.float32))


def test_bfloat16(folder):
    exact = np.array([[1.5, -0.25, 96.0], [0.0, 2.0, -1.0]], np.float32)
    bits = (exact.view(np.uint32) >> 16).astype("<u2")
    (folder / "sae.safetensors").write_bytes(safetensors({"decoder.weight": bits}))
    np.testing.assert_array_equal(direction_files.read("sae.safetensors:decoder.weight:0"), exact[0])


def test_what_no_direction_is_in(folder):
    np.save("table.npy", TABLE)
    np.save("whole.npy", np.ones((3, 4), np.int64))
    np.save("cube.npy", np.ones((2, 2, 2)))
    np.save("zero.npy", np.zeros((1, 4)))
    np.save("wide.npy", np.ones((1, 70_000), np.float16))
    np.save("huge.npy", np.full(3, 1e300))
    np.save("pickled.npy", np.array([{"a": 1}], object), allow_pickle=True)
    (folder / "short.npy").write_bytes((folder / "table.npy").read_bytes()[:-8])
    (folder / "empty.npy").write_bytes(b"")
    two = safetensors({"encoder": TABLE, "decoder": TABLE})
    (folder / "two.safetensors").write_bytes(two)
    (folder / "cut.safetensors").write_bytes(safetensors({"t": TABLE})[:-8])
    (folder / "wrong.safetensors").write_bytes(safetensors({"t": TABLE}).replace(b"[7, 5]", b"[7, 6]"))
    (folder / "long.safetensors").write_bytes(b"\xff" * 16)
    for text, message in {
        "table.npy": r"it has 7 rows and none is chosen; write table.npy:NUMBER, from 0 to 6",
        "table.npy:7": "it has 7 rows and none is number 7",
        "table.npy:,5": "it has 5 columns and none is number 5",
        "table.npy:W:1": "none called 'W'",
        "whole.npy:0": "a table of floats is needed",
        "cube.npy:0": "a table of floats is needed",
        "pickled.npy:0": "a table of floats is needed",
        "zero.npy:0": "is zero or has numbers that are not finite",
        "huge.npy": "is zero or has numbers that are not finite",
        "wide.npy:0": "70000 numbers",
        "short.npy:6": "it ends before the direction does",
        "empty.npy:0": "cannot read a direction from empty.npy",
        "missing.npy:0": "No such file",
        "table.pt:0": "give a .npy or .safetensors file",
        "two.safetensors:0": "it has several tensors; name one",
        "two.safetensors:decode:0": "did you mean decoder",
        "cut.safetensors:6": "it ends before",
        "wrong.safetensors:0": "does not have the size that it describes",
        "long.safetensors:0": "it is no .safetensors file",
    }.items():
        with pytest.raises(ConfigError, match=message):
            direction_files.read(text)


def test_the_command_line(folder):
    assert read_direction("a:b.npy:3@mixed4c=-0.5") == {
        "layer": "mixed4c",
        "direction": "a:b.npy:3",
        "weight": -0.5,
        "objective": "direction",
    }
    assert read_direction("a.npy@layer=1/b")["layer"] == "layer=1/b"
    for text in ("a.npy:3", "@mixed4c", "a.npy:3@"):
        with pytest.raises(ConfigError, match="write FILE:ROW@LAYER"):
            read_direction(text)
    with pytest.raises(ConfigError, match="not zero"):
        read_direction("a.npy@b=0")


def test_a_recipe_names_files_beside_it_alone(folder):
    (folder / "recipes").mkdir()
    np.save("recipes/table.npy", TABLE)
    path = folder / "recipes" / "mine.toml"
    line = '[[layers]]\nlayer = "second"\ndirection = "{}"\n'
    path.write_text(line.format("table.npy:2"))
    (term,) = directions.in_recipe(recipes.find(str(path))).options["layers"]
    np.testing.assert_allclose(term["direction"], TABLE[2], rtol=1e-6)
    np.save("table.npy", TABLE)
    for elsewhere in ("../table.npy:2", str(folder / "table.npy:2")):
        path.write_text(line.format(elsewhere))
        with pytest.raises(ConfigError, match="it can name a file beside it"):
            make_request(recipe=path)


def test_a_dream_needs_no_file_to_be_dreamed_again(folder, photo):
    provider = tiny.provider()
    np.save("table.npy", TABLE)
    options = {"octaves": 1, "steps": 2, "objective": "mean"}
    layers = [{"layer": "second", "direction": "table.npy:2", "objective": "direction"}]
    first = dreamkit.render(photo, provider, layers=layers, **options)
    first.save("dream.png")
    (folder / "table.npy").unlink()
    recipe = recipes.from_picture("dream.png")
    again = dreamkit.render(photo, provider, recipe=recipe, **options)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    row = TABLE[2].astype(np.float32).tolist()
    same = dreamkit.render(photo, provider, layers=[{**layers[0], "direction": row}], **options)
    assert np.abs(same.pixels.astype(int) - first.pixels).max() <= 1
