"""The one filter that changes a picture's size: Pillow's bilinear, on float32.

A triangle over half-pixel centres, separable, rows and columns each normalised to sum one: output pixel
`i` lies at `c = (i + 0.5) * in / out`, and input pixel `j` weighs `max(0, 1 - |j + 0.5 - c| / s)` with
`s = max(1, in / out)`. Enlarging, that is plain bilinear; shrinking, the triangle widens so that nothing
aliases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]


def resize(pixels: NDArray[np.generic], size: tuple[int, int]) -> Pixels:
    """`pixels` `(height, width, channels)` at `size` (height, width), float32."""
    out = np.zeros((*size, pixels.shape[2]), np.float32)
    add_resized(out, pixels)
    return out


def add_resized(out: Pixels, pixels: NDArray[np.generic], factor: int = 1) -> None:
    """Adds `factor` times `pixels`, at `out`'s size, to `out`; one channel at a time, to save memory."""
    height, width, channels = out.shape
    for channel in range(channels):
        plane = np.ascontiguousarray(pixels[..., channel], np.float32)
        if plane.shape != (height, width):
            image = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)
            plane = np.asarray(image)
        out[..., channel] += plane if factor == 1 else factor * plane
