"""The tone of a picture, brightness, contrast and colour, held through thousands of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709
_TURNS = 3  # after each of which less is lost to clipping


@dataclass(frozen=True, eq=False)
class Tone:
    """What is held.

    Attributes:
        mean: of red, green and blue, 0 to 255, (3,).
        contrast: the standard deviation of lightness.
        saturation: the mean distance between a pixel's largest and smallest colour.
    """

    mean: NDArray[np.float64]
    contrast: float
    saturation: float


def of(pixels: NDArray[np.uint8] | Pixels) -> Tone:
    """The tone of `pixels`, `(height, width, 3)`."""
    values = pixels.astype(np.float32)
    return Tone(
        mean=values.mean((0, 1), dtype=np.float64),
        contrast=float((values @ _LUMA).std(dtype=np.float64)),
        saturation=float(np.mean(values.max(-1) - values.min(-1), dtype=np.float64)),
    )


def held(pixels: Pixels, tone: Tone) -> Pixels:
    """`pixels` in another one's tone, clipped to 0 to 255.

    Lightness is scaled about its mean, and the differences of colours from it about theirs, until mean,
    contrast and saturation are those of `tone`, as nearly as clipping lets them.
    """
    values = pixels.astype(np.float32)
    for _ in range(_TURNS):
        now = of(values)
        light = (values @ _LUMA)[..., None]
        colour = values - light
        light = (light - light.mean()) * np.float32(tone.contrast / (now.contrast or 1.0))
        colour = (colour - colour.mean((0, 1))) * np.float32(tone.saturation / (now.saturation or 1.0))
        values = np.clip(light + colour + tone.mean.astype(np.float32), 0.0, 255.0)
    return values
