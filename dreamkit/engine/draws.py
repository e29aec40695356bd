"""Random draws that any language can repeat: Philox4x64-10, keyed by seed and counted by place.

Philox is the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
(2011). A draw is a function of its arguments alone, so no state is carried or lost: key
`(seed, 0)`; the block `b = 0, 1, ...` of four 64-bit words has counter `(b + 1, step, octave, purpose)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import resize

_ROLL, _CLOUDS = 0, 1

_CLOUD_CENTRE, _CLOUD_SPREAD = 128.0, 32.0  # mean and standard deviation of a picture of clouds
_COARSEST = 4  # pixels on the shorter side of the coarsest layer of clouds


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


def clouds(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of coloured clouds, uint8 `(height, width, 3)`, for dreams that start from nothing.

    White noise at every scale, so that each octave finds something of its own size to begin with. Layer
    `k = 0, 1, ...` is `ceil(side / 2**k)` pixels a side, as long as the shorter side is 4 or more (there is
    always a layer 0); its values are bytes of the stream of octave `k`, words taken little-endian, rows
    first and colours last, less 127.5; it is enlarged by `resize` and weighs `2 ** (k / 2)`. The sum is
    brought to mean 128 and standard deviation 32, clipped and rounded.
    """
    total = np.zeros((*size, 3), np.float32)
    side, k = min(size), 0
    while k == 0 or -(-side // 2**k) >= _COARSEST:
        height, width = (-(-length // 2**k) for length in size)
        count = height * width * 3
        stream = words(seed, octave=k, step=0, purpose=_CLOUDS, count=-(-count // 8)).astype("<u8")
        layer = stream.view(np.uint8)[:count].reshape(height, width, 3)
        total += np.float32(2 ** (k / 2)) * (resize(layer, size) - np.float32(127.5))
        k += 1
    spread = float(total.std(dtype=np.float64)) or 1.0
    values = (total - total.mean(dtype=np.float64)) * (_CLOUD_SPREAD / spread) + _CLOUD_CENTRE
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)
