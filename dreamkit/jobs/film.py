"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
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
Pair: TypeAlias = tuple[NDArray[np.uint8] | None, NDArray[np.uint8]]

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
        if executor is None:
            scene = _scene(work, keep, 0, _pairs(source, 0, total))
            run_here(worker, [scene], lambda _: None)
        else:
            scenes = _scenes(source, total, cut)
            chains = _chains(source, total, scenes, work, keep)
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


def _scenes(source: Clip, total: int, cut: Cut) -> list[tuple[int, int]]:
    """The first frame and the one after the last of each scene, which depends on no other; without blend,
    each frame is one."""
    if not cut.blend:
        return [(number, number + 1) for number in range(total)]
    starts = [
        number
        for number, (before, now) in enumerate(_pairs(source, 0, total))
        if before is None or optical_flow.is_cut(before, now)
    ]
    return list(pairwise([*starts, total]))


def _chains(
    source: Clip, total: int, scenes: Sequence[tuple[int, int]], work: Work, keep: Keep
) -> Iterator[TaskChain]:
    """The scenes that are not finished, as the executors take them."""
    if all(stop - start == 1 for start, stop in scenes):  # then one pass over the film does for all
        for number, shown in enumerate(source.frames(total)):
            if not work.has(number):
                yield _scene(work, keep, number, iter([(None, shown.pixels)]))
        return
    for start, stop in scenes:
        if not all(map(work.has, range(start, stop))):
            yield _scene(work, keep, start, _pairs(source, start, stop))


def _pairs(source: Clip, start: int, stop: int) -> Iterator[Pair]:
    """Each of these frames with the one before; the first has none."""
    pictures = (shown.pixels for shown in islice(source.frames(stop), start, None))
    before = None
    for now in pictures:
        yield before, now
        before = now


def _scene(work: Work, keep: Keep, start: int, pairs: Iterator[Pair]) -> TaskChain:
    """Frames from `start` on that are missing, each dreamed from the one before."""
    for number, (before, now) in enumerate(pairs, start):
        if work.has(number):
            continue
        result = yield _Task(number, now, before, None if before is None else work.get(number - 1))
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
