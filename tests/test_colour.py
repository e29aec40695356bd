"""Colours kept, projected and brought back, against per-pixel algebra and what the words promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.colour import AXES, Spread, grey, hold, natural, shift_within, spread

seeds = st.integers(0, 2**32)


def uniform(seed, low=0.0, high=255.0, size=(70, 9)):
    return np.random.default_rng(seed).uniform(low, high, (*size, 3)).astype(np.float32)


def along_axes(pixels):
    return np.linalg.solve(AXES, pixels.reshape(-1, 3).T.astype(np.float64) / 255).T


def picture(mean, deviation, seed=0):
    """A picture of exactly these means and deviations along the axes, not clipped; its axes uncorrelated."""
    z = np.random.default_rng(seed).normal(size=(80 * 90, 3))
    z -= z.mean(0)
    z = z @ np.linalg.inv(np.linalg.cholesky(z.T @ z / len(z))).T
    return (255 * (z * deviation + mean) @ AXES.T).reshape(80, 90, 3).astype(np.float32)


@given(seeds)
def test_grey_is_the_projection_on_lightness(seed):
    gradient = uniform(seed, -3, 3)
    expected = gradient.astype(np.float64) @ (np.ones((3, 3)) / 3)
    grey(gradient)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert np.ptp(gradient, axis=2).max() == 0
    again = gradient.copy()
    grey(again)
    np.testing.assert_allclose(again, gradient, rtol=1e-6)


@given(seeds)
def test_natural_is_a_step_in_decorrelated_colours(seed):
    gradient = uniform(seed, -3, 3)
    mixing = AXES / np.sqrt((AXES**2).sum(0)).max()
    expected = [[mixing @ (mixing.T @ pixel) for pixel in row] for row in gradient.astype(np.float64)]
    uphill = gradient.copy()
    natural(uphill)
    np.testing.assert_allclose(uphill, expected, atol=1e-5)
    assert np.vdot(uphill, gradient) > 0


@given(seeds, st.floats(0, 400))
def test_a_shift_keeps_colours_and_range(seed, reach):
    before = np.rint(uniform(seed)) if seed % 2 else uniform(seed)
    shift = np.random.default_rng(seed).uniform(-reach, reach, before.shape[:2]).astype(np.float32)
    pixels = before.copy()
    shift_within(pixels, shift)
    assert pixels.min() >= 0
    assert pixels.max() <= 255
    np.testing.assert_allclose(np.diff(pixels, axis=2), np.diff(before, axis=2), atol=5e-5)
    moved = pixels.astype(np.float64) - before
    free = (np.abs(moved - shift[..., None]) < 5e-5).all(axis=2)
    stopped = (pixels.min(axis=2) == 0) | (pixels.max(axis=2) == 255)
    assert (free | stopped).all()
    assert (moved * np.sign(shift)[..., None] >= -5e-5).all()
    assert (np.abs(moved) <= np.abs(shift)[..., None] + 5e-5).all()


def test_black_and_white_cannot_be_shifted_out():
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [0, 100, 255]]], np.float32)
    before = pixels.copy()
    shift_within(pixels, np.array([[-9, 9, 5]], np.float32))
    assert np.array_equal(pixels, before)


@given(seeds)
def test_a_spread_is_the_mean_and_deviation_along_the_axes(seed):
    for pixels in (uniform(seed), uniform(seed).astype(np.uint8)):
        measured = spread(pixels)
        np.testing.assert_allclose(measured.mean, along_axes(pixels).mean(0), atol=1e-9)
        np.testing.assert_allclose(measured.deviation, along_axes(pixels).std(0), atol=1e-9)


@pytest.mark.parametrize("value", [0, 37, 255])
def test_a_plain_picture_has_no_deviation(value):
    assert spread(np.full((70, 50, 3), value, np.uint8)).deviation == pytest.approx(0, abs=1e-5)


def test_a_picture_within_limits_is_unchanged():
    pixels = picture([1.8, 0.1, -0.1], [0.4, 0.3, 0.3]).clip(0, 255)
    held = pixels.copy()
    hold(held, spread(pixels))
    np.testing.assert_allclose(held, pixels, atol=2e-4)


def test_a_wild_original_may_stay_wild():
    pixels = uniform(4)
    assert spread(pixels).deviation.max() > 1
    held = pixels.copy()
    hold(held, spread(pixels))
    np.testing.assert_allclose(held, pixels, atol=5e-4)


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.05, 0.4))
def test_means_are_restored_and_deviations_never_raised(lightness, blue, green, deviation):
    original = Spread(np.array([1.9, 0.0, 0.0]), np.full(3, 0.2))
    drifted = picture([1.9 + lightness, blue, green], np.full(3, deviation))
    hold(drifted, original)
    measured = spread(drifted)
    assert drifted.min() > 0
    assert drifted.max() < 255
    np.testing.assert_allclose(measured.mean, original.mean, atol=1e-4)
    np.testing.assert_allclose(measured.deviation, deviation, atol=1e-4)


def test_great_deviations_are_reduced_and_small_ones_kept():
    original = Spread(np.array([1.85, 0.0, 0.0]), np.array([0.1, 1.3, 0.1]))
    drifted = picture(original.mean, [0.3, 2.0, 0.5])
    z = along_axes(drifted) - original.mean
    expected = (255 * (z * [1, 0.65, 1] + original.mean) @ AXES.T).reshape(drifted.shape).clip(0, 255)
    hold(drifted, original)
    np.testing.assert_allclose(drifted, expected, atol=5e-4)


def test_neon_comes_back_to_natural():
    original = Spread(np.array([1.85, 0.0, 0.0]), np.array([0.1, 0.1, 0.1]))
    neon = picture(original.mean, [0.3, 0.3, 5.0])
    hold(neon, original)
    assert spread(neon).deviation == pytest.approx([0.3, 0.3, 1.0], abs=0.01)


def test_holding_twice_is_holding_once():
    original = Spread(np.array([1.85, 0.0, 0.0]), np.full(3, 0.1))
    once = picture([1.6, 0.1, -0.1], [0.2, 0.2, 1.5], seed=3)
    hold(once, original)
    assert once.min() > 0
    assert once.max() < 255
    twice = once.copy()
    hold(twice, original)
    np.testing.assert_allclose(twice, once, atol=2e-4)


def test_what_leaves_the_range_is_clipped():
    pixels = uniform(9)
    hold(pixels, Spread(np.array([3.6, 0.0, 0.0]), np.ones(3)))
    assert pixels.min() >= 0
    assert pixels.max() == 255
