"""Color jitter: random brightness and contrast of each colour, so that no colour can do the work of a shape.

It is the colour augmentation of Ghiasi et al., "What do Vision Transformers Learn?" (2022): `(x - m) / s` in
the units of a normalised picture, with `m` uniform from -1 to 1 and `s` e to the power of the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import rng
from dreamkit.engine.resize import Pixels
from dreamkit.errors import ConfigError
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Transform, TransformContext

_MOST = 4.0
_MEAN = np.array([123.675, 116.28, 103.53])  # of ImageNet's pixels, 0 to 255
_DEVIATION = np.array([58.395, 57.12, 57.375])


@dataclass(frozen=True)
class ColorChange:
    """Each colour times a factor, plus an offset.

    Attributes:
        factor, offset: one for each colour, float32 `(3,)`; the offset in pixels, 0 to 255.
    """

    factor: NDArray[np.float32]
    offset: NDArray[np.float32]

    def apply(self, pixels: Pixels) -> Pixels:
        """The changed `pixels`, `(height, width, 3)`; they are not clipped."""
        return pixels * self.factor + self.offset

    def adjoint(self, gradient: Pixels) -> Pixels:
        """`gradient` times the factors."""
        return gradient * self.factor


def _draw(context: TransformContext) -> ColorChange:
    if not 0 <= context.strength <= _MOST:
        raise ConfigError(f"transforms has {context.name}={context.strength:g}; it takes 0 to {_MOST:g}")
    shift, exponent = context.strength * rng.colors(context.config.seed, context.octave, context.draw)
    factor = np.exp(-exponent)
    offset = _MEAN - factor * (_MEAN + _DEVIATION * shift)
    return ColorChange(factor.astype(np.float32), offset.astype(np.float32))


@hookimpl
def dreamkit_transforms() -> Iterator[Transform]:
    yield Transform(
        name="color-jitter",
        draw=_draw,
        copies=1,
        description="random brightness and contrast of each colour; strength 1 is that of Ghiasi et al.",
    )
