"""Smoothing of gradients: Gaussian blurs, and a Laplacian pyramid with levels of equal strength.

The blur is the cascade of gordicaleksa/pytorch-deepdream (2020); the pyramid is the one of TensorFlow's
DeepDream tutorial (`deepdream.ipynb`, 2015). Both show a gradient's large shapes, which fine noise hides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels
from dreamkit.engine.tf import filters
from dreamkit.media.image_sizes import pad_wrapped
from dreamkit.option_values import Wrapped

_CASCADE = (0.5, 1.0, 2.0)  # widths of the three blurs, in sigmas
REACH = 4  # pixels from the centre of a blur's kernel to its edge
_BAND = 1 << 19  # pixels that are blurred at a time
_LEAST_BAND = 64  # rows, of pictures wider than that many pixels make

_MOST_AROUND = 256  # pixels of a picture's other side, on each side of a pyramid
_PYRAMID = np.array([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16], np.float32)
_FAINTEST = 1e-10  # a level is divided by no less than this


def gaussian(
    gradient: Pixels,
    sigma: float,
    roll: tuple[int, int] = (0, 0),
    *,
    wrapped: Wrapped = (False, False),
) -> None:
    """Blurs `gradient` `(height, width, colours)` in place: the mean of three Gaussian blurs.

    Their widths are `sigma / 2`, `sigma` and `2 sigma` pixels, `sigma` above 0. Each has the separable
    kernel of 9 x 9 taps, `exp(-k**2 / (2 s**2))` for `k = -4 .. 4` along an axis, normalised to sum one.
    Beyond an edge lies the mirrored picture without its edge pixel, or along a wrapped axis the picture's
    other side. `roll` is the roll of the picture, down and right, when its gradient was computed: edges are
    those of the rolled picture, as published.
    """
    height, width, _ = gradient.shape
    rows, columns = (  # where in the picture
        (np.arange(-REACH, length + REACH) if wraps else _mirrored(length)) - rolled
        for length, wraps, rolled in zip((height, width), wrapped, roll, strict=True)
    )
    kernel = _kernel(sigma)
    above = gradient.take(rows[:REACH], 0, mode="wrap")
    beyond = gradient.take(rows[-REACH:], 0, mode="wrap")  # which may be the first rows, soon blurred
    for start, end in _bands(height, max(_LEAST_BAND, _BAND // width)):
        below = gradient.take(
            rows[start + REACH : end + (REACH if end == height else 2 * REACH)], 0, mode="wrap"
        )
        parts = [above, below, beyond] if end == height else [above, below]
        band = np.concatenate(parts).take(columns, 1, mode="wrap")
        above = gradient.take(rows[end : end + REACH], 0, mode="wrap")
        blurred = filters.correlate(band, kernel)
        gradient[np.arange(start - roll[0], end - roll[0]) % height] = np.roll(blurred, -roll[1], 1)


def step_sigma(step: int, steps: int, sigma: float) -> float:
    """The `sigma` of step `step = 0 .. steps - 1`: `(step + 1) / steps * 2 + sigma`, ever smoother."""
    return (step + 1) / steps * 2 + sigma


def laplacian(gradient: Pixels, levels: int, *, wrapped: Wrapped = (False, False)) -> None:
    """Scales all frequencies of `gradient` `(height, width, colours)` to the same strength, in place.

    With `k = outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256`: `lo` is the correlation of each colour with `k`
    at every second pixel, and `hi` is the image minus the adjoint, with `4 k`, of `lo`. The same is done with
    `lo`, `levels` times in all. Each `hi`, and the last `lo`, is divided by its root mean square over pixels
    and colours, or by 1e-10 if that is more, and all are added up again.

    The borders are TensorFlow's "SAME": zeros beyond them, `ceil(n / 2)` pixels left of `n`. The pyramid's
    finest level lies in `gradient` itself; the others, and the filters, need its memory once more.

    Along a wrapped axis, the picture's other side lies beyond its borders: `4 * 2 ** levels` pixels of it,
    the reach of the pyramid, but at most 256 and at most one picture. They count in the levels' strengths.
    """
    if any(wrapped):
        height, width, _ = gradient.shape
        top, left = (
            min(4 << levels, _MOST_AROUND, length) if wraps else 0
            for length, wraps in zip((height, width), wrapped, strict=True)
        )
        larger = pad_wrapped(gradient, (top, left))
        laplacian(larger, levels)
        gradient[:] = larger[top : top + height, left : left + width]
        return
    pyramid = [gradient]
    for _ in range(levels):
        pyramid.append(_reduced(pyramid[-1]))
        _add_expanded(pyramid[-2], pyramid[-1], -1.0)
    for level in pyramid:
        level /= np.float32(max(_root_mean_square(level), _FAINTEST))
    for coarse, fine in pairwise(reversed(pyramid)):
        _add_expanded(fine, coarse, 1.0)


def _mirrored(length: int) -> NDArray[np.intp]:
    """The mirrored indices of the pixels at `-REACH .. length + REACH - 1`; all 0 for a single pixel."""
    period = max(2 * (length - 1), 1)
    places = np.arange(-REACH, length + REACH) % period
    return np.asarray(np.minimum(places, period - places), np.intp)


def _kernel(sigma: float) -> Pixels:
    """The three blurs as one kernel, 9 x 9."""
    taps = [np.exp(-(np.arange(-REACH, REACH + 1) ** 2) / (2 * (sigma * factor) ** 2)) for factor in _CASCADE]
    kernels = [np.outer(each, each) / each.sum() ** 2 for each in taps]
    return np.asarray(np.mean(kernels, axis=0), np.float32)


def _bands(height: int, rows: int) -> Iterator[tuple[int, int]]:
    """The starts and ends of bands of about `rows` rows.

    No band is so short that the rows mirrored beyond its end lie in the band before.
    """
    starts = range(0, max(height - _LEAST_BAND, 1), rows)
    yield from pairwise([*starts, height])


def _correlated(plane: Pixels, taps: Pixels, stride: int = 1) -> Pixels:
    """The correlation of the columns of `plane` with `taps`, where these lie inside."""
    last = (len(plane) - len(taps)) // stride * stride
    out: Pixels = taps[0] * plane[: last + 1 : stride]
    for k, tap in enumerate(taps[1:], 1):
        out += tap * plane[k : k + last + 1 : stride]
    return out


def _before(length: int) -> int:
    """How many zeros "SAME" pads before an axis: half of 3 or 4, rounded down."""
    return 1 + length % 2


def _halved(plane: Pixels) -> Pixels:
    """The columns of `plane` at half their length."""
    before = _before(len(plane))
    return _correlated(np.pad(plane, ((before, 2), (0, 0))), _PYRAMID, stride=2)


def _doubled(plane: Pixels, length: int) -> Pixels:
    """Twice the adjoint of `_halved`: the columns of `plane` at their original `length`."""
    out = np.zeros((2 * len(plane) + 3, plane.shape[1]), np.float32)
    for k, tap in enumerate(2 * _PYRAMID):
        out[k : k + 2 * len(plane) - 1 : 2] += tap * plane
    return out[_before(length) :][:length]


def _reduced(image: Pixels) -> Pixels:
    """`image` at half its size."""
    planes = [_halved(_halved(image[..., colour]).T).T for colour in range(image.shape[2])]
    return np.stack(planes, axis=-1)


def _add_expanded(fine: Pixels, coarse: Pixels, factor: float) -> None:
    """Adds `factor` times `coarse`, at the size of `fine`, to `fine`."""
    height, width, colours = fine.shape
    for colour in range(colours):
        tall = _doubled(np.float32(factor) * coarse[..., colour], height)
        fine[..., colour] += _doubled(tall.T, width).T


def _root_mean_square(level: Pixels) -> float:
    """The root mean square, in float64, one row at a time."""
    return math.sqrt(sum(float(np.square(row, dtype=np.float64).sum()) for row in level) / level.size)
