"""Normalisation of gradients against NumPy, and the step of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.config import DreamConfig
from dreamkit.engine.parametrisations.pixels import PixelSpace
from dreamkit.engine.updates.normalisation import normalise
from dreamkit.errors import NumericError

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
        normalise(found, how)
        np.testing.assert_allclose(found, divided, rtol=1e-4, atol=1e-5 * np.abs(divided).max())


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e8])
def test_a_step_moves_a_typical_pixel_by_its_size_whatever_the_gradients_unit(scale):
    gradient = (np.random.default_rng(0).normal(0, 1, (9, 9, 3)) * scale).astype(np.float32)
    pixels = np.full((9, 9, 3), 128.0, np.float32)
    normalise(gradient, "mean-abs")
    PixelSpace(pixels, DreamConfig(unit=1.5)).step(pixels, gradient, 1.0)
    assert np.abs(pixels - 128).mean() == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize(("clip", "expected"), [(True, [0.0, 255.0, 255.0]), (False, [-255.0, 510.0, 355.0])])
def test_pixels_stay_in_range_with_clip(clip, expected):
    pixels = np.array([[[0.0, 255.0, 100.0]]], np.float32)
    space = PixelSpace(pixels, DreamConfig(unit=255.0, clip=clip, color="free"))
    space.step(pixels, np.array([[[-1.0, 1.0, 1.0]]], np.float32), 1.0)
    assert pixels.ravel().tolist() == expected


@pytest.mark.parametrize("how", ["mean-abs", "std", "score", "none"])
def test_a_zero_gradient_stays_zero(how):
    gradient = np.zeros((2, 2, 3), np.float32)
    normalise(gradient, how)
    assert (gradient == 0).all()


def test_a_gradient_that_is_not_a_number_is_an_error():
    with pytest.raises(NumericError, match="not a number"):
        normalise(np.full((2, 2, 3), np.nan, np.float32), "std")


@pytest.mark.parametrize("how", ["mean-abs", "std", "score"])
def test_the_part_that_was_not_computed_does_not_count(how):
    """Half of a picture, and zeros: the half comes out as it would alone."""
    half = np.random.default_rng(3).normal(0.3, 2, (70, 8, 3)).astype(np.float32)
    whole = np.concatenate([half, np.zeros_like(half)], 1)
    normalise(half, how)
    normalise(whole, how, 0.5)
    np.testing.assert_allclose(whole[:, :8], half, rtol=1e-5, atol=1e-6)
