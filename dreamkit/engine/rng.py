"""Random numbers that any language can reproduce: Philox4x64-10, keyed by the seed.

Philox is the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
Its numbers depend on the arguments alone, so there is no state to keep or lose. The key is `(seed, 0)`; the
block `b = 0, 1, ...` of four 64-bit words has the counter `(b + 1, step, octave, purpose)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import resize
from dreamkit.option_values import Wrapped

_ROLL, _CLOUDS, _WARP, _COLORS, _GRAIN, _CROP = range(6)

CENTRE, _CLOUD_SPREAD, _FAINT_SPREAD = 128.0, 32.0, 4.0  # means and standard deviations of noise
_PARTS_MEAN, _PARTS_DEVIATION = 2 * 65535.0, 65536 / np.sqrt(3.0)  # of the sum of four 16-bit numbers
_OFF_CENTRE = 0.15  # of the picture, standard deviation of a crop's centre
_AT_ONCE = 1 << 20  # numbers that are drawn at once
_COARSEST = 4  # pixels on the shorter side of the coarsest layer of clouds


def words(seed: int, *, octave: int, step: int, purpose: int, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words for a seed, octave, step and purpose."""
    generator = _stream(seed, octave=octave, step=step, purpose=purpose)
    return np.asarray(generator.random_raw(count), np.uint64)


def _stream(seed: int, *, octave: int, step: int, purpose: int) -> np.random.Philox:
    # As uint64 from the start: NumPy converts a list with a number of 2**63 or more to floats.
    key, counter = np.array([seed, 0], np.uint64), np.array([0, step, octave, purpose], np.uint64)
    return np.random.Philox(key=key, counter=counter)


def roll(seed: int, octave: int, step: int, reach: tuple[int, int]) -> tuple[int, int]:
    """The roll of the picture in a step, `(down, right)` in pixels, each from `-reach` to `reach`.

    The first word is for the rows and the second for the columns: `word mod (2 reach + 1) - reach`.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_ROLL, count=2)
    down, right = (int(word) % (2 * r + 1) - r for word, r in zip(drawn, reach, strict=True))
    return down, right


def warp(seed: int, octave: int, step: int, rotate: float, zoom: float) -> tuple[float, float]:
    """The angle and the scale of the picture in a step.

    The angle is from `-rotate` to `rotate`, in the unit of `rotate`, and the scale from `1 - zoom` to
    `1 + zoom`. The first word is for the angle and the second for the scale: each is `word / 2**63 - 1` of
    the range.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_WARP, count=2)
    turn, scale = (int(word) / 2**63 - 1 for word in drawn)
    return rotate * turn, 1 + zoom * scale


def colors(seed: int, octave: int, step: int) -> NDArray[np.float64]:
    """Six numbers from -1 to 1 for the colours in a step, `(2, 3)`: three shifts, and three exponents.

    Each is `word / 2**63 - 1`, in that order.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_COLORS, count=6)
    return (drawn / 2.0**63 - 1.0).reshape(2, 3)


def crop(seed: int, octave: int, step: int, shares: tuple[float, float]) -> tuple[float, float, float]:
    """The side of a crop in a step, as a share of the picture's shorter side, and its centre, down and right.

    The side is between `shares`: the first word, divided by 2**64, of the way. The centre's shares of the
    height and the width are nearly normal around 0.5 with a deviation of 0.15, each from one word as those of
    `grain` are; they may lie outside the picture.
    """
    drawn = words(seed, octave=octave, step=step, purpose=_CROP, count=3)
    least, most = shares
    away = _nearly_normal(drawn[1:])
    return least + (most - least) * int(drawn[0]) / 2**64, *(0.5 + _OFF_CENTRE * away).tolist()


def _nearly_normal(drawn: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers of mean 0 and standard deviation 1, each the sum of the four 16-bit parts of a word."""
    parts = drawn.astype("<u8").view("<u2").reshape(-1, 4)
    normal: NDArray[np.float64] = (parts.sum(1, dtype=np.uint32) - _PARTS_MEAN) / _PARTS_DEVIATION
    return normal


def grain(seed: int, octave: int, step: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Independent numbers of mean 0 and standard deviation 1 in a step, float32 `(height, width, 3)`.

    Each is from one word, rows first and colours last: the sum of its four 16-bit parts, which is nearly
    normal (the sum of four uniform numbers).
    """
    stream = _stream(seed, octave=octave, step=step, purpose=_GRAIN)
    found = np.empty((*size, 3), np.float32)
    values = found.reshape(-1)
    for start in range(0, len(values), _AT_ONCE):
        few = values[start : start + _AT_ONCE]
        few[:] = _nearly_normal(stream.random_raw(len(few)))
    return found


def noise(
    seed: int, size: tuple[int, int], kind: str, wrapped: Wrapped = (False, False)
) -> NDArray[np.uint8]:
    """The noise that a dream without a photograph starts from, uint8 `(height, width, 3)`.

    `clouds` are those of `clouds`; `faint` ones have a standard deviation of 4; `white` noise is uniform: the
    bytes of the stream of clouds, words in little-endian order, rows first and colours last.
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
    """A picture of coloured clouds, uint8 `(height, width, 3)`, for dreams without a photograph.

    It has white noise at every scale, so that each octave starts with details of its own size. Layer
    `k = 0, 1, ...` has `ceil(side / 2**k)` pixels a side, as long as the shorter side is 4 or more (there is
    always a layer 0). Its values are the bytes of the stream of octave `k`, words in little-endian order,
    rows first and colours last, minus 127.5. It is enlarged by `resize`, which may wrap, and has the weight
    `2 ** (k / 2)`. The sum is scaled to mean 128 and standard deviation `spread`, clipped and rounded.
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
