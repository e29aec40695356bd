"""Jitter: a random roll of the picture, which hides the seams of tiles (google/deepdream, 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dreamkit.engine import rng
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Transform, TransformContext


class Roll(NamedTuple):
    """A roll of a picture that goes on at its other sides, in pixels.

    Tiles are cut from the rolled picture without a copy of it, so the engine does not call `apply`.
    """

    down: int
    right: int

    def apply(self, pixels: Pixels) -> Pixels:
        """The rolled `pixels`, `(height, width, 3)`."""
        return np.roll(pixels, self, axis=(0, 1))

    def adjoint(self, gradient: Pixels) -> Pixels:
        """`gradient` rolled back."""
        return np.roll(gradient, (-self.down, -self.right), axis=(0, 1))


def _draw(context: TransformContext) -> Roll:
    config = context.config
    down, right = (max(config.jitter, reach) for reach in context.reach)
    return Roll(*rng.roll(config.seed, context.octave, context.draw, (down, right)))


@hookimpl
def dreamkit_transforms() -> Iterator[Transform]:
    yield Transform(name="jitter", draw=_draw, copies=0, description="a random shift, by --jitter")
