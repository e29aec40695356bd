"""The colours of natural pictures: their axes, and how to keep a dream near them.

tensorflow/lucid (`lucid/optvis/param/color.py`, 2018) publishes the square root of the covariance of the
colours of ImageNet's pixels. Its columns are nearly lightness, blue against red, and green against purple,
each as long as natural pictures vary along it; colours measured along them are decorrelated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels

AXES = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""Rows are red, green and blue, 0 to 1; a column is one standard deviation of natural pictures."""

MIXING = AXES / np.linalg.norm(AXES, axis=0).max()
"""`AXES` with its longest column at length 1: colours of Lucid's decorrelated space, as Lucid mixes them."""

_NATURAL = 1.0  # standard deviations along each axis that every picture may have
_BAND = 64  # rows that are held in another form at a time

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Spread:
    """Where a picture's colours lie: means and standard deviations along the columns of `AXES`, (3,) each."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def grey(gradient: Pixels) -> None:
    """Gives, in place, each colour of a pixel the mean of the three: changes of lightness alone are left.

    This is the orthogonal projection, so it is still the steepest way up that keeps colours' differences.
    """
    for band in _bands(gradient):
        band[...] = band.mean(axis=2, keepdims=True)


def natural(gradient: Pixels) -> None:
    """Replaces each pixel's `g`, in place, by `M M^T g`, with `M` = `MIXING`.

    That is one step of gradient ascent taken in Lucid's decorrelated colours, `x = M z`: the gradient there
    is `M^T g`, and a step along it moves `x` by `M M^T g`.
    """
    matrix = (MIXING @ MIXING.T).astype(np.float32)
    for band in _bands(gradient):
        band[...] = band @ matrix


def shift_within(pixels: Pixels, shift: NDArray[np.float32]) -> None:
    """Adds `shift` `(height, width)` to all three colours of `pixels`, in place, as far as 0..255 allows.

    A pixel's shift is limited to `-min .. 255 - max` of its colours, so that their differences stay as they
    were, to float32's rounding. Needs `pixels` within 0..255.
    """
    for band, wanted in zip(_bands(pixels), _bands(shift), strict=True):
        allowed = np.clip(wanted, -band.min(axis=2), 255 - band.max(axis=2))
        band += allowed[..., np.newaxis]


def spread(pixels: NDArray[np.generic]) -> Spread:
    """The spread of `pixels` `(height, width, 3)`, 0 to 255, of any type: of `z = AXES^-1 x / 255`."""
    total, squares = np.zeros(3), np.zeros((3, 3))
    for band in _bands(pixels):
        colours = band.reshape(-1, 3).astype(np.float64) / 255
        total += colours.sum(axis=0)
        squares += colours.T @ colours
    count = pixels.shape[0] * pixels.shape[1]
    mean = total / count
    covariance = squares / count - np.outer(mean, mean)
    inverse = np.linalg.inv(AXES)
    # Rounding may leave the variance of a plain picture a little below zero.
    variances = np.maximum(np.diag(inverse @ covariance @ inverse.T), 0.0)
    return Spread(inverse @ mean, np.sqrt(variances))


def hold(pixels: Pixels, original: Spread) -> None:
    """Keeps a dream of many steps from drifting to grey, to neon or to the dark; in place.

    Along each axis the mean of `pixels` is brought back to `original.mean`, and the standard deviation down
    to the greater of `original.deviation` and 1, that of natural pictures; it is never brought up. Then the
    picture is clipped to 0..255, after which both hold only as nearly as the clipping lets them.
    """
    now = spread(pixels)
    limit = np.maximum(original.deviation, _NATURAL)
    scale = limit / np.maximum(now.deviation, limit)
    matrix = ((AXES * scale) @ np.linalg.inv(AXES)).T.astype(np.float32)
    offset = (255 * AXES @ (original.mean - scale * now.mean)).astype(np.float32)
    for band in _bands(pixels):
        np.clip(band @ matrix + offset, 0.0, 255.0, out=band)


def _bands(values: NDArray[_Scalar]) -> Iterator[NDArray[_Scalar]]:
    """Views of `values`, a few rows each."""
    for start in range(0, len(values), _BAND):
        yield values[start : start + _BAND]
