"""The memory that a dream needs: some float32 copies of the picture, and a part that tiles limit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dreamkit.config import DreamConfig
from dreamkit.engine import drawn_transforms, updates
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Parametrisation

COPY = 12  # bytes a pixel of one float32 copy of a picture
_BASE = 700 << 20  # TensorFlow and a network, if the system does not report the memory of a process
_FIRST = 30 << 20  # that TensorFlow takes with its first step
_SHAPE = 25 << 20  # of TensorFlow's kernels, for each shape of windows
_SPARE = 1.1  # a step needs this much more than its graph's results


class MemoryPlan(NamedTuple):
    """Bytes at the peak of a dream.

    Attributes:
        base: Python, TensorFlow and the networks.
        copies: how many float32 copies of the largest octave exist at once.
        picture: bytes of those copies.
        tiles: bytes of a step over one batch of tiles.
        before: the peak before the first step, while networks were loaded and compiled.
    """

    base: int
    copies: float
    picture: int
    tiles: int
    before: int = 0

    @property
    def total(self) -> int:
        """The peak."""
        return max(self.base + self.picture + self.tiles, self.before)


def copies(config: DreamConfig, *, objectives: int, masks: int, compares: bool = False) -> float:
    """How many float32 copies of the largest octave a dream needs at once, 12 bytes a pixel each.

    The photograph is a quarter of a copy; the pixels and their gradient are one each. Between octaves
    there is no gradient, but the dream so far, twice, at the smaller size. `compares` says whether an
    objective compares with the photograph.
    """
    regularisers = [each.part for each in updates.regularisation(config)]
    step = 1.0
    step += objectives > 1  # the sum over networks or masks
    step += compares or any(each.needs_photograph for each in regularisers)  # the photograph at this size
    step += max((each.copies for each in regularisers), default=0)
    step += config.smooth == "laplacian"
    step += config.smooth == "laplacian" and config.wrap != "none"  # the gradient with its other sides
    step += sum(each.copies for each, _ in drawn_transforms.chosen(config))
    step += config.views > 1  # the sum over views
    step += config.alpha == "importance"  # what is added up, a step's part in it, and that of one colour
    parametrisation: Parametrisation = registry.installed(registry.PARAMETRISATIONS).get(config.space)
    step += parametrisation.copies
    growing = 2 / config.octave_scale**2
    return 1.25 + max(step, growing) + masks * 2 / 3


def tile_bytes(live: int, shapes: int) -> int:
    """The memory of steps with at most `live` bytes of results, over windows of `shapes` different shapes."""
    return int(_SPARE * live) + _SHAPE * shapes + _FIRST


def resident() -> tuple[int, int]:
    """The memory of this process and its peak so far, in bytes; a guess if the system does not report it."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        now, most = (int(status[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):  # not Linux
        return _BASE, _BASE
    return now, most
