"""What suits a layer by its depth: by its stride, the pixels between neighbouring activations."""

from __future__ import annotations

from dreamkit.config import DEEP_STEPS, STEPS

_SHALLOW = 16  # the largest stride of layers that need no more than others
_LARGE = 1_000_000  # pixels, above which an octave takes fewer steps
_FEWEST = 2


def steps(stride: int, pixels: int = 0) -> int:
    """How many steps an octave takes: what a deep layer sees is large and grows slowly.

    `pixels` is the size of an octave that continues a smaller one. A large one adds only what is fine, and
    its steps take nearly all of the time. So above a megapixel it takes no more time than at one, except for
    the fewest steps.
    """
    usual = STEPS if stride <= _SHALLOW else DEEP_STEPS
    return max(_FEWEST, usual * _LARGE // max(_LARGE, pixels))


def blurs(stride: int) -> int:
    """How many times a gradient is smoothed: the deeper a layer, the finer the noise beside its shapes.

    Twice, since one wider blur of 9 x 9 taps is nearly a box, which lets the finest grid of pixels through.
    """
    return 1 if stride <= _SHALLOW else 2
