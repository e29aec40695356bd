"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import STEPS, DreamConfig
from dreamkit.errors import ConfigError, DreamkitWarning
from dreamkit.executors.executor import run_here
from dreamkit.executors.scheduler import OnEvent, TaskChain
from dreamkit.jobs import frame_store
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.frame_store import FrameProgress, FrameStore, check_disk_space
from dreamkit.media import atomic, images, optical_flow, video_formats, video_writer
from dreamkit.media.clip import Clip
from dreamkit.media.video_formats import Encoding
from dreamkit.request import DreamRequest
from dreamkit.session import Session

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor

Keep: TypeAlias = Callable[[int, NDArray[np.uint8]], None]

UNABLE = ("upscale", "wrap", "choices", "alpha", "start")  # what a picture may have and a film cannot follow

_FEWER = 4  # a frame takes so many times fewer steps than a picture, unless an option says otherwise
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
    encoding: Encoding | None = None,
    overwrite: bool = False,
    on_frame: Callable[[FrameProgress], None] | None = None,
    executor: Executor | None = None,
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
        preview: make a film of only so many frames; the next run continues from them.
        encoding: codec and quality of the film; None for the usual ones.
        overwrite: whether an existing film, and frames of another one, may be replaced.
        on_frame: called after each frame.
        executor: what dreams scenes beside each other, each by one worker, which loads the networks anew;
            without `blend`, so are frames. None for this process.

    Raises:
        VideoError, ImageError, FrameStoreError: it cannot be read or written.
        ConfigError: a mask has another shape than the film.
        Interrupted: Ctrl-C; the same call continues.
    """
    options = options or FilmOptions()
    request = session.request
    request.refuse("a film", *UNABLE)
    video_formats.check_output(output, encoding, overwrite=overwrite)
    atomic.refuse_inputs(output, session.request.inputs)
    for path in source.paths if output.exists() else ():
        atomic.refuse_inputs(output, {"the film itself": path})
    _check_pixels(source, request.config.max_pixels)
    source = source.within(request.config.max_size)
    request = request.on(np.zeros((*source.size, 3), np.uint8))  # masks at the size of a frame
    total = source.count if preview is None else min(preview, source.count)
    folder = frame_store.path_of(output)
    check_disk_space(folder, total, source.size)
    identity = _identity(session.fingerprint(request), source, options)
    with FrameStore(folder, identity, source.size, overwrite=overwrite) as store:
        scenes = [range(total)] if executor is None else _scenes(source, total, options)
        if executor is not None:  # threads follow from the number of scenes, and bytes from them
            executor = replace(executor, threads=executor.threads_of_each(len(scenes)))
        store.begin_on(session.machine(None if executor is None else executor.threads))
        worker = _DreamWorker(session if executor is None else None, request, options, source.count)
        with store.writing(total, on_frame) as keep:
            readers = _Readers(source, total)
            chains = (_scene(readers, scene, store, keep) for scene in scenes)
            if executor is None:
                run_here(worker, chains, lambda _: None)
            else:
                executor.run(worker, chains, lambda _: None, tasks=len(scenes))
        writer = video_writer.Writer(
            output,
            source.size,
            source.rate,
            overwrite=overwrite,
            sound=source,
            times=source.times[:total] if source.is_variable else None,
            scratch=store.folder,
            encoding=encoding,
        )
        with writer as film:
            for pixels in _blended(source, store, total, request.config.blend):
                film.add(pixels)
        if preview is None:
            store.delete()


def _check_pixels(source: Clip, most: int) -> None:
    height, width = source.size
    if height * width > most:
        raise ConfigError(
            f"the frames have {width} x {height} pixels, more than the {most} allowed; raise --max-pixels"
        )


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
        self, session: Session | None, request: DreamRequest, options: FilmOptions, count: int
    ) -> None:
        """Without a session, a worker opens one of its own."""
        self._session, self._request = session, request
        self._options, self._count = options, count

    def begin(self) -> None:
        """Loads the networks, unless they are."""
        self._session = self._session or Session(self._request)

    def do(self, task: _Task, on_event: OnEvent) -> NDArray[np.uint8]:
        """Dreams a frame."""
        del on_event
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


def _scenes(source: Clip, total: int, options: FilmOptions) -> list[range]:
    """The numbers of each scene's frames. Scenes do not depend on each other; without blend, each frame is a
    scene."""
    if not options.blend:
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
    """The readers of one clip: as many as scenes are dreamed beside each other.

    Each continues with the next scene, so that none reads a frame twice, and each holds one frame.
    """

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
        """Takes back a reader that a scene needs no more."""
        self._idle.append(reader)


def _scene(readers: _Readers, numbers: range, store: FrameStore, keep: Keep) -> TaskChain:
    """The frames of a scene that are missing, each dreamed from the one before."""
    missing = [number for number in numbers if not store.has(number)]
    if not missing:
        return
    reader = readers.take(max(numbers.start, missing[0] - 1))
    for number in missing:
        before = last = None
        if number > numbers.start:
            before, last = reader.read(number - 1), store.read(number - 1)
        now = reader.read(number)
        if number == missing[-1]:
            readers.give_back(reader)
        result = yield _Task(number, now, before, last)
        for message in result.warnings:
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        result.raise_error(f"frame {number}")
        keep(number, result.value)


def _frame(task: _Task, dream: DreamFrame, options: FilmOptions) -> NDArray[np.uint8]:
    """The dream of a frame."""
    before, now, last = task.before, task.now, task.last
    if before is None or last is None or not options.blend or optical_flow.is_cut(before, now):
        dreamed = dream(now, clouds=True, quiet=task.number > 0)
        for _ in range(settling(options.blend)):
            more = _with(now, options.blend * _detail(dreamed, now))
            dreamed = dream(more, clouds=False, quiet=True)
        return dreamed
    flow = optical_flow.estimate(before, now) if options.flow else optical_flow.no_motion(now.shape[:2])
    known = flow.visible[..., None]
    detail = optical_flow.warp(_detail(last, before), flow.offsets) * known
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
        **_shown(source),
        "frames": [options.blend, options.flow, options.every, options.steps],
    }


def _shown(source: Clip) -> Mapping[str, Any]:
    """Which of the film's frames are dreamed: those of a range, at a rate of their own."""
    numbers = source.numbers or range(source.count)
    in_order = all(after == before + 1 for before, after in pairwise(numbers))
    return {
        "range": None if source.numbers is None else [numbers[0], numbers[-1] + 1],
        "fps": None if in_order else [str(source.rate), source.count],
    }
