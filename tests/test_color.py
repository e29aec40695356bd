"""Colours kept, projected and brought back, against per-pixel algebra and what the words promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.color import (
    AXES,
    Spread,
    apply_matrix,
    hold,
    hold_share,
    shift_within,
    spread,
    step_matrix,
)

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
    apply_matrix(gradient, step_matrix(1.0))
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert np.ptp(gradient, axis=2).max() < 1e-6
    again = gradient.copy()
    apply_matrix(again, step_matrix(1.0))
    np.testing.assert_allclose(again, gradient, atol=1e-6)


@given(seeds)
def test_natural_is_a_step_in_decorrelated_colours(seed):
    gradient = uniform(seed, -3, 3)
    mixing = AXES / np.sqrt((AXES**2).sum(0)).max()
    largest = np.linalg.norm(mixing, 2) ** 2
    expected = [
        [mixing @ (mixing.T @ pixel) / largest for pixel in row] for row in gradient.astype(np.float64)
    ]
    uphill = gradient.copy()
    apply_matrix(uphill, step_matrix(0.5))
    np.testing.assert_allclose(uphill, expected, atol=1e-5)
    assert np.vdot(uphill, gradient) > 0


amounts = st.floats(0, 1)


@given(amounts)
def test_the_step_matrix_is_symmetric_and_never_turns_a_step_downhill(amount):
    matrix = step_matrix(amount)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-7)
    values = np.linalg.eigvalsh(matrix.astype(np.float64))
    assert values.min() > -1e-6
    assert values.max() == pytest.approx(1.0, abs=0.02)  # a step is as long, whatever is kept


def test_free_leaves_a_gradient_as_it_is():
    np.testing.assert_allclose(step_matrix(0.0), np.eye(3), atol=1e-6)


@given(st.floats(0, 0.5))
def test_from_free_to_natural_it_goes_by_powers(amount):
    values, vectors = np.linalg.eigh(AXES @ AXES.T)
    expected = vectors @ np.diag((values / values[-1]) ** (2 * amount)) @ vectors.T
    np.testing.assert_allclose(step_matrix(amount), expected, atol=1e-6)


@given(st.floats(0.5, 1))
def test_from_natural_to_keep_it_goes_straight(amount):
    part = 2 * amount - 1
    np.testing.assert_allclose(step_matrix(amount), (1 - part) * step_matrix(0.5) + part / 3, atol=1e-6)


@given(st.floats(0, 0.999))
def test_a_little_more_is_a_little_different(amount):
    assert np.abs(step_matrix(amount + 0.001) - step_matrix(amount)).max() < 0.02


def test_colours_fade_with_the_amount():
    colourful = np.array([1.0, -2.0, 1.0])  # green against purple, without lightness
    left = [np.linalg.norm(colourful @ step_matrix(amount)) for amount in np.linspace(0, 1, 21)]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-6


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.4, 1.0), (0.5, 1.0), (0.75, 1.0), (1.0, 0.0)],
)
def test_a_drift_is_limited_between_free_and_keep(amount, expected):
    assert hold_share(amount) == pytest.approx(expected)


@given(amounts)
def test_the_share_of_hold_has_no_jumps(amount):
    assert 0 <= hold_share(amount) <= 1
    assert abs(hold_share(min(1.0, amount + 0.01)) - hold_share(amount)) <= 0.041


@given(st.floats(0, 1), seeds)
def test_a_part_of_holding_goes_that_part_of_the_way(part, seed):
    original = Spread(np.array([1.85, 0.0, 0.0]), np.full(3, 0.1))
    drifted = picture([1.7, 0.1, -0.1], [0.2, 0.3, 1.3], seed=seed % 100)
    whole, some = drifted.copy(), drifted.copy()
    hold(whole, original)
    hold(some, original, part)
    inside = (drifted > 0).all(-1) & (drifted < 255).all(-1) & (whole > 0).all(-1) & (whole < 255).all(-1)
    assert inside.mean() > 0.5
    expected = drifted + np.float32(part) * (whole - drifted)
    np.testing.assert_allclose(some[inside], expected[inside], atol=1e-3)


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
    kept = pixels.copy()
    hold(kept, spread(pixels))
    np.testing.assert_allclose(kept, pixels, atol=2e-4)


def test_a_wild_original_may_stay_wild():
    pixels = uniform(4)
    assert spread(pixels).deviation.max() > 1
    kept = pixels.copy()
    hold(kept, spread(pixels))
    np.testing.assert_allclose(kept, pixels, atol=5e-4)


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
