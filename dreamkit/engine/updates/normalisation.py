"""Gradients scaled to the same size, so that steps are equally long in every octave and for every layer."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels
from dreamkit.errors import NumericError

_BAND = 64  # rows that a sum over the picture converts to float64 at a time


def normalise(gradient: Pixels, how: str, coverage: float = 1.0) -> None:
    """Divides `gradient`, in place, by its mean absolute value or by its standard deviation.

    Statistics are over all pixels and colours; sums are in float64. A gradient of zero stays zero.

    Args:
        gradient: `(height, width, 3)`.
        how: `mean-abs`, `std`, `score`, which subtracts the mean first, or `none`.
        coverage: the share of the picture for which the gradient was computed, 0 to 1. Statistics are over
            this part, without the zeros elsewhere.

    Raises:
        NumericError: a value is not finite.
    """
    count = gradient.size * coverage or 1.0
    mean = 0.0
    if how in ("std", "score"):
        mean = sum(float(band.sum()) for band in _bands(gradient)) / count
        squares = sum(float(np.square(band - mean).sum()) for band in _bands(gradient))
        squares -= (gradient.size - count) * mean**2  # of the zeros elsewhere
        size = math.sqrt(max(squares, 0.0) / count)  # in this order, NaN stays NaN
    else:
        size = sum(float(np.abs(band).sum()) for band in _bands(gradient)) / count
    if not math.isfinite(size):
        raise NumericError(
            "the gradient is not a number; the weights are damaged or the layers overflow: try others"
        )
    if how == "score":
        for start in range(0, len(gradient), _BAND):  # in float64, where a small spread survives a large mean
            gradient[start : start + _BAND] = gradient[start : start + _BAND].astype(np.float64) - mean
    divisor = np.float32(size)
    if how != "none" and divisor:
        gradient /= divisor


def _bands(values: Pixels) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(values), _BAND):
        yield values[start : start + _BAND].astype(np.float64)
