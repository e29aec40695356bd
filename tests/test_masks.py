"""Masks: black stays black, edges are soft on their inner side, and blending leaves the rest alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine import masks


def half(height, width, level=255):
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = level
    return mask


def test_an_edge_is_soft_on_its_inner_side():
    soft = masks.soften(half(128, 128))
    assert (soft[:, :64] == 0).all()
    assert soft[:, 64].max() < 0.4
    assert (soft[:, 80:] == 1).all()
    assert (np.diff(soft[64, 60:84]) >= 0).all()


def test_grey_levels_are_strengths():
    np.testing.assert_allclose(masks.soften(half(64, 64, 51))[:, 50:], 0.2, atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 255))
def test_a_mask_without_black_is_its_grey_levels(height, width, level):
    np.testing.assert_allclose(
        masks.soften(np.full((height, width), level, np.uint8)), np.float32(level / 255), rtol=1e-6
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_black_stays_black_and_nothing_grows(height, width, seed):
    mask = np.random.default_rng(seed).choice([0, 0, 90, 255], (height, width)).astype(np.uint8)
    soft = masks.soften(mask)
    assert (soft[mask == 0] == 0).all()
    assert (soft <= mask / np.float32(255)).all()
    assert (soft >= 0).all()


def test_blending_puts_the_photograph_back_outside_all_masks(photo):
    left, right = masks.soften(half(40, 56)[:, ::-1]), masks.soften(half(40, 56))
    pixels = np.full(photo.shape, 255, np.float32)
    masks.blend(photo, pixels, [left])
    assert np.array_equal(pixels[:, 28:], photo[:, 28:])
    assert (pixels[:, :20] == 255).all()
    pixels[:] = 255
    masks.blend(photo, pixels, [left, right])
    assert (pixels == 255).all()


def test_a_mask_follows_the_octave():
    mask = masks.soften(half(64, 64))
    assert np.array_equal(masks.resized(mask, (64, 64))[..., 0], mask)
    small = masks.resized(mask, (16, 20))
    assert small.shape == (16, 20, 1)
    assert small[:, :9].max() == 0.0
    np.testing.assert_allclose(small[:, 14:], 1, atol=1e-6)
