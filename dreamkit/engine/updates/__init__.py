"""Updates: how the gradient of an objective becomes the direction of a step.

A tuple of functions, each applied in place to the gradient of one objective, in order; then a tuple of
regularisers, each applied to the sum over all objectives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import SMOOTH_WIDTH, DreamConfig
from dreamkit.engine import color
from dreamkit.engine.resize import Pixels
from dreamkit.engine.updates import smoothing
from dreamkit.engine.updates.normalisation import normalise
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Regulariser, RegulariserContext


@dataclass(frozen=True, slots=True)
class GradientContext:
    """The circumstances of a gradient.

    Attributes:
        step, steps: the number of the step in its octave, from 0, and the octave's number of steps.
        roll: the roll of the picture, down and right, in pixels.
        coverage: the share of the picture for which it was computed, 0 to 1.
        blurs: how many times to smooth it.
    """

    step: int
    steps: int
    roll: tuple[int, int]
    coverage: float
    blurs: int


GradientUpdate: TypeAlias = Callable[[Pixels, GradientContext], None]

_NEGATIVE_TV = 0.3  # total variation where all weights are negative


def gradient_updates(config: DreamConfig) -> tuple[GradientUpdate, ...]:
    """The updates of each objective's gradient: units, smoothing, colour, normalisation."""
    updates: list[GradientUpdate] = []
    # If all colours have the same unit, normalisation cancels it.
    if config.space == "pixels" and (len(set(config.unit)) > 1 or config.normalise == "none"):
        unit = np.asarray(config.unit, np.float32)
        updates.append(lambda gradient, _: multiply(gradient, color.for_row(unit, gradient.shape[1])))
    if config.smooth == "gaussian":
        updates.append(partial(_blur, config))
    elif config.smooth == "laplacian":
        updates.append(
            lambda gradient, _: smoothing.laplacian(gradient, config.smooth_levels, wrapped=config.wrapped)
        )
    if config.color > color.FREE:
        matrix = color.step_matrix(config.color)
        updates.append(lambda gradient, _: color.apply_matrix(gradient, matrix))
    updates.append(lambda gradient, context: normalise(gradient, config.normalise, context.coverage))
    return tuple(updates)


class BoundRegulariser:
    """A regulariser with its weight and options.

    Attributes:
        part: its record.
    """

    def __init__(self, part: Regulariser, weight: float, config: DreamConfig) -> None:
        self.part = part
        self._context = RegulariserContext(weight, np.asarray(config.unit, np.float32), config.wrapped, None)
        self._options = part.values(config.part_options(part.name))

    def __call__(self, update: Pixels, pixels: Pixels, photo: Pixels | None) -> None:
        """Subtracts its gradient from `update`; `photo` is at the octave's size."""
        with registry.blamed(registry.REGULARISERS, self.part):
            self.part.subtract(update, pixels, self._context._replace(photograph=photo), **self._options)


def regularisation(config: DreamConfig, all_negative: bool = False) -> tuple[BoundRegulariser, ...]:
    """The regularisers of an update, in order.

    `all_negative` says whether all weights are negative: nothing but grain would come of that.
    """
    tv = config.tv if config.tv is not None else _NEGATIVE_TV if all_negative else 0.0
    weights = {"tv": tv, "l2": config.l2, **dict(config.regularisers or {})}
    known = registry.installed(registry.REGULARISERS)
    return tuple(
        BoundRegulariser(known.get(name), weight, config) for name, weight in weights.items() if weight
    )


def multiply(gradient: Pixels, factor: NDArray[np.float32]) -> None:
    """Multiplies `gradient` by `factor`, in place."""
    gradient *= factor


def _blur(config: DreamConfig, gradient: Pixels, context: GradientContext) -> None:
    width = SMOOTH_WIDTH if config.smooth_width is None else config.smooth_width
    sigma = smoothing.step_sigma(context.step, context.steps, width)
    for _ in range(context.blurs):
        smoothing.gaussian(gradient, sigma, context.roll, wrapped=config.wrapped)
