"""Pictures shrunk and enlarged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_pictures import RGB_PROFILE, SMOOTH, near

from dreamkit.errors import ImageError
from dreamkit.media import image_sizes, images

# Shrinking


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.booleans())
def test_shrinking_fits_the_longest_side_and_keeps_the_aspect(height, width, max_size, with_alpha):
    pixels = np.zeros((height, width, 3), np.uint8)
    alpha = np.zeros((height, width), np.uint8) if with_alpha else None
    picture = images.Picture(pixels, alpha, RGB_PROFILE, "a.png", "hash")
    small = image_sizes.shrink(picture, max_size)
    new_height, new_width, _ = small.pixels.shape
    scale = min(1, max_size / max(height, width))
    assert max(new_height, new_width) == min(max_size, max(height, width))
    assert abs(new_height - max(1, height * scale)) <= 0.5
    assert abs(new_width - max(1, width * scale)) <= 0.5
    assert (small.alpha is None) == (alpha is None)
    assert small.alpha is None or small.alpha.shape == (new_height, new_width)
    assert (small.profile, small.name, small.sha256) == (RGB_PROFILE, "a.png", "hash")


@pytest.mark.parametrize("max_size", [None, 36, 1000])
def test_a_picture_that_fits_is_returned_as_it_is(max_size):
    picture = images.Picture(SMOOTH[..., :3], SMOOTH[..., 3])
    assert image_sizes.shrink(picture, max_size) is picture


def test_shrinking_keeps_the_look():
    # At half the size a pixel is the mean of four, away from the edges.
    small = image_sizes.shrink(images.Picture(SMOOTH[..., :3], SMOOTH[..., 3]), 18)
    means = SMOOTH.reshape(12, 2, 18, 2, 4).mean((1, 3))[2:-2, 2:-2]
    assert near(small.pixels[2:-2, 2:-2], means[..., :3], 2)
    assert near(small.alpha[2:-2, 2:-2], means[..., 3], 2)


# Enlarging


def lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def enlarging(before: int, after: int, *, wrapped: bool) -> np.ndarray:
    """The rows of Lanczos' filter, (after, before)."""
    matrix = np.zeros((after, before))
    for row in range(after):
        center = (row + 0.5) * before / after
        for place in range(int(np.floor(center)) - 4, int(np.floor(center)) + 5):
            if wrapped or 0 <= place < before:
                matrix[row, place % before] += lanczos(place + 0.5 - center)
    return matrix / matrix.sum(1, keepdims=True)


@given(
    st.integers(2, 20),
    st.integers(2, 20),
    st.sampled_from([1.25, 1.5, 2.0, 3.3]),
    st.sampled_from([(False, False), (False, True), (True, True)]),
    st.integers(0, 2**32 - 1),
)
def test_enlarging_is_lanczos(height, width, factor, wrapped, seed):
    pixels = np.random.default_rng(seed).integers(60, 190, (height, width, 3)).astype(np.uint8)
    large = image_sizes.enlarge(images.Picture(pixels, pixels[..., 0]), factor, 10**6, wrapped)
    size = round(height * factor), round(width * factor)
    rows, columns = (
        enlarging(before, after, wrapped=wraps)
        for before, after, wraps in zip((height, width), size, wrapped, strict=True)
    )
    expected = np.einsum("ab,bcd,ec->aed", rows, pixels, columns).clip(0, 255)
    assert large.pixels.shape == (*size, 3)
    np.testing.assert_allclose(large.pixels, expected, atol=2)  # Pillow rounds after each axis
    np.testing.assert_allclose(large.alpha, expected[..., 0], atol=2)


def test_enlarging_by_one_returns_the_picture():
    picture = images.Picture(np.zeros((4, 5, 3), np.uint8))
    assert image_sizes.enlarge(picture, 1.0, 1) is picture


@given(st.integers(1, 60), st.integers(1, 60), st.floats(1, 8), st.integers(1, 4000))
def test_no_picture_is_enlarged_beyond_the_limit(height, width, factor, most):
    picture = images.Picture(np.zeros((height, width, 3), np.uint8), name="a.jpg")
    size = round(height * factor), round(width * factor)
    if size == (height, width) or size[0] * size[1] <= most:
        assert image_sizes.enlarge(picture, factor, most).pixels.shape == (*size, 3)
        return
    with pytest.raises(ImageError) as caught:
        image_sizes.enlarge(picture, factor, most)
    assert str(caught.value).startswith(f"a.jpg enlarged {factor:g} times has {size[1]} x {size[0]} pixels, ")
    assert f"more than the {most} allowed; " in str(caught.value)
