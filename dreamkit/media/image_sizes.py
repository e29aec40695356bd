"""Pictures at another size: shrunk, enlarged, fitted, stretched."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.errors import ImageError
from dreamkit.media.images import Picture
from dreamkit.option_values import Wrapped

_Scalar = TypeVar("_Scalar", bound=np.generic)


def shrink(picture: Picture, max_size: int | None, wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` with its longest side at most `max_size` pixels."""
    height, width, _ = picture.pixels.shape
    longest = max(height, width)
    if max_size is None or longest <= max_size:
        return picture
    size = max(1, round(height * max_size / longest)), max(1, round(width * max_size / longest))
    return _resample(picture, size, Image.Resampling.LANCZOS, wrapped)


def enlarge(picture: Picture, factor: float, max_pixels: int, wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` with `factor` times its width and height, at least 1, by Lanczos' filter.

    Raises:
        ImageError: it would have more than `max_pixels` pixels, or too many for the memory.
    """
    height, width, _ = picture.pixels.shape
    size = round(height * factor), round(width * factor)
    if size == (height, width):
        return picture
    name = picture.name or "the picture"
    enlarged = f"{name} enlarged {factor:g} times has {size[1]} x {size[0]} pixels"
    if size[0] * size[1] > max_pixels:
        most = math.floor(math.sqrt(max_pixels / (height * width)) * 100) / 100
        possible = f"at most {most:g} is possible; use a smaller" if most > 1 else "leave out"
        raise ImageError(
            f"{enlarged}, more than the {max_pixels} allowed; {possible} --upscale, or raise --max-pixels"
        )
    try:
        return _resample(picture, size, Image.Resampling.LANCZOS, wrapped)
    except MemoryError as error:
        raise ImageError(
            f"{enlarged}, too many for this machine's memory; use a smaller --upscale"
        ) from error


def fit(picture: Picture, size: tuple[int, int], wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` at `size` (height, width) of the same proportions, by Lanczos' filter."""
    if picture.pixels.shape[:2] == size:
        return picture
    return _resample(picture, size, Image.Resampling.LANCZOS, wrapped)


def stretch(picture: Picture, size: tuple[int, int]) -> Picture:
    """`picture` at `size` (height, width), whatever its proportions, by bilinear interpolation."""
    if picture.pixels.shape[:2] == size:
        return picture
    return _resample(picture, size, Image.Resampling.BILINEAR)


def pad_wrapped(pixels: NDArray[_Scalar], padding: tuple[int, int]) -> NDArray[_Scalar]:
    """`pixels` with `padding` (rows, columns) more on each side, taken from the opposite side."""
    for axis, more in enumerate(padding):
        if more:
            length = pixels.shape[axis]
            pixels = pixels.take(np.arange(-more, length + more), axis, mode="wrap")
    return pixels


def _resample(
    picture: Picture,
    size: tuple[int, int],
    resampling: Image.Resampling,
    wrapped: Wrapped = (False, False),
) -> Picture:
    def resampled(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = values.shape[:2]
        top, left = (
            _filter_reach(before, after) if wraps else 0
            for before, after, wraps in zip((height, width), size, wrapped, strict=True)
        )
        values = pad_wrapped(values, (top, left))
        box = (left, top, left + width, top + height)  # the filter also reads what lies around it
        return np.asarray(Image.fromarray(values).resize(size[::-1], resampling, box))

    alpha = None if picture.alpha is None else resampled(picture.alpha)
    return replace(picture, pixels=resampled(picture.pixels), alpha=alpha)


def _filter_reach(before: int, after: int) -> int:
    """How many pixels beyond an edge Lanczos' filter reads at most; narrower filters read fewer."""
    return math.ceil(3 * max(1.0, before / after)) + 1
