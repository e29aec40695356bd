"""Every command against everything that a recipe can ask for: it is obeyed, or refused by name.

A recipe is obeyed where what comes out differs from what comes out without that one line of it, and, where a
picture bounds the dream, nothing changes outside.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from faults import run_in_this_process
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("cv2")

import dreamkit
from dreamkit.concepts import texts
from dreamkit.concepts.concept import Concept, Direction
from dreamkit.executors import executor
from dreamkit.media import video
from dreamkit.models.providers import TextTower

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("second", "loaded_once")]

PLAIN = 'model = "sorter"\noctaves = 2\nsteps = 2\njitter = 2\nblend = 0.0\n'
MODELS = '[[models]]\nname = "sorter"\n[[models]]\nname = "other"\nweight = -0.5\n'
# What each line of a recipe asks for, and the lines that it stands in place of.
ASKS = {
    "guide": ('guide = "guide.png"\n', ""),
    "mask": ('mask = "mask.png"\n', ""),
    "named mask": ('layers = [{layer = "edges", mask = "left"}]\n', ""),
    "models": (MODELS, 'model = "sorter"\n'),
    "schedule": ("schedule = [{steps = 1}, {steps = 3, jitter = 0}]\n", ""),
    "timeline": (
        '[[timeline]]\nat = 0.0\nlayers = "edges:1"\n[[timeline]]\nat = 1.0\nlayers = "edges:2"\n',
        "",
    ),
    "fourier": ('space = "fourier"\nstep_size = 0.05\n', ""),
    "class": ('layers = [{class = "sea lion"}]\n', ""),
    "concept": ('layers = [{concept = "stripes.json"}]\n', ""),
    "text": ('layers = [{text = "stripes"}]\n', ""),
    "max_size": ("max_size = 32\n", ""),
    "choices": ('layers = "edges:top1"\n', ""),
    "alpha": ('alpha = "importance"\n', ""),
}
# The same engine obeys them for every command.
RARER = {
    "maco": ('space = "maco"\nstep_size = 0.5\n', ""),
    "views": ("views = 2\ncrop = [0.5, 0.9]\nview_size = 32\n", ""),
    "hold": ("hold = {edges = 1.0}\n", ""),
    "start": ('start = "noise"\n', ""),
}
REFUSED = {
    ("dream", "timeline"): "a timeline, which a picture cannot follow",
    ("batch", "timeline"): "a timeline, which a batch cannot follow",
    ("sheet", "timeline"): "a timeline, which a sheet cannot follow",
    ("sheet", "models"): "has 2 networks and a sheet shows one",
    ("export", "timeline"): "a timeline, which a page cannot follow",
    ("film", "choices"): "a choice of channels by the photograph, which a film cannot follow",
    ("zoom", "choices"): "a choice of channels by the photograph, which a zoom cannot follow",
    ("export", "choices"): "a choice of channels by the photograph, which a page cannot follow",
    ("film", "alpha"): "alpha is importance, which a film cannot do",
    ("zoom", "alpha"): "alpha is importance, which a zoom cannot do",
    ("sheet", "alpha"): "alpha is importance, which a sheet cannot do",
    ("export", "alpha"): "alpha is importance, which a page cannot do",
    ("film", "start"): "start is noise, which a film cannot do",
    ("zoom", "start"): "start is noise, which a zoom cannot do",
    ("export", "maco"): "space is maco, which a page cannot do",
    ("export", "views"): "crop is [0.5, 0.9], which a page cannot do",
    ("export", "hold"): "hold is {'edges': 1.0}, which a page cannot do",
    ("export", "start"): "start is noise, which a page cannot do",
}
# A sheet is of layers and sizes of its own; a picture's recipe has no timeline.
OWN = {
    ("sheet", "named mask"),
    ("sheet", "class"),
    ("sheet", "concept"),
    ("sheet", "text"),
    ("sheet", "max_size"),
    ("sheet", "choices"),
    ("redo", "timeline"),
}
COMMANDS = ("dream", "redo", "batch", "film", "zoom", "sheet", "export")


@pytest.fixture
def folder(tmp_path, picture, photo, run, monkeypatch):
    rng = np.random.default_rng(5)
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(tmp_path / "guide.png")
    left = np.zeros(photo.shape[:2], np.uint8)
    left[:, :24] = 255
    for name in ("mask.png", "left"):
        Image.fromarray(left).save(tmp_path / name, format="PNG")
    stripes = Direction(np.array([1, -0.5, 0.25, 0, -1], np.float32), 0.9)
    sha256 = dreamkit.load("sorter").digest
    tower = TextTower(
        layer="edges", digest=sha256, embed=lambda _: np.array([1, -0.5, 0.25, 0, -1], np.float32)
    )
    monkeypatch.setattr(texts, "_tower", lambda _: tower)
    Concept("stripes", "sorter", sha256, {"edges": stripes}, ("edges",), 3).save(tmp_path / "stripes.json")
    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.fromarray(np.roll(photo, number, 1)).save(tmp_path / "frames" / f"{number}.png")
    return tmp_path


def recipe(folder, name, lines="", instead=""):
    """A recipe file; tables must come after all other lines."""
    plain = PLAIN.replace(instead, "") if instead else PLAIN
    path = folder / f"{name}.toml"
    path.write_text(f"{plain}{lines}")
    return path.name


def made(run, folder, command, name, recipe):
    """What a command makes of a recipe: exit code, stderr, and pictures or plain data to compare."""
    out = folder / name
    if command in ("dream", "redo"):
        code, _, err = run("dream", "photo.jpg", "-r", recipe, "-q", "-o", f"{name}.png")
        if command == "redo" and code == 0:
            given = ["--guide", "guide.png"] if "guide" in (folder / recipe).read_text() else []
            for line, option in (('mask = "mask.png"', "mask.png"), ('mask = "left"', "left=left")):
                given += ["--mask", option] if line in (folder / recipe).read_text() else []
            code, _, err = run("redo", f"{name}.png", "photo.jpg", *given, "-q", "-o", f"{name}.redo.png")
            return code, err, [np.asarray(Image.open(f"{name}.redo.png"))]
        return code, err, [np.asarray(Image.open(f"{name}.png"))] if code == 0 else []
    if command == "batch":
        code, _, err = run(
            "batch", "photo.jpg", "-r", recipe, "-q", "-o", name, "--jobs", "1", "--threads", "1"
        )
        return code, err, [np.asarray(Image.open(out / "photo.png"))] if code == 0 else []
    if command == "film":
        code, _, err = run("film", "frames", "-r", recipe, "-q", "-o", name)
        return code, err, [frame.pixels for frame in video.read(out).frames()] if code == 0 else []
    if command == "zoom":
        arguments = ("--frames", "3", "--preview", "3", "--zoom", "1.0")
        code, _, err = run("zoom", "photo.jpg", "-r", recipe, "-q", *arguments, "-o", f"{name}.gif")
        frames = sorted((folder / f"{name}.gif.work").glob("*.png"))
        return code, err, [np.asarray(Image.open(frame)) for frame in frames]
    if command == "sheet":
        code, _, err = run("sheet", "photo.jpg", "-r", recipe, "-q", "--cell", "56", "-o", name)
        cell = out / "cells" / "edges.png"
        return code, err, [np.asarray(Image.open(cell))] if code == 0 else []
    code, _, err = run("export", "web", "-r", recipe, "-q", "-o", name)
    return code, err, [_exported(out)] if code == 0 else []


def _exported(site):
    content = json.loads((site / "site.json").read_text())
    return {name: content[name] for name in ("options", "together", "guide", "masks")}


def digest(result):
    data = result if isinstance(result, dict) else result.tobytes() + repr(result.shape).encode()
    text = json.dumps(data, sort_keys=True).encode() if isinstance(data, dict) else data
    return hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("ask", [*ASKS, *RARER])
@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in ("batch", "film")])
def test_what_a_recipe_asks_for_is_obeyed_or_refused_by_name(run, folder, photo, built, command, ask):
    check(run, folder, photo, command, ask)


@pytest.mark.parametrize("ask", [*ASKS, *RARER])
def test_a_film_obeys_or_refuses_it_by_name(run, folder, photo, built, ask):
    check(run, folder, photo, "film", ask)


@pytest.mark.parametrize("ask", ASKS)
def test_a_batch_obeys_or_refuses_it_by_name(run, folder, photo, monkeypatch, ask):
    monkeypatch.setattr(executor.Executor, "run", run_in_this_process)
    check(run, folder, photo, "batch", ask)


def test_a_batch_obeys_it_in_processes_of_its_own(run, folder, photo):
    check(run, folder, photo, "batch", "named mask")


def check(run, folder, photo, command, ask):
    if (command, ask) in OWN:
        pytest.skip("the command has its own")
    lines, instead = {**ASKS, **RARER}[ask]
    code, err, found = made(run, folder, command, "asked", recipe(folder, "asked", lines, instead))
    if (command, ask) in REFUSED:
        assert code == 1, err
        assert REFUSED[command, ask] in err
        assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1
        assert not (folder / "asked").exists()
        return
    assert code == 0, err
    plain_code, plain_err, plain = made(run, folder, command, "plain", recipe(folder, "plain"))
    assert plain_code == 0, plain_err
    assert len(found) == len(plain) > 0
    for number, (one, other) in enumerate(zip(found, plain, strict=True)):
        assert digest(one) != digest(other), f"picture {number} does not obey"
    if ask == "max_size" and command != "export":
        assert {max(each.shape[:2]) for each in found} == {32}
    if "mask" in ask and command != "export":
        shown = [np.roll(photo, number, 1) for number in range(3)] if command == "film" else [found[0]]
        for one, frame in zip(found, shown, strict=False):
            assert np.array_equal(one[:, 26:], frame[:, 26:]), "it dreams outside its mask"
