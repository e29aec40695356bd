"""Random rotation and scaling of a picture, and its adjoint for the gradient (tensorflow/lucid, 2018)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import rng
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Transform, TransformContext

_OUTSIDE = 127.5  # mid-grey
_BLOCK = 256  # pixels on a side of the blocks that are warped one by one


@dataclass(frozen=True)
class Warp:
    """A rotation and scaling of a picture about its centre. Its memory is the result and some 20 megabytes.

    Attributes:
        size: (height, width) of the picture, before and after.
        angle: radians, anticlockwise as seen.
        scale: above 1 enlarges; above 0.
    """

    size: tuple[int, int]
    angle: float
    scale: float

    def apply(self, pixels: Pixels) -> Pixels:
        """The warped `pixels`, `(height, width, 3)`, 0 to 255.

        An output pixel at `(dy, dx)` from the centre, `((height - 1) / 2, (width - 1) / 2)`, is read at
        `(cos dy + sin dx, cos dx - sin dy) / scale` from the centre, bilinearly. Outside the picture lies
        mid-grey, 127.5.
        """
        height, width = self.size
        out = np.empty_like(pixels)
        for block in self._blocks():
            y, x, weight = self._read(*block)
            colours = pixels[y.clip(0, height - 1), x.clip(0, width - 1)]
            colours[~self._inside(y, x)] = _OUTSIDE
            out[block] = (weight[..., np.newaxis] * colours).sum(axis=0)
        return out

    def adjoint(self, gradient: Pixels) -> Pixels:
        """The gradient with respect to the picture, from the one with respect to the warped picture.

        This is the exact transpose of the linear part of `apply`: each value goes, with the same weights, to
        the pixels that `apply` reads. Sums are in float64.
        """
        out = np.zeros_like(gradient)
        for block in self._blocks():
            y, x, weight = self._read(*block)
            inside = self._inside(y, x)
            if not inside.any():
                continue
            y, x = y[inside], x[inside]
            # Sums are over the box that the block reads, a few times its size, not over the whole picture.
            top, left = y.min(), x.min()
            box = (y.max() - top + 1, x.max() - left + 1)
            places = (y - top) * box[1] + (x - left)
            for colour in range(gradient.shape[2]):
                shares = (weight * gradient[block][..., colour])[inside]
                sums = np.bincount(places, shares, minlength=box[0] * box[1]).reshape(box)
                out[top : top + box[0], left : left + box[1], colour] += sums
        return out

    def _blocks(self) -> Iterator[tuple[slice, slice]]:
        height, width = self.size
        for top in range(0, height, _BLOCK):
            for left in range(0, width, _BLOCK):
                yield (
                    slice(top, min(top + _BLOCK, height)),
                    slice(left, min(left + _BLOCK, width)),
                )

    def _read(
        self, rows: slice, columns: slice
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """The four pixels that each pixel of a block reads: rows, columns and weights, (4, ...) each."""
        middle, centre = ((length - 1) / 2 for length in self.size)
        dy = np.arange(rows.start, rows.stop)[:, np.newaxis] - middle
        dx = np.arange(columns.start, columns.stop) - centre
        cos, sin = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        y, x = cos * dy + sin * dx + middle, cos * dx - sin * dy + centre
        top, left = np.floor(y), np.floor(x)
        down, right = y - top, x - left
        return (
            np.stack([top, top, top + 1, top + 1]).astype(np.intp),
            np.stack([left, left + 1, left, left + 1]).astype(np.intp),
            np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]),
        )

    def _inside(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.bool_]:
        height, width = self.size
        return (y >= 0) & (y < height) & (x >= 0) & (x < width)


def _draw(context: TransformContext) -> Warp | None:
    config = context.config
    if not config.rotate and not config.zoom:
        return None
    turn, scale = rng.warp(
        config.seed, context.octave, context.draw, math.radians(config.rotate), config.zoom
    )
    return Warp(context.size, turn, scale)


@hookimpl
def dreamkit_transforms() -> Iterator[Transform]:
    yield Transform(name="warp", draw=_draw, description="turns and scales, by --rotate and --zoom")
