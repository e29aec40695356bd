"""The transforms of a dream, drawn anew for each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from dreamkit.config import DreamConfig
from dreamkit.engine.resize import Pixels
from dreamkit.engine.transforms.crop import Crop
from dreamkit.engine.transforms.jitter import Roll
from dreamkit.plugins import registry
from dreamkit.plugins.parts import AppliedTransform, Transform, TransformContext


class DrawnTransforms:
    """What happens to the picture in one step.

    Attributes:
        roll: how far tiles are rolled (down, right).
    """

    def __init__(
        self,
        transforms: list[tuple[Transform, float]],
        config: DreamConfig,
        size: tuple[int, int],
        octave: int,
        step: int,
        reach: tuple[int, int],
        view: int = 0,
    ) -> None:
        """`size` is the picture's, `reach` that of the tiles of what is seen of it."""
        self.roll: tuple[int, int] = (0, 0)
        self._applied: list[tuple[Transform, AppliedTransform]] = []
        for part, strength in transforms:
            options: dict[str, Any] = part.values(config.part_options(part.name))
            with registry.blamed(registry.TRANSFORMS, part):
                drawn = part.draw(
                    TransformContext(part.name, config, strength, size, octave, step, reach, view), **options
                )
            if isinstance(drawn, Crop):
                size = seen_size(config, size)  # for the transforms after it
            if isinstance(drawn, Roll):
                self.roll = drawn
            elif drawn is not None:
                self._applied.append((part, drawn))

    def __bool__(self) -> bool:
        """Whether anything but the roll happens."""
        return bool(self._applied)

    def apply(self, pixels: Pixels) -> Pixels:
        """The transformed picture, but for the roll; `pixels` themselves where nothing else happens."""
        for part, each in self._applied:
            with registry.blamed(registry.TRANSFORMS, part):
                pixels = each.apply(pixels)
        return pixels

    def adjoint(self, gradient: Pixels) -> Pixels:
        """The gradient with respect to the picture, from the one with respect to the transformed picture;
        that itself where nothing but the roll happens."""
        for part, each in reversed(self._applied):
            with registry.blamed(registry.TRANSFORMS, part):
                gradient = np.asarray(each.adjoint(gradient), np.float32)
        return gradient


def seen_size(config: DreamConfig, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what the network sees of a picture of `size`: a crop's, or the picture's own."""
    return (config.view_size, config.view_size) if config.crops else size


def chosen(config: DreamConfig) -> list[tuple[Transform, float]]:
    """The transforms of a dream with their strengths, in the order in which they are applied."""
    known = registry.installed(registry.TRANSFORMS)
    own = ["jitter"] + ["warp"] * (config.rotate > 0 or config.zoom > 0) + ["crop"] * config.crops
    names = dict.fromkeys(own, 0.0) | dict(config.transforms or {})
    return [(known.get(name), strength) for name, strength in names.items()]
