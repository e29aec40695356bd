"""How one frame moves into the next: dense optical flow, by OpenCV's DIS, and where it cannot be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_LEAST_SIDE = 32  # pixels; of smaller frames OpenCV finds no flow
_CUT = 0.18  # mean difference, of 1, between a frame and the one before moved into it, from which it is a cut
_MOVED = 24  # pixels of the longer side that scenes are compared at: what moves is still where it was


@dataclass(frozen=True, eq=False)
class Flow:
    """From each pixel of a frame to where it was in the one before.

    Attributes:
        back: offsets right and down, in pixels, `(height, width, 2)`.
        known: 1 where it was to be seen in the frame before, softly 0 where it was hidden, `(height, width)`.
    """

    back: Pixels
    known: Pixels


def between(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Flow:
    """The flow from `now` back to `before`, uint8 `(height, width, 3)`.

    What was hidden is found by going back and forth again (Sundaram, Brox and Keutzer, 2010): a pixel is
    known where `|w + w'|**2 < 0.01 (|w|**2 + |w'|**2) + 0.5`, with `w` its way back and `w'` the way forth
    from there.
    """
    import cv2

    if min(now.shape[:2]) < _LEAST_SIDE:
        return still(now.shape[:2])
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now)]
    back = _dis().calc(grey[1], grey[0], None)
    forth = moved(_dis().calc(grey[0], grey[1], None), back)
    apart = np.square(back + forth).sum(-1)
    reach = np.square(back).sum(-1) + np.square(forth).sum(-1)
    known = (apart < 0.01 * reach + 0.5).astype(np.float32)
    rows, columns = _places(now.shape[:2])
    down, right = rows + back[..., 1], columns + back[..., 0]
    height, width = now.shape[:2]
    known *= (down > -1) & (down < height) & (right > -1) & (right < width)  # it came from beyond an edge
    soft = cv2.GaussianBlur(cv2.erode(known, np.ones((3, 3), np.uint8)), (5, 5), 0)
    return Flow(back, np.asarray(soft, np.float32))


def still(size: tuple[int, ...]) -> Flow:
    """The flow of what does not move, `size` being height and width."""
    return Flow(np.zeros((*size, 2), np.float32), np.ones(size, np.float32))


def moved(values: Pixels, back: Pixels) -> Pixels:
    """What was at each pixel before, `(height, width, channels)`, by bicubic interpolation."""
    import cv2

    rows, columns = _places(back.shape[:2])
    return np.asarray(
        cv2.remap(
            values,
            columns + back[..., 0],
            rows + back[..., 1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def is_cut(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
    """Whether another scene begins: the frames differ, small as stamps, by more than anything moves."""
    import cv2

    height, width = now.shape[:2]
    shrink = _MOVED / max(height, width)
    size = max(2, round(width * shrink)), max(2, round(height * shrink))
    stamps = [
        cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) for frame in (before, now)
    ]
    return float(np.abs(stamps[0] - stamps[1]).mean()) / 255 > _CUT


def _dis() -> Any:
    import cv2

    found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found.setFinestScale(0)
    return found


def _places(size: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return rows, columns
