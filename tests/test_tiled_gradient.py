"""One step over tiles against per-tile gradients computed in NumPy."""

from __future__ import annotations

from threading import Barrier

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkit.engine import tiled_gradient, tiles
from dreamkit.engine.tf import compiled_step, network

PULLS = np.array([1.0, 0.5], np.float32)
KERNELS = tiny.kernels()


@pytest.fixture(scope="module")
def step():
    goals = [compiled_step.ObjectiveSpec(layer, tiny.objective("mean-square")) for layer in tiny.LAYERS]
    return network.load(tiny.provider(), None).step(goals)


def engine_gradient(step, pixels, tile_size, roll, min_size=4):
    cover = tiles.cover(pixels.shape[:2], tile_size, min_size)
    out = np.full_like(pixels, np.nan)
    measure = tiled_gradient.gradient(pixels, step, PULLS, cover, tile_size, roll, out)
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


def test_batches_at_the_same_time_give_the_same_bytes(step, photo):
    pixels, cover = photo.astype(np.float32), tiles.cover(photo.shape[:2], 24, 4)
    assert cover.batch_count(24) == 6
    both_are_there = Barrier(2, timeout=60)

    def together(*arguments):
        both_are_there.wait()
        return step(*arguments)

    alone, pairs = np.empty_like(pixels), np.empty_like(pixels)
    one = tiled_gradient.gradient(pixels, step, PULLS, cover, 24, (3, 5), alone)
    two = tiled_gradient.gradient(pixels, together, PULLS, cover, 24, (3, 5), pairs, devices=["", ""])
    np.testing.assert_array_equal(alone, pairs)
    for each, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(each, other)


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
