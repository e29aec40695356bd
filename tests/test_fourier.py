"""The spectrum and its way back, its gradient against finite differences, and Adam against another Adam."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.color import AXES
from dreamkit.engine.parametrisations.fourier import Spectrum

SIZES = [(6, 7), (6, 8), (5, 5)]
seeds = st.integers(0, 2**32)


def uniform(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)


def drawn(coefficients: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture of `coefficients`, from the sum over frequencies itself; in float64."""
    height, width = size
    rows, columns = np.arange(height)[:, None], np.arange(width)
    planes = np.zeros((3, height, width))
    for colour, v, h in np.ndindex(3, height, width // 2 + 1):
        fy = (v if v <= height // 2 else v - height) / height
        f = max(np.sqrt(fy**2 + (h / width) ** 2), 1 / max(height, width))
        both = 1 if h == 0 or 2 * h == width else 2
        wave = np.exp(2j * np.pi * (v * rows / height + h * columns / width))
        wave = both * (coefficients[colour, v, h] * wave).real / (height * width)
        planes[colour] += np.sqrt(height * width) / f * wave / 4
    mixing = AXES / np.sqrt((AXES**2).sum(0)).max()
    return 255 / (1 + np.exp(-np.einsum("ck,khw->hwc", mixing, planes)))


def some(size, seed=0) -> np.ndarray:
    height, width = size
    parts = np.random.default_rng(seed).normal(0, 0.1, (2, 3, height, width // 2 + 1))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (1, 4), (3, 2), (2, 1)])
def test_the_picture_is_the_published_sum(size):
    ours = Spectrum(some(size), size).pixels()
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, drawn(some(size), size), atol=1e-3)


@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_there_and_back(height, width, seed):
    pixels = uniform((height, width), seed)
    again = Spectrum.from_pixels(pixels).pixels()
    np.testing.assert_allclose(again, pixels.clip(0.5, 254.5), atol=2e-3)


def test_there_and_back_in_bands():
    pixels = uniform((150, 301), 3)
    np.testing.assert_allclose(Spectrum.from_pixels(pixels).pixels(), pixels.clip(0.5, 254.5), atol=5e-3)


def test_black_and_white_survive(photo):
    photo[:5], photo[5:9] = 0, 255
    again = Spectrum.from_pixels(photo.astype(np.float32)).pixels()
    np.testing.assert_allclose(again, photo, atol=0.51)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_are_finite_differences(size):
    coefficients = some(size, 1)
    weights = np.random.default_rng(2).normal(0, 1, (*size, 3)).astype(np.float32)
    ours = np.stack(list(Spectrum(coefficients, size).gradients(weights.copy())))
    exact, step = coefficients.astype(np.complex128), 1e-5
    for place in np.ndindex(exact.shape):
        for unit, part in ((1, ours[place].real), (1j, ours[place].imag)):
            ends = []
            for sign in (1, -1):
                nudged = exact.copy()
                nudged[place] += sign * step * unit
                ends.append((drawn(nudged, size) * weights).sum())
            assert part == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("size", SIZES)
def test_climbing_is_adam(size):
    """Adam written down once more, on real numbers in float64, climbing the same hill."""
    goal, spectrum = uniform(size, 5), Spectrum(some(size), size)
    parts = np.stack([some(size).real, some(size).imag]).astype(np.float64)
    first, second = np.zeros_like(parts), np.zeros_like(parts)
    for step in range(1, 6):
        slope = np.stack(list(spectrum.gradients(goal - spectrum.pixels())))
        g = np.stack([slope.real, slope.imag]).astype(np.float64)
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g * g
        parts += 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        spectrum.step(goal - spectrum.pixels(), 0.05)
        # Parts on which the picture does not depend have a gradient of rounding errors.
        felt = np.abs(g) > 1e-3
        ours = np.stack([spectrum.coefficients.real, spectrum.coefficients.imag])
        np.testing.assert_allclose(ours[felt], parts[felt], atol=1e-4)


def test_climbing_goes_up(photo):
    spectrum, distances = Spectrum.from_pixels(np.full(photo.shape, 128, np.float32)), []
    for _ in range(100):
        distances.append(np.abs(photo - spectrum.pixels()).mean())
        spectrum.step(photo - spectrum.pixels(), 0.05)
    assert distances[-1] < 0.2 * distances[0]


@given(st.floats(1e-2, 1e4))
def test_steps_do_not_heed_the_gradients_strength(factor):
    weights = np.random.default_rng(7).normal(0, 1, (6, 8, 3)).astype(np.float32)
    one, other = Spectrum(some((6, 8)), (6, 8)), Spectrum(some((6, 8)), (6, 8))
    for _ in range(3):
        one.step(weights.copy(), 0.05)
        other.step(weights * np.float32(factor), 0.05)
    np.testing.assert_allclose(other.pixels(), one.pixels(), atol=0.02)


def test_saturated_colours_neither_overflow_nor_move():
    spectrum = Spectrum(some((5, 5)) * 1e6, (5, 5))
    assert spectrum.pixels().min() == 0
    assert spectrum.pixels().max() == 255
    spectrum.step(np.ones((5, 5, 3), np.float32), 0.05)
    assert np.isfinite(spectrum.coefficients).all()
