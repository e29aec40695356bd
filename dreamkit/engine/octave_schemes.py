"""How a dream passes from one octave to the next, and what the first one begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import masks, octaves, rng
from dreamkit.engine.resize import Pixels, add_resized, resize
from dreamkit.option_values import Wrapped

_CLOUD_CELLS = 24  # of the clouds of another seed, along the longer side

Grow = Callable[[NDArray[np.uint8], Pixels, tuple[int, int]], Pixels]


def compose(photo: NDArray[np.uint8], size: tuple[int, int], config: DreamConfig) -> Pixels:
    """The photograph at the size of the smallest octave, with the clouds of a seed other than 0.

    The gradient there decides what grows where, and jitter alone hardly changes it. Clouds are drawn on a
    grid of one fineness, so that a small picture and a large one of the same seed are composed alike. They
    change lightness alone: colours stay the photograph's. A dream that starts from noise has none of either.
    """
    if config.start == "noise":
        return rng.noise(config.seed, size, config.noise, config.wrapped).astype(np.float32)
    pixels = resize(photo, size, wrapped=config.wrapped)
    if config.seed and config.clouds:
        grid = octaves.scaled(size, _CLOUD_CELLS / max(size))
        clouds = rng.clouds(config.seed, grid, config.clouds, wrapped=config.wrapped)
        lightness = clouds[..., :1].astype(np.float32) - rng.CENTRE
        pixels += resize(np.repeat(lightness, 3, axis=2), size, wrapped=config.wrapped)
        np.clip(pixels, 0, 255, out=pixels)
    return pixels


def grow(config: DreamConfig) -> Grow:
    """The function that brings a dream to the size of its next octave."""
    function = _grow_residual if config.octave_scheme == "residual" else _grow_whole
    return partial(function, config.wrapped)


def add_lost_detail(
    wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, smaller: tuple[int, int]
) -> None:
    """Adds, in place, the detail of the photograph that its `smaller` size lacks (Keras' example)."""
    add_resized(pixels, photo, wrapped=wrapped)
    add_resized(pixels, resize(photo, smaller, wrapped=wrapped), -1, wrapped=wrapped)


def finish(
    photo: NDArray[np.uint8], pixels: Pixels, regions: Sequence[masks.Mask], config: DreamConfig
) -> NDArray[np.uint8]:
    """`pixels` at the photograph's size, within its masks, with `blend` of the photograph over them."""
    if pixels.shape != photo.shape:
        pixels = grow(config)(photo, pixels, (photo.shape[0], photo.shape[1]))
    if regions:
        masks.blend(photo, pixels, regions, config.wrapped)
    picture = np.empty(photo.shape, np.uint8)
    for channel in range(3):
        plane = np.clip(pixels[..., channel], 0.0, 255.0)
        if config.blend:
            plane += np.float32(config.blend) * (photo[..., channel] - plane)
        picture[..., channel] = np.rint(plane)
    return picture


def _grow_residual(
    wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]
) -> Pixels:
    """The next octave of google/deepdream: the photograph at `size` and the dream so far, enlarged."""
    detail = pixels.copy()
    add_resized(detail, photo, -1, wrapped=wrapped)
    grown = resize(detail, size, wrapped=wrapped)
    add_resized(grown, photo, wrapped=wrapped)
    return grown


def _grow_whole(wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The next octave of the TensorFlow tutorial: the whole picture, enlarged."""
    del photo
    return resize(pixels, size, wrapped=wrapped)
