"""Filters that TensorFlow computes faster than NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.tf import private


def correlate(pixels: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The correlation of each colour of `pixels` `(height, width, colours)` with `kernel` `(rows, columns)`.

    Returns:
        The places where the kernel lies inside: `(height - rows + 1, width - columns + 1, colours)`.
    """
    kernels = np.repeat(kernel[..., None], pixels.shape[2], -1)[..., None]
    found: NDArray[np.float32] = private.depthwise(pixels[None], kernels)[0]
    return found
