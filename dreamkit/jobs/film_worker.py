"""The worker that dreams a film's frames, one after another, each from the one before."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import STEPS, DreamConfig
from dreamkit.engine import masks as soft_masks
from dreamkit.errors import ConfigError, DreamkitWarning
from dreamkit.executors.scheduler import OnEvent
from dreamkit.jobs import film_defaults, still_parts
from dreamkit.jobs.moving_pictures import MovingPictures
from dreamkit.jobs.still_parts import Cells
from dreamkit.jobs.timeline import FilmTimeline
from dreamkit.media import images, motion_mask, optical_flow
from dreamkit.media.images import Picture
from dreamkit.media.optical_flow import Flow, Pixels
from dreamkit.request import DreamRequest
from dreamkit.session import Session

_FEWER = 4  # a frame takes so many times fewer steps than a picture, unless an option says otherwise
_STEADY = 0.6  # of what is known, that stays as it was: by so much a dream is calmer, and no weaker
_FAINT = 0.1  # of what a scene's dream comes to, that its first frame may lack


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

    blend: float = film_defaults.BLEND
    flow: bool = True
    every: int = film_defaults.EVERY
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.blend <= 0.95:
            raise ConfigError(f"blend is {self.blend}; it takes a number from 0 to 0.95")
        if not 1 <= self.every <= 1000:
            raise ConfigError(f"every is {self.every}; it takes a whole number from 1 to 1000")
        if self.every > 1 and not self.blend:
            raise ConfigError("with blend 0 nothing is moved along; dream every frame, or blend more")


class DreamFrame(Protocol):
    """Dreams the pixels of one frame."""

    def __call__(self, pixels: NDArray[np.uint8], *, clouds: bool, quiet: bool) -> NDArray[np.uint8]:
        """`clouds`: whether those of the seed compose it; `quiet`: without warnings given before."""


@dataclass(frozen=True)
class Shown:
    """What a frame shows, and the masks and the guide that are its own.

    Attributes:
        pixels: uint8 `(height, width, 3)`.
        masks: by name, at the frame's size.
        guide: a picture, or None for the film's.
    """

    pixels: NDArray[np.uint8]
    masks: Mapping[str, Picture] = field(default_factory=dict)
    guide: Picture | None = None


@dataclass(frozen=True)
class Task:
    """A frame to dream.

    Attributes:
        number: its number.
        now: what it shows.
        before, last: the picture and the dream of the frame before; None where a scene begins.
        after: the picture of the frame after where a scene begins, if what moves is asked for.
        tracked: the masks of the frame before that are carried along; None where a scene begins.
        cells: those of the frame before, which say what stands still; None where all of it is dreamed.
    """

    number: int
    now: Shown
    before: NDArray[np.uint8] | None = None
    last: NDArray[np.uint8] | None = None
    after: NDArray[np.uint8] | None = None
    tracked: Sequence[NDArray[np.uint8]] | None = None
    cells: Cells | None = None


@dataclass(frozen=True)
class DreamedFrame:
    """The dream of a frame, its masks that are carried along, and its cells."""

    pixels: NDArray[np.uint8]
    tracked: Sequence[NDArray[np.uint8]] = ()
    cells: Cells | None = None


class DreamWorker:
    """The worker: it holds the networks."""

    def __init__(
        self,
        session: Session | None,
        request: DreamRequest,
        options: FilmOptions,
        moving: MovingPictures,
        timeline: FilmTimeline,
        *,
        keeps_still: bool = False,
    ) -> None:
        """Without a session, a worker opens one of its own. Of `moving`, the clips are not needed.

        With `keeps_still`, what stands still in a scene keeps its dream once it has settled.
        """
        self._session, self._request = session, request
        self._options, self._timeline = options, timeline
        self._of_motion, self._track = moving.of_motion, moving.track
        self._keeps_still = keeps_still

    def begin(self) -> None:
        """Loads the networks, unless they are."""
        self._session = self._session or Session(self._request)

    def do(self, task: Task, on_event: OnEvent) -> DreamedFrame:
        """Dreams a frame."""
        del on_event
        assert self._session is not None
        now = task.now.pixels
        changes = None if task.cells is None else still_parts.Changes(task.cells, now)
        if changes is not None and changes.are_none:
            assert task.last is not None
            assert task.before is not None
            return DreamedFrame(with_detail(now, detail_of(task.last, task.before)), (), task.cells)
        flow = self._flow(task)
        tracked = self._carried(task, flow) if self._track else {}
        request = replace(
            self._request,
            guide=task.now.guide or self._request.guide,
            masks={**self._request.masks, **tracked, **task.now.masks, **self._moving(task, flow)},
        )
        models = self._timeline.models(task.number, self._session.models)
        config = self._timeline.config(task.number, request.config)
        request = replace(request, config=config_of_frame(config, self._options.steps))

        def dream(pixels: NDArray[np.uint8], *, clouds: bool, quiet: bool) -> NDArray[np.uint8]:
            assert self._session is not None
            config = request.config if clouds else replace(request.config, clouds=0.0)
            shown = replace(request, image=images.from_memory(pixels), config=config)
            return self._session.compute(shown, models=models, quiet=quiet).pixels

        layers = [model.layers for model in models]
        bounds, anew = _bounds(request, layers), None
        if changes is None:
            cells = still_parts.settled(now) if self._keeps_still else None
        else:
            chosen = changes.to_dream(flow)
            is_dreamed = task.number % self._options.every == 0
            left = frames_to_settle(self._options.blend) - 1
            cells = changes.after(chosen & is_dreamed, left)
            if not chosen.all():
                area = still_parts.area(chosen, request.size)
                request = _within(request, area, layers)
                anew = soft_masks.inside(area > 0, (False, False))[..., None]
        flow = flow if self._options.flow else None
        pixels = _frame(task, dream, self._options, flow, bounds, anew)
        return DreamedFrame(pixels, [images.grey_levels(mask) for mask in tracked.values()], cells)

    def _flow(self, task: Task) -> Flow | None:
        """The flow from the frame before, if anything asks for it."""
        carries = self._options.flow and self._options.blend
        if task.before is None or not (carries or self._track or self._of_motion):
            return None
        return optical_flow.estimate(task.before, task.now.pixels)

    def _carried(self, task: Task, flow: Flow | None) -> dict[str, Picture]:
        """The painted masks as they are now. Where another scene begins, they are black."""
        if task.number == 0:
            return dict(self._request.masks)
        if flow is None or task.tracked is None:
            warnings.warn(
                "another scene begins, in which the tracked mask is black", DreamkitWarning, stacklevel=2
            )
            black = images.from_memory(np.zeros_like(task.now.pixels))
            return dict.fromkeys(self._request.masks, black)
        carried = [optical_flow.carry(mask, flow) for mask in task.tracked]
        return {
            name: images.from_memory(mask) for name, mask in zip(self._request.masks, carried, strict=True)
        }

    def _moving(self, task: Task, flow: Flow | None) -> dict[str, Picture]:
        """The masks of what moves; in a scene's first frame, of what moves until the next."""
        if not self._of_motion:
            return {}
        now = task.now.pixels
        if flow is None and task.after is not None:
            flow = optical_flow.estimate(task.after, now)
        mask = np.zeros(now.shape[:2], np.uint8) if flow is None else motion_mask.from_flow(flow)
        return dict.fromkeys(self._of_motion, images.from_memory(mask))


def config_of_frame(config: DreamConfig, steps: int | None) -> DreamConfig:
    """The options of a frame: fewer steps than a picture's, in the octaves of a schedule as well.

    The photograph's blend is left to the film: the next frame must not begin with it.
    """
    schedule = tuple(
        {**entry, "steps": steps or math.ceil(entry["steps"] / _FEWER)} if "steps" in entry else entry
        for entry in config.schedule
    )
    own = steps or math.ceil((config.steps or STEPS) / _FEWER)
    return replace(config, steps=own, schedule=schedule, blend=0.0)


def _bounds(request: DreamRequest, layers: Sequence[object]) -> Pixels | None:
    """Where masks let the dream happen, 0 to 1, `(height, width, 1)`; None for everywhere."""
    if not request.is_bounded(layers):
        return None
    grey = [images.grey_levels(mask) for mask in request.masks.values()]
    return soft_masks.inside(np.any(grey, axis=0), (False, False))[..., None]


def _within(request: DreamRequest, area: NDArray[np.uint8], layers: Sequence[object]) -> DreamRequest:
    """The request with all its terms bounded by an area, uint8 `(height, width)`, black or white."""
    bounded = {
        name: images.from_memory(np.minimum(images.grey_levels(mask), area))
        for name, mask in request.masks.items()
    }
    everywhere = {} if request.is_bounded(layers) else {"": images.from_memory(area)}
    return replace(request, masks={**everywhere, **bounded})


def _frame(
    task: Task,
    dream: DreamFrame,
    options: FilmOptions,
    flow: Flow | None,
    bounds: Pixels | None,
    anew: Pixels | None,
) -> NDArray[np.uint8]:
    """The dream of a frame, within `bounds`; without a flow, the dream before stays where it is.

    `anew` is how much of the dream is made anew, 0 to 1, `(height, width, 1)`; the rest is that of the frame
    before. None for all of it.
    """
    before, now, last = task.before, task.now.pixels, task.last
    if before is None or last is None or not options.blend:
        dreamed = dream(now, clouds=True, quiet=task.number > 0)
        for _ in range(settling(options.blend)):
            more = with_detail(now, options.blend * detail_of(dreamed, now))
            dreamed = dream(more, clouds=False, quiet=True)
        return dreamed
    flow = flow or optical_flow.no_motion(now.shape[:2])
    known = flow.visible[..., None]
    detail = optical_flow.warp(detail_of(last, before), flow.offsets) * known
    if bounds is not None:
        detail *= bounds
    if anew is not None:
        kept: Pixels = detail_of(last, before)
        detail = kept + anew * (detail - kept)
    if task.number % options.every:
        return with_detail(now, detail)
    fresh = detail_of(dream(with_detail(now, options.blend * detail), clouds=False, quiet=True), now)
    steady: Pixels = fresh + _STEADY * known * (detail - fresh)
    if anew is not None:
        steady = np.asarray(detail + anew * (steady - detail), np.float32)
    return with_detail(now, steady)


def settling(blend: float) -> int:
    """How often a scene's first frame is dreamed again until its dream is about what it will be."""
    return math.ceil(math.log(_FAINT) / math.log(blend)) - 1 if blend > _FAINT else 0


def frames_to_settle(blend: float) -> int:
    """In how many frames what has come into sight is dreamed until its dream is about what it will be."""
    return math.ceil(math.log(_FAINT) / math.log(_STEADY + (1 - _STEADY) * blend))


def detail_of(dreamed: NDArray[np.uint8], photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return dreamed.astype(np.float32) - photo


def with_detail(photo: NDArray[np.uint8], detail: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(photo + detail, 0, 255)).astype(np.uint8)
