"""Synthetic clips with known motion: a camera moves over one picture, and a disc of another may cross it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


@dataclass(frozen=True)
class Frame:
    """One frame of the clip.

    Attributes:
        pixels: uint8 `(height, width, 3)`.
        offsets: where each pixel was in the frame before, right and down, `(height, width, 2)`.
        visible: whether it was visible there, `(height, width)`.
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.float32]
    visible: NDArray[np.bool_]


def clip(frames: int = 60, size: tuple[int, int] = (192, 256), motion: str = "occlusion") -> Iterator[Frame]:
    """A clip of one of `MOTIONS`, of `frames` pictures of a height and width."""
    back, cup = (_picture(name, size) for name in ("chelsea.jpg", "coffee.jpg"))
    height, width = size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    radius = 0.22 * min(size)
    before = None
    for number in range(frames):
        now = MOTIONS[motion](number / max(1, frames - 1), height, width)
        inside = now.covers(columns, rows, radius)
        ground = cv2.remap(
            back, *now.ground(columns, rows), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        piece = cv2.remap(
            cup, *now.piece(columns, rows, size), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        pixels = np.clip(np.where(inside[..., None], piece, ground), 0, 255).astype(np.uint8)
        if before is None:
            yield Frame(pixels, np.zeros((*size, 2), np.float32), np.zeros(size, bool))
        else:
            there = before.of_ground(*now.ground(columns, rows))
            carried = columns + before.cup[0] - now.cup[0], rows + before.cup[1] - now.cup[1]
            was = [np.where(inside, one, other) for one, other in zip(carried, there, strict=True)]
            covered = before.covers(*was, radius)
            seen = (was[0] >= 0) & (was[0] <= width - 1) & (was[1] >= 0) & (was[1] <= height - 1)
            offsets = np.stack([was[0] - columns, was[1] - rows], -1).astype(np.float32)
            yield Frame(pixels, offsets, seen & (inside | ~covered))
        before = now


@dataclass(frozen=True)
class Pose:
    """The positions of the camera and the cup.

    Attributes:
        matrix, shift: the point of the cat's picture that a pixel (right, down) shows.
        cup: the centre of the cup's disc; far away where there is none.
    """

    matrix: tuple[tuple[float, float], tuple[float, float]]
    shift: tuple[float, float]
    cup: tuple[float, float] = (-1e4, -1e4)

    def covers(self, columns, rows, radius):
        """Whether the cup is at a pixel."""
        return np.hypot(columns - self.cup[0], rows - self.cup[1]) < radius

    def ground(self, columns, rows):
        """The point of the cat's picture that a pixel shows."""
        return tuple(
            (columns * across + rows * down + shift).astype(np.float32)
            for (across, down), shift in zip(self.matrix, self.shift, strict=True)
        )

    def of_ground(self, across, down):
        """The pixel that shows a point of the cat's picture."""
        x, y = across - self.shift[0], down - self.shift[1]
        return tuple(one * x + other * y for one, other in np.linalg.inv(self.matrix))

    def piece(self, columns, rows, size):
        """The point of the cup's picture that a pixel shows."""
        return (
            (columns - self.cup[0] + size[1] / 2).astype(np.float32),
            (rows - self.cup[1] + size[0] / 2).astype(np.float32),
        )


def _occlusion(share: float, height: int, width: int) -> Pose:
    """The camera glides and approaches, and the cup crosses the picture."""
    scale = 1 - 0.2 * share
    return Pose(
        ((scale, 0.0), (0.0, scale)),
        (0.12 * width * share, 0.06 * height * np.sin(4 * share)),
        (width * (0.2 + 0.6 * share), height * (0.5 + 0.2 * np.sin(6 * share))),
    )


def _pan(share: float, height: int, width: int) -> Pose:
    """The camera pans over three quarters of the picture, right and down."""
    return Pose(((0.75, 0.0), (0.0, 0.75)), (0.25 * width * share, 0.1 * height * share))


def _turn(share: float, height: int, width: int) -> Pose:
    """The camera turns by 25 degrees around the centre."""
    angle = np.radians(25 * share)
    across, down = 0.75 * np.cos(angle), 0.75 * np.sin(angle)
    return Pose(
        ((across, -down), (down, across)),
        (
            width / 2 - across * width / 2 + down * height / 2,
            height / 2 - down * width / 2 - across * height / 2,
        ),
    )


def _crossing(share: float, height: int, width: int) -> Pose:
    """The cup crosses the picture, and the camera stands still."""
    return Pose(((1.0, 0.0), (0.0, 1.0)), (0.0, 0.0), (width * (0.2 + 0.6 * share), height * 0.5))


def _still(share: float, height: int, width: int) -> Pose:
    """Nothing moves."""
    del share, height, width
    return Pose(((1.0, 0.0), (0.0, 1.0)), (0.0, 0.0))


MOTIONS = {"pan": _pan, "turn": _turn, "occlusion": _occlusion, "crossing": _crossing, "still": _still}


def flicker(dreamed, frames) -> float:
    """The mean difference between each frame and the one before, warped by the true motion, where it was
    visible; in pixel values."""
    differences = []
    for (before, now), truth in zip(pairwise(dreamed), frames[1:], strict=True):
        rows, columns = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
        places = columns + truth.offsets[..., 0], rows + truth.offsets[..., 1]
        moved = cv2.remap(
            before.astype(np.float32), *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if truth.visible.any():  # else another scene begins
            differences.append(np.abs(moved - now)[truth.visible].mean())
    return float(np.mean(differences))


def _picture(name: str, size: tuple[int, int]) -> NDArray[np.float32]:
    picture = cv2.cvtColor(cv2.imread(str(PICTURES / name)), cv2.COLOR_BGR2RGB)
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
