"""Colour moments of a picture (brightness, contrast, saturation), kept equal through thousands of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709
_PASSES = 3  # each makes up for what the one before lost by clipping


@dataclass(frozen=True, eq=False)
class ColorMoments:
    """What `match` makes equal.

    Attributes:
        mean: red, green and blue, 0 to 255, float64 `(3,)`.
        contrast: the standard deviation of lightness.
        saturation: the mean distance between a pixel's largest and smallest colour.
    """

    mean: NDArray[np.float64]
    contrast: float
    saturation: float


def measure(pixels: NDArray[np.uint8] | Pixels) -> ColorMoments:
    """The moments of `pixels`, `(height, width, 3)`, 0 to 255."""
    values = pixels.astype(np.float32)
    return ColorMoments(
        mean=values.mean((0, 1), dtype=np.float64),
        contrast=float((values @ _LUMA).std(dtype=np.float64)),
        saturation=float(np.mean(values.max(-1) - values.min(-1), dtype=np.float64)),
    )


def match(pixels: Pixels, moments: ColorMoments) -> Pixels:
    """`pixels` with the given moments, float32, clipped to 0 to 255.

    Lightness is scaled about its mean, and so is each colour's difference from it, until mean, contrast and
    saturation are those of `moments`, as nearly as clipping allows.
    """
    values = pixels.astype(np.float32)
    for _ in range(_PASSES):
        now = measure(values)
        light = (values @ _LUMA)[..., None]
        colour = values - light
        light = (light - light.mean()) * np.float32(moments.contrast / (now.contrast or 1.0))
        colour = (colour - colour.mean((0, 1))) * np.float32(moments.saturation / (now.saturation or 1.0))
        values = np.clip(light + colour + moments.mean.astype(np.float32), 0.0, 255.0)
    return values
