"""The sizes of a dream's octaves. Pure arithmetic."""

from __future__ import annotations

import math
from typing import NamedTuple

from dreamkit.errors import ConfigError


class Octave(NamedTuple):
    """One size of the dream, (height, width) in pixels.

    `number` counts from 0 at the smallest octave, skipped ones included.
    """

    number: int
    size: tuple[int, int]


SMALLEST = 100  # pixels on the shorter side below which a network sees little to dream of
WHOLE = 5  # octaves of the TensorFlow tutorial


def count(size: tuple[int, int], scale: float, scheme: str, min_size: int) -> int:
    """How many octaves suit a picture of `size`. Small octaves make large shapes, and cost little.

    The schemes that end at the picture's size go down to `SMALLEST` pixels on the shorter side, or to
    `min_size` if that is more. The whole scheme, which also enlarges the picture, has the tutorial's five.
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
    of 2015). Octaves with a side below `min_size`, which the network does not accept, are left out.

    Raises:
        ConfigError: the largest octave has a side below `min_size`.
    """
    if first is None:
        first = -(octaves // 2) if scheme == "whole" else -(octaves - 1)
    sizes = [scaled(size, scale ** (first + index)) for index in range(octaves)]
    kept = [Octave(number, sides) for number, sides in enumerate(sizes) if min(sides) >= min_size]
    if not kept:
        raise ConfigError(_too_small(size, sizes[-1], min_size))
    return kept


def _too_small(size: tuple[int, int], largest: tuple[int, int], min_size: int) -> str:
    """The message for a picture of `size` whose `largest` octave is smaller than the network accepts."""
    picture, octave = (f"{width} x {height} pixels" for height, width in (size, largest))
    needs = f"and the network needs at least {min_size} on each side"
    if largest == size:
        return f"the picture has {picture} {needs}; enlarge the picture or choose another model"
    return (
        f"the largest octave of this picture of {picture} has {octave} {needs}; use a larger "
        "--first-octave or more --octaves, enlarge the picture, or choose another model"
    )


def scaled(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """`size` times `ratio`, rounded to whole pixels, at least 1."""
    height, width = size
    return max(1, round(height * ratio)), max(1, round(width * ratio))
