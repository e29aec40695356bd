"""Dreams on a torus or a cylinder: each part against an oracle that wraps, and what their dreams promise."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit import DreamConfig
from dreamkit.engine import masks, rng, tiled_gradient, tiles
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.regularisers.tv import subtract_total_variation
from dreamkit.engine.resize import resize
from dreamkit.engine.tf import compiled_step, network
from dreamkit.engine.updates import smoothing
from dreamkit.errors import ConfigError, DreamkitWarning
from dreamkit.media import image_sizes, seams
from dreamkit.media.image_metadata import read_recipe
from dreamkit.media.images import Picture, read

WRAPS = {"none": (False, False), "horizontal": (False, True), "both": (True, True)}
wraps = st.sampled_from(list(WRAPS.values()))
seeds = st.integers(0, 2**32 - 1)


def noise(height, width, seed, spread=30):
    return np.random.default_rng(seed).normal(0, spread, (height, width, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture(scope="module")
def texture():
    """A picture that meets itself on both sides."""
    return rng.clouds(3, (48, 64), wrapped=(True, True))


# The parts, against matrices


def bilinear(before: int, after: int, *, wrapped: bool) -> np.ndarray:
    """The rows of the triangle filter, (after, before)."""
    matrix = np.zeros((after, before))
    scale = max(1.0, before / after)
    for row in range(after):
        center = (row + 0.5) * before / after
        for place in range(int(np.floor(center - scale)) - 1, int(np.ceil(center + scale)) + 1):
            weight = max(0.0, 1.0 - abs(place + 0.5 - center) / scale)
            if wrapped or 0 <= place < before:
                matrix[row, place % before] += weight
    return matrix / matrix.sum(1, keepdims=True)


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30), st.integers(1, 30), wraps, seeds)
def test_resizing_wraps(height, width, to_height, to_width, wrapped, seed):
    pixels = noise(height, width, seed)
    rows, columns = (
        bilinear(before, after, wrapped=each)
        for before, after, each in zip((height, width), (to_height, to_width), wrapped, strict=True)
    )
    expected = np.einsum("ab,bcd,ec->aed", rows, pixels, columns)
    found = resize(pixels, (to_height, to_width), wrapped=wrapped)
    if (to_height, to_width) == (height, width):
        expected = pixels
    np.testing.assert_allclose(found, expected, atol=1e-3)


def blurring(length: int, sigma: float, *, wrapped: bool) -> np.ndarray:
    """One Gaussian blur along an axis, (length, length)."""
    matrix = np.zeros((length, length))
    ends = np.pad(np.arange(length), 4, "reflect") if length > 1 else np.zeros(9, int)
    for row in range(length):
        for k in range(-4, 5):
            place = (row + k) % length if wrapped else ends[row + k + 4]
            matrix[row, place] += np.exp(-(k**2) / (2 * sigma**2))
    return matrix / matrix.sum(1, keepdims=True)


def blurred(gradient: np.ndarray, sigma: float, wrapped: tuple[bool, bool]) -> np.ndarray:
    expected = np.zeros(gradient.shape)
    for s in (sigma / 2, sigma, 2 * sigma):
        rows, columns = (
            blurring(length, s, wrapped=each) for length, each in zip(gradient.shape, wrapped, strict=False)
        )
        expected += np.einsum("ab,bcd,ec->aed", rows, gradient, columns) / 3
    return expected


@settings(max_examples=25)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0.1, 10), wraps, seeds)
def test_the_blur_wraps(height, width, sigma, wrapped, seed):
    gradient = noise(height, width, seed, 1)
    expected = blurred(gradient, sigma, wrapped)
    smoothing.gaussian(gradient, sigma, wrapped=wrapped)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@pytest.mark.parametrize("height", [63, 65, 129])
@pytest.mark.parametrize("roll", [(0, 0), (61, 3)])
@pytest.mark.parametrize("wrapped", WRAPS.values(), ids=WRAPS)
def test_the_blur_wraps_in_bands(height, roll, wrapped, monkeypatch):
    monkeypatch.setattr(smoothing, "_BAND", 1)
    gradient = noise(height, 7, 5, 1)
    expected = blurred(gradient, 1.0, wrapped)
    rolled = np.roll(gradient, (-roll[0], -roll[1]), (0, 1))
    smoothing.gaussian(rolled, 1.0, roll, wrapped=wrapped)
    np.testing.assert_allclose(np.roll(rolled, roll, (0, 1)), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 48), (64, 16)])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_pyramid_has_no_border_where_it_wraps(shape, levels):
    """On a torus that its levels divide, it commutes with a roll that they divide."""
    gradient = noise(*shape, 1, 1)
    rolled = np.roll(gradient, (8, 16), (0, 1))
    smoothing.laplacian(gradient, levels, wrapped=(True, True))
    smoothing.laplacian(rolled, levels, wrapped=(True, True))
    # A level's strength is measured over what is around the picture as well, which the roll changes.
    error = np.abs(np.roll(gradient, (8, 16), (0, 1)) - rolled)
    assert error.max() < 0.03 * np.abs(gradient).max()


def test_the_pyramid_wraps_along_one_axis_alone():
    gradient = noise(32, 48, 1, 1)
    rolled = np.roll(gradient, 16, 1)
    smoothing.laplacian(gradient, 3, wrapped=(False, True))
    smoothing.laplacian(rolled, 3, wrapped=(False, True))
    np.testing.assert_allclose(np.roll(gradient, 16, 1), rolled, atol=0.03 * np.abs(gradient).max())


def variation(units: np.ndarray, wrapped: tuple[bool, bool]) -> float:
    """Written down once more, with a whole torus."""
    down, right = (np.roll(units, -1, axis) - units for axis in (0, 1))
    down[-1] *= wrapped[0]
    right[:, -1] *= wrapped[1]
    return float(np.sqrt(down**2 + right**2 + (1 / 127.5) ** 2).sum())


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), wraps, seeds)
def test_total_variation_wraps(height, width, wrapped, seed):
    pixels = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    unit = np.array([58.4, 57.1, 57.4])
    update = np.zeros_like(pixels)
    subtract_total_variation(update, pixels, 0.5, unit, wrapped=wrapped)
    units = pixels / unit
    for place in np.ndindex(units.shape):
        step = np.zeros(units.shape)
        step[place] = 1e-6
        slope = (variation(units + step, wrapped) - variation(units - step, wrapped)) / 2e-6
        np.testing.assert_allclose(update[place], -0.5 * slope, atol=1e-3)


def test_total_variation_wraps_over_bands():
    pixels = np.random.default_rng(0).uniform(0, 255, (150, 4, 3)).astype(np.float32)
    found, rolled = np.zeros_like(pixels), np.zeros_like(pixels)
    subtract_total_variation(found, pixels, 1.0, np.full(3, 127.5), wrapped=(True, True))
    pixels = np.roll(pixels, (70, 1), (0, 1))
    subtract_total_variation(rolled, pixels, 1.0, np.full(3, 127.5), wrapped=(True, True))
    np.testing.assert_allclose(np.roll(found, (70, 1), (0, 1)), rolled, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(-50, 50), seeds)
def test_masks_are_soft_across_the_edge(height, width, roll, seed):
    mask = np.random.default_rng(seed).choice([0, 255, 255], (height, width)).astype(np.uint8)
    soft, rolled = (
        masks.soften(np.roll(mask, by, (0, 1)), (True, True)) for by in ((0, 0), (roll, roll // 2))
    )
    np.testing.assert_allclose(np.roll(soft, (roll, roll // 2), (0, 1)), rolled, atol=0.02)


@pytest.mark.parametrize("kind", ["clouds", "faint"])
def test_clouds_meet_themselves(kind):
    clouds = rng.noise(5, (90, 130), kind, (True, True))
    for axis in (0, 1):
        across, within = seams.measure(clouds, axis)
        assert across < 1.3 * within
    assert np.array_equal(rng.noise(5, (9, 13), kind), rng.noise(5, (9, 13), kind, (False, False)))
    assert np.array_equal(rng.noise(5, (9, 13), "white"), rng.noise(5, (9, 13), "white", (True, True)))


# Tiles with context


@given(st.integers(1, 3000), st.integers(8, 700), st.data())
def test_windows_see_around_their_cores(length, tile_size, data):
    min_size = data.draw(st.integers(1, min(length, tile_size)))
    axis = tiles.split(length, tile_size, min_size, wraps=True)
    seen = np.zeros(length, int)
    for start, core in axis.spans:
        seen[start : start + core] += 1
        assert axis.context + core + axis.context <= axis.window
    assert (seen == 1).all()
    assert axis.context == min(tiles.CONTEXT, tile_size // 4)
    assert min_size <= axis.window <= tile_size


@settings(max_examples=25)
@given(
    st.integers(6, 40),
    st.integers(6, 40),
    st.integers(16, 48),
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    wraps,
)
def test_every_pixel_gets_the_gradient_of_a_window_around_it(net, height, width, tile_size, roll, wrapped):
    pixels = np.random.default_rng(height * width).uniform(0, 255, (height, width, 3)).astype(np.float32)
    step = net.step([compiled_step.ObjectiveSpec("second", tiny.objective("mean-square"))])
    cover = tiles.cover((height, width), tile_size, 4, wrapped)
    out = np.full_like(pixels, np.nan)
    pulls = np.ones(1, np.float32)
    tiled_gradient.gradient(pixels, step, pulls, cover, tile_size, roll, out)
    expected = np.full(pixels.shape, np.nan)
    rolled = np.roll(pixels.astype(np.float64), roll, (0, 1))
    down, right = cover.rows.context, cover.columns.context
    for top, tall in cover.rows.spans:
        for left, wide in cover.columns.spans:
            rows = np.arange(top - down, top - down + cover.rows.window) % height
            columns = np.arange(left - right, left - right + cover.columns.window) % width
            gradient = tiny.gradient(rolled[rows][:, columns], tiny.kernels(), {"second": 1.0}, "mean-square")
            core = gradient[down : down + tall, right : right + wide]
            expected[top : top + tall, left : left + wide] = core
    expected = np.roll(expected, (-roll[0], -roll[1]), (0, 1))
    np.testing.assert_allclose(out, expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())


# Photographs whose edges do not meet


def test_edges_that_meet_are_let_be(texture):
    picture = Picture(texture)
    assert seams.close(picture, (True, True)) == (picture, [])


@pytest.mark.parametrize("wrapped", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("size", [(40, 56), (41, 57), (2, 9), (1, 1)])
def test_edges_that_do_not_meet_are_blended(wrapped, size):
    rising = (np.add.outer(np.arange(size[0]), np.arange(size[1])) * 2).astype(np.uint8)
    picture = Picture(np.dstack([rising] * 3), rising)
    closed, blended = seams.close(picture, wrapped)
    expected = np.dstack([rising] * 4).astype(float)
    for axis, name in enumerate(("top and bottom", "left and right")):
        assert (name in blended) == (wrapped[axis] and size[axis] > 2)
        if name in blended:
            expected = _blended_by_hand(expected, axis)
    np.testing.assert_allclose(closed.pixels, expected[..., :3], atol=1)
    np.testing.assert_allclose(closed.alpha, expected[..., 3], atol=1)
    for axis in (0, 1):
        if wrapped[axis]:
            across, within = seams.measure(closed.pixels, axis)
            assert across <= 2 * within


def _blended_by_hand(values: np.ndarray, axis: int) -> np.ndarray:
    lines = np.moveaxis(values, axis, 0)
    length, reach = len(lines), max(1, round(len(lines) / 6))
    way = np.minimum(np.arange(length), np.arange(length)[::-1])
    share = np.where(way < reach, (1 + np.cos(np.pi * way / reach)) / 4, 0)[:, None, None]
    return np.moveaxis((1 - share) * lines + share * lines[::-1], 0, axis)


# Whole dreams


def config(**options):
    return DreamConfig(**{"octaves": 2, "octave_scale": 2.0, "steps": 3, "jitter": 0, **options})


CASES = {
    "plain": {},
    "tiles": {"tile_size": 32},
    "variation": {"tv": 0.3},
    "distance": {"l2": 0.1},
    "not smoothed": {"smooth": "none"},
    "colours": {"color": "decorrelated"},
    "whole": {"octave_scheme": "whole"},
    "lost detail": {"octave_scheme": "lost-detail"},
}


@pytest.mark.heavy
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
@pytest.mark.parametrize("wrap", ["horizontal", "both"])
def test_on_a_torus_no_place_is_special(net, texture, options, wrap):
    """A picture that is rolled first is dreamed as one that is rolled last."""
    roll = 16 if wrap == "both" else 0, 24  # whole cores of tiles, and cells of the network's map
    options = config(wrap=wrap, **options)
    mask = np.full(texture.shape[:2], 255, np.uint8)
    mask[:20, 30:50] = 0
    for regions in ({}, {"": mask}):
        found = dream(texture, [LoadedModel(net)], options, regions=regions).pixels
        rolled = dream(
            np.roll(texture, roll, (0, 1)),
            [LoadedModel(net)],
            options,
            regions={name: np.roll(each, roll, (0, 1)) for name, each in regions.items()},
        ).pixels
        difference = np.roll(found, roll, (0, 1)).astype(int) - rolled
        assert np.abs(difference).max() <= 1


def test_without_wrapping_places_differ(net, texture):
    found, rolled = (
        dream(np.roll(texture, by, (0, 1)), [LoadedModel(net)], config()).pixels for by in ((0, 0), (16, 24))
    )
    assert np.abs(np.roll(found, (16, 24), (0, 1)).astype(int) - rolled).max() > 3


@pytest.mark.parametrize(
    "options", [{}, {"tile_size": 32}, {"smooth": "laplacian"}, {"space": "fourier", "step_size": 0.05}]
)
@pytest.mark.parametrize("wrap", ["horizontal", "both"])
def test_the_seam_is_no_larger_than_what_is_inside(net, options, wrap):
    options = {"octaves": 3, "steps": 6, "jitter": 4, "step_size": 0.03, "wrap": wrap, **options}
    pixels = dreamkit.dream(None, net, size=(61, 83), **options)
    for axis in (0, 1) if wrap == "both" else (1,):
        across, within = seams.measure(pixels, axis)
        lines = np.abs(np.diff(pixels.astype(int), axis=axis)).mean(axis=(1 - axis, 2))
        assert across <= lines.max()
        assert across < 1.4 * within


def test_a_photograph_is_closed_first_and_a_warning_says_so(net, photo, tmp_path):
    rising = np.clip(photo.astype(int) // 2 + np.arange(56)[:, None] * 2, 0, 255).astype(np.uint8)
    Image.fromarray(rising).save(tmp_path / "photo.png")
    with pytest.warns(
        DreamkitWarning, match=r"the edges of photo.png do not meet \(left and right\); each fades"
    ):
        made = dreamkit.render(tmp_path / "photo.png", net, octaves=1, steps=2, wrap="horizontal")
    assert made.recipe["photograph"]["sha256"] == read(tmp_path / "photo.png", 10**6).sha256
    across, within = seams.measure(made.pixels, 1)
    assert across < 1.5 * within
    assert seams.measure(rising, 1)[0] > 4 * seams.measure(rising, 1)[1]


def test_enlarging_keeps_the_edges_together(texture):
    large = image_sizes.enlarge(Picture(texture), 2.0, 10**6, (True, True))
    for axis in (0, 1):
        across, within = seams.measure(large.pixels, axis)
        assert across < 1.5 * within


@pytest.mark.usefixtures("loaded_once")
def test_the_flags_are_words_for_the_option(run, texture, tmp_path):
    Image.fromarray(texture).save(tmp_path / "t.png")
    short = ["dream", "t.png", "--model", "tiny", "--octaves", "2", "--steps", "2", "-q"]
    for number, (flags, wrap) in enumerate(
        {
            (): "none",
            ("--tileable",): "both",
            ("--panorama",): "horizontal",
            ("--wrap", "both"): "both",
            ("--wrap", "horizontal", "--panorama"): "horizontal",
        }.items()
    ):
        assert run(*short, *flags, "-o", f"{number}.png") == (0, "", "")
        assert read_recipe(tmp_path / f"{number}.png")["options"]["wrap"] == wrap
    plain, both, horizontal, spelled, _ = (read(tmp_path / f"{n}.png", 10**6).pixels for n in range(5))
    assert np.array_equal(both, spelled)
    assert not np.array_equal(plain, both)
    assert not np.array_equal(horizontal, both)
    assert run("redo", "1.png", "t.png", "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    code, _, err = run(*short, "--tileable", "--panorama")
    assert code == 2
    assert "--tileable and --panorama exclude each other; give one" in err


@pytest.mark.parametrize(("name", "value"), [("rotate", 3.0), ("zoom", 0.1), ("border", 2)])
def test_what_cannot_wrap_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=rf"{name} is {value}, which a dream that wraps \(both\) cannot do"):
        DreamConfig(wrap="both", **{name: value})
    assert DreamConfig(**{name: value}).wrapped == (False, False)


def test_a_neuron_is_found_in_a_window_with_context(net, texture):
    """It grows where it is, whether or not its window has something around it."""
    options = {"layers": "second@12x5", "octaves": 1, "steps": 3, "smooth": "none"}
    for wrap in WRAPS:
        grown = dream(texture, [LoadedModel(net)], DreamConfig(wrap=wrap, **options)).pixels
        rows, columns = np.nonzero(np.abs(grown.astype(int) - texture).max(2) > 1)
        assert abs(rows.mean() - 11.5) < 3
        assert abs(columns.mean() - 25.5) < 3
