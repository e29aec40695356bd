"""A warp against the same reading written pixel by pixel, and its adjoint against the transpose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit import DreamConfig
from dreamkit.engine import rng
from dreamkit.engine.drawn_transforms import DrawnTransforms, chosen
from dreamkit.engine.transforms.warp import Warp
from dreamkit.errors import ConfigError

sides = st.integers(1, 9)
angles = st.floats(-4, 4)
scales = st.floats(0.3, 3)
seeds = st.integers(0, 2**32)


def uniform(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)


def warped(pixels: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """Each output pixel on its own, read from a picture with a wide grey frame."""
    height, width, _ = pixels.shape
    frame = 40
    framed = np.full((height + 2 * frame, width + 2 * frame, 3), 127.5)
    framed[frame : frame + height, frame : frame + width] = pixels
    out = np.zeros(pixels.shape)
    for row in range(height):
        for column in range(width):
            # Up is positive here, so that multiplying by exp(i angle) turns anticlockwise.
            way = complex(column - (width - 1) / 2, (height - 1) / 2 - row)
            way *= np.exp(-1j * angle) / scale
            y, x = (height - 1) / 2 - way.imag + frame, (width - 1) / 2 + way.real + frame
            top, left = math.floor(y), math.floor(x)
            upper = framed[top, left] * (left + 1 - x) + framed[top, left + 1] * (x - left)
            lower = framed[top + 1, left] * (left + 1 - x) + framed[top + 1, left + 1] * (x - left)
            out[row, column] = upper * (top + 1 - y) + lower * (y - top)
    return out


@given(sides, sides, angles, scales, seeds)
def test_agrees_with_reading_each_pixel(height, width, angle, scale, seed):
    pixels = uniform((height, width), seed)
    ours = Warp((height, width), angle, scale).apply(pixels)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, warped(pixels, angle, scale), atol=1e-3)


@given(sides, sides, angles, scales, seeds)
def test_the_adjoint_is_the_transpose(height, width, angle, scale, seed):
    """Column by column: the linear part is what is left of `apply` when its value at black is taken off."""
    warp = Warp((height, width), angle, scale)
    gradient = uniform((height, width), seed) - 100
    black = np.zeros((height, width, 3), np.float32)
    base = warp.apply(black).astype(np.float64)
    expected = np.zeros(black.shape)
    for place in np.ndindex(height, width):
        black[place] = 1000
        expected[place] = ((warp.apply(black) - base) / 1000 * gradient).sum(axis=(0, 1))
        black[place] = 0
    ours = warp.adjoint(gradient)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, atol=1e-2)


@pytest.mark.parametrize(("angle", "scale"), [(0.03, 1.05), (-0.1, 0.9), (2.0, 1.0)])
def test_the_adjoint_holds_across_blocks(angle, scale):
    size = (300, 531)
    warp = Warp(size, angle, scale)
    pixels, gradient = uniform(size, 1), uniform(size, 2) - 127
    linear = warp.apply(pixels).astype(np.float64) - warp.apply(np.zeros_like(pixels))
    ours = np.vdot(pixels.astype(np.float64), warp.adjoint(gradient).astype(np.float64))
    assert ours == pytest.approx(np.vdot(linear, gradient.astype(np.float64)), rel=1e-5)


def test_finite_differences():
    warp, size = Warp((6, 7), 0.2, 1.1), (6, 7)
    pixels, gradient = uniform(size, 1), uniform(size, 2) / 255
    direction = np.random.default_rng(3).normal(0, 1, pixels.shape).astype(np.float32)
    ends = [float(np.vdot(warp.apply(pixels + sign * direction), gradient)) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / 2 == pytest.approx(
        float(np.vdot(warp.adjoint(gradient), direction)), abs=0.01
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (300, 270)])
def test_no_warp_changes_nothing(size):
    pixels = uniform(size)
    warp = Warp(size, 0.0, 1.0)
    assert np.array_equal(warp.apply(pixels), pixels)
    assert np.array_equal(warp.adjoint(pixels), pixels)


@pytest.mark.parametrize("side", [1, 6, 7, 300])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_of_a_square(side, quarters):
    pixels = uniform((side, side))
    warp = Warp((side, side), quarters * math.pi / 2, 1.0)
    np.testing.assert_allclose(warp.apply(pixels), np.rot90(pixels, quarters), atol=1e-4)
    np.testing.assert_allclose(warp.adjoint(pixels), np.rot90(pixels, -quarters), atol=1e-4)


def test_grey_stays_grey_and_the_frame_is_grey():
    grey = np.full((20, 30, 3), 127.5, np.float32)
    np.testing.assert_allclose(Warp((20, 30), 0.7, 0.5).apply(grey), 127.5, atol=1e-4)
    assert (Warp((20, 30), 0.0, 0.5).apply(uniform((20, 30)))[0] == 127.5).all()


def drawn(transforms, size=(9, 12), octave=1, step=2, seed=5):
    config = DreamConfig(transforms=transforms, jitter=0, seed=seed)
    return DrawnTransforms(chosen(config), config, size, octave, step, (0, 0))


@given(st.integers(0, 2**64 - 1), st.integers(0, 20), st.integers(0, 500), st.floats(0.1, 4))
def test_color_jitter_is_the_published_formula(seed, octave, step, strength):
    """`(x - m) / s` of a normalised picture, with `m` from -1 to 1 and `s` e to the power of that."""
    pixels = uniform((5, 4))
    m, exponent = strength * rng.colors(seed, octave, step)
    assert np.abs([m, exponent]).max() <= strength
    mean, deviation = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    expected = ((pixels - mean) / deviation - m) / np.exp(exponent) * deviation + mean
    changed = drawn({"color-jitter": strength}, (5, 4), octave, step, seed)
    found = changed.apply(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2 * np.exp(strength))
    gradient = uniform((5, 4), 1)
    expected = gradient / np.exp(exponent)
    gradient = changed.adjoint(gradient)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize("strength", [-0.1, 4.1, 1000.0])
def test_color_jitter_of_a_strength_that_leaves_no_picture_is_refused(strength):
    with pytest.raises(ConfigError, match="it takes 0 to 4"):
        drawn({"color-jitter": strength})


def test_grain_has_mean_0_and_its_deviation():
    pixels = np.full((200, 300, 3), 100, np.float32)
    grain = drawn({"grain": 8.0}, (200, 300))
    noise = grain.apply(pixels) - 100
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(8, rel=0.01)
    assert np.abs(noise).max() <= 8 * np.sqrt(12) + 1e-3  # the sum of four uniform numbers
    for axis in (0, 1, 2):  # neighbours are independent
        one, other = np.delete(noise, 0, axis), np.delete(noise, -1, axis)
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01
    gradient = uniform((200, 300), 1)
    kept = gradient.copy()
    gradient = grain.adjoint(gradient)
    assert np.array_equal(gradient, kept)


def test_grain_is_the_stream_of_words_in_four_parts():
    words = rng.words(5, octave=1, step=2, purpose=4, count=9 * 12 * 3)
    sums = [sum(int(word) >> shift & 0xFFFF for shift in (0, 16, 32, 48)) for word in words]
    expected = (np.array(sums) - 2 * 65535) * np.sqrt(3) / 65536
    np.testing.assert_allclose(rng.grain(5, 1, 2, (9, 12)).ravel(), expected, rtol=1e-5, atol=1e-6)


def test_each_step_octave_and_seed_has_its_own_colours_and_grain():
    pixels = uniform((9, 12))
    transforms = {"color-jitter": 1.0, "grain": 4.0}
    found = [
        drawn(transforms, octave=octave, step=step, seed=seed).apply(pixels)
        for octave in (0, 1)
        for step in (0, 1)
        for seed in (0, 1)
    ]
    assert len({each.tobytes() for each in found}) == 8
    again = drawn(transforms, octave=1, step=1, seed=1).apply(pixels)
    assert np.array_equal(found[-1], again)
