"""Which parts of a film's frame are dreamed: those that show something else than when they were dreamed.

A frame is divided into cells of 8 x 8 pixels, over which a camera's noise averages out. A cell whose mean
colour has changed is dreamed until its dream has settled again. Then its dream is kept, so that what stands
still costs nothing and does not flicker. Small changes add up, because a cell is compared with what it showed
when it was dreamed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.media.optical_flow import Flow

# Of each cell, uint8 `(rows, columns, 4)`: the mean colour with which it was dreamed last, and for how many
# more frames it is dreamed.
Cells = NDArray[np.uint8]
Chosen = NDArray[np.bool_]  # cells, `(rows, columns)`

_SIDE = 8  # of a cell, in pixels
_NOISE = 3  # levels by which a cell's mean colour may differ and show the same
_MOTION = 0.25  # pixels; with more, the dream has to move along
_REACH = 32  # what is dreamed reaches 1 / 32 of the frame's shorter side beyond what has changed
_MOST = 0.7  # of the cells; where more have changed, the whole frame is dreamed


def shape_of(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the cells of a frame of `size` (height, width)."""
    return math.ceil(size[0] / _SIDE), math.ceil(size[1] / _SIDE)


def settled(pixels: NDArray[np.uint8]) -> Cells:
    """The cells of a frame, uint8 `(height, width, 3)`, all of which were dreamed until they settled."""
    colours = _mean_colours(pixels)
    return np.concatenate([colours, np.zeros((*colours.shape[:2], 1), np.uint8)], -1)


class Changes:
    """What has changed in a frame, uint8 `(height, width, 3)`, since the cells were dreamed.

    Attributes:
        changed: the cells that show something else than when they were dreamed.
    """

    def __init__(self, cells: Cells, pixels: NDArray[np.uint8]) -> None:
        """Of the frame, only the mean colours of its cells are kept."""
        self._cells = cells
        self._colours = _mean_colours(pixels)
        self._reach = 1 + math.ceil(min(pixels.shape[:2]) / (_REACH * _SIDE))  # in cells
        difference = self._colours.astype(np.int16) - cells[..., :3]
        self.changed: Chosen = np.abs(difference).max(-1) > _NOISE
        self._settling: Chosen = cells[..., 3] > 0

    @property
    def are_none(self) -> bool:
        """Whether nothing has changed, and all has settled."""
        return not (self.changed | self._settling).any()

    def to_dream(self, flow: Flow | None) -> Chosen:
        """The cells to dream: those that changed, settle or move, and what is near them."""
        import cv2

        chosen = self.changed | self._settling
        if flow is not None:
            moves = np.linalg.norm(flow.offsets, axis=-1) > _MOTION
            chosen |= _over_cells(moves.astype(np.float32), chosen.shape) > 0
        square = np.ones((2 * self._reach + 1, 2 * self._reach + 1), np.uint8)
        near: Chosen = cv2.dilate(chosen.astype(np.uint8), square) > 0
        return near if near.mean() <= _MOST else np.ones_like(near)

    def after(self, dreamed: Chosen, frames: int) -> Cells:
        """The cells once some were dreamed; those that changed settle in so many `frames`."""
        colours = np.where(dreamed[..., None], self._colours, self._cells[..., :3])
        left = self._cells[..., 3]
        left = np.where(dreamed & self._settling, left - 1, left)
        left = np.where(self.changed, min(frames, 255), left)
        result: Cells = np.concatenate([colours, left[..., None]], -1).astype(np.uint8)
        return result


def area(chosen: Chosen, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of cells: white, and black elsewhere, uint8 `(height, width)`."""
    import cv2

    grey = chosen.astype(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(grey, size[::-1], interpolation=cv2.INTER_NEAREST))


def _mean_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = shape_of((pixels.shape[0], pixels.shape[1]))
    colours: NDArray[np.uint8] = _over_cells(pixels, (rows, columns))
    return colours


def _over_cells(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The mean of values over each cell."""
    import cv2

    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))
