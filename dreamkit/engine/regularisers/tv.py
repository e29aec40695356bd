"""Total variation: areas become smoother, with less grain (Rudin, Osher and Fatemi, 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels
from dreamkit.option_values import Wrapped
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Regulariser, RegulariserContext

_FLAT = 1 / 127.5  # differences, in units, well below which a picture is flat
_BAND = 64  # rows that are converted to units at a time


def subtract_total_variation(
    update: Pixels,
    pixels: Pixels,
    weight: float,
    unit: NDArray[np.floating[Any]],
    *,
    wrapped: Wrapped = (False, False),
) -> None:
    """Subtracts `weight` times the gradient of the total variation of `pixels` from `update`, in place.

    The isotropic total variation of Rudin, Osher and Fatemi (1992), made smooth: the sum over pixels and
    colours of `sqrt(dx**2 + dy**2 + eps**2)`, with `dx` and `dy` the differences of `u = pixels / unit` to
    the right and downwards, 0 at the last column and row, and `eps = 1 / 127.5`. Along a wrapped axis, the
    first column or row comes after the last. The gradient is with respect to `u`; its values are within
    `2 + sqrt(2)`.

    Args:
        update: `(height, width, 3)`.
        pixels: of the same shape, 0 to 255.
        unit: `(3,)`, pixel values in one unit of each colour.
    """
    height = len(pixels)
    for start in range(0, height, _BAND):
        # With a row above, whose differences reach down, and one below for the last differences.
        end = min(start + _BAND, height)
        rows = np.arange(start - 1, end + 1)
        units = pixels.take(rows, 0, mode="wrap" if wrapped[0] else "clip") / unit.astype(np.float32)
        down = np.diff(units, axis=0)
        units = units[:-1]
        right = np.diff(units, axis=1, append=units[:, :1] if wrapped[1] else units[:, -1:])
        length = np.sqrt(right**2 + down**2 + np.float32(_FLAT**2))
        right /= length
        down /= length
        slope = -(right + down)
        slope[:, 1:] += right[:, :-1]
        slope[:, 0] += right[:, -1]  # zero, unless it wraps
        slope[1:] += down[:-1]
        update[start:end] -= np.float32(weight) * slope[1:]


def _subtract(update: Pixels, pixels: Pixels, context: RegulariserContext) -> None:
    subtract_total_variation(update, pixels, context.weight, context.unit, wrapped=context.wrapped)


@hookimpl
def dreamkit_regularisers() -> Iterator[Regulariser]:
    yield Regulariser(name="tv", subtract=_subtract, description="smoother areas and less grain")
