"""An exact cover of a picture by windows of one shape. Pure arithmetic.

The network's input is a window; the picture gets the gradient of the window's core. Every pixel lies in
exactly one core. All windows have the same shape, so that they go through the network in batches: the `k`
cores along an axis differ by at most one pixel, and a window is as long as the longest core, or as the
network's minimum size if that is more. The picture wraps around here, as it does for the roll: a window at an
edge continues on the other side.

Along an axis that wraps, a window also contains some context before and after its core, so that no core lies
at the edge of the input, where networks pad. The context gets no gradient: it is core in another window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, pairwise, product
from typing import NamedTuple

from dreamkit.option_values import Wrapped

CONTEXT = 64  # pixels of a window on either side of its core, along an axis that wraps


class Span(NamedTuple):
    """One tile along one axis: the start and the length of its core, in pixels."""

    start: int
    core: int


class Axis(NamedTuple):
    """All tiles along one axis, in pixels. Each window is `window` long, `context` of it before its core."""

    window: int
    spans: tuple[Span, ...]
    context: int = 0


Batch = tuple[tuple[Span, Span], ...]


class Cover(NamedTuple):
    """A cover of a picture: the product of its two axes."""

    rows: Axis
    columns: Axis

    @property
    def tiles(self) -> Iterator[tuple[Span, Span]]:
        """Every tile as (rows, columns)."""
        return product(self.rows.spans, self.columns.spans)

    def batches(self, tile_size: int, among: Iterable[tuple[Span, Span]] | None = None) -> Iterator[Batch]:
        """The tiles, or those `among` them, in groups whose windows hold at most `tile_size ** 2` pixels."""
        tiles = iter(self.tiles if among is None else among)
        return iter(lambda: tuple(islice(tiles, self._per_batch(tile_size))), ())

    def batch_count(self, tile_size: int) -> int:
        """How many groups there are."""
        return -(-len(self.rows.spans) * len(self.columns.spans) // self._per_batch(tile_size))

    def _per_batch(self, tile_size: int) -> int:
        return max(1, tile_size**2 // (self.rows.window * self.columns.window))

    def windows(self, tile_size: int) -> tuple[int, int, int, int]:
        """The shape of the largest batch of windows."""
        count = len(self.rows.spans) * len(self.columns.spans)
        return min(self._per_batch(tile_size), count), self.rows.window, self.columns.window, 3

    @property
    def reach(self) -> tuple[int, int]:
        """The roll, down and right in pixels, with which seams pass over every pixel; 0 without a seam."""
        down, right = (axis.window // 2 if len(axis.spans) > 1 else 0 for axis in self)
        return down, right


def split(length: int, tile_size: int, min_size: int, *, wraps: bool = False) -> Axis:
    """Tiles along an axis of `length` pixels, no window longer than `tile_size` or below `min_size`.

    Needs `min_size <= tile_size` and `min_size <= length`.
    """
    context = min(CONTEXT, tile_size // 4) if wraps else 0
    count = -(-length // (tile_size - 2 * context))
    bounds = [index * length // count for index in range(count + 1)]
    spans = tuple(Span(start, end - start) for start, end in pairwise(bounds))
    return Axis(max(min_size, *(span.core + 2 * context for span in spans), 1), spans, context)


def cover(size: tuple[int, int], tile_size: int, min_size: int, wrapped: Wrapped = (False, False)) -> Cover:
    """The cover of a picture of `size` (height, width)."""
    rows, columns = (
        split(length, tile_size, min_size, wraps=wraps) for length, wraps in zip(size, wrapped, strict=True)
    )
    return Cover(rows, columns)
