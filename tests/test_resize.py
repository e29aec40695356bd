"""The filter against its formula, written down once more with matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.resize import add_resized, resize


def weights(before: int, after: int) -> np.ndarray:
    """The rows of the triangle filter, (after, before), from the formula in the module's docstring."""
    scale = max(1.0, before / after)
    centres = (np.arange(after) + 0.5) * before / after
    distance = np.abs(np.arange(before) + 0.5 - centres[:, None])
    triangle = np.maximum(0.0, 1.0 - distance / scale)
    return triangle / triangle.sum(1, keepdims=True)


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = weights(pixels.shape[0], size[0]), weights(pixels.shape[1], size[1])
    return np.einsum("ab,bcd,ec->aed", rows, pixels.astype(np.float64), columns)


sides = st.integers(1, 40)


@given(sides, sides, sides, sides, st.integers(0, 2**32))
def test_agrees_with_the_formula(height, width, to_height, to_width, seed):
    pixels = np.random.default_rng(seed).uniform(-300, 300, (height, width, 3)).astype(np.float32)
    ours = resize(pixels, (to_height, to_width))
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, resized(pixels, (to_height, to_width)), atol=1e-3)


def test_the_same_size_is_the_same_values(photo):
    assert np.array_equal(resize(photo, photo.shape[:2]), photo)


def test_a_constant_stays_constant():
    assert resize(np.full((7, 9, 3), 42.0), (20, 4)) == pytest.approx(42.0)


@given(st.integers(-3, 3))
def test_add_adds_a_multiple_in_place(factor):
    out = np.full((6, 5, 3), 7.0, np.float32)
    pixels = np.arange(3 * 4 * 3, dtype=np.uint8).reshape(3, 4, 3)
    add_resized(out, pixels, factor)
    np.testing.assert_allclose(out, 7.0 + factor * resized(pixels, (6, 5)), atol=1e-4)
