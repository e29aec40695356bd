"""`dreamkit atlas`: what a layer sees in many photographs, laid out, dreamed cell by cell, on a page."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit.errors import ConfigError, Interrupted, OutputExistsError
from dreamkit.jobs.atlas import layout, run
from dreamkit.media import image_metadata
from dreamkit.models.spec import ModelSpec
from dreamkit.observations.store import observe
from dreamkit.request import without_image

COUNT, LAYER = 30, "second"
QUICK = {"steps": 2, "size": 24, "rotate": 0.0}


@pytest.fixture
def network(loaded_once):
    return dreamkit.load(tiny.provider())


@pytest.fixture
def photographs(make_pictures):
    return make_pictures(COUNT)


def by_two_channels(activations, _seed):
    """A layout without UMAP: the order of the activations in two channels."""
    return np.argsort(np.argsort(activations[:, :2], 0), 0) / len(activations)


def made(network, folder, photographs, **options):
    request = without_image(ModelSpec(network, layers=(LAYER,)), recipe="atlas", **QUICK)
    given = {"samples": 2, "side": 3, "least": 3, "project": by_two_channels} | options
    return run.make(request, folder, photographs, LAYER, **given)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_an_atlas_has_a_dream_for_each_cell_and_a_page(network, photographs, tmp_path):
    cells = []
    atlas = made(network, tmp_path / "it", photographs, on_cell=cells.append)
    assert (atlas.activations, atlas.kept) == (2 * COUNT, 0)
    written = files(tmp_path / "it")
    assert len(written) == atlas.dreamed + 3
    assert {each.name for each in cells if each.finished} == {
        name.removeprefix("cells/").removesuffix(".png") for name in written if name.startswith("cells/")
    }
    page = atlas.page.read_text(encoding="utf-8")
    about = json.loads(re.search(r"const atlas = (.*);\n", page)[1])
    assert about["side"] == 3
    assert sum(cell[2] for cell in about["cells"]) <= 2 * COUNT
    assert len(about["cells"]) == atlas.dreamed
    assert "http" not in page
    assert "@" not in re.sub(r"@media", "", page)
    with Image.open(tmp_path / "it" / "icons.jpg") as icons:
        assert icons.size == (72, 72)
        for column, row, *_ in about["cells"]:
            with Image.open(tmp_path / "it" / "cells" / f"{column}-{row}.png") as cell:
                place = icons.crop((24 * column, 24 * row, 24 * column + 24, 24 * row + 24))
                difference = np.asarray(place, float) - np.asarray(cell.convert("RGB"), float)
            assert np.abs(difference).mean() < 12


def test_each_cell_dreams_the_whitened_mean_of_its_activations(network, photographs, tmp_path):
    made(network, tmp_path / "it", photographs)
    seen = observe(ModelSpec(network), network, LAYER, photographs, samples=2).seen.activations
    places = np.minimum((by_two_channels(seen, 0) * 3).astype(int), 2)
    values = seen.astype(np.float64)
    products = sum(np.outer(each, each) for each in values) / len(values)
    ridge = 1e-3 * np.trace(products) / 5
    for path in (tmp_path / "it" / "cells").iterdir():
        column, row = map(int, path.stem.split("-"))
        members = values[(places[:, 0] == column) & (places[:, 1] == row)]
        assert len(members) >= 3
        expected = np.linalg.solve(products + ridge * np.eye(5), members.mean(0))
        (term,) = image_metadata.read_recipe(path)["options"]["layers"]
        np.testing.assert_allclose(term["direction"], expected / np.abs(expected).max(), atol=1e-3)


def test_a_cell_is_redone_by_its_recipe(network, photographs, tmp_path):
    made(network, tmp_path / "it", photographs)
    cell = next((tmp_path / "it" / "cells").iterdir())
    again = dreamkit.redo(cell, None, network)
    with Image.open(cell) as image:
        np.testing.assert_array_equal(np.asarray(image), again.pixels)


def test_an_interrupted_atlas_comes_to_the_same_bytes(network, photographs, tmp_path):
    whole = made(network, tmp_path / "whole", photographs)

    def interrupt(cell):
        if cell.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="cells were dreamed and kept"):
        made(network, tmp_path / "it", photographs, on_cell=interrupt)
    assert len(files(tmp_path / "it")) == 2
    again = made(network, tmp_path / "it", photographs)
    assert (again.dreamed, again.kept) == (whole.dreamed - 2, 2)
    assert files(tmp_path / "it") == files(tmp_path / "whole")
    assert made(network, tmp_path / "it", photographs).dreamed == 0


def test_the_layout_is_computed_once(network, photographs, tmp_path):
    made(network, tmp_path / "it", photographs)

    def never(_activations, _seed):
        raise AssertionError("laid out again")

    assert made(network, tmp_path / "it", photographs, project=never).dreamed == 0
    with pytest.raises(AssertionError, match="laid out again"):
        made(network, tmp_path / "other", photographs, project=never, samples=3)


@given(st.integers(2, 60), st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000))
def test_a_grid_has_every_activation_in_one_cell_at_most(count, side, least, seed):
    draw = np.random.default_rng(seed)
    activations = draw.normal(size=(count, 4)).astype(np.float32)
    places = draw.uniform(size=(count, 2))
    places[0] = 1.0
    cells = list(layout.grid(activations, places, side, least))
    members = np.concatenate([cell.members for cell in cells] or [np.zeros(0, int)])
    assert len(np.unique(members)) == len(members)
    counts = np.zeros((side, side), int)
    for column, row in np.minimum((places * side).astype(int), side - 1):
        counts[row, column] += 1
    assert {(cell.row, cell.column) for cell in cells} == set(map(tuple, np.argwhere(counts >= least)))
    for cell in cells:
        assert np.abs(cell.direction).max() == 1
        np.testing.assert_allclose(cell.mean, activations[cell.members].mean(0), atol=1e-5)


def test_a_silent_channel_does_no_harm():
    activations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    activations[:, 2] = 0
    for cell in layout.grid(activations, np.random.default_rng(1).uniform(size=(50, 2)), 2, 3):
        assert cell.direction[2] == 0
        assert np.isfinite(cell.direction).all()


@pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed")
@pytest.mark.heavy
@pytest.mark.timeout(1500)  # numba compiles UMAP, for minutes where the machine is busy
def test_umap_lays_out_the_same_each_time_and_puts_like_beside_like():
    draw = np.random.default_rng(0)
    groups = np.repeat(np.eye(3), 40, 0) * 5
    activations = (groups @ draw.normal(size=(3, 12)) + draw.normal(0, 0.2, (120, 12))).astype(np.float32)
    places = layout.project(activations, 1)
    np.testing.assert_array_equal(places, layout.project(activations, 1))
    assert places.shape == (120, 2)
    assert places.min() >= 0
    assert places.max() <= 1
    centres = np.stack([places[start : start + 40].mean(0) for start in (0, 40, 80)])
    nearest = np.argmin(((places[:, None] - centres) ** 2).sum(-1), 1)
    assert (nearest == np.repeat([0, 1, 2], 40)).all()


@pytest.mark.skipif(find_spec("umap") is None, reason="umap-learn is not installed")
@pytest.mark.heavy
@pytest.mark.timeout(1500)  # numba compiles UMAP, for minutes where the machine is busy
def test_the_command_makes_an_atlas_of_a_folder(run, photographs, tmp_path):
    options = ["-m", "tiny", "-l", "high", "--grid", "3", "--least", "2", "--steps", "2", "--cell", "24"]
    code, out, err = run("atlas", "photos", *options)
    assert (code, err.splitlines()[0]) == (0, "looking at photographs")
    assert re.fullmatch(
        r"wrote photos\.tiny\.high\.atlas/atlas\.html \(150 activations; \d cells dreamed, 0 kept\) "
        r"in \d+\.\d s\n",
        out,
    )
    before = files(tmp_path / "photos.tiny.high.atlas")
    code, out, _ = run("atlas", "photos", *options, "-q")
    assert (code, out) == (0, "")
    assert files(tmp_path / "photos.tiny.high.atlas") == before


REFUSED = {
    "no photographs": ([], 2, "an atlas is made of photographs; give a folder of them, or make a sheet"),
    "no layer": (["photos"], 2, "an atlas shows one layer; name it with --layers"),
    "one picture": (
        ["photos/00.png", "-l", "high"],
        1,
        "an atlas shows what a layer sees in many photographs, and 1 are given; give a folder of 20 or more, "
        "or make a sheet of all layers: dreamkit sheet IMAGE",
    ),
    "an unknown layer": (["photos", "-l", "hihg"], 1, "there is no layer 'hihg'; did you mean high?"),
    "a large map": (["photos", "-l", "high", "--grid", "200"], 1, "use a smaller --grid or --cell"),
    "no samples": (["photos", "-l", "high", "--samples", "0"], 1, "samples is 0; it takes a whole number"),
    "a folder of others": (
        ["photos", "-l", "high", "-o", "photos"],
        1,
        "photos holds 00.png, not part of",
    ),
    "a guide": (["photos", "-l", "high", "--guide", "photos/00.png"], 1, "a guide, which an atlas cannot"),
    "a URL": (["list.txt", "-l", "high"], 1, "photographs are read from this machine; download https://"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_refused_in_one_line(run, photographs, tmp_path, case):
    (tmp_path / "list.txt").write_text("https://example.org/a.png\n")
    arguments, expected, message = REFUSED[case]
    code, out, err = run("atlas", *arguments, "-m", "tiny")
    assert (code, out, len(err.splitlines())) == (expected, "", 1), err
    assert message in err
    assert len(list((tmp_path / "photos").iterdir())) == COUNT


def test_too_few_activations_of_a_cell(network, photographs, tmp_path):
    with pytest.raises(ConfigError, match="no cell has 61 activations; give more photographs or a smaller"):
        made(network, tmp_path / "it", photographs, least=61)
    with pytest.raises(ConfigError, match="an atlas of 5 activations shows nothing"):
        layout.project(np.ones((5, 3), np.float32), 0)
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="is not a folder"):
        made(network, tmp_path / "file", photographs)


def test_without_umap_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(ConfigError, match=r"an atlas needs UMAP; install it: .*\[atlas\]"):
        layout.project(np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), 0)
