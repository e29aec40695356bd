"""Groups of a photograph: the factorisation by hand, and what becomes of it on a sheet."""

from __future__ import annotations

import html
import re
import shlex
from itertools import pairwise

import numpy as np
import pytest
import tiny
from PIL import Image

import dreamkit
from dreamkit import vis
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError
from dreamkit.media import direction_files
from dreamkit.observations import groups

QUICK = ["-m", "tiny", "--steps", "2", "--cell", "24", "-l", "low"]
OPTIONS = {"recipe": None, "size": (24, 24), "octaves": 1, "steps": 2, "tile_size": 64}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def random_matrix(rows=40, columns=12, seed=0):
    draw = np.random.default_rng(seed)
    return np.maximum(draw.normal(0.2, 1, (rows, columns)), 0)


def missed(matrix, where, what):
    return np.square(matrix - where @ what).sum()


def best_alone(rest, other):
    """The vector x, not below zero, for which x other^T is nearest to `rest`: number by number."""
    return np.array([max(0.0, float(row @ other) / float(other @ other)) for row in rest])


def test_each_round_is_the_best_of_each_vector_in_turn():
    """Column by column of W and then row by row of H, from what the others leave, without Gram matrices."""
    matrix = random_matrix()
    pairs = list(groups.rounds(matrix, 4))
    assert len(pairs) > 5
    for (where, what), (then, after) in list(pairwise(pairs))[:3]:
        for k in range(4):
            rest = matrix - where @ what + np.outer(where[:, k], what[k])
            where[:, k] = best_alone(rest, what[k])
        for k in range(4):
            rest = matrix - where @ what + np.outer(where[:, k], what[k])
            what[k] = best_alone(rest.T, where[:, k])
        np.testing.assert_allclose(then, where, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(after, what, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 3, 12])
def test_no_round_is_worse_and_no_number_below_zero(seed, count):
    matrix = random_matrix(seed=seed)
    pairs = list(groups.rounds(matrix, count))
    errors = [missed(matrix, *pair) for pair in pairs]
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(errors))
    assert all(factor.min() >= 0 for pair in pairs for factor in pair)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert errors[-1] >= np.square(singular[count:]).sum() * (1 - 1e-9)  # the best with any numbers


def test_the_start_is_the_longer_half_of_each_pair_of_singular_vectors():
    matrix = random_matrix()
    where, what = next(groups.rounds(matrix, 3))
    left, lengths, right = np.linalg.svd(matrix, full_matrices=False)
    for k in range(3):
        halves = [
            np.outer(np.maximum(sign * left[:, k], 0), np.maximum(sign * right[k], 0)) for sign in (1, -1)
        ]
        longer = lengths[k] * max(halves, key=np.linalg.norm)
        np.testing.assert_allclose(np.outer(where[:, k], what[k]), longer, atol=1e-9)


def test_parts_that_share_nothing_are_found_exactly():
    where, what = np.zeros((30, 3)), np.zeros((3, 9))
    draw = np.random.default_rng(4)
    for k in range(3):
        where[10 * k : 10 * k + 10, k] = draw.uniform(0.5, 1, 10)
        what[k, 3 * k : 3 * k + 3] = draw.uniform(0.5, 1, 3)
    found, directions = groups.factors(where @ what, 3)
    np.testing.assert_allclose(found @ directions, where @ what, atol=1e-9)
    assert np.all((directions > 1e-9).sum(1) == 3)


@pytest.mark.parametrize("count", [2, 5])
def test_it_is_as_near_as_that_of_scikit_learn(count):
    decomposition = pytest.importorskip("sklearn.decomposition", reason="scikit-learn is not installed")
    matrix = random_matrix(120, 20, seed=2)
    peer = decomposition.NMF(count, init="nndsvd", solver="cd", tol=1e-8, max_iter=2000)
    theirs = missed(matrix, peer.fit_transform(matrix), peer.components_)
    assert missed(matrix, *groups.factors(matrix, count)) <= 1.002 * theirs


def test_the_groups_of_a_layer(net, photo):
    found = groups.find(net, "first", photo.astype(np.float32), 3)
    seen = np.maximum(tiny.activations(photo.astype(np.float64), tiny.kernels())["first"], 0)
    assert found.maps.shape == (3, *seen.shape[:2])
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1, rtol=1e-6)
    together = np.einsum("khw,kc->hwc", found.maps.astype(np.float64), found.directions)
    assert 1 - np.square(seen - together).sum() / np.square(seen).sum() == pytest.approx(
        found.explained, abs=1e-5
    )
    shares = np.square(found.maps).sum((1, 2))
    assert np.all(np.diff(shares) <= 0)
    assert groups.find(net, "first", photo.astype(np.float32), 4).explained >= found.explained


def test_what_has_not_so_many_groups(net, photo):
    pixels = photo.astype(np.float32)
    with pytest.raises(
        ConfigError, match="5 groups are asked for, and first sees .* by 4 channels; ask for 1"
    ):
        groups.find(net, "first", pixels, 5)
    flat = np.full((24, 24, 3), 128, np.float32)
    with pytest.raises(ConfigError, match=r"sees only \d groups in this photograph"):
        groups.find(network.load(tiny.provider(gain=1e-30), None), "first", 0 * flat, 4)


def test_renderings_are_the_dreams_of_the_directions(net, photo):
    found = vis.groups(photo, "first", net, count=2, columns=1, **OPTIONS)
    by_hand = groups.find(net, "first", photo.astype(np.float32), 2)
    np.testing.assert_array_equal(found.directions, by_hand.directions)
    np.testing.assert_array_equal(found.maps, by_hand.maps)
    assert list(found.renderings) == ["group 0", "group 1"]
    for row, rendering in zip(by_hand.directions, found.renderings.values(), strict=True):
        term = {"layer": "first", "direction": row.tolist(), "objective": "direction"}
        assert np.array_equal(rendering.pixels, dreamkit.dream(None, net, layers=[term], **OPTIONS))
    with pytest.raises(ConfigError, match="count is 0"):
        vis.groups(photo, "first", net, count=0, **OPTIONS)
    with pytest.raises(ConfigError, match="in a photograph; give one"):
        vis.groups(None, "first", net, **OPTIONS)


def test_a_sheet_of_groups(run, picture, tmp_path):
    code, out, err = run("groups", picture, *QUICK, "--count", "2")
    assert code == 0, err
    pattern = (
        r"wrote photo\.tiny\.groups/sheet\.html \(2 dreamed, 0 kept\) in \d+\.\d s; "
        r"the groups hold \d+% of what low sees\n"
    )
    assert re.fullmatch(pattern, out)
    folder = tmp_path / "photo.tiny.groups"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert names == ["cells/group-0.png", "cells/group-1.png", "groups.npy", "sheet.html", "sheet.png"]
    assert np.load(folder / "groups.npy").shape == (2, 4)
    page = (folder / "sheet.html").read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["photograph", "group 0", "group 1"]
    for number, command in enumerate(re.findall(r"<code>(.*?)</code>", page, re.S)):
        program, *arguments = shlex.split(html.unescape(command))
        assert program == "dreamkit"
        assert f"photo.tiny.groups/groups.npy:{number}@low" in arguments
        assert run(*arguments, "-o", "single.png", "--overwrite")[0] == 0
        cell = folder / "cells" / f"group-{number}.png"
        assert (tmp_path / "single.png").read_bytes() == cell.read_bytes()
    assert "(0 dreamed, 2 kept)" in run("groups", picture, *QUICK, "--count", "2")[1]
    assert "(2 dreamed, 0 kept)" in run("groups", picture, *QUICK, "--count", "2", "--seed", "1")[1]


def test_a_cell_shows_where_its_group_is(run, picture, tmp_path):
    assert run("groups", picture, *QUICK, "--count", "1", "--columns", "1", "-o", "out", "-q") == (0, "", "")
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheet.png"))
    assert sheet.shape[1] == 16 + (34 + 4 + 24) + 16  # the photograph at 24 pixels of height, and the dream
    assert direction_files.read(str(tmp_path / "out" / "groups.npy:0")).shape == (4,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--count", "65"], "count is 65; it takes a whole number, 1 to 64"),
        (["--count", "5"], "ask for 1 to 4"),
        (["--cell", "8"], "cell is 8; it takes a whole number, 16 to 1024"),
        (["--max-size", "4"], "low of tiny needs at least 8 a side"),
    ],
)
def test_what_is_refused(run, picture, tmp_path, given, message):
    defaults = [each for each in QUICK if given[0] != "--cell" or each not in ("--cell", "24")]
    code, _, err = run("groups", picture, *defaults, *given, "-o", "out")
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
