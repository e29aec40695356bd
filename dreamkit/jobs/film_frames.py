"""The frames of a film with the masks and guides that move, read forwards, and its scenes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from dreamkit.config import DreamConfig
from dreamkit.errors import DreamkitWarning
from dreamkit.executors.scheduler import TaskChain
from dreamkit.inputs import fit_mask, open_guide
from dreamkit.jobs.film_worker import FilmOptions, Shown, Task
from dreamkit.jobs.frame_store import FrameStore
from dreamkit.jobs.moving_pictures import MovingPictures
from dreamkit.media import image_sizes, images, optical_flow
from dreamkit.media.clip import Clip, Frame
from dreamkit.media.images import Picture

Keep: TypeAlias = Callable[..., None]


def scenes(source: Clip, total: int, options: FilmOptions, moving: MovingPictures) -> list[range]:
    """The numbers of each scene's frames. Scenes do not depend on each other; without blend, each frame is a
    scene, unless its masks depend on the one before."""
    if not options.blend and not moving.needs_order:
        return [range(number, number + 1) for number in range(total)]
    starts = [0]
    frames = (frame.pixels for frame in source.frames(total))
    for number, (before, now) in enumerate(pairwise(frames), 1):
        if optical_flow.is_cut(before, now):
            starts.append(number)
    return [range(start, stop) for start, stop in pairwise([*starts, total])]


class _Reader:
    """Reads a clip and what belongs to it once, forwards, and holds the last two frames that it has read."""

    def __init__(self, source: Clip, moving: MovingPictures, config: DreamConfig, total: int) -> None:
        self.number = -1  # of the newest frame
        self._size, self._config, self._wanted = source.size, config, 0
        self._held: dict[int, Shown] = {}

        def frames(clip: Clip) -> Iterator[Frame]:
            return clip.frames(total, lambda number: number >= self._wanted)

        self._frames = frames(source)
        self._masks = {name: (clip, frames(clip)) for name, clip in moving.masks.items()}
        self._guide = None if moving.guide is None else frames(moving.guide)

    def read(self, number: int) -> Shown:
        """A frame, which must not lie before the two that the reader has come to."""
        if number not in self._held:
            self._wanted = number
            shown = Shown(
                next(self._frames).pixels,
                {name: self._mask(clip, next(frames)) for name, (clip, frames) in self._masks.items()},
                self._read_guide(),
            )
            kept = {each: old for each, old in self._held.items() if each == self.number}
            self._held = {**kept, number: shown}
            self.number = number
        return self._held[number]

    def _mask(self, clip: Clip, frame: Frame) -> Picture:
        named = replace(images.from_memory(frame.pixels), name=clip.paths[0].name)
        return fit_mask(named, self._size)

    def _read_guide(self) -> Picture | None:
        if self._guide is None:
            return None
        whole = images.from_memory(next(self._guide).pixels)
        return open_guide(image_sizes.shrink(whole, self._config.max_size), self._config)


class Readers:
    """The readers of one clip: as many as scenes are dreamed beside each other.

    Each continues with the next scene, so that none reads a frame twice, and each holds two frames.
    """

    def __init__(self, source: Clip, moving: MovingPictures, config: DreamConfig, total: int) -> None:
        self._source, self._moving, self._config, self._total = source, moving, config, total
        self._idle: list[_Reader] = []

    def _take(self, first: int) -> _Reader:
        """A reader for the frames from `first` on: the idle one that has come nearest, or a new one."""
        possible = [reader for reader in self._idle if reader.number <= first]
        if not possible:
            return _Reader(self._source, self._moving, self._config, self._total + 1)
        reader = max(possible, key=lambda each: each.number)
        self._idle.remove(reader)
        return reader

    def _give_back(self, reader: _Reader) -> None:
        """Takes back a reader that a scene needs no more."""
        self._idle.append(reader)

    def scene(self, numbers: range, store: FrameStore, keep: Keep) -> TaskChain:
        """The frames of a scene that are missing, each dreamed from the one before."""
        missing = [number for number in numbers if not store.has(number)]
        if not missing:
            return
        reader = self._take(max(numbers.start, missing[0] - 1))
        for number in missing:
            before = last = after = tracked = cells = None
            if number > numbers.start:
                before = reader.read(number - 1).pixels
            now = reader.read(number)
            if before is not None and optical_flow.is_cut(before, now.pixels):
                before = None
            if before is not None:
                last, tracked = store.read(number - 1), store.masks(number - 1)
                cells = store.cells(number - 1)
            elif self._moving.of_motion and number + 1 < self._source.count:
                after = reader.read(number + 1).pixels
                after = None if optical_flow.is_cut(now.pixels, after) else after
            if number == missing[-1]:
                self._give_back(reader)
            result = yield Task(number, now, before, last, after, tracked, cells)
            for message in result.warnings:
                warnings.warn(message, DreamkitWarning, stacklevel=2)
            result.raise_error(f"frame {number}")
            keep(number, result.value.pixels, result.value.tracked, result.value.cells)
