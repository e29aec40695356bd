"""The pixels themselves, moved by gradient ascent (google/deepdream's `make_step`, 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import color
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Parametrisation


class PixelSpace:
    """Pixel values as variables. Where the photograph's colours are kept whole, lightness alone moves."""

    def __init__(
        self, pixels: Pixels, config: DreamConfig, arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        del pixels, arrays  # it has no variables but the pixels
        self._unit = np.asarray(config.unit, np.float32)
        self._keeps_colors = config.color == color.KEEP
        self._clip = config.clip

    def step(self, pixels: Pixels, update: Pixels, step_size: float) -> None:
        """Adds `update` times `step_size`, in units, to `pixels`; `update` is overwritten."""
        if self._keeps_colors:
            lightness = update.mean(-1) * np.float32(step_size * self._unit.mean())
            color.shift_within(pixels, lightness)
            return
        update *= color.for_row(np.float32(step_size) * self._unit, pixels.shape[1])
        pixels += update
        if self._clip:
            color.limit_range(pixels)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """None."""
        return {}


@hookimpl
def dreamkit_parametrisations() -> Iterator[Parametrisation]:
    yield Parametrisation(name="pixels", make=PixelSpace, description="the pixels themselves")
