"""The gradient over a whole picture, tile by tile.

The picture is rolled before it is cut into tiles (google/deepdream's `make_step`, 2015). The roll is never
carried out: windows are read from rolled places, and their gradients are written to rolled places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import tile_threads
from dreamkit.engine.masks import Mask
from dreamkit.engine.tf.compiled_step import RunStep
from dreamkit.engine.tiles import Batch, Cover, Span

Pixels = NDArray[np.float32]


class TileStats(NamedTuple):
    """The values of one pass over the picture.

    Attributes:
        objectives, mean_squares: means over the tiles; one number for each term.
        coverage: share of the picture that was computed, 0 to 1.
    """

    objectives: NDArray[np.float64]
    mean_squares: NDArray[np.float64]
    coverage: float


def gradient(
    pixels: Pixels,
    step: RunStep,
    weights: NDArray[np.float32],
    cover: Cover,
    tile_size: int,
    roll: tuple[int, int],
    out: Pixels,
    *,
    feeds: Callable[[Batch], Sequence[NDArray[np.float32]]] = lambda _: (),
    where: Mask | None = None,
    margin: int = 0,
    devices: Sequence[str] = ("",),
) -> TileStats:
    """Writes the gradient of the weighted objective with respect to `pixels` to `out`.

    Args:
        pixels: `(height, width, 3)`, 0 to 255.
        step: the compiled step.
        weights: of the objectives.
        cover: of `pixels`.
        tile_size: a batch of windows holds at most `tile_size ** 2` pixels.
        roll: how far the picture is rolled (down, right) before it is cut into tiles.
        out: of the shape of `pixels`; every value is written exactly once.
        feeds: what else the step is fed for a batch of tiles.
        where: strengths, `(height, width, 1)`. A tile with none within `margin` pixels is not computed: its
            gradient is zero.
        margin: how far from its pixel a gradient can come to matter.
        devices: that compute a batch each at the same time; an empty name is what TensorFlow chooses.
    """

    before = cover.rows.context, cover.columns.context

    def take(batch: Batch, device: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        windows = windows_of(pixels, batch, cover, roll)
        result = step(windows, weights, feeds(batch), device)
        for (rows, columns), window in zip(batch, result.gradient[:, before[0] :, before[1] :], strict=True):
            starts = rows.start - roll[0], columns.start - roll[1]
            for inside, there in _pieces(starts, (rows.core, columns.core), pixels.shape):
                out[there] = window[inside]
        return result.objectives, result.mean_squares  # the gradient is put down, and is let go of

    def matters(rows: Span, columns: Span) -> bool:
        assert where is not None
        starts = rows.start - roll[0] - margin, columns.start - roll[1] - margin
        lengths = rows.core + 2 * margin, columns.core + 2 * margin
        return any(where[there].any() for _, there in _pieces(starts, lengths, pixels.shape))

    tiles = list(cover.tiles)
    if where is not None:
        tiles = [tile for tile in tiles if matters(*tile)]
        out[:] = 0
    objectives = np.zeros(len(weights))
    mean_squares = np.zeros(len(weights))
    for seen, squares in tile_threads.compute(take, list(cover.batches(tile_size, tiles)), devices):
        objectives += seen
        mean_squares += squares
    count = max(1, len(tiles))
    computed = sum(rows.core * columns.core for rows, columns in tiles)
    return TileStats(objectives / count, mean_squares / count, computed / (pixels.shape[0] * pixels.shape[1]))


def windows_of(pixels: Pixels, batch: Batch, cover: Cover, roll: tuple[int, int]) -> Pixels:
    """The windows of a batch of tiles, `(n, height, width, 3)`: see `gradient`."""
    windows = np.empty((len(batch), cover.rows.window, cover.columns.window, 3), np.float32)
    for window, (rows, columns) in zip(windows, batch, strict=True):
        starts = (
            rows.start - cover.rows.context - roll[0],
            columns.start - cover.columns.context - roll[1],
        )
        for inside, there in _pieces(starts, window.shape, pixels.shape):
            window[inside] = pixels[there]
    return windows


def _pieces(
    starts: Sequence[int], lengths: Sequence[int], sides: Sequence[int]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """A rectangle of a picture that goes on at its other sides, as rectangles: where each lies in it, and in
    the picture."""
    axes = [list(_stretches(*axis)) for axis in zip(starts, lengths[:2], sides[:2], strict=True)]
    for down, across in product(*axes):
        yield (down[0], across[0]), (down[1], across[1])


def _stretches(start: int, length: int, side: int) -> Iterator[tuple[slice, slice]]:
    start, done = start % side, 0
    while done < length:
        stretch = min(length - done, side - start)
        yield slice(done, done + stretch), slice(start, start + stretch)
        start, done = 0, done + stretch
