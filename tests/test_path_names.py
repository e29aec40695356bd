"""Any name that the file system takes is a name, for every file that a command reads or writes."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import SMALL
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems take fewer names")
ODD = [
    *(
        "clip[1]",
        "*",
        "?",
        "{a,b}",
        "~",
        "~nosuch",
        "$HOME",
        "%d",
        "%(name)s",
        "a:b",
        "12:30",
        "http:",
        "s3:",
    ),
    *(
        "-o",
        "--help",
        " ",
        ".",
        "a\nb",
        "a\tb",
        "\x1b[31mred",
        "é",
        "é",
        "\u202egnp",
        "\udcff",
        "'",
        '"',
        "\\",
        "a;b",
    ),
    *("[bold]", "CON", "a" * 200, ".hidden", "a.png", "a.work", "@x", "#1", "&", "<x>", "|"),
]
_names = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30),
    st.binary(min_size=1, max_size=30).map(lambda data: os.fsdecode(data.translate(None, b"/\0") or b"x")),
)
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path, photo):
    """Makes a fresh folder with a photograph, and goes there."""

    def fresh():
        path = tmp_path / "fresh"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        os.chdir(path)
        Image.fromarray(photo).save("plain.png")
        return path

    before = Path.cwd()
    yield fresh
    os.chdir(before)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def ended_well(result):
    """No error, and nothing in a message that a terminal would obey."""
    code, out, err = result
    assert code == 0, err
    assert "Traceback" not in err
    assert all(text.replace("\n", "").isprintable() for text in (out, err)), (out, err)


@pytest.mark.heavy
@few
@given(_names, _names)
@example("clip[1]", "12:30")
def test_photographs_and_dreams(run, loaded_once, folder, read, written):
    folder()
    ended_well(run("dream", "plain.png", *SMALL[:-1], "-o", "expected.png"))
    os.rename("plain.png", f"{read}.png")
    names = set(os.listdir())
    ended_well(run("dream", f"./{read}.png", *SMALL[:-1], "-o", f"./{written}.dream.png"))
    assert set(os.listdir()) == {*names, f"{written}.dream.png"}
    np.testing.assert_array_equal(pixels(f"{written}.dream.png"), pixels("expected.png"))


@pytest.mark.heavy
@few
@given(_names)
def test_masks_guides_and_recipes(run, loaded_once, folder, name):
    folder()
    shutil.copy("plain.png", f"{name}.png")
    given = "./plain.png", *SMALL[:-1]
    ended_well(run("dream", *given, "--mask", f"./{name}.png", "-o", "masked.png"))
    ended_well(run("dream", *given, "--guide", f"./{name}.png", "-o", "guided.png"))
    Path(f"{name}.toml").write_text("step_size = 0.02\n")
    ended_well(run("dream", *given, "--recipe", f"./{name}.toml", "-o", "by-recipe.png"))


@pytest.mark.heavy
@pytest.mark.long
@few
@given(_names)
def test_batches_and_films(run, loaded_once, folder, name):
    folder()
    if name.startswith("."):  # a folder's pictures are those that are not hidden
        name = f"x{name}"
    inside = Path("photos", name)
    inside.mkdir(parents=True)
    shutil.copy("plain.png", inside / f"{name}.png")
    shutil.copy("plain.png", inside / f"{name}.2.png")
    ended_well(run("batch", "photos", *SMALL, "--jobs", "1", "-o", f"./{name}.out"))
    made = {path.relative_to(f"./{name}.out") for path in Path(f"./{name}.out").rglob("*.png")}
    assert made == {path.relative_to("photos") for path in inside.iterdir()}
    ended_well(run("film", str(Path(".") / inside), *SMALL, "--blend", "0", "-o", f"./{name}.gif"))
    assert Path(f"./{name}.gif").stat().st_size > 100


@pytest.mark.heavy
@few
@given(_names)
def test_homes(run, loaded_once, folder, monkeypatch, name):
    """With a network's description and its compiled steps in them."""
    home = folder() / f"{name}.home"
    monkeypatch.setenv("DREAMKIT_HOME", str(home))
    ended_well(run("dream", "plain.png", *SMALL[:-1], "-o", "out.png"))
