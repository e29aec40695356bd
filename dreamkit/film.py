"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import api, flow, video
from dreamkit import timeline as timelines
from dreamkit.config import DreamConfig, plain
from dreamkit.errors import ConfigError
from dreamkit.timeline import Timeline
from dreamkit.video import Clip
from dreamkit.work import Progress, Work, check_room

if TYPE_CHECKING:
    from dreamkit.engine.asked import Part

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
) -> None:
    """Dreams `source` into `output`: a film, or a folder of numbered pictures where that has no ending.

    A frame begins as the picture with what the last frame's dream added to it, moved along by optical flow
    and left out where that was hidden, times `blend`; then it is dreamed a little further. So in a scene
    that stands still the dream comes to `1 / (1 - blend)` times what one frame adds, which a scene's first
    frame is given at once. Sound and times are the source's own.

    Raises:
        VideoError, ImageError, WorkError: it cannot be read or written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    cut = cut or Cut()
    video.check_output(output, overwrite=overwrite)
    total = source.count if preview is None else min(preview, source.count)
    folder = output.with_name(f"{output.name}.work")
    check_room(folder, total, source.size)
    work = Work(folder, _identity(source, parts, config, cut, timeline), overwrite=overwrite)
    pictures = (shown.pixels for shown in source.frames(total))
    pairs = islice(pairwise(chain([None], pictures)), len(work), None)  # of those that are missing

    def frame(number: int) -> NDArray[np.uint8]:
        before, now = next(pairs)
        assert now is not None
        share = number / max(1, source.count - 1)
        cast, options = timelines.at(timeline, share, parts, config)
        steps = cut.steps or math.ceil(options.steps / _FEWER)
        return _frame(work, number, before, now, cast, replace(options, steps=steps, schedule=()), cut)

    work.fill(total, frame, on_frame)
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
        for pixels in work.frames(total):
            film.add(pixels)
    if preview is None:
        work.done()


def _frame(
    work: Work,
    number: int,
    before: NDArray[np.uint8] | None,
    now: NDArray[np.uint8],
    parts: Sequence[Part],
    config: DreamConfig,
    cut: Cut,
) -> NDArray[np.uint8]:
    """Frame `number`, which `now` is the picture of and `before` that of the one before."""
    if before is None or not cut.blend or flow.is_cut(before, now):
        dreamed = api.dreamed(now, parts, config, again=number > 0)
        for _ in range(settling(cut.blend)):
            dreamed = api.dreamed(_with(now, cut.blend * _detail(dreamed, now)), parts, config, again=True)
        return dreamed
    way = flow.between(before, now) if cut.flow else flow.still(now.shape[:2])
    known = way.known[..., None]
    detail = flow.moved(_detail(work.get(number - 1), before), way.back) * known
    if number % cut.every:
        return _with(now, detail)
    fresh = _detail(api.dreamed(_with(now, cut.blend * detail), parts, config, again=True), now)
    return _with(now, fresh + _STEADY * known * (detail - fresh))


def settling(blend: float) -> int:
    """How often a scene's first frame is dreamed again until its dream is about what it will be."""
    return math.ceil(math.log(_FAINT) / math.log(blend)) - 1 if blend > _FAINT else 0


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
