"""The seams of a photograph that is tiled: how much they show, and how they are closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import Wrapped
from dreamkit.media.images import Picture

_VISIBLE = 2.0  # times the mean difference of neighbouring lines, above which a seam shows
_BLENDED = 1 / 6  # of a side, from either edge
_BAND = 256  # rows that are measured at a time
_NAMES = "top and bottom", "left and right"


def close(picture: Picture, wrapped: Wrapped) -> tuple[Picture, list[str]]:
    """`picture` so that opposite edges meet along the wrapped axes, and which edges had to be blended.

    Edges whose `seam` is at most twice what neighbouring lines differ by meet already, and stay as they are.
    Else, with `n` pixels along the axis, `m` a sixth of them and `d = min(i, n - 1 - i)` the way from pixel
    `i` to its edge, it becomes `(1 - a) x[i] + a x[n - 1 - i]`, `a = (1 + cos(pi d / m)) / 4` for `d < m`:
    half of each side at the edge, and nothing of the other one at `m`. Transparency is blended alike.
    """
    pixels, alpha, blended = picture.pixels, picture.alpha, []
    for axis, name in enumerate(_NAMES):
        across, within = seam(pixels, axis) if wrapped[axis] else (0.0, 0.0)
        if across > _VISIBLE * within:
            blended.append(name)
            pixels = _blended(pixels, axis)
            alpha = None if alpha is None else _blended(alpha, axis)
    return (replace(picture, pixels=pixels, alpha=alpha) if blended else picture), blended


def seam(pixels: NDArray[np.uint8], axis: int) -> tuple[float, float]:
    """The mean absolute difference of the last line and the first along `axis`, 0 or 1, and that of all
    neighbouring lines."""
    lines = np.moveaxis(pixels, axis, 0)
    across = float(np.abs(lines[-1].astype(np.int16) - lines[0]).mean())
    total = sum(int(np.abs(np.diff(band, axis=0)).sum()) for band in _bands(lines))
    return across, total / max(1, (len(lines) - 1) * lines[0].size)


def _bands(lines: NDArray[np.uint8]) -> Iterator[NDArray[np.int16]]:
    """A few lines at a time, with the first one of the next."""
    for start in range(0, len(lines) - 1, _BAND):
        yield lines[start : start + _BAND + 1].astype(np.int16)


def _blended(values: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    """`values` blended with their mirror image towards both edges of an axis."""
    out = values.copy()
    lines, mirrored = np.moveaxis(out, axis, 0), np.moveaxis(values, axis, 0)[::-1]
    length = len(lines)
    reach = max(1, round(_BLENDED * length))
    for line in {place for each in range(min(reach, length)) for place in (each, length - 1 - each)}:
        share = (1 + np.cos(np.pi * min(line, length - 1 - line) / reach)) / 4
        lines[line] = np.rint(lines[line] + share * (mirrored[line].astype(np.float32) - lines[line]))
    return out
