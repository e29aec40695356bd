"""Parametrisations: the variables that a step changes, and how they become pixels.

A parametrisation is made from pixels, or from arrays that it had before, and moves them step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine.resize import Pixels


class Parametrisation(Protocol):
    """The variables of one octave."""

    def step(self, pixels: Pixels, update: Pixels, step_size: float) -> None:
        """Moves the variables along `update`, and `pixels` with them, in place.

        `update` `(height, width, 3)` is a direction by pixels, normalised; it may be overwritten.
        """

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """All that the variables have come to beside the pixels, by name, for a work file."""


class Parametrise(Protocol):
    """Makes a parametrisation for one octave."""

    def __call__(
        self, pixels: Pixels, config: DreamConfig, arrays: Mapping[str, NDArray[Any]]
    ) -> Parametrisation:
        """Of `pixels` `(height, width, 3)`, 0 to 255; `arrays` are empty, or what it had before."""
