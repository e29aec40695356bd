"""One step of gradient ascent over a whole picture, tile by tile.

The published step: roll the picture, take the gradient, normalise it over the whole picture, add it,
roll back, clip (google/deepdream's `make_step`, 2015). The roll is never carried out: windows are read,
and their gradients put down, at rolled places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.network import Ascent
from dreamkit.engine.tiles import Cover, Span

Pixels = NDArray[np.float32]

_UNIT = 127.5  # pixel values in one unit of step size: black is -1 and white +1
_BAND = 64  # rows that a whole-picture reduction holds in float64 at a time


class Measure(NamedTuple):
    """What a pass over the picture saw, as means over its tiles; one number for each layer."""

    objectives: NDArray[np.float64]
    mean_squares: NDArray[np.float64]


def gradient(
    pixels: Pixels,
    ascent: Callable[[Pixels, NDArray[np.float32]], Ascent],
    pulls: NDArray[np.float32],
    cover: Cover,
    tile_size: int,
    roll: tuple[int, int],
    out: Pixels,
) -> Measure:
    """Writes the gradient of the pulled objective with respect to `pixels` to `out`.

    Args:
        pixels: `(height, width, 3)`, 0 to 255.
        cover: of `pixels`.
        tile_size: a batch of windows holds at most `tile_size ** 2` pixels.
        roll: how far the picture is rolled (down, right) before it is cut into tiles.
        out: of the shape of `pixels`; every value is written exactly once.
    """
    height, width, _ = pixels.shape
    objectives = np.zeros(len(pulls))
    mean_squares = np.zeros(len(pulls))

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
        result = ascent(windows, pulls)
        objectives += result.objectives
        mean_squares += result.mean_squares
        for (rows, columns), window in zip(batch, result.gradient, strict=True):
            core = np.ix_(
                places(rows, rows.core, roll[0], height), places(columns, columns.core, roll[1], width)
            )
            out[core] = window[: rows.core, : columns.core]
    tiles = len(cover.rows.spans) * len(cover.columns.spans)
    return Measure(objectives / tiles, mean_squares / tiles)


def magnitude(values: Pixels, normalise: str) -> float:
    """The mean absolute value of `values`, or with `normalise="std"` their standard deviation, in float64."""
    if normalise == "mean-abs":
        return sum(float(np.abs(band).sum()) for band in _bands(values)) / values.size
    mean = sum(float(band.sum()) for band in _bands(values)) / values.size
    return math.sqrt(sum(float(np.square(band - mean).sum()) for band in _bands(values)) / values.size)


def climb(pixels: Pixels, gradient: Pixels, step_size: float, size_of_gradient: float) -> None:
    """Moves `pixels` along `gradient` in place and clips to 0..255; `gradient` is used up.

    A typical pixel moves by `step_size`, in units of 127.5. A gradient of zero moves nothing.
    """
    if size_of_gradient == 0.0:
        return
    # The factor may exceed float32's range where the gradient is tiny; the product does not.
    gradient /= np.float32(size_of_gradient)
    gradient *= np.float32(step_size * _UNIT)
    pixels += gradient
    np.clip(pixels, 0.0, 255.0, out=pixels)


def _bands(values: Pixels) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(values), _BAND):
        yield values[start : start + _BAND].astype(np.float64)
