"""Random draws that any language can repeat: Philox4x64-10, keyed by seed and counted by place.

Philox is the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
(2011). A draw is a function of its arguments alone, so no state is carried or lost: key
`(seed, 0)`; the block `b = 0, 1, ...` of four 64-bit words has counter `(b + 1, step, octave, purpose)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import Wrapped
from dreamkit.engine.resize import resize

_ROLL, _CLOUDS, _WARP = 0, 1, 2

CENTRE, _CLOUD_SPREAD, _FAINT_SPREAD = 128.0, 32.0, 4.0  # means and standard deviations of noise
_COARSEST = 4  # pixels on the shorter side of the coarsest layer of clouds


def words(seed: int, *, octave: int, step: int, purpose: int, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of one place's stream."""
    # As uint64 from the start: NumPy reads a list that holds a number of 2**63 or more as floats.
    key, counter = np.array([seed, 0], np.uint64), np.array([0, step, octave, purpose], np.uint64)
    generator = np.random.Philox(key=key, counter=counter)
    return np.asarray(generator.random_raw(count), np.uint64)


def roll(seed: int, octave: int, step: int, reach: tuple[int, int]) -> tuple[int, int]:
    """How far a step rolls the picture, `(down, right)` in pixels, each from `-reach` to `reach`.

    The first word serves the rows and the second the columns: `word mod (2 reach + 1) - reach`.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_ROLL, count=2)
    down, right = (int(word) % (2 * r + 1) - r for word, r in zip(drawn, reach, strict=True))
    return down, right


def warp(seed: int, octave: int, step: int, rotate: float, zoom: float) -> tuple[float, float]:
    """How a step turns the picture, in the unit of `rotate` from `-rotate` to `rotate`, and scales it, from
    `1 - zoom` to `1 + zoom`.

    The first word serves the turn and the second the scale: `word / 2**63 - 1` of the way.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_WARP, count=2)
    turn, scale = (int(word) / 2**63 - 1 for word in drawn)
    return rotate * turn, 1 + zoom * scale


def noise(
    seed: int, size: tuple[int, int], kind: str, wrapped: Wrapped = (False, False)
) -> NDArray[np.uint8]:
    """What a dream starts from that has no photograph, uint8 `(height, width, 3)`.

    `clouds` are below, `faint` ones have a standard deviation of 4, and `white` noise has every value
    alike: bytes of the stream of clouds, words taken little-endian, rows first and colours last.
    """
    if kind == "white":
        return _bytes(seed, 0, size)
    return clouds(seed, size, _FAINT_SPREAD if kind == "faint" else _CLOUD_SPREAD, wrapped)


def clouds(
    seed: int,
    size: tuple[int, int],
    spread: float = _CLOUD_SPREAD,
    wrapped: Wrapped = (False, False),
) -> NDArray[np.uint8]:
    """A picture of coloured clouds, uint8 `(height, width, 3)`, for dreams that start from nothing.

    White noise at every scale, so that each octave finds something of its own size to begin with. Layer
    `k = 0, 1, ...` is `ceil(side / 2**k)` pixels a side, as long as the shorter side is 4 or more (there is
    always a layer 0); its values are bytes of the stream of octave `k`, words taken little-endian, rows
    first and colours last, less 127.5; it is enlarged by `resize`, which may wrap, and weighs
    `2 ** (k / 2)`. The sum is brought to mean 128 and standard deviation `spread`, clipped and rounded.
    """
    total = np.zeros((*size, 3), np.float32)
    side, k = min(size), 0
    while k == 0 or -(-side // 2**k) >= _COARSEST:
        height, width = (-(-length // 2**k) for length in size)
        layer = _bytes(seed, k, (height, width))
        total += np.float32(2 ** (k / 2)) * (resize(layer, size, wrapped=wrapped) - np.float32(127.5))
        k += 1
    found = float(total.std(dtype=np.float64)) or 1.0
    values = (total - total.mean(dtype=np.float64)) * (spread / found) + CENTRE
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def _bytes(seed: int, layer: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A layer of noise, uint8 `(height, width, 3)`."""
    count = size[0] * size[1] * 3
    stream = words(seed, octave=layer, step=0, purpose=_CLOUDS, count=-(-count // 8)).astype("<u8")
    return stream.view(np.uint8)[:count].reshape(*size, 3)
