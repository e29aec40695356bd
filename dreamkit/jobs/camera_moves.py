"""Named moves of a zoom's camera: key frames that end as they begin, so that loops have no seam in motion.

In pictures of up to 3:2, upright or not, what a frame shows lies within the frame before, so no edge is
mirrored.
"""

from __future__ import annotations

import math
from typing import Any

from dreamkit.config import quoted
from dreamkit.errors import ConfigError, did_you_mean

KeyFrames = tuple[dict[str, Any], ...]

_ROUND = 12  # key frames of a spiral's circle
_RADIUS = 0.2  # of that circle, as a share of the picture


def _evenly(ease: str, *cameras: dict[str, Any]) -> KeyFrames:
    """Key frames at even distances."""
    return tuple(
        {"at": number / (len(cameras) - 1), "ease": ease, "camera": camera}
        for number, camera in enumerate(cameras)
    )


def _around(angle: float) -> tuple[float, float]:
    return 0.5 + _RADIUS * math.cos(angle), 0.5 + _RADIUS * math.sin(angle)


MOVES = {
    # Into the middle, now slower, now faster, swaying from side to side.
    "tunnel": _evenly(
        "smooth",
        {"zoom": 1.03, "rotate": -1.0},
        {"zoom": 1.07, "rotate": 1.0},
        {"zoom": 1.03, "rotate": -1.0},
    ),
    # Across the picture and back.
    "pan": _evenly(
        "smooth",
        {"zoom": 1.04, "center": (0.0, 0.5)},
        {"zoom": 1.04, "center": (1.0, 0.5)},
        {"zoom": 1.04, "center": (0.0, 0.5)},
    ),
    # Around the middle, turning.
    "spiral": _evenly(
        "linear",
        *(
            {"zoom": 1.05, "rotate": 0.8, "center": _around(math.tau * (number % _ROUND) / _ROUND)}
            for number in range(_ROUND + 1)
        ),
    ),
}


def named(name: str) -> KeyFrames:
    """The key frames of a move.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in MOVES:
        raise ConfigError(f"move is {quoted(name)}; {did_you_mean(name, MOVES)}")
    return MOVES[name]
