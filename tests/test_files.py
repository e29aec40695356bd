"""Text files of users: in the encodings that systems write."""

from __future__ import annotations

import codecs
import io
import sys

import pytest

from dreamkit.cli.recipes import recipes
from dreamkit.convert.labels import read_labels
from dreamkit.jobs.batch import inputs
from dreamkit.media import files
from dreamkit.recipes import find

MARKS = {
    "utf-8": b"",
    "utf-8-sig": b"",  # whose codec writes the mark
    "utf-16-le": codecs.BOM_UTF16_LE,  # PowerShell 5's
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@pytest.fixture(params=MARKS)
def written(request, tmp_path):
    """Writes a text file as an editor or a shell does."""

    def write(name, text):
        path = tmp_path / name
        path.write_bytes(MARKS[request.param] + text.replace("\n", "\r\n").encode(request.param))
        return path

    return write


def test_recipes_lists_and_labels_are_read_in_the_encodings_of_windows(written):
    recipe = find(str(written("mine.toml", 'description = "caf\xe9 \u732b"\nsteps = 3\n')))
    assert (recipe.description, recipe.options) == ("caf\xe9 \u732b", {"steps": 3})
    written("caf\xe9.png", "")
    names = [each.name for each in inputs.expand([str(written("photos.txt", "caf\xe9.png\n\u732b.png\n"))])]
    assert names == ["caf\xe9.png", "\u732b.png"]
    assert read_labels(written("labels.txt", "caf\xe9\n\u732b\n")) == ["caf\xe9", "\u732b"]


def test_lines_end_alike():
    assert files.text(b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xff\xfea", b"\xff\xfe\x00\xd8", b"a\x00\xff"])
def test_what_is_no_text_is_refused(data):
    with pytest.raises(UnicodeDecodeError):
        files.text(data)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_recipe_that_is_shown_can_be_read_again(tmp_path, monkeypatch, encoding):
    described = "caf\xe9 \u732b \U0001f600 \xad\u202e"
    (tmp_path / "mine.toml").write_text(f'description = "{described}"\nsteps = 3\n', encoding="utf-8")
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", out)
    recipes(str(tmp_path / "mine.toml"))
    out.flush()
    shown = out.buffer.getvalue()
    (tmp_path / "again.toml").write_bytes(shown)
    assert find(str(tmp_path / "again.toml")).description == described
    assert shown.isascii() == (encoding != "utf-8")
    assert "\u202e".encode() not in shown
