"""The blur and the pyramid against dense matrices, and the pyramid against TensorFlow's convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dreamkit.engine.updates import smoothing
from dreamkit.engine.updates.smoothing import gaussian, laplacian, step_sigma

sides = st.integers(1, 20)
seeds = st.integers(0, 2**32)
K = np.array([1, 4, 6, 4, 1]) / 16


def noise(height, width, seed):
    return np.random.default_rng(seed).normal(0, 2, (height, width, 3)).astype(np.float32)


def bounced(place: int, length: int) -> int:
    """Where a walk to `place` ends that turns back at both ends of the axis."""
    at, way = 0, 1
    for _ in range(abs(place)):
        if not 0 <= at + way < length:
            way = -way
        at += way if length > 1 else 0
    return at


def blur(length: int, sigma: float) -> np.ndarray:
    """One Gaussian blur along an axis, (length, length)."""
    matrix = np.zeros((length, length))
    for row in range(length):
        for k in range(-4, 5):
            matrix[row, bounced(row + k, length)] += np.exp(-(k**2) / (2 * sigma**2))
    return matrix / matrix.sum(1, keepdims=True)


def along_both(rows, image, columns):
    return np.einsum("ab,bcd,ec->aed", rows, image, columns)


@given(sides, sides, st.floats(0.1, 10), seeds)
@example(1, 1, 1.0, 0)
@example(2, 4, 1.0, 0)
def test_the_blur_is_the_mean_of_three(height, width, sigma, seed):
    gradient = noise(height, width, seed)
    expected = np.zeros(gradient.shape)
    for s in (sigma / 2, sigma, 2 * sigma):
        expected += along_both(blur(height, s), gradient, blur(width, s)) / 3
    gaussian(gradient, sigma)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


@given(st.integers(5, 12))
def test_the_edge_is_mirrored_as_numpy_does(length):
    line = np.arange(length, dtype=float) ** 2
    padded = np.pad(line, 4, "reflect")
    assert [line[bounced(place, length)] for place in range(-4, length + 4)] == padded.tolist()


@pytest.mark.parametrize("height", [63, 64, 65, 127, 128, 129, 130, 200])
@pytest.mark.parametrize("roll", [(0, 0), (61, 3)])
def test_the_blur_is_the_same_in_bands(height, roll, monkeypatch):
    monkeypatch.setattr(smoothing, "_BAND", 1)
    gradient = noise(height, 7, 5)
    expected = sum(along_both(blur(height, s), gradient, blur(7, s)) for s in (0.5, 1, 2)) / 3
    rolled = np.roll(gradient, (-roll[0], -roll[1]), (0, 1))
    gaussian(rolled, 1.0, roll)
    np.testing.assert_allclose(np.roll(rolled, roll, (0, 1)), expected, atol=1e-5)


def test_widths_grow_with_the_steps():
    assert [step_sigma(step, 4, 0.5) for step in range(4)] == [1.0, 1.5, 2.0, 2.5]


def halving(length: int) -> np.ndarray:
    """The strided correlation along an axis, (ceil(length / 2), length), by the rule for "SAME"."""
    out = -(-length // 2)
    before = max((out - 1) * 2 + 5 - length, 0) // 2
    matrix = np.zeros((out, length))
    for row in range(out):
        for j in range(5):
            if 0 <= row * 2 + j - before < length:
                matrix[row, row * 2 + j - before] += K[j]
    return matrix


def normalised(level):
    return level / max(np.sqrt(np.mean(level**2)), 1e-10)


def equalised(image: np.ndarray, levels: int, reduce, expand) -> np.ndarray:
    """The tutorial's recursion, with the two filters given."""
    if levels == 0:
        return normalised(image)
    lo = reduce(image)
    hi = image - expand(lo, image.shape)
    return normalised(hi) + expand(equalised(lo, levels - 1, reduce, expand), image.shape)


def by_matrix(image: np.ndarray, levels: int) -> np.ndarray:
    def reduce(image):
        return along_both(halving(image.shape[0]), image, halving(image.shape[1]))

    def expand(image, shape):
        return 4 * along_both(halving(shape[0]).T, image, halving(shape[1]).T)

    return equalised(image, levels, reduce, expand)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 3), seeds)
def test_the_pyramid_agrees_with_matrices(height, width, levels, seed):
    gradient = noise(height, width, seed)
    expected = by_matrix(gradient.astype(np.float64), levels)
    laplacian(gradient, levels)
    np.testing.assert_allclose(gradient, expected, atol=2e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_the_pyramid_of_next_to_nothing(size):
    gradient = noise(*size, 3)
    expected = by_matrix(gradient.astype(np.float64), 4)
    laplacian(gradient, 4)
    np.testing.assert_allclose(gradient, expected, atol=1e-3)


@pytest.mark.parametrize("size", [(37, 52), (64, 33)])
def test_the_pyramid_agrees_with_tensorflow(size):
    import tensorflow as tf

    kernel = tf.constant(np.outer(K, K)[:, :, None, None] * np.eye(3), tf.float32)

    def reduce(image):
        return tf.nn.conv2d(image, kernel, 2, "SAME").numpy()

    def expand(image, shape):
        return tf.nn.conv2d_transpose(image, kernel * 4, shape, 2, "SAME").numpy()

    gradient = noise(*size, 11)
    expected = equalised(gradient[None], 4, reduce, expand)[0]
    laplacian(gradient, 4)
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


@given(st.floats(1e-6, 1e6))
def test_the_pyramid_does_not_heed_strength(factor):
    gradient = noise(12, 15, 1)
    stronger = gradient * np.float32(factor)
    laplacian(gradient, 2)
    laplacian(stronger, 2)
    np.testing.assert_allclose(stronger, gradient, atol=1e-4)


def test_nothing_stays_nothing():
    gradient = np.zeros((9, 8, 3), np.float32)
    laplacian(gradient, 3)
    gaussian(gradient, 1.0)
    assert not gradient.any()


@pytest.mark.parametrize("roll", [(0, 0), (3, -5), (100, 41)])
def test_a_rolled_gradient_is_blurred_within_its_own_edges(roll):
    gradient = np.random.default_rng(0).normal(0, 1, (70, 31, 3)).astype(np.float32)
    rolled = np.roll(gradient, roll, (0, 1))
    gaussian(rolled, 1.3)
    found = gradient.copy()
    gaussian(found, 1.3, roll)
    np.testing.assert_array_equal(found, np.roll(rolled, (-roll[0], -roll[1]), (0, 1)))
