"""The distance from the photograph: the dream is held to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Regulariser, RegulariserContext


def subtract_distance(
    update: Pixels, pixels: Pixels, original: Pixels, weight: float, unit: NDArray[np.floating[Any]]
) -> None:
    """Subtracts `weight * (pixels - original) / unit` from `update`, in place.

    That is `weight` times the gradient, with respect to `u = pixels / unit`, of half the squared distance
    from `original`. All three are `(height, width, 3)`; `unit` is `(3,)`.
    """
    for colour, size in enumerate(unit):
        distance = pixels[..., colour] - original[..., colour]
        distance *= np.float32(weight / size)
        update[..., colour] -= distance


def _subtract(update: Pixels, pixels: Pixels, context: RegulariserContext) -> None:
    assert context.photograph is not None
    subtract_distance(update, pixels, context.photograph, context.weight, context.unit)


@hookimpl
def dreamkit_regularisers() -> Iterator[Regulariser]:
    yield Regulariser(
        name="l2",
        subtract=_subtract,
        needs_photograph=True,
        description="the dream is held to the photograph",
    )
