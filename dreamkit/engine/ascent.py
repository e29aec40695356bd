"""One step of gradient ascent over a whole picture, tile by tile.

The published step: roll the picture, take the gradient, normalise it over the whole picture, add it,
roll back, clip (google/deepdream's `make_step`, 2015). The roll is never carried out: windows are read,
and their gradients put down, at rolled places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.steps import Ascent
from dreamkit.engine.tiles import Cover, Span
from dreamkit.errors import NumericError

Pixels = NDArray[np.float32]

_BAND = 64  # rows that a whole-picture reduction holds in float64 at a time


class Measure(NamedTuple):
    """What a pass over the picture saw, as means over its tiles; one number for each term."""

    objectives: NDArray[np.float64]
    mean_squares: NDArray[np.float64]


def gradient(
    pixels: Pixels,
    ascent: Callable[[Pixels, Sequence[tuple[Span, Span]]], Ascent],
    terms: int,
    cover: Cover,
    tile_size: int,
    roll: tuple[int, int],
    out: Pixels,
) -> Measure:
    """Writes the gradient of the pulled objective with respect to `pixels` to `out`.

    Args:
        pixels: `(height, width, 3)`, 0 to 255.
        ascent: from windows and the tiles that they are windows of, to their gradients.
        terms: how many objectives there are.
        cover: of `pixels`.
        tile_size: a batch of windows holds at most `tile_size ** 2` pixels.
        roll: how far the picture is rolled (down, right) before it is cut into tiles.
        out: of the shape of `pixels`; every value is written exactly once.
    """
    height, width, _ = pixels.shape
    objectives = np.zeros(terms)
    mean_squares = np.zeros(terms)

    def places(span: Span, length: int, shift: int, limit: int) -> NDArray[np.intp]:
        return (span.start - shift + np.arange(length)) % limit

    for batch in cover.batches(tile_size):
        windows = np.stack(
            [
                pixels[
                    np.ix_(
                        places(rows, cover.rows.window, roll[0], height),
                        places(columns, cover.columns.window, roll[1], width),
                    )
                ]
                for rows, columns in batch
            ]
        )
        result = ascent(windows, batch)
        objectives += result.objectives
        mean_squares += result.mean_squares
        for (rows, columns), window in zip(batch, result.gradient, strict=True):
            core = np.ix_(
                places(rows, rows.core, roll[0], height), places(columns, columns.core, roll[1], width)
            )
            out[core] = window[: rows.core, : columns.core]
    tiles = len(cover.rows.spans) * len(cover.columns.spans)
    return Measure(objectives / tiles, mean_squares / tiles)


def normalise(gradient: Pixels, how: str) -> None:
    """Divides `gradient`, in place, by its mean absolute value or by its standard deviation.

    `how` is `mean-abs`, `std`, `score`, which takes the mean off first, or `none`. The whole array is one
    population; sums are taken in float64. A gradient of zero stays one.

    Raises:
        NumericError: it holds something that is not a number.
    """
    mean = 0.0
    if how in ("std", "score"):
        mean = sum(float(band.sum()) for band in _bands(gradient)) / gradient.size
        size = math.sqrt(
            sum(float(np.square(band - mean).sum()) for band in _bands(gradient)) / gradient.size
        )
    else:
        size = sum(float(np.abs(band).sum()) for band in _bands(gradient)) / gradient.size
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


def climb(pixels: Pixels, update: Pixels, step: NDArray[np.float32], *, clip: bool) -> None:
    """Moves `pixels` by `update` times `step`, pixel values for R, G and B, in place; `update` is used up."""
    update *= step
    pixels += update
    if clip:
        np.clip(pixels, 0.0, 255.0, out=pixels)


def _bands(values: Pixels) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(values), _BAND):
        yield values[start : start + _BAND].astype(np.float64)
