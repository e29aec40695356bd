"""Random draws that any language can repeat: Philox4x64-10, keyed by seed and counted by place.

Philox is the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
(2011). A draw is a function of its arguments alone, so no state is carried or lost: key
`(seed, 0)`; the block `b = 0, 1, ...` of four 64-bit words has counter `(b + 1, step, octave, purpose)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROLL, _NOISE = 0, 1

NOISE_CENTRE, NOISE_REACH = 128, 32


def words(seed: int, *, octave: int, step: int, purpose: int, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of one place's stream."""
    generator = np.random.Philox(key=[seed, 0], counter=[0, step, octave, purpose])
    return np.asarray(generator.random_raw(count), np.uint64)


def roll(seed: int, octave: int, step: int, reach: tuple[int, int]) -> tuple[int, int]:
    """How far a step rolls the picture, `(down, right)` in pixels, each from `-reach` to `reach`.

    The first word serves the rows and the second the columns: `word mod (2 reach + 1) - reach`.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_ROLL, count=2)
    down, right = (int(word) % (2 * r + 1) - r for word, r in zip(drawn, reach, strict=True))
    return down, right


def noise(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of soft grey noise, uint8 `(height, width, 3)`, for dreams that start from nothing.

    Each value is one byte of the stream, words taken little-endian, squeezed from 0..255 to
    `NOISE_CENTRE` plus or minus `NOISE_REACH` and rounded down.
    """
    height, width = size
    count = height * width * 3
    stream = words(seed, octave=0, step=0, purpose=_NOISE, count=-(-count // 8)).astype("<u8")
    values = stream.view(np.uint8)[:count].astype(np.uint16)
    squeezed = NOISE_CENTRE - NOISE_REACH + values * (2 * NOISE_REACH) // 255
    return squeezed.astype(np.uint8).reshape(height, width, 3)
