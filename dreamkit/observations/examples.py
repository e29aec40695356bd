"""Dataset examples: crops of the photographs that wake a channel most."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import resize
from dreamkit.observations.observer import opened
from dreamkit.observations.store import Observations

_SHARE = 0.45  # of the side of the square that is seen, which a crop shows
_FINER = 2  # pixels of the photograph for one that the network sees
_PAPER = 27  # brightness where there is no crop


def crops(observed: Observations, places: NDArray[np.int32], side: int) -> NDArray[np.uint8]:
    """What lies around `places` `(n, 3)`, each the number of a photograph, a row and a column; uint8
    `(n, side, side, 3)`. Each photograph is opened once.

    Raises:
        ImageError: a photograph cannot be read any more.
    """
    found = np.empty((len(places), side, side, 3), np.uint8)
    for number in np.unique(places[:, 0]):
        whole = opened(observed.photographs[number], _FINER * observed.side)
        for at in np.flatnonzero(places[:, 0] == number):
            found[at] = _crop(whole, (places[at, 1:] + 0.5) / observed.seen.map_size, side)
    return found


def of_channel(observed: Observations, channel: int) -> NDArray[np.int32]:
    """The places that wake a channel most, the strongest first, `(n, 3)`; none where nothing wakes it."""
    seen = observed.seen
    found: NDArray[np.int32] = seen.strongest_at[seen.strongest[:, channel] > 0, channel]
    return found


def tiled(found: NDArray[np.uint8], most: int, side: int) -> NDArray[np.uint8]:
    """Up to `most` crops in a square of rows, uint8 `(side, side, 3)`."""
    per_row = math.ceil(math.sqrt(most))
    edges = np.linspace(0, side, per_row + 1).round().astype(int)
    canvas = np.full((side, side, 3), _PAPER, np.uint8)
    for number, each in enumerate(found[:most]):
        row, column = divmod(number, per_row)
        (top, bottom), (left, right) = edges[row : row + 2], edges[column : column + 2]
        canvas[top:bottom, left:right] = _bytes(resize(each, (bottom - top, right - left)))
    return canvas


def _crop(whole: NDArray[np.float32], centre: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """What lies around `centre`, in shares of the height and the width."""
    length = round(_SHARE * len(whole))
    top, left = np.clip((centre * len(whole) - length / 2).round(), 0, len(whole) - length).astype(int)
    return _bytes(resize(whole[top : top + length, left : left + length], (side, side)))


def _bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
