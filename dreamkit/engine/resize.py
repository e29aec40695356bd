"""The filter for all changes of a picture's size: Pillow's bilinear, on float32.

It is a separable triangle over half-pixel centres, with weights that sum to one along each axis. Output
pixel `i` lies at `c = (i + 0.5) * in / out`, and input pixel `j` has the weight
`max(0, 1 - |j + 0.5 - c| / s)` with `s = max(1, in / out)`. Enlarging is plain bilinear; shrinking widens the
triangle against aliasing. Along a wrapped axis, the pixels of the other side lie beyond an edge.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.media.image_sizes import pad_wrapped
from dreamkit.option_values import Wrapped

Pixels = NDArray[np.float32]


def resize(
    pixels: NDArray[np.generic], size: tuple[int, int], *, wrapped: Wrapped = (False, False)
) -> Pixels:
    """`pixels` `(height, width, channels)` at `size` (height, width), float32."""
    out = np.zeros((*size, pixels.shape[2]), np.float32)
    add_resized(out, pixels, wrapped=wrapped)
    return out


def add_resized(
    out: Pixels, pixels: NDArray[np.generic], factor: int = 1, *, wrapped: Wrapped = (False, False)
) -> None:
    """Adds `factor` times `pixels`, at `out`'s size, to `out`; one channel at a time, to save memory."""
    height, width, channels = out.shape
    for channel in range(channels):
        plane = np.ascontiguousarray(pixels[..., channel], np.float32)
        if plane.shape != (height, width):
            plane = _resized(plane, (height, width), wrapped)
        out[..., channel] += plane if factor == 1 else factor * plane


def _resized(plane: Pixels, size: tuple[int, int], wrapped: Wrapped) -> Pixels:
    """One channel at another size."""
    height, width = plane.shape
    top, left = (
        math.ceil(max(1.0, before / after)) + 1 if wraps else 0  # the reach of the filter
        for before, after, wraps in zip(plane.shape, size, wrapped, strict=True)
    )
    image = Image.fromarray(pad_wrapped(plane, (top, left)))
    box = (left, top, left + width, top + height)
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR, box))
