"""What suits a layer by its depth: by its stride, the pixels between neighbouring activations."""

from __future__ import annotations

from dreamkit.config import DEEP_STEPS, STEPS

_SHALLOW = 16  # the largest stride of layers that need no more than others


def steps(stride: int) -> int:
    """How many steps an octave takes: what a deep layer sees is large and grows slowly."""
    return STEPS if stride <= _SHALLOW else DEEP_STEPS


def blurs(stride: int) -> int:
    """How many times a gradient is smoothed: the deeper a layer, the finer the noise beside its shapes.

    Twice, since one wider blur of 9 x 9 taps is nearly a box, which lets the finest grid of pixels through.
    """
    return 1 if stride <= _SHALLOW else 2
