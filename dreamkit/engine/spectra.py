"""Transforms between pictures and half spectra, in bands that save memory, and the sigmoid of pixels.

A half spectrum is what `numpy.fft.rfft2` returns: `(height, width // 2 + 1)`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels

_EXTREMES = (0.5, 254.5)  # black and white, as near as a sigmoid comes to them
_BAND = 64  # rows or columns that are transformed in float64 at a time


def stands_for(width: int) -> NDArray[np.float64]:
    """How many columns of the whole spectrum a column of the half stands for: itself and its mirror image."""
    counts = np.full(width // 2 + 1, 2.0)
    counts[0] = 1.0
    if width % 2 == 0:
        counts[-1] = 1.0
    return counts


def transformed(
    values: Pixels, weights: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """`factor * rfft2` of the weighted sum of the colours of `values`."""
    height, width, _ = values.shape
    half = np.empty((height, width // 2 + 1), np.complex64)
    for rows in _bands(height):
        half[rows] = np.fft.rfft(values[rows] @ weights)
    for columns in _bands(half.shape[1]):
        lines = half[:, columns].astype(np.complex128)
        half[:, columns] = np.fft.fft(lines, axis=0) * factor[:, columns]
    return half


def add_inverse(
    out: Pixels,
    coefficients: NDArray[np.complex64],
    weights: NDArray[np.float64],
    factor: NDArray[np.float64],
) -> None:
    """Adds `irfft2(factor * coefficients)`, times each colour's weight, to the colours of `out`."""
    height, width, _ = out.shape
    half = np.empty_like(coefficients)
    for columns in _bands(half.shape[1]):
        half[:, columns] = np.fft.ifft(coefficients[:, columns] * factor[:, columns], axis=0)
    for rows in _bands(height):
        plane = np.fft.irfft(half[rows].astype(np.complex128), width)
        out[rows] += plane[..., np.newaxis] * weights


def _bands(length: int) -> Iterator[slice]:
    for start in range(0, length, _BAND):
        yield slice(start, start + _BAND)


def logits_of(pixels: Pixels) -> Pixels:
    """`x` for which `pixels = 255 sigmoid(x)`, of pixels 0 to 255, which are clipped to 0.5..254.5."""
    logits = np.clip(pixels, *_EXTREMES)
    found: Pixels = np.log(logits) - np.log(255 - logits)
    return found


def sigmoid(values: Pixels) -> None:
    """Replaces `values` `x` by `255 sigmoid(x)`, in a form that cannot overflow."""
    values /= 2
    np.tanh(values, out=values)
    values += 1
    values *= 127.5


def through_sigmoid(gradient: Pixels, pixels: Pixels) -> None:
    """Converts the gradient by `pixels = 255 sigmoid(x)` to the one by `x`; `pixels` are overwritten.

    The derivative of `255 sigmoid` is `pixels * (255 - pixels) / 255`.
    """
    gradient *= pixels
    np.subtract(255, pixels, out=pixels)
    pixels /= 255
    gradient *= pixels
