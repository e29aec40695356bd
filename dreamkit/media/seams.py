"""The seams of a photograph whose edges meet: how visible they are, and how they are closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dreamkit.media.images import Picture
from dreamkit.option_values import Wrapped

_VISIBLE = 2.0  # times the mean difference of neighbouring lines: above it, a seam is visible
_BLENDED = 1 / 6  # of a side, measured from each edge
_BAND = 256  # lines measured at a time
_NAMES = "top and bottom", "left and right"


def close(picture: Picture, wrapped: Wrapped) -> tuple[Picture, list[str]]:
    """`picture` with opposite edges that meet along the wrapped axes, and the names of the blended edges.

    Edges that differ at most twice as much as neighbouring lines (`measure`) meet already and stay the same.
    Others are blended. With `n` pixels along the axis, `m` a sixth of them and `d = min(i, n - 1 - i)` the
    distance of pixel `i` from its edge, it becomes `(1 - a) x[i] + a x[n - 1 - i]`, where
    `a = (1 + cos(pi d / m)) / 4` for `d < m`: half of each side at the edge, none of the other side at `m`.
    Transparency is blended in the same way.
    """
    pixels, alpha, blended = picture.pixels, picture.alpha, []
    for axis, name in enumerate(_NAMES):
        across, within = measure(pixels, axis) if wrapped[axis] else (0.0, 0.0)
        if across > _VISIBLE * within:
            blended.append(name)
            pixels = _blended(pixels, axis)
            alpha = None if alpha is None else _blended(alpha, axis)
    return (replace(picture, pixels=pixels, alpha=alpha) if blended else picture), blended


def measure(pixels: NDArray[np.uint8], axis: int) -> tuple[float, float]:
    """How visible the seam along `axis` (0 or 1) is.

    Returns the mean absolute difference between the last line and the first, and that between neighbouring
    lines.
    """
    lines = np.moveaxis(pixels, axis, 0)
    across = float(np.abs(lines[-1].astype(np.int16) - lines[0]).mean())
    total = sum(int(np.abs(np.diff(band, axis=0)).sum()) for band in _bands(lines))
    return across, total / max(1, (len(lines) - 1) * lines[0].size)


def _bands(lines: NDArray[np.uint8]) -> Iterator[NDArray[np.int16]]:
    """Bands of lines; each also has the first line of the next."""
    for start in range(0, len(lines) - 1, _BAND):
        yield lines[start : start + _BAND + 1].astype(np.int16)


def _blended(values: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    """`values` blended with their mirror image near both edges of an axis."""
    out = values.copy()
    lines, mirrored = np.moveaxis(out, axis, 0), np.moveaxis(values, axis, 0)[::-1]
    length = len(lines)
    reach = max(1, round(_BLENDED * length))
    for line in {place for each in range(min(reach, length)) for place in (each, length - 1 - each)}:
        share = (1 + np.cos(np.pi * min(line, length - 1 - line) / reach)) / 4
        lines[line] = np.rint(lines[line] + share * (mirrored[line].astype(np.float32) - lines[line]))
    return out
