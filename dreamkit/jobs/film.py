"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit import api
from dreamkit.config import STEPS, DreamConfig, plain, refuse
from dreamkit.errors import ConfigError, DreamkitWarning
from dreamkit.executors.executor import run_here
from dreamkit.executors.scheduler import OnEvent, TaskChain
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.frame_store import Progress, Work, check_room
from dreamkit.jobs.timeline import Timeline
from dreamkit.media import optical_flow, video
from dreamkit.media.video import Clip
from dreamkit.recipes import Share

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import Part
    from dreamkit.executors.executor import Executor

Keep: TypeAlias = Callable[[int, NDArray[np.uint8]], None]

_FEWER = 4  # times fewer steps than a picture, where nothing else is asked for: a frame goes on with the last
_STEADY = 0.6  # of what is known, that stays as it was: by so much a dream is calmer, and no weaker
_FAINT = 0.1  # of what a scene's dream comes to, that its first frame may lack


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How frames hold together.

    Attributes:
        blend: how much of the last frame's dream a frame begins with, 0 (none) to 0.95.
        flow: whether it is moved along with the picture.
        every: of how many frames one is dreamed; the dream is moved along through the others.
        steps: of each frame; None for what suits.

    Raises:
        ConfigError: a value makes no sense.
    """

    blend: float = 0.8
    flow: bool = True
    every: int = 1
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.blend <= 0.95:
            raise ConfigError(f"blend is {self.blend}; it takes a number from 0 to 0.95")
        if not 1 <= self.every <= 1000:
            raise ConfigError(f"every is {self.every}; it takes a whole number from 1 to 1000")
        if self.every > 1 and not self.blend:
            raise ConfigError("with blend 0 nothing is moved along; dream every frame, or blend more")


def make(
    source: Clip,
    parts: Sequence[Part],
    config: DreamConfig,
    output: Path,
    cut: Cut | None = None,
    *,
    timeline: Timeline = (),
    preview: int | None = None,
    overwrite: bool = False,
    on_frame: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
    shares: Sequence[Share] = (),
    weights: api.Weights = None,
) -> None:
    """Dreams `source` into `output`: a film, or a folder of numbered pictures where that has no ending.

    A frame begins as the picture with what the last frame's dream added to it, moved along by optical flow
    and left out where that was hidden, times `blend`; then it is dreamed a little further. So in a scene
    that stands still the dream comes to `1 / (1 - blend)` times what one frame adds, which a scene's first
    frame is given at once. Sound and times are the source's own. A photograph's `blend` is put over each
    frame as the film is written, and clouds compose a scene's first frame alone: what follows has it.

    With an `executor`, scenes are dreamed beside each other, each by one worker, which loads the networks of
    `shares` with `weights`; without `blend`, so are frames.

    Raises:
        VideoError, ImageError, WorkError: it cannot be read or written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    cut = cut or Cut()
    refuse(config, "a film", "upscale", "wrap")
    video.check_output(output, overwrite=overwrite)
    total = source.count if preview is None else min(preview, source.count)
    folder = output.with_name(f"{output.name}.work")
    check_room(folder, total, source.size)
    work = Work(folder, _identity(source, parts, config, cut, timeline), overwrite=overwrite)
    worker = _DreamWorker(
        parts if executor is None else None, shares, weights, config, cut, timeline, source.count
    )
    with work.filling(total, on_frame) as keep:
        readers = _Readers(source, total)
        if executor is None:
            run_here(worker, [_scene(readers, range(total), work, keep)], lambda _: None)
        else:
            scenes = _scenes(source, total, cut)
            chains = (_scene(readers, scene, work, keep) for scene in scenes)
            executor.run(worker, chains, lambda _: None, tasks=len(scenes))
    times = source.times[:total] if source.is_variable else None
    writer = video.Writer(
        output,
        source.size,
        source.rate,
        overwrite=overwrite,
        sound=source,
        times=times,
        scratch=work.folder,
    )
    with writer as film:
        for pixels in _blended(source, work, total, config.blend):
            film.add(pixels)
    if preview is None:
        work.done()


@dataclass(frozen=True)
class _Task:
    """A frame: what it shows, and the picture and the dream of the one before, unless a scene begins."""

    number: int
    now: NDArray[np.uint8]
    before: NDArray[np.uint8] | None = None
    last: NDArray[np.uint8] | None = None


class _DreamWorker:
    """The worker: it holds the networks, and dreams one frame after another."""

    def __init__(
        self,
        parts: Sequence[Part] | None,
        shares: Sequence[Share],
        weights: api.Weights,
        config: DreamConfig,
        cut: Cut,
        timeline: Timeline,
        count: int,
    ) -> None:
        self._parts, self._shares, self._weights = parts, shares, weights
        self._config, self._cut, self._timeline, self._count = config, cut, timeline, count

    def begin(self) -> None:
        """Loads the networks, unless they are."""
        self._parts = self._parts or api.parts(self._shares, self._weights)

    def do(self, task: _Task, on_event: OnEvent) -> NDArray[np.uint8]:
        """Dreams a frame."""
        del on_event
        share = task.number / max(1, self._count - 1)
        cast, options = timelines.at(self._timeline, share, self._parts or (), self._config)
        steps = self._cut.steps or math.ceil((options.steps or STEPS) / _FEWER)
        return _frame(task, cast, replace(options, steps=steps, schedule=()), self._cut)


def _scenes(source: Clip, total: int, cut: Cut) -> list[range]:
    """The numbers of each scene's frames. Scenes do not depend on each other; without blend, each frame is a
    scene."""
    if not cut.blend:
        return [range(number, number + 1) for number in range(total)]
    starts = [0]
    frames = (frame.pixels for frame in source.frames(total))
    for number, (before, now) in enumerate(pairwise(frames), 1):
        if optical_flow.is_cut(before, now):
            starts.append(number)
    return [range(start, stop) for start, stop in pairwise([*starts, total])]


class _Reader:
    """Reads a clip once, forwards, and holds the frame that it has come to."""

    def __init__(self, source: Clip, total: int) -> None:
        self.number = -1  # of the frame
        self._wanted = 0
        self._frames = source.frames(total, lambda number: number >= self._wanted)

    def read(self, number: int) -> NDArray[np.uint8]:
        """A frame, which must not lie before the one that the reader has come to."""
        if number != self.number:
            self._wanted = number
            self._pixels = next(self._frames).pixels
            self.number = number
        return self._pixels


class _Readers:
    """The readers of one clip. There are as many as scenes are dreamed beside each other, and each goes on to
    the next scene: none reads a frame twice, and each holds one frame."""

    def __init__(self, source: Clip, total: int) -> None:
        self._source, self._total = source, total
        self._idle: list[_Reader] = []

    def take(self, first: int) -> _Reader:
        """A reader for the frames from `first` on: the idle one that has come nearest, or a new one."""
        possible = [reader for reader in self._idle if reader.number <= first]
        if not possible:
            return _Reader(self._source, self._total)
        reader = max(possible, key=lambda each: each.number)
        self._idle.remove(reader)
        return reader

    def give_back(self, reader: _Reader) -> None:
        self._idle.append(reader)


def _scene(readers: _Readers, numbers: range, work: Work, keep: Keep) -> TaskChain:
    """The frames of a scene that are missing, each dreamed from the one before."""
    missing = [number for number in numbers if not work.has(number)]
    if not missing:
        return
    reader = readers.take(max(numbers.start, missing[0] - 1))
    for number in missing:
        before = last = None
        if number > numbers.start:
            before, last = reader.read(number - 1), work.get(number - 1)
        now = reader.read(number)
        if number == missing[-1]:
            readers.give_back(reader)
        result = yield _Task(number, now, before, last)
        for message in result.warnings:
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        result.raise_error(f"frame {number}")
        keep(number, result.value)


def _frame(task: _Task, parts: Sequence[Part], config: DreamConfig, cut: Cut) -> NDArray[np.uint8]:
    """The dream of a frame."""
    before, now, last = task.before, task.now, task.last
    config = replace(config, blend=0.0)  # which is for the film, not for what the next frame goes on with
    going_on = replace(config, clouds=0.0)
    if before is None or last is None or not cut.blend or optical_flow.is_cut(before, now):
        dreamed = api.dreamed(now, parts, config, again=task.number > 0)
        for _ in range(settling(cut.blend)):
            more = _with(now, cut.blend * _detail(dreamed, now))
            dreamed = api.dreamed(more, parts, going_on, again=True)
        return dreamed
    way = optical_flow.between(before, now) if cut.flow else optical_flow.still(now.shape[:2])
    known = way.known[..., None]
    detail = optical_flow.moved(_detail(last, before), way.back) * known
    if task.number % cut.every:
        return _with(now, detail)
    fresh = _detail(api.dreamed(_with(now, cut.blend * detail), parts, going_on, again=True), now)
    return _with(now, fresh + _STEADY * known * (detail - fresh))


def settling(blend: float) -> int:
    """How often a scene's first frame is dreamed again until its dream is about what it will be."""
    return math.ceil(math.log(_FAINT) / math.log(blend)) - 1 if blend > _FAINT else 0


def _blended(source: Clip, work: Work, total: int, amount: float) -> Iterator[NDArray[np.uint8]]:
    """The finished frames with `amount` of the source's own over them."""
    if not amount:
        yield from work.frames(total)
        return
    for shown, dreamed in zip(source.frames(total), work.frames(total), strict=True):
        yield _with(shown.pixels, (1 - amount) * _detail(dreamed, shown.pixels))


def _detail(dreamed: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return dreamed.astype(np.float32) - photo


def _with(photo: NDArray[np.uint8], detail: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(photo + detail, 0, 255)).astype(np.uint8)


def _identity(
    source: Clip, parts: Sequence[Part], config: DreamConfig, cut: Cut, timeline: Timeline
) -> Mapping[str, Any]:
    """Everything that frames depend on."""
    return {
        "what": "film",
        **api.signature(parts, config),
        "film": source.sha256,
        "timeline": [plain(entry) for entry in timeline],
        "size": list(source.size),
        "cut": [cut.blend, cut.flow, cut.every, cut.steps],
    }
