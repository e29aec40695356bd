"""The sizes a dream passes through. Pure arithmetic."""

from __future__ import annotations

import math
from typing import NamedTuple

from dreamkit.errors import ConfigError


class Octave(NamedTuple):
    """One size of the dream. `number` counts from the smallest octave asked for, skipped ones included."""

    number: int
    size: tuple[int, int]


SMALLEST = 100  # pixels on the shorter side below which a network sees little to dream of
WHOLE = 5  # octaves of the TensorFlow tutorial


def count(size: tuple[int, int], scale: float, scheme: str, min_size: int) -> int:
    """How many octaves suit a picture of `size`: large shapes come from small octaves, which cost little.

    The schemes that end at the picture's size go down to `SMALLEST` pixels on the shorter side, or to
    `min_size` if that is more; the whole scheme, which enlarges it as well, takes the tutorial's five.
    """
    if scheme == "whole":
        return WHOLE
    room = min(size) / max(SMALLEST, min_size)
    return max(1, 1 + math.floor(math.log(max(1.0, room), scale)))


def plan(
    size: tuple[int, int], octaves: int, scale: float, scheme: str, min_size: int, first: int | None = None
) -> list[Octave]:
    """The octaves of a picture of `size` (height, width), smallest first.

    Octave `k` has the sides `side * scale ** (first + k)`, rounded. Where `first` is not given, the whole
    scheme is centred on the picture's own size, `-(octaves // 2) .. (octaves - 1) // 2` (the TensorFlow
    tutorial, whose five octaves are -2 .. 2), and the others end at it, `-(octaves - 1) .. 0` (the notebook
    of 2015). Octaves with a side below `min_size`, which the network could not take, are left out.

    Raises:
        ConfigError: not even the largest octave is as large as `min_size`.
    """
    if first is None:
        first = -(octaves // 2) if scheme == "whole" else -(octaves - 1)
    sizes = [scaled(size, scale ** (first + index)) for index in range(octaves)]
    kept = [Octave(number, sides) for number, sides in enumerate(sizes) if min(sides) >= min_size]
    if not kept:
        height, width = size
        raise ConfigError(
            f"the picture is {width} x {height} pixels and the network needs at least {min_size} on each "
            "side; enlarge the picture or choose another model"
        )
    return kept


def scaled(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """`size` times `ratio`, rounded to whole pixels, at least 1."""
    height, width = size
    return max(1, round(height * ratio)), max(1, round(width * ratio))
