"""What a running dream reports: the event of each step, the state to resume from, the finished result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels

# Entry of the schedule, number of the objective in it, balanced weights of its terms.
Balance: TypeAlias = tuple[int, int, list[float]]

_IMPORTANCE = "importance"
_VARIABLE = "variable."  # before the names of a parametrisation's arrays, in a work file


@dataclass(frozen=True, slots=True)
class DreamState:
    """Where a dream is after a whole step.

    From it, `loop.dream` continues to the same bytes, since random numbers depend on seed, octave and step
    alone. Its arrays belong to the dream: write them to disk, do not keep them.

    Attributes:
        octave: index of the octave, from 0, among those that run.
        step: number of its steps taken.
        over: whether it has no more.
        tile_size: longest side of the tiles, in pixels.
        first: the objective at the very first step, None before it.
        pixels: float32 `(height, width, 3)`.
        variables: arrays of the parametrisation, where it has more than pixels.
        balance: balanced weights that objectives measured at their first step.
        importance: where pixels mattered so far, float32 `(height, width, 1)`; None unless it is asked for.
    """

    octave: int
    step: int
    over: bool
    tile_size: int
    first: float | None
    pixels: Pixels
    variables: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    balance: Sequence[Balance] = ()
    importance: Pixels | None = None

    def numbers(self) -> dict[str, Any]:
        """All but the arrays, as plain data."""
        names = ("octave", "step", "over", "tile_size", "first", "balance")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        own = {"pixels": self.pixels} | ({} if self.importance is None else {_IMPORTANCE: self.importance})
        return {**own, **{_VARIABLE + name: each for name, each in self.variables.items()}}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> DreamState:
        """The state with these `numbers()` and `arrays()`.

        Raises:
            KeyError, ValueError: they do not make a state.
        """
        pixels, first = arrays["pixels"], numbers["first"]
        if pixels.dtype != np.float32 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"its picture is {pixels.dtype} of shape {pixels.shape}")
        return cls(
            octave=int(numbers["octave"]),
            step=int(numbers["step"]),
            over=bool(numbers["over"]),
            tile_size=int(numbers["tile_size"]),
            first=None if first is None else float(first),
            pixels=pixels,
            variables={
                name.removeprefix(_VARIABLE): each
                for name, each in arrays.items()
                if name.startswith(_VARIABLE)
            },
            balance=[
                (int(entry), int(number), [float(each) for each in measured])
                for entry, number, measured in numbers["balance"]
            ],
            importance=arrays.get(_IMPORTANCE),
        )


@dataclass(frozen=True, slots=True)
class StepEvent:
    """Passed to `on_step` after each step.

    Attributes:
        octave, octaves: which octave, from 1, and how many there are.
        step, steps: which step of it, from 1, and how many there are.
        size: height and width of this octave in pixels.
        objective: the objective as a multiple of its value at the first step.
        done: the share of the whole work that is done, 0 to 1; work is proportional to pixels.
        pixels: float32 `(height, width, 3)`, 0 to 255: the dream so far. Read it, do not keep it.
        state: from which the dream can be resumed.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    size: tuple[int, int]
    objective: float
    done: float
    pixels: Pixels = field(repr=False)
    state: DreamState = field(repr=False)


@dataclass(frozen=True, slots=True)
class DreamResult:
    """A finished dream.

    Attributes:
        pixels: uint8 `(height, width, 3)`.
        layers: for each network, its terms with weights in the last octave; empty for weight zero.
        sizes: height and width of each octave that ran.
        tile_size: longest side of the tiles of the last step.
        alpha: where pixels mattered, uint8 `(height, width)`; None unless it is asked for.
    """

    pixels: NDArray[np.uint8]
    layers: list[dict[str, float]]
    sizes: list[tuple[int, int]]
    tile_size: int
    alpha: NDArray[np.uint8] | None = None
