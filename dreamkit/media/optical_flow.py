"""Motion between two frames: dense optical flow by OpenCV's DIS, and which pixels were visible before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_LEAST_SIDE = 32  # pixels; OpenCV finds no flow in smaller frames
_CUT = 0.18  # mean difference between two reduced frames, 0 to 1, above which they are a cut
_CUT_SIDE = 24  # longer side, in pixels, of reduced frames: so small that motion changes little


@dataclass(frozen=True, eq=False)
class Flow:
    """Where each pixel of a frame was in the frame before.

    Attributes:
        offsets: right and down, in pixels, float32 `(height, width, 2)`.
        visible: 1 where it was visible in the frame before, 0 where it was hidden, with soft edges; float32
            `(height, width)`.
    """

    offsets: Pixels
    visible: Pixels


def estimate(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Flow:
    """The flow from `now` back to `before`, uint8 `(height, width, 3)`.

    A pixel was visible if the flow back and the flow forward from there cancel each other (Sundaram, Brox
    and Keutzer, 2010): `|w + w'|**2 < 0.01 (|w|**2 + |w'|**2) + 0.5`, with `w` the offset back and `w'` the
    offset forward at its end.
    """
    import cv2

    if min(now.shape[:2]) < _LEAST_SIDE:
        return no_motion(now.shape[:2])
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now)]
    back = _dis().calc(grey[1], grey[0], None)
    forward = warp(_dis().calc(grey[0], grey[1], None), back)
    error = np.square(back + forward).sum(-1)
    length = np.square(back).sum(-1) + np.square(forward).sum(-1)
    visible = (error < 0.01 * length + 0.5).astype(np.float32)
    rows, columns = _pixel_grid(now.shape[:2])
    down, right = rows + back[..., 1], columns + back[..., 0]
    height, width = now.shape[:2]
    visible *= (down > -1) & (down < height) & (right > -1) & (right < width)  # inside
    soft = cv2.GaussianBlur(cv2.erode(visible, np.ones((3, 3), np.uint8)), (5, 5), 0)
    return Flow(back, np.asarray(soft, np.float32))


def no_motion(size: tuple[int, ...]) -> Flow:
    """The flow of a still picture of `size` (height, width)."""
    return Flow(np.zeros((*size, 2), np.float32), np.ones(size, np.float32))


def warp(values: Pixels, offsets: Pixels) -> Pixels:
    """`values` of the frame before, moved to where they are now, by bicubic interpolation.

    Args:
        values: float32 `(height, width, channels)`.
        offsets: a `Flow`'s.
    """
    import cv2

    rows, columns = _pixel_grid(offsets.shape[:2])
    return np.asarray(
        cv2.remap(
            values,
            columns + offsets[..., 0],
            rows + offsets[..., 1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def carry(mask: NDArray[np.uint8], flow: Flow) -> NDArray[np.uint8]:
    """A mask of the frame before, uint8 `(height, width)`, where it is now; black where nothing is known."""
    moved = np.clip(warp(mask.astype(np.float32), flow.offsets), 0, 255)
    return np.asarray(np.rint(moved * flow.visible), np.uint8)


def is_cut(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> bool:
    """Whether another scene begins: reduced to a few pixels, the frames differ more than motion explains."""
    import cv2

    height, width = now.shape[:2]
    shrink = _CUT_SIDE / max(height, width)
    size = max(2, round(width * shrink)), max(2, round(height * shrink))
    reduced = [
        cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) for frame in (before, now)
    ]
    return float(np.abs(reduced[0] - reduced[1]).mean()) / 255 > _CUT


def _dis() -> Any:
    import cv2

    found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found.setFinestScale(0)
    return found


def _pixel_grid(size: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return rows, columns
