"""The masks and the guide of a film that change from frame to frame."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dreamkit import fingerprint
from dreamkit.errors import shown
from dreamkit.inputs import ImageSource, PathLike
from dreamkit.media import images, video
from dreamkit.media.clip import Clip
from dreamkit.media.video_formats import READ_SUFFIXES, VideoError

MOTION = "motion"  # in place of a file


@dataclass(frozen=True)
class MovingPictures:
    """What changes from frame to frame.

    Attributes:
        masks: clips by name; the one with an empty name is for terms that name none.
        guide: a clip, or None.
        of_motion: the names of masks of what moves.
        track: whether the other masks, which are painted for the first frame, are carried along.
    """

    masks: Mapping[str, Clip] = field(default_factory=dict)
    guide: Clip | None = None
    of_motion: tuple[str, ...] = ()
    track: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the masks."""
        return *self.masks, *self.of_motion

    @property
    def needs_order(self) -> bool:
        """Whether what a frame is dreamed with depends on the one before."""
        return self.track or bool(self.of_motion)

    @property
    def clips(self) -> dict[str, Clip]:
        """Those of files, by what they are in a message."""
        found = {f"the mask {shown(name)}".strip(): clip for name, clip in self.masks.items()}
        return found if self.guide is None else {**found, "the guide": self.guide}

    @property
    def inputs(self) -> dict[str, PathLike | None]:
        """The files, by what they are. A film is never written over them."""
        paths = [(what, path) for what, clip in self.clips.items() for path in clip.paths]
        return {f"{what} itself ({path.name})": path for what, path in paths}

    @property
    def identity(self) -> dict[str, Any]:
        """All that frames depend on, as plain data, once there is a frame for each of a film's."""
        return {
            "mask film": {name: _identity(clip) for name, clip in self.masks.items()},
            "guide film": None if self.guide is None else _identity(self.guide),
            "motion mask": list(self.of_motion),
            "track": self.track,
        }

    @property
    def without_clips(self) -> MovingPictures:
        """The same for a worker, which gets the frames of clips with its tasks."""
        return replace(self, masks={}, guide=None)

    def beside(self, source: Clip) -> MovingPictures:
        """The same, with a frame for each of `source`'s.

        Raises:
            VideoError: a clip is too short, or has another number of pictures.
        """
        masks = {
            name: replace(_beside(clip, source, f"the mask {shown(name)}".strip()), is_mask=True)
            for name, clip in self.masks.items()
        }
        guide = None if self.guide is None else _beside(self.guide, source, "the guide")
        return replace(self, masks=masks, guide=guide)


def opened(
    masks: Mapping[str, str], guide: str | None, *, track: bool
) -> tuple[MovingPictures, dict[str, ImageSource], ImageSource]:
    """What of the masks and the guide moves, opened, and the masks and the guide of the request, in which a
    picture of one pixel stands for what moves, so that nothing that a recipe names is looked for.

    A film moves, and so do a folder of pictures, a pattern, and, as a mask, the word `motion`.

    Raises:
        VideoError, ImageError: one cannot be read.
    """
    of_motion = tuple(name for name, path in masks.items() if path == MOTION)
    moving = {name: video.read(path) for name, path in masks.items() if _moves(path) and path != MOTION}
    pixel = images.from_memory(np.zeros((1, 1), np.uint8))
    moves = {*moving, *of_motion}
    still: dict[str, ImageSource] = {name: pixel if name in moves else path for name, path in masks.items()}
    clip = video.read(guide) if guide is not None and _moves(guide) else None
    return MovingPictures(moving, clip, of_motion, track), still, pixel if clip else guide


def _moves(path: str) -> bool:
    is_pattern = any(letter in os.path.basename(path) for letter in "*?[") and not os.path.isfile(path)
    return os.path.isdir(path) or is_pattern or Path(path).suffix.lower() in READ_SUFFIXES


def _identity(clip: Clip) -> str:
    return fingerprint.digest({"file": clip.sha256, "frames": list(clip.file_numbers)})


def _beside(clip: Clip, source: Clip, what: str) -> Clip:
    """`clip` with a frame for each of `source`'s: of a film, the one that is shown at its time; of pictures,
    the one with its number."""
    name = clip.paths[0] if clip.is_film else clip.paths[0].parent
    start = source.span[0] if source.span else Fraction(0)
    if clip.is_film:
        last = start + source.times[-1]
        if last >= clip.duration:
            raise VideoError(
                f"{what} {name} ends at {float(clip.duration):.3f} s, and the last frame begins at "
                f"{float(last):.3f} s; give one as long as the film"
            )
        return clip.shown_at([start + time for time in source.times], source.rate)
    if clip.count == source.whole:
        return clip.chosen(source.file_numbers, source.times)
    if clip.count == source.count:
        return clip.chosen(range(source.count), source.times)
    raise VideoError(
        f"{what} {name} has {clip.count} pictures and the film {source.whole} frames; give one for each "
        "frame, or a film"
    )
