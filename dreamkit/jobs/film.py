"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import STEPS, DreamConfig
from dreamkit.errors import ConfigError, DreamkitWarning
from dreamkit.executors import executor
from dreamkit.executors.scheduler import Chain, Tell
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.frame_store import FrameProgress, FrameStore, check_disk_space
from dreamkit.media import images, optical_flow, video_formats, video_writer
from dreamkit.media.video import Clip
from dreamkit.request import DreamRequest
from dreamkit.session import Session

if TYPE_CHECKING:
    from dreamkit.executors.executor import Engine

Keep: TypeAlias = Callable[[int, NDArray[np.uint8]], None]
Pair: TypeAlias = tuple[NDArray[np.uint8] | None, NDArray[np.uint8]]

UNABLE = ("upscale", "wrap")  # options of a picture that a film cannot follow

_FEWER = 4  # times fewer steps than a picture, where nothing else is asked for: a frame goes on with the last
_STEADY = 0.6  # of what is known, that stays as it was: by so much a dream is calmer, and no weaker
_FAINT = 0.1  # of what a scene's dream comes to, that its first frame may lack


class DreamFrame(Protocol):
    """Dreams the pixels of one frame."""

    def __call__(self, pixels: NDArray[np.uint8], *, clouds: bool, quiet: bool) -> NDArray[np.uint8]:
        """`clouds`: whether those of the seed compose it; `quiet`: without warnings given before."""


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
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
    session: Session,
    output: Path,
    options: FilmOptions | None = None,
    *,
    preview: int | None = None,
    overwrite: bool = False,
    on_frame: Callable[[FrameProgress], None] | None = None,
    engine: Engine | None = None,
) -> None:
    """Dreams `source` into `output`: a film, or a folder of numbered pictures where that has no ending.

    A frame begins as the picture with what the last frame's dream added to it, moved along by optical flow
    and left out where that was hidden, times `blend`; then it is dreamed a little further. So in a scene
    that stands still the dream comes to `1 / (1 - blend)` times what one frame adds, which a scene's first
    frame is given at once. Sound and times are the source's own. A photograph's `blend` is put over each
    frame as the film is written, and clouds compose a scene's first frame alone: what follows has it.

    Args:
        source: the film.
        session: a request without an image, and its networks; guide and masks apply to every frame.
        output: the film, or a folder for its frames.
        options: how frames hold together.
        preview: make a film of only so many frames; the next run goes on from them.
        overwrite: whether an existing film, and frames of another one, may be replaced.
        on_frame: called after each frame.
        engine: who dreams scenes beside each other, each by one worker, which loads the networks anew;
            without `blend`, so are frames. None for this process.

    Raises:
        VideoError, ImageError, FrameStoreError: it cannot be read or written.
        ConfigError: a mask has another shape than the film.
        Interrupted: Ctrl-C; the same call goes on.
    """
    options = options or FilmOptions()
    request = session.request
    request.refuse("a film", *UNABLE)
    video_formats.check_output(output, overwrite=overwrite)
    source = source.within(request.config.max_size)
    request = request.on(np.zeros((*source.size, 3), np.uint8))  # masks at the size of a frame
    total = source.count if preview is None else min(preview, source.count)
    folder = output.with_name(f"{output.name}.work")
    check_disk_space(folder, total, source.size)
    identity = _identity(session.fingerprint(request), source, options)
    store = FrameStore(folder, identity, overwrite=overwrite)
    painter = _Painter(session if engine is None else None, request, options, source.count)
    with store.filling(total, on_frame) as keep:
        if engine is None:
            scene = _scene(store, keep, 0, _pairs(source, 0, total))
            executor.here(painter, [scene], lambda _: None)
        else:
            scenes = _scenes(source, total, options)
            chains = _chains(source, total, scenes, store, keep)
            engine.work(painter, chains, lambda _: None, tasks=len(scenes))
    times = source.times[:total] if source.is_variable else None
    writer = video_writer.Writer(
        output,
        source.size,
        source.rate,
        overwrite=overwrite,
        sound=source,
        times=times,
        scratch=store.folder,
    )
    with writer as film:
        for pixels in _blended(source, store, total, request.config.blend):
            film.add(pixels)
    if preview is None:
        store.done()


@dataclass(frozen=True)
class _Task:
    """A frame: what it shows, and the picture and the dream of the one before, unless a scene begins."""

    number: int
    now: NDArray[np.uint8]
    before: NDArray[np.uint8] | None = None
    last: NDArray[np.uint8] | None = None


class _Painter:
    """The worker: it holds the networks, and dreams one frame after another."""

    def __init__(
        self, session: Session | None, request: DreamRequest, options: FilmOptions, count: int
    ) -> None:
        """Without a session, a worker opens one of its own."""
        self._session, self._request = session, request
        self._options, self._count = options, count

    def begin(self) -> None:
        """Loads the networks, unless they are."""
        self._session = self._session or Session(self._request)

    def do(self, task: _Task, tell: Tell) -> NDArray[np.uint8]:
        """Dreams a frame."""
        del tell
        assert self._session is not None
        request = self._request
        share = task.number / max(1, self._count - 1)
        models, config = timelines.at(request.timeline, share, self._session.models, request.config)
        request = replace(request, config=_config_of_frame(config, self._options.steps))

        def dream(pixels: NDArray[np.uint8], *, clouds: bool, quiet: bool) -> NDArray[np.uint8]:
            assert self._session is not None
            config = request.config if clouds else replace(request.config, clouds=0.0)
            shown = replace(request, image=images.from_memory(pixels), config=config)
            return self._session.compute(shown, models=models, quiet=quiet).pixels

        return _frame(task, dream, self._options)


def _config_of_frame(config: DreamConfig, steps: int | None) -> DreamConfig:
    """The options of a frame: fewer steps than a picture's, in the octaves of a schedule as well.

    The photograph's blend is left to the film: the next frame must not begin with it.
    """
    schedule = tuple(
        {**entry, "steps": steps or math.ceil(entry["steps"] / _FEWER)} if "steps" in entry else entry
        for entry in config.schedule
    )
    own = steps or math.ceil((config.steps or STEPS) / _FEWER)
    return replace(config, steps=own, schedule=schedule, blend=0.0)


def _scenes(source: Clip, total: int, options: FilmOptions) -> list[tuple[int, int]]:
    """The first frame and the one after the last of each scene, which depends on no other; without blend,
    each frame is one."""
    if not options.blend:
        return [(number, number + 1) for number in range(total)]
    starts = [
        number
        for number, (before, now) in enumerate(_pairs(source, 0, total))
        if before is None or optical_flow.is_cut(before, now)
    ]
    return list(pairwise([*starts, total]))


def _chains(
    source: Clip, total: int, scenes: Sequence[tuple[int, int]], store: FrameStore, keep: Keep
) -> Iterator[Chain]:
    """The scenes that are not finished, as the engines take them."""
    if all(stop - start == 1 for start, stop in scenes):  # then one pass over the film does for all
        for number, shown in enumerate(source.frames(total)):
            if not store.has(number):
                yield _scene(store, keep, number, iter([(None, shown.pixels)]))
        return
    for start, stop in scenes:
        if not all(map(store.has, range(start, stop))):
            yield _scene(store, keep, start, _pairs(source, start, stop))


def _pairs(source: Clip, start: int, stop: int) -> Iterator[Pair]:
    """Each of these frames with the one before; the first has none."""
    pictures = (shown.pixels for shown in islice(source.frames(stop), start, None))
    before = None
    for now in pictures:
        yield before, now
        before = now


def _scene(store: FrameStore, keep: Keep, start: int, pairs: Iterator[Pair]) -> Chain:
    """Frames from `start` on that are missing, each dreamed from the one before."""
    for number, (before, now) in enumerate(pairs, start):
        if store.has(number):
            continue
        outcome = yield _Task(number, now, before, None if before is None else store.get(number - 1))
        for message in outcome.warnings:
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        if outcome.error is not None:
            raise outcome.error
        keep(number, outcome.value)


def _frame(task: _Task, dream: DreamFrame, options: FilmOptions) -> NDArray[np.uint8]:
    """The dream of a frame."""
    before, now, last = task.before, task.now, task.last
    if before is None or last is None or not options.blend or optical_flow.is_cut(before, now):
        dreamed = dream(now, clouds=True, quiet=task.number > 0)
        for _ in range(settling(options.blend)):
            more = _with(now, options.blend * _detail(dreamed, now))
            dreamed = dream(more, clouds=False, quiet=True)
        return dreamed
    way = optical_flow.estimate(before, now) if options.flow else optical_flow.no_motion(now.shape[:2])
    known = way.known[..., None]
    detail = optical_flow.warp(_detail(last, before), way.back) * known
    if task.number % options.every:
        return _with(now, detail)
    fresh = _detail(dream(_with(now, options.blend * detail), clouds=False, quiet=True), now)
    return _with(now, fresh + _STEADY * known * (detail - fresh))


def settling(blend: float) -> int:
    """How often a scene's first frame is dreamed again until its dream is about what it will be."""
    return math.ceil(math.log(_FAINT) / math.log(blend)) - 1 if blend > _FAINT else 0


def _blended(source: Clip, store: FrameStore, total: int, amount: float) -> Iterator[NDArray[np.uint8]]:
    """The finished frames with `amount` of the source's own over them."""
    if not amount:
        yield from store.frames(total)
        return
    for shown, dreamed in zip(source.frames(total), store.frames(total), strict=True):
        yield _with(shown.pixels, (1 - amount) * _detail(dreamed, shown.pixels))


def _detail(dreamed: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return dreamed.astype(np.float32) - photo


def _with(photo: NDArray[np.uint8], detail: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(photo + detail, 0, 255)).astype(np.uint8)


def _identity(fingerprint: Mapping[str, Any], source: Clip, options: FilmOptions) -> Mapping[str, Any]:
    """All that frames depend on."""
    return {
        "what": "film",
        **fingerprint,
        "photograph": None,
        "film": source.sha256,
        "size": list(source.size),
        "frames": [options.blend, options.flow, options.every, options.steps],
    }
