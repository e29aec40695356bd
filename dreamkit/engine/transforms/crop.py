"""Random crops: each view of the picture is a square of it, at the size that networks are made for.

A shape must then please the network at many sizes and places (Fel et al., MaCo, 2023; Hamblin et al.,
"Feature Accentuation", 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import rng
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Transform, TransformContext


@dataclass(frozen=True)
class Crop:
    """A square of a picture, resized by the filter of `engine.resize`.

    Attributes:
        size: (height, width) of the picture.
        top, left, side: of the square, in pixels, inside the picture.
        seen: side of what the network sees, in pixels.
    """

    size: tuple[int, int]
    top: int
    left: int
    side: int
    seen: int

    @cached_property
    def _weights(self) -> Pixels:
        return weights(self.side, self.seen)

    @property
    def _box(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def apply(self, pixels: Pixels) -> Pixels:
        """The square of `pixels` `(height, width, 3)`, `(seen, seen, 3)`."""
        rows = np.tensordot(self._weights, pixels[self._box], (1, 0))
        seen: Pixels = np.matmul(self._weights, rows)
        return seen

    def adjoint(self, gradient: Pixels) -> Pixels:
        """The gradient with respect to the picture, zero outside the square: the transpose of `apply`."""
        out = np.zeros((*self.size, gradient.shape[2]), np.float32)
        columns = np.matmul(self._weights.T, gradient)
        out[self._box] = np.tensordot(self._weights.T, columns, (1, 0))
        return out


def weights(before: int, after: int) -> Pixels:
    """What each of `after` pixels reads of `before` along an axis, `(after, before)`: see `engine.resize`."""
    ratio = before / after
    centres = (np.arange(after) + 0.5) * ratio
    away = np.abs(np.arange(before) + 0.5 - centres[:, np.newaxis])
    triangle: NDArray[np.float64] = np.maximum(0.0, 1 - away / max(1.0, ratio))
    return np.asarray(triangle / triangle.sum(1, keepdims=True), np.float32)


def _draw(context: TransformContext) -> Crop:
    config, (height, width) = context.config, context.size
    share, down, right = rng.crop(config.seed, context.octave, context.draw, config.crop)
    side = max(1, round(share * min(height, width)))
    top = min(max(0, round(down * height - side / 2)), height - side)
    left = min(max(0, round(right * width - side / 2)), width - side)
    return Crop((height, width), top, left, side, config.view_size)


@hookimpl
def dreamkit_transforms() -> Iterator[Transform]:
    yield Transform(name="crop", draw=_draw, copies=2, description="a random square, by --crop")
