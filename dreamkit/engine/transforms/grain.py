"""Grain: random noise on every pixel, so that only shapes grow that noise does not hide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import rng
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Transform, TransformContext


@dataclass(frozen=True)
class Grain:
    """Noise that is added to a picture.

    Attributes:
        noise: float32 `(height, width, 3)`, in pixels, 0 to 255.
    """

    noise: NDArray[np.float32]

    def apply(self, pixels: Pixels) -> Pixels:
        """`pixels`, `(height, width, 3)`, with the noise; they are not clipped."""
        return pixels + self.noise

    def adjoint(self, gradient: Pixels) -> Pixels:
        """`gradient` as it is."""
        return gradient


def _draw(context: TransformContext) -> Grain:
    noise = rng.grain(context.config.seed, context.octave, context.draw, context.size)
    return Grain(noise * np.float32(context.strength))


@hookimpl
def dreamkit_transforms() -> Iterator[Transform]:
    yield Transform(
        name="grain",
        draw=_draw,
        copies=2,
        description="noise on every pixel; the strength is its standard deviation in pixels, 0 to 255",
    )
