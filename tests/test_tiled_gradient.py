"""One step over tiles against per-tile gradients computed in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkit.engine import tiled_gradient, tiles
from dreamkit.engine.tf import compiled_step, network
from dreamkit.errors import NumericError

PULLS = np.array([1.0, 0.5], np.float32)
KERNELS = tiny.kernels()


@pytest.fixture(scope="module")
def step():
    goals = [compiled_step.Goal(layer, "mean-square") for layer in tiny.LAYERS]
    return network.load(tiny.provider(), None).ascent(goals)


def engine_gradient(step, pixels, tile_size, roll, min_size=4):
    cover = tiles.cover(pixels.shape[:2], tile_size, min_size)
    out = np.full_like(pixels, np.nan)
    measure = tiled_gradient.gradient(
        pixels, lambda windows, _batch, _device: step(windows, PULLS), 2, cover, tile_size, roll, out
    )
    return out, measure, cover


def oracle(pixels, cover, roll):
    """Every tile's gradient by NumPy, put together: roll, cut, differentiate, keep cores, roll back."""
    rolled = np.roll(pixels.astype(np.float64), roll, (0, 1))
    out = np.full(pixels.shape, np.nan)
    for top, tall in cover.rows.spans:
        for left, wide in cover.columns.spans:
            rows = np.arange(top, top + cover.rows.window) % pixels.shape[0]
            columns = np.arange(left, left + cover.columns.window) % pixels.shape[1]
            window = rolled[rows][:, columns]
            pulls = dict(zip(tiny.LAYERS, PULLS.astype(float), strict=True))
            gradient = tiny.gradient(window, KERNELS, pulls, "mean-square")
            out[top : top + tall, left : left + wide] = gradient[:tall, :wide]
    return np.roll(out, (-roll[0], -roll[1]), (0, 1))


@pytest.mark.parametrize(
    ("height", "width", "tile_size"),
    [(32, 48, 24), (31, 47, 24), (40, 56, 64), (37, 53, 16), (33, 16, 16), (8, 60, 8)],
    ids=["2x2", "ragged", "one tile", "many ragged", "tall", "strip"],
)
@pytest.mark.parametrize("roll", [(0, 0), (5, -7), (-40, 100)])
def test_tiles_put_together_are_the_oracles(step, photo, height, width, tile_size, roll):
    pixels = np.resize(photo, (height, width, 3)).astype(np.float32)
    out, _, cover = engine_gradient(step, pixels, tile_size, roll)
    expected = oracle(pixels, cover, roll)
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_one_tile_is_untiled(step, photo):
    pixels = photo.astype(np.float32)
    out, _, _ = engine_gradient(step, pixels, 64, (0, 0))
    np.testing.assert_array_equal(out, step(pixels[None], PULLS).gradient[0])


@settings(max_examples=25)
@given(
    st.integers(8, 40),
    st.integers(8, 40),
    st.integers(8, 24),
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    st.integers(4, 8),
)
def test_every_pixel_gets_its_gradient_once(step, height, width, tile_size, roll, min_size):
    pixels = np.random.default_rng(height * width).uniform(0, 255, (height, width, 3)).astype(np.float32)
    out, _, cover = engine_gradient(step, pixels, tile_size, roll, min_size)
    expected = oracle(pixels, cover, roll)
    np.testing.assert_allclose(out, expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())


def test_measures_are_means_over_tiles(step, photo):
    pixels = photo[:32, :48].astype(np.float32)
    _, measure, _ = engine_gradient(step, pixels, 24, (0, 0))
    windows = [pixels[y : y + 16, x : x + 24] for y in (0, 16) for x in (0, 24)]
    squares = [
        np.mean([(tiny.activations(window.astype(float), KERNELS)[name] ** 2).mean() for window in windows])
        for name in tiny.LAYERS
    ]
    np.testing.assert_allclose(measure.mean_squares, squares, rtol=1e-4)
    np.testing.assert_allclose(measure.objectives, squares, rtol=1e-4)


values = st.integers(1, 200).map(
    lambda seed: (
        np.random.default_rng(seed).normal(3, 10.0 ** (seed % 9 - 6), (seed, 3, 3)).astype(np.float32)
    )
)


@given(values)
def test_gradients_are_divided_as_numpy_would(gradient):
    exact = gradient.astype(np.float64)
    for how, divided in (
        ("mean-abs", exact / np.abs(exact).mean()),
        ("std", exact / exact.std()),
        ("score", (exact - exact.mean()) / exact.std()),
        ("none", exact),
    ):
        found = gradient.copy()
        tiled_gradient.normalise(found, how)
        np.testing.assert_allclose(found, divided, rtol=1e-4, atol=1e-5 * np.abs(divided).max())


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e8])
def test_a_step_moves_a_typical_pixel_by_its_size_whatever_the_gradients_unit(scale):
    gradient = (np.random.default_rng(0).normal(0, 1, (9, 9, 3)) * scale).astype(np.float32)
    pixels = np.full((9, 9, 3), 128.0, np.float32)
    tiled_gradient.normalise(gradient, "mean-abs")
    tiled_gradient.climb(pixels, gradient, np.full(3, 1.5, np.float32), clip=True)
    assert np.abs(pixels - 128).mean() == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize(("clip", "expected"), [(True, [0.0, 255.0, 255.0]), (False, [-255.0, 510.0, 355.0])])
def test_pixels_stay_in_range_where_they_are_to(clip, expected):
    pixels = np.array([[[0.0, 255.0, 100.0]]], np.float32)
    tiled_gradient.climb(
        pixels, np.array([[[-1.0, 1.0, 1.0]]], np.float32), np.full(3, 255.0, np.float32), clip=clip
    )
    assert pixels.ravel().tolist() == expected


@pytest.mark.parametrize("how", ["mean-abs", "std", "score", "none"])
def test_a_zero_gradient_stays_one(how):
    gradient = np.zeros((2, 2, 3), np.float32)
    tiled_gradient.normalise(gradient, how)
    assert (gradient == 0).all()


def test_what_is_not_a_number_is_said():
    with pytest.raises(NumericError, match="not a number"):
        tiled_gradient.normalise(np.full((2, 2, 3), np.nan, np.float32), "std")


@pytest.mark.parametrize("how", ["mean-abs", "std", "score"])
def test_what_was_not_computed_is_no_part_of_the_population(how):
    """Half of a picture, and zeros: the half comes out as it would alone."""
    half = np.random.default_rng(3).normal(0.3, 2, (70, 8, 3)).astype(np.float32)
    whole = np.concatenate([half, np.zeros_like(half)], 1)
    tiled_gradient.normalise(half, how)
    tiled_gradient.normalise(whole, how, 0.5)
    np.testing.assert_allclose(whole[:, :8], half, rtol=1e-5, atol=1e-6)
