"""The colours of natural pictures: their axes, and steps that keep a dream near them.

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

FREE, NATURAL, KEEP = 0.0, 0.5, 1.0  # shares of the photograph's colours that a dream keeps

_NATURAL = 1.0  # standard deviations along each axis that every dream may have
_BAND = 64  # rows that are converted at a time

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Spread:
    """The means and standard deviations of a picture's colours along the columns of `AXES`, (3,) each."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


def step_matrix(amount: float) -> NDArray[np.float32]:
    """The matrix `(3, 3)` for each pixel's gradient, with which a dream keeps `amount` of its colours.

    At 0, free, it is the identity. At 0.5, natural, it is `M M^T` with `M` = `MIXING`, divided by its largest
    eigenvalue: a step of gradient ascent in Lucid's decorrelated colours `x = M z`, where the gradient is
    `M^T g` and moves `x` by `M M^T g`. At 1, keep, it is the mean of the three colours, so that lightness
    alone changes. From free to natural it follows powers of the natural matrix, so that colours fade evenly,
    and from there to keep a straight line. Every such matrix is symmetric without negative eigenvalues, so
    that the objective still rises.
    """
    values, vectors = np.linalg.eigh(MIXING @ MIXING.T)
    power = min(1.0, amount / NATURAL)
    natural = (vectors * (values / values.max()) ** power) @ vectors.T
    part = max(0.0, (amount - NATURAL) / (KEEP - NATURAL))
    return np.asarray((1 - part) * natural + part * np.full((3, 3), 1 / 3), np.float32)


def hold_share(amount: float) -> float:
    """The `part` of `hold` for `amount`: 1 around natural; 0 at free, and at keep, where no colour drifts."""
    return float(min(1.0, 2 * amount / NATURAL, 2 * (KEEP - amount) / (KEEP - NATURAL)))


def apply_matrix(gradient: Pixels, matrix: NDArray[np.float32]) -> None:
    """Multiplies each pixel of `gradient` `(height, width, 3)` by a symmetric `matrix`, in place."""
    for band in _bands(gradient):
        band[...] = band @ matrix


def shift_within(pixels: Pixels, shift: NDArray[np.float32]) -> None:
    """Adds `shift` `(height, width)` to all three colours of `pixels`, in place, within 0..255.

    A pixel's shift is limited to `-min .. 255 - max` of its colours, so that their differences stay the same,
    up to float32's rounding. `pixels` must be within 0..255.
    """
    for band, wanted in zip(_bands(pixels), _bands(shift), strict=True):
        allowed = np.clip(wanted, -band.min(axis=2), 255 - band.max(axis=2))
        band += allowed[..., np.newaxis]


def spread(pixels: NDArray[np.generic]) -> Spread:
    """The spread of `pixels` `x`, `(height, width, 3)`, 0 to 255, of any type: that of `AXES^-1 x / 255`."""
    total, squares = np.zeros(3), np.zeros((3, 3))
    for band in _bands(pixels):
        # Sums along rows, and products of two colours, in long loops: a loop over three colours for each
        # pixel takes four times as long.
        rows = band.reshape(len(band), -1).astype(np.float64)
        total += rows.sum(axis=0).reshape(-1, 3).sum(axis=0)
        colours = rows.reshape(-1, 3)
        for one in range(3):
            for other in range(one + 1):
                squares[one, other] += colours[:, one] @ colours[:, other]
    squares += np.tril(squares, -1).T
    count = pixels.shape[0] * pixels.shape[1]
    mean = total / (count * 255)
    covariance = squares / (count * 255**2) - np.outer(mean, mean)
    inverse = np.linalg.inv(AXES)
    # By rounding, the variance of a plain picture may be slightly negative.
    variances = np.maximum(np.diag(inverse @ covariance @ inverse.T), 0.0)
    return Spread(inverse @ mean, np.sqrt(variances))


def hold(pixels: Pixels, original: Spread, part: float = 1.0) -> None:
    """Keeps a dream of many steps from drifting to grey, neon or black; in place.

    Along each axis, the mean of `pixels` returns to `original.mean`, and the standard deviation falls to the
    greater of `original.deviation` and 1, that of natural pictures; it never rises. `part` is the share of
    this correction that is applied, 0 to 1. Then the picture is clipped to 0..255, which may change both a
    little.
    """
    now = spread(pixels)
    limit = np.maximum(original.deviation, _NATURAL)
    scale = 1 - part + part * limit / np.maximum(now.deviation, limit)
    mean = (1 - part) * now.mean + part * original.mean
    matrix = ((AXES * scale) @ np.linalg.inv(AXES)).T.astype(np.float32)
    offset = (255 * AXES @ (mean - scale * now.mean)).astype(np.float32)
    offsets = for_row(offset, pixels.shape[1])
    for band in _bands(pixels):
        moved = (band.reshape(-1, 3) @ matrix).reshape(band.shape)
        moved += offsets
        band[...] = moved
        limit_range(band)


def for_row(colours: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """`colours`, three numbers, once for each pixel of a row, `(width, 3)`.

    NumPy computes with whole rows six times as fast as with three numbers at a time.
    """
    return np.tile(colours, (width, 1))


def limit_range(pixels: Pixels) -> None:
    """Clips `pixels` to 0..255, in place."""
    np.maximum(pixels, np.float32(0), out=pixels)
    np.minimum(pixels, np.float32(255), out=pixels)


def _bands(values: NDArray[_Scalar]) -> Iterator[NDArray[_Scalar]]:
    """Views of `values`, a few rows each."""
    for start in range(0, len(values), _BAND):
        yield values[start : start + _BAND]
