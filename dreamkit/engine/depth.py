"""What suits a layer by its depth: by its stride, the pixels between neighbouring activations."""

from __future__ import annotations

from dreamkit.config import STEPS

_SHALLOW = 16  # the largest stride of layers that need no more than others
_MORE_STEPS = 25


def steps(stride: int) -> int:
    """How many steps an octave takes: what a deep layer sees is large and grows slowly."""
    return STEPS if stride <= _SHALLOW else _MORE_STEPS


def smooth_width(stride: int) -> float:
    """The `sigma` of smoothing at the first step, in pixels: 0.5, and 1.5 at a stride of 32.

    The further apart activations are, the finer the noise of the gradient beside the shapes that the layer
    sees.
    """
    return 0.5 if stride <= _SHALLOW else 0.5 + stride / 32
