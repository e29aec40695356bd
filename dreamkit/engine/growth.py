"""Growth under the brush of the page: turn after turn, each pixel from when it was painted.

A turn is one step in each octave of a dream on the box around what grows, with soft edges. What lies
outside stays, byte for byte.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import loop
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.progress import StepEvent
from dreamkit.errors import DreamkitWarning

_CONTEXT = 32  # pixels around a mask that the network sees while a dream grows
_GRID = 64  # pixels; boxes begin and end at multiples of it, so that few sizes occur


@dataclass(frozen=True, eq=False)
class Growth:
    """What grew under one stroke.

    Attributes:
        config: the options of each turn, but for its seed, which is its number.
        times: `(height, width)`, the turn at which each pixel was painted, from 1; 0 where it was not.
        turns: how many there were.
        lasts: for how many of them a pixel grows.
        least: pixels on each side of what the network sees, at least.
    """

    config: DreamConfig
    times: NDArray[np.int64]
    turns: int
    lasts: int
    least: int


def grow(
    picture: NDArray[np.uint8],
    models: Sequence[LoadedModel],
    growth: Growth,
    on_step: Callable[[StepEvent], None] | None = None,
) -> NDArray[np.uint8]:
    """The picture, uint8 `(height, width, 3)`, with what grew.

    Raises:
        As `loop.dream`.
    """
    grown = picture.copy()
    times = growth.times
    for turn in range(growth.turns):
        grows = (times > 0) & (times <= turn + 1) & (turn + 1 < times + growth.lasts)
        if not grows.any():
            continue
        box = _box(grows, growth.least)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DreamkitWarning)  # the same one at each turn
            grown[box] = loop.dream(
                grown[box],
                models,
                replace(growth.config, seed=turn),
                on_step,
                regions={"": grows[box].astype(np.uint8) * np.uint8(255)},
            ).pixels
    return grown


def erase(
    picture: NDArray[np.uint8], ground: NDArray[np.uint8], levels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """`picture` where `levels` are black, `ground` where they are white."""
    return _mixed(picture, ground, levels[..., np.newaxis] / 255)


def blend(picture: NDArray[np.uint8], photo: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """`picture` with a share of the photograph."""
    return _mixed(picture, photo, share) if share else picture


def _mixed(
    picture: NDArray[np.uint8], other: NDArray[np.uint8], share: NDArray[np.float64] | float
) -> NDArray[np.uint8]:
    before = picture.astype(np.float64)
    mixed: NDArray[np.uint8] = np.rint(before + share * (other - before)).astype(np.uint8)
    return mixed


def _box(grows: NDArray[np.bool_], least: int) -> tuple[slice, slice]:
    """The box around what grows, with some context, `least` pixels on each side where there are as many."""

    def along(axis: int) -> slice:
        places = np.flatnonzero(grows.any(axis=1 - axis))
        length = grows.shape[axis]
        start = max(0, _GRID * ((int(places[0]) - _CONTEXT) // _GRID))
        end = _GRID * -((-int(places[-1]) - 1 - _CONTEXT) // _GRID)
        end = min(length, max(start + least, end))
        return slice(max(0, min(start, end - least)), end)

    return along(0), along(1)
