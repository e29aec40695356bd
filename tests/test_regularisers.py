"""The terms' gradients against finite differences, and what following them does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.regularisers.l2 import subtract_distance
from dreamkit.engine.regularisers.tv import subtract_total_variation

UNIT = np.array([58.4, 57.1, 57.4])
seeds = st.integers(0, 2**32)


def total_variation(units: np.ndarray) -> float:
    """Written down once more, pixel by pixel."""
    height, width, colours = units.shape
    total = 0.0
    for y in range(height):
        for x in range(width):
            for c in range(colours):
                dx = units[y, x + 1, c] - units[y, x, c] if x + 1 < width else 0.0
                dy = units[y + 1, x, c] - units[y, x, c] if y + 1 < height else 0.0
                total += np.sqrt(dx**2 + dy**2 + (1 / 127.5) ** 2)
    return total


def slope(function, at: np.ndarray, step: float) -> np.ndarray:
    """Central differences of `function`."""
    out = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        nudge = np.zeros(at.shape)
        nudge[place] = step
        out[place] = (function(at + nudge) - function(at - nudge)) / (2 * step)
    return out


@given(st.integers(1, 5), st.integers(1, 5), st.floats(0.1, 3), seeds)
def test_total_variation_is_its_gradient(height, width, weight, seed):
    generator = np.random.default_rng(seed)
    pixels = generator.uniform(0, 255, (height, width, 3)).astype(np.float32)
    # A nearly flat part, where eps counts.
    pixels[:, : (width + 1) // 2] = 80 + generator.normal(0, 0.3, pixels[:, : (width + 1) // 2].shape)
    update = generator.normal(0, 1, pixels.shape).astype(np.float32)
    expected = update - weight * slope(total_variation, pixels / UNIT, 1e-6)
    subtract_total_variation(update, pixels, weight, UNIT)
    np.testing.assert_allclose(update, expected, atol=2e-3)


def test_total_variation_is_the_same_across_bands():
    pixels = np.random.default_rng(1).uniform(0, 255, (150, 4, 3)).astype(np.float32)
    whole = np.zeros_like(pixels)
    subtract_total_variation(whole, pixels, 1.0, UNIT)
    for top in range(0, 140, 7):  # what lies two rows away does not matter
        part = np.zeros_like(pixels[top : top + 12])
        subtract_total_variation(part, pixels[top : top + 12], 1.0, UNIT)
        np.testing.assert_allclose(part[2:-2], whole[top + 2 : top + 10], atol=1e-5)


def test_total_variation_is_bounded_and_flat_where_flat():
    pixels = np.random.default_rng(2).uniform(0, 255, (30, 30, 3)).astype(np.float32)
    update = np.zeros_like(pixels)
    subtract_total_variation(update, pixels, 1.0, UNIT)
    assert np.abs(update).max() < 2 + np.sqrt(2)
    update[:] = 0
    subtract_total_variation(update, np.full_like(pixels, 9), 1.0, UNIT)
    assert not update.any()


def test_descending_lowers_total_variation():
    pixels = np.random.default_rng(3).uniform(0, 255, (12, 12, 3)).astype(np.float32)
    seen = [total_variation(pixels / UNIT)]
    for _ in range(5):
        update = np.zeros_like(pixels)
        subtract_total_variation(update, pixels, 0.02, UNIT)
        pixels += update * UNIT.astype(np.float32)
        seen.append(total_variation(pixels / UNIT))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.9 * seen[0]


@given(st.floats(0.1, 3), seeds)
def test_distance_is_its_gradient(weight, seed):
    generator = np.random.default_rng(seed)
    pixels, original = generator.uniform(0, 255, (2, 3, 4, 3)).astype(np.float32)
    update = generator.normal(0, 1, pixels.shape).astype(np.float32)
    expected = update - weight * slope(
        lambda units: 0.5 * ((units - original / UNIT) ** 2).sum(), pixels / UNIT, 1e-4
    )
    subtract_distance(update, pixels, original, weight, UNIT)
    np.testing.assert_allclose(update, expected, atol=1e-3)
