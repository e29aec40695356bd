"""What a dream takes of memory: some float32 copies of the picture, and a part that the tile bounds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dreamkit.config import DreamConfig

COPY = 12  # bytes a pixel of one float32 copy of a picture
_BASE = 700 << 20  # where the system does not tell what a process holds: TensorFlow and a network
_SHAPE = 25 << 20  # that TensorFlow's kernels keep for each shape of windows
_SPARE = 1.1  # how much more a step takes than its graph's results


class MemoryPlan(NamedTuple):
    """Bytes at the peak of a dream.

    Attributes:
        base: Python, TensorFlow and the networks.
        copies: how many float32 copies of the largest octave are held at once.
        picture: bytes of those copies.
        tiles: bytes of a step over one batch of tiles.
        before: the most that was held before the first step, while networks were loaded and compiled.
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


def copies(config: DreamConfig, *, objectives: int, masks: int) -> float:
    """How many float32 copies of the largest octave a dream holds at once, 12 bytes a pixel each.

    The photograph is a quarter of one, the pixels and their gradient are one each. From octave to octave,
    the gradient gives way to the dream so far, twice, at the smaller size.
    """
    step = 1.0
    step += objectives > 1  # the sum over networks or masks
    step += config.l2 > 0  # the photograph at this size
    step += config.smooth == "laplacian"
    step += config.smooth == "laplacian" and config.wrap != "none"  # the gradient with its other sides
    step += 2 * (config.rotate > 0 or config.zoom > 0)  # the picture turned, and its gradient turned back
    step += 5 * (config.space == "fourier")
    growing = 2 / config.octave_scale**2
    return 1.25 + max(step, growing) + masks * 2 / 3


def tile_bytes(live: int, shapes: int) -> int:
    """What steps take that hold `live` bytes at once, over windows of so many shapes."""
    return int(_SPARE * live) + _SHAPE * shapes


def resident() -> tuple[int, int]:
    """What this process holds, and the most that it has held so far, in bytes; where the system does not
    tell, a guess."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        now, most = (int(status[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):  # no Linux
        return _BASE, _BASE
    return now, most
