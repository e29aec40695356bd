"""The loop over octaves and steps.

Memory, beside the networks and one batch of tiles, is what `footprint.copies` says. Bases are computed
again, not kept.
"""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import SMOOTH_WIDTH, DreamConfig, Wrapped
from dreamkit.engine import colour, depth, masks, octaves, plan, regularisers, rng, smoothing, tiled_gradient
from dreamkit.engine.masked_objective import Pull
from dreamkit.engine.objective_set import Asked, Balance, Part
from dreamkit.engine.resize import Pixels, add_resized, resize
from dreamkit.engine.spectrum import Spectrum
from dreamkit.engine.transforms import Warp
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted, NetworkMemoryError

_UNSEEING_TV = 0.3  # total variation where a network is to see less: nothing but grain would come of it
_CLOUD_CELLS = 24  # of the clouds of another seed, along the longer side

Grow = Callable[[NDArray[np.uint8], Pixels, tuple[int, int]], Pixels]


@dataclass(frozen=True, slots=True)
class State:
    """Where a dream is after a whole step. From it, `dream` goes on to the same bytes, since draws are
    functions of seed, octave and step alone. Its arrays are the dream's own: write them down, do not keep
    them.

    Attributes:
        octave: which of those that run, from 0.
        step: how many of its steps are taken.
        over: whether it has no more.
        tile_size: longest side of the tiles, in pixels.
        first: the objective at the first step of all, None before it.
        pixels: float32 `(height, width, 3)`.
        space: a `Spectrum`'s arrays, where the dream is in one.
        balance: what each pull measured at its first step, where several layers are dreamed.
    """

    octave: int
    step: int
    over: bool
    tile_size: int
    first: float | None
    pixels: Pixels
    space: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    balance: Sequence[Balance] = ()

    def numbers(self) -> dict[str, Any]:
        """All but the arrays, as plain data."""
        names = ("octave", "step", "over", "tile_size", "first", "balance")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {"pixels": self.pixels, **self.space}

    @classmethod
    def of(cls, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> State:
        """The state of which these are `numbers` and `arrays`.

        Raises:
            KeyError, ValueError: they are of none.
        """
        pixels, first = arrays["pixels"], numbers["first"]
        if pixels.dtype != np.float32 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"its picture is {pixels.dtype} of shape {pixels.shape}")
        return cls(
            octave=int(numbers["octave"]),
            step=int(numbers["step"]),
            over=bool(numbers["over"]),
            tile_size=int(numbers["tile_size"]),
            first=None if first is None else float(first),
            pixels=pixels,
            space={name: each for name, each in arrays.items() if name != "pixels"},
            balance=[
                (int(entry), int(number), [float(each) for each in measured])
                for entry, number, measured in numbers["balance"]
            ],
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What `on_step` hears after each step.

    Attributes:
        octave, octaves: which octave, from 1, and how many there are.
        step, steps: which step of it, from 1, and how many there are.
        size: height and width of this octave in pixels.
        objective: what the ascent raises, as a multiple of its value at the first step.
        done: the share of the whole work that is done, 0 to 1; work goes with pixels.
        pixels: float32 `(height, width, 3)`, 0 to 255: the dream so far. Read it, do not keep it.
        state: from which the dream can go on.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    size: tuple[int, int]
    objective: float
    done: float
    pixels: Pixels = field(repr=False)
    state: State = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished dream.

    Attributes:
        pixels: uint8 `(height, width, 3)`.
        layers: for each network, the terms that were dreamed, with weights: those of the last octave, and
            none for one of weight zero.
        sizes: height and width of each octave that ran.
        tile_size: longest side of the tiles of the last step.
    """

    pixels: NDArray[np.uint8]
    layers: list[dict[str, float]]
    sizes: list[tuple[int, int]]
    tile_size: int


def dream(
    photo: NDArray[np.uint8],
    parts: Sequence[Part],
    config: DreamConfig,
    on_step: Callable[[Step], None] | None = None,
    *,
    guide: NDArray[np.uint8] | None = None,
    regions: Mapping[str, NDArray[np.uint8]] | None = None,
    start: State | None = None,
) -> Outcome:
    """Dreams `photo`, uint8 `(height, width, 3)`, and leaves it unchanged; the result has its size.

    Args:
        photo: what is dreamed.
        parts: one network or several.
        config: how.
        on_step: hears of each step.
        guide: a picture, `(height, width, 3)`, whose features are pulled to.
        regions: masks of the photograph's height and width by name; the one without is the dream's own.
        start: where the same dream was broken off; its arrays are taken over.

    Raises:
        LayerError: a layer term names no layer of the network.
        ConfigError: the picture or the tile size is below a network's least size, or a mask is missing.
        NumericError: a network returned something that is not a number.
        NetworkMemoryError: too little memory, even for the smallest tiles.
        Interrupted: Ctrl-C; it carries the picture so far.
    """
    asked, run, held = _prepared(photo, parts, config, guide, regions)
    try:
        return _dreamed(photo, asked, config, run, held, on_step, start)
    except MemoryError as error:
        height, width = photo.shape[:2]
        raise NetworkMemoryError(
            f"too little memory for a picture of {width} x {height} pixels; shrink it with --max-size"
        ) from error


def _dreamed(
    photo: NDArray[np.uint8],
    asked: Asked,
    config: DreamConfig,
    run: list[octaves.Octave],
    held: int,
    on_step: Callable[[Step], None] | None,
    start: State | None,
) -> Outcome:
    tile_size = start.tile_size if start else plan.tile_size(asked, config, run, held)
    climb = _Climber(asked, config, photo, run, on_step, tile_size)
    scheme = config.octave_scheme
    grow = partial(_grow_whole if scheme != "residual" else _grow_residual, config.wrapped)
    begun = start.octave if start else 0
    if start and (begun >= len(run) or start.pixels.shape[:2] != run[begun].size):
        raise ConfigError("the dream to go on with had other octaves; begin anew")
    pixels = start.pixels if start else _composed(photo, run[0].size, config)

    def finished() -> NDArray[np.uint8]:
        return _finished(photo, pixels, grow, asked.masks, config.wrapped, config.blend)

    try:
        before = run[max(0, begun - 1)].size
        for number, octave in enumerate(run[begun:], begun):
            if pixels.shape[:2] != octave.size:
                pixels = grow(photo, pixels, octave.size)
            climb(pixels, octave, start if number == begun else None)
            if scheme == "lost-detail":
                climb.state = None
                _add_lost_detail(config.wrapped, photo, pixels, before)
            before = octave.size
    except KeyboardInterrupt:
        raise Interrupted("interrupted", finished(), climb.state) from None
    return Outcome(finished(), asked.layers, [octave.size for octave in run], climb.tile_size)


def planned(
    photo: NDArray[np.uint8],
    parts: Sequence[Part],
    config: DreamConfig,
    *,
    guide: NDArray[np.uint8] | None = None,
    regions: Mapping[str, NDArray[np.uint8]] | None = None,
) -> plan.Plan:
    """What `dream` of the same would do and take. One batch of tiles is computed, and nothing dreamed.

    Raises:
        LayerError, ConfigError: as `dream`.
    """
    asked, run, held = _prepared(photo, parts, config, guide, regions)
    return plan.plan(asked, config, run, held)


def _prepared(
    photo: NDArray[np.uint8],
    parts: Sequence[Part],
    config: DreamConfig,
    guide: NDArray[np.uint8] | None,
    regions: Mapping[str, NDArray[np.uint8]] | None,
) -> tuple[Asked, list[octaves.Octave], int]:
    """What is asked for, the octaves that run, and the bytes of what the photograph and its masks hold."""
    size = photo.shape[0], photo.shape[1]
    strengths = {name: masks.soften(mask, config.wrapped) for name, mask in (regions or {}).items()}
    asked = Asked(parts, config, guide, strengths, size)
    run = plan.octaves_of(size, asked.min_size, parts, config)
    return asked, run, photo.nbytes + sum(mask.nbytes for mask in strengths.values())


class _Climber:
    """The steps of one octave after another, and the progress that is carried between them."""

    def __init__(
        self,
        asked: Asked,
        config: DreamConfig,
        photo: NDArray[np.uint8],
        run: list[octaves.Octave],
        on_step: Callable[[Step], None] | None,
        tile_size: int,
    ) -> None:
        self._asked = asked
        self.tile_size = tile_size
        self._config = config
        self._photo = photo
        self._colours = colour.direction(config.color) if config.color > colour.FREE else None
        self._held = colour.held(config.color)
        self._spread = colour.spread(photo) if self._held else None
        self._unit = np.asarray(config.unit, np.float32)
        self._first: float | None = None
        self.state: State | None = None  # after the last whole step; none while pixels change
        self._run = run
        self._on_step = on_step
        self._work = sum(self._work_of(octave) for octave in run)
        self._worked = 0

    def __call__(self, pixels: Pixels, octave: octaves.Octave, start: State | None = None) -> None:
        """Takes the steps of `octave` on `pixels`, in place: all, or those that `start` has not taken."""
        config = self._config.at(octave.number)
        in_all = self._asked.steps(octave.number)
        pulls = self._asked.pulls(octave.number)
        regions = [
            None if mask is None else masks.at(mask, octave.size, config.wrapped)
            for mask in map(self._asked.mask, pulls)
        ]
        original = resize(self._photo, octave.size, wrapped=config.wrapped) if config.l2 else None
        space = None
        if config.space == "fourier":
            kept = start.space if start else {}
            space = Spectrum.restored(kept, octave.size) if kept else Spectrum.of(pixels)
        taken = 0
        if start is not None:
            self._first = start.first
            self._asked.rebalance(start.balance)
            taken = in_all if start.over else start.step
            self._worked = self._work_before(octave) + math.prod(octave.size) * taken
        else:  # it also lets go of the smaller octave's pixels
            number = self._run.index(octave)
            balance = self._asked.balance()
            self.state = State(number, 0, False, self.tile_size, self._first, pixels, balance=balance)
        update = np.empty_like(pixels)
        spare = np.empty_like(pixels) if len(pulls) > 1 else update
        for step in range(taken, in_all):
            while True:  # where memory runs out, the step begins again with smaller tiles
                try:
                    pulled, weighed = self._directed(
                        pixels, octave, (step, in_all), pulls, regions, (update, spare)
                    )
                    break
                except (NetworkMemoryError, MemoryError) as error:
                    self._halve_tiles(error)
            self._regularise(update, pixels, original)
            enough = config.max_objective is not None and weighed > config.max_objective
            steps = step + 1 if enough else in_all
            with _whole():
                self._move(pixels, update, space, config.strength * config.step_size)
                self._note(pixels, octave, step, steps, pulled, space)
            self._report(pixels, octave, step, steps, pulled)
            if enough:
                break

    def _directed(
        self,
        pixels: Pixels,
        octave: octaves.Octave,
        step: tuple[int, int],
        pulls: Sequence[Pull],
        regions: Sequence[masks.Mask | None],
        out: tuple[Pixels, Pixels],
    ) -> tuple[float, float]:
        """Writes where a step goes to the first of `out`; the second is room for another network's part.

        `step` is which step of how many.

        Returns the objective as it is pulled, and as the weights alone have it.
        """
        config = self._config.at(octave.number)
        update, spare = out
        reaches = [pull.cover(octave.size, self.tile_size).reach for pull in pulls]
        down, right = (max(config.jitter, *along) for along in zip(*reaches, strict=True))
        roll = rng.roll(config.seed, octave.number, step[0], (down, right))
        warp = self._warp(octave, step[0])
        seen = pixels if warp is None else warp.apply(pixels)
        pulled = weighed = 0.0
        for number, (pull, region) in enumerate(zip(pulls, regions, strict=True)):
            gradient = spare if number else update
            # Where nothing is dreamed, nothing is computed, unless what is there comes to matter elsewhere.
            stays = warp is None and config.smooth != "laplacian"
            found = pull.gradient(
                seen,
                roll,
                gradient,
                self.tile_size,
                where=region if stays else None,
                margin=smoothing.REACH * self._blurs(pull) if config.smooth == "gaussian" else 0,
            )
            if warp is not None:
                gradient[:] = warp.adjoint(gradient)
            self._shape(gradient, pull, step, roll, found.share)
            if region is not None:
                gradient *= np.float32(pull.strength) * region
            elif pull.strength != 1.0:  # as it is where one network dreams everywhere
                gradient *= np.float32(pull.strength)
            if number:
                update += gradient
            pulled, weighed = pulled + found.pulled, weighed + found.weighed
        return pulled, weighed

    def _halve_tiles(self, error: NetworkMemoryError | MemoryError) -> None:
        smaller = plan.smaller_tile(self.tile_size, self._asked.min_size)
        if smaller is None:
            raise NetworkMemoryError(
                f"too little memory, even for tiles of {self.tile_size} pixels; close other programs, or "
                "shrink the picture with --max-size"
            ) from error
        warnings.warn(
            f"too little memory for tiles of {self.tile_size} pixels; the dream goes on with {smaller}",
            DreamkitWarning,
            stacklevel=5,
        )
        self.tile_size = smaller

    def _warp(self, octave: octaves.Octave, step: int) -> Warp | None:
        config = self._config
        if not config.rotate and not config.zoom:
            return None
        turn, scale = rng.warp(config.seed, octave.number, step, math.radians(config.rotate), config.zoom)
        return Warp(octave.size, turn, scale)

    def _shape(
        self, gradient: Pixels, pull: Pull, step: tuple[int, int], roll: tuple[int, int], share: float
    ) -> None:
        """Makes of a gradient, in place, the direction of a step: in units, smoothed, of one size.

        `step` is which step of how many, `share` how much of the picture was computed.
        """
        config = self._config
        in_units = config.space == "pixels" and (len(set(config.unit)) > 1 or config.normalise == "none")
        if in_units:  # else one factor for all, which is normalised away
            gradient *= self._unit
        if config.smooth == "gaussian":
            width = SMOOTH_WIDTH if config.smooth_width is None else config.smooth_width
            for _ in range(self._blurs(pull)):
                smoothing.gaussian(gradient, smoothing.widths(*step, width), roll, wrapped=config.wrapped)
        elif config.smooth == "laplacian":
            smoothing.laplacian(gradient, config.smooth_levels, wrapped=config.wrapped)
        if self._colours is not None:
            colour.turn(gradient, self._colours)
        tiled_gradient.normalise(gradient, config.normalise, share)

    def _blurs(self, pull: Pull) -> int:
        return depth.blurs(pull.stride) if self._config.smooth_width is None else 1

    def _regularise(self, update: Pixels, pixels: Pixels, original: Pixels | None) -> None:
        config = self._config
        tv = (_UNSEEING_TV if self._asked.sees_less else 0.0) if config.tv is None else config.tv
        if tv:
            regularisers.subtract_total_variation(update, pixels, tv, self._unit, wrapped=config.wrapped)
        if original is not None:
            regularisers.subtract_distance(update, pixels, original, config.l2, self._unit)

    def _move(self, pixels: Pixels, update: Pixels, space: Spectrum | None, step_size: float) -> None:
        """Takes the step in the space that the dream is in; `update` is used up."""
        if space is not None:
            space.climb(update, step_size)
            pixels[:] = space.pixels()
        elif self._config.color == colour.KEEP:
            colour.shift_within(pixels, update.mean(-1) * np.float32(step_size * self._unit.mean()))
        else:
            tiled_gradient.climb(pixels, update, np.float32(step_size) * self._unit, clip=self._config.clip)
        if self._spread is not None:
            colour.hold(pixels, self._spread, self._held)

    def _work_of(self, octave: octaves.Octave) -> int:
        return math.prod(octave.size) * self._asked.steps(octave.number)

    def _work_before(self, octave: octaves.Octave) -> int:
        return sum(map(self._work_of, self._run[: self._run.index(octave)]))

    def _note(
        self,
        pixels: Pixels,
        octave: octaves.Octave,
        step: int,
        steps: int,
        objective: float,
        space: Spectrum | None,
    ) -> None:
        """Takes down where the dream is now."""
        if self._first is None:
            self._first = abs(objective) or 1.0
        number, over = self._run.index(octave), step + 1 == steps
        arrays = space.arrays() if space is not None else {}
        balance = self._asked.balance()
        self.state = State(number, step + 1, over, self.tile_size, self._first, pixels, arrays, balance)

    def _report(
        self, pixels: Pixels, octave: octaves.Octave, step: int, steps: int, objective: float
    ) -> None:
        assert self._first is not None
        assert self.state is not None
        self._worked += math.prod(octave.size)
        if step + 1 == steps:  # which may be sooner than was planned
            self._worked = self._work_before(octave) + self._work_of(octave)
        if self._on_step is not None:
            self._on_step(
                Step(
                    octave=self._run.index(octave) + 1,
                    octaves=len(self._run),
                    step=step + 1,
                    steps=steps,
                    size=octave.size,
                    objective=objective / self._first,
                    done=self._worked / self._work,
                    pixels=pixels,
                    state=self.state,
                )
            )


@contextmanager
def _whole() -> Iterator[None]:
    """Lets a signal wait until what changes pixels in place is done: a dream is always at a whole step.

    Python handles signals in the main thread alone, so elsewhere there is nothing to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before: dict[int, Any] = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if (handler := signal.getsignal(number)) is not None
    }
    for number in before:
        signal.signal(number, lambda which, _: caught.append(which))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in caught[:1]:
            signal.raise_signal(number)


def _composed(photo: NDArray[np.uint8], size: tuple[int, int], config: DreamConfig) -> Pixels:
    """The photograph at the size of the smallest octave, with the clouds of a seed other than 0.

    The gradient there decides what grows where, and jitter alone hardly changes it. Clouds are drawn on a
    grid of one fineness, so that a small picture and a large one of the same seed are composed alike. They
    are of lightness alone: colours stay the photograph's.
    """
    pixels = resize(photo, size, wrapped=config.wrapped)
    if config.seed and config.clouds:
        grid = octaves.scaled(size, _CLOUD_CELLS / max(size))
        clouds = rng.clouds(config.seed, grid, config.clouds, wrapped=config.wrapped)
        lightness = clouds[..., :1].astype(np.float32) - rng.CENTRE
        pixels += resize(np.repeat(lightness, 3, axis=2), size, wrapped=config.wrapped)
        np.clip(pixels, 0, 255, out=pixels)
    return pixels


def _grow_residual(
    wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]
) -> Pixels:
    """The next octave of google/deepdream: the photograph at `size` and the dream so far, enlarged."""
    detail = pixels.copy()
    add_resized(detail, photo, -1, wrapped=wrapped)
    grown = resize(detail, size, wrapped=wrapped)
    add_resized(grown, photo, wrapped=wrapped)
    return grown


def _grow_whole(wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The next octave of the TensorFlow tutorial: the whole picture, enlarged."""
    del photo
    return resize(pixels, size, wrapped=wrapped)


def _add_lost_detail(
    wrapped: Wrapped, photo: NDArray[np.uint8], pixels: Pixels, before: tuple[int, int]
) -> None:
    """Adds, in place, what the photograph has more at this size than at size `before` (Keras' example)."""
    add_resized(pixels, photo, wrapped=wrapped)
    add_resized(pixels, resize(photo, before, wrapped=wrapped), -1, wrapped=wrapped)


def _finished(
    photo: NDArray[np.uint8],
    pixels: Pixels,
    grow: Grow,
    regions: Iterable[masks.Mask],
    wrapped: Wrapped,
    blend: float,
) -> NDArray[np.uint8]:
    """`pixels` at the photograph's size, within its masks, `blend` of the photograph over them, rounded."""
    if pixels.shape != photo.shape:
        pixels = grow(photo, pixels, (photo.shape[0], photo.shape[1]))
    if regions:
        masks.blend(photo, pixels, regions, wrapped)
    picture = np.empty(photo.shape, np.uint8)
    for channel in range(3):
        plane = np.clip(pixels[..., channel], 0.0, 255.0)
        if blend:
            plane += np.float32(blend) * (photo[..., channel] - plane)
        picture[..., channel] = np.rint(plane)
    return picture
