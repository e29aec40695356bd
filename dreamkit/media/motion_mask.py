"""A mask of what moves: where the optical flow is not the camera's own motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.media.optical_flow import Flow, Pixels

_SAMPLES = 48  # along the shorter side, from which the camera's motion is found
_ROUNDS = 4  # of finding it from what fits the last one
_LEAST, _SHARE = 0.5, 0.004  # motion that counts as none: pixels, and a share of the shorter side
_SOFTNESS = 48  # edges are soft over about 1 / 48 of the shorter side


def from_flow(flow: Flow) -> NDArray[np.uint8]:
    """Grey levels `(height, width)`: black where a pixel moves as the camera does, white where it moves by
    three times what counts as none; widened a little, with soft edges."""
    import cv2

    shorter = min(flow.offsets.shape[:2])
    apart = np.linalg.norm(flow.offsets - camera(flow.offsets), axis=-1)
    none = max(_LEAST, _SHARE * shorter)
    mask = np.rint(255 * np.clip((apart - none) / (2 * none), 0, 1)).astype(np.uint8)
    mask = cv2.medianBlur(mask, 5)  # no specks
    radius = max(1, round(shorter / _SOFTNESS))
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), radius / 2), np.uint8)


def camera(offsets: Pixels) -> Pixels:
    """The motion of the camera: the affine one that most of the picture follows.

    It begins as the median offset; then it is fitted, by least squares, to the offsets that are near it,
    again and again.
    """
    height, width = offsets.shape[:2]
    step = max(1, min(height, width) // _SAMPLES)
    known = offsets[::step, ::step].astype(np.float64).reshape(-1, 2)
    places = _places(height, width)
    sampled = places[::step, ::step].reshape(-1, 3)
    apart = np.linalg.norm(known - np.median(known, 0), axis=-1)
    for _ in range(_ROUNDS):
        near = apart <= max(_LEAST / 2, float(np.median(apart)))
        fitted = np.linalg.lstsq(sampled[near], known[near], rcond=None)[0]
        apart = np.linalg.norm(known - sampled @ fitted, axis=-1)
    return np.asarray(places @ fitted, np.float32)


def _places(height: int, width: int) -> NDArray[np.float64]:
    """One, and the place of each pixel, -1 to 1 down and across."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.stack([np.ones_like(rows), rows, columns], -1)
