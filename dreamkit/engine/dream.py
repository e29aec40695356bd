"""The loop over octaves and steps.

Memory, beside the networks and one batch of tiles: the photograph (uint8, a quarter of a float32 copy),
the pixels and their gradient, at the size of the largest octave; bases are computed again, not kept. What
is asked for beside that costs, in float32 copies: several networks or masks 1 for the sum, each mask 1/3,
`l2` 1, smoothing and turning up to 2 while they last, the Fourier space 5.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import ascent, colour, draws, masks, objectives, octaves, regularisers, smoothing
from dreamkit.engine.network import Network
from dreamkit.engine.pull import Pull
from dreamkit.engine.resize import Pixels, add_resized, resize
from dreamkit.engine.spectrum import Spectrum
from dreamkit.engine.transforms import Warp
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted, LayerError, shown

Grow = Callable[[NDArray[np.uint8], Pixels, tuple[int, int]], Pixels]


class Part(NamedTuple):
    """One network of a dream.

    Attributes:
        network: as `network.load` returned it.
        weight: its share of each step, relative to the other networks'; negative, it sees less.
        layers: what it dreams, as `DreamConfig.layers`; None for the dream's own, or else the network's.
    """

    network: Network
    weight: float = 1.0
    layers: Any = None


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
    """

    octave: int
    octaves: int
    step: int
    steps: int
    size: tuple[int, int]
    objective: float
    done: float
    pixels: Pixels = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished dream.

    Attributes:
        pixels: uint8 `(height, width, 3)`.
        layers: for each network, the terms that were dreamed, with weights: those of the last octave, and
            none for one of weight zero.
        sizes: height and width of each octave that ran.
    """

    pixels: NDArray[np.uint8]
    layers: list[dict[str, float]]
    sizes: list[tuple[int, int]]


def dream(
    photo: NDArray[np.uint8],
    parts: Sequence[Part],
    config: DreamConfig,
    on_step: Callable[[Step], None] | None = None,
    *,
    guide: NDArray[np.uint8] | None = None,
    regions: Mapping[str, NDArray[np.uint8]] | None = None,
) -> Outcome:
    """Dreams `photo`, uint8 `(height, width, 3)`, and leaves it unchanged; the result has its size.

    Args:
        photo: what is dreamed.
        parts: one network or several.
        config: how.
        on_step: hears of each step.
        guide: a picture, `(height, width, 3)`, whose features are pulled to.
        regions: masks of the photograph's height and width by name; the one without is the dream's own.

    Raises:
        LayerError: a layer term names no layer of the network.
        ConfigError: the picture or the tile size is below a network's least size, or a mask is missing.
        NumericError: a network returned something that is not a number.
        Interrupted: Ctrl-C; it carries the picture so far.
    """
    size = photo.shape[0], photo.shape[1]
    strengths = {name: masks.soften(mask) for name, mask in (regions or {}).items()}
    scheme = config.octave_scheme
    asked = _Asked(parts, config, guide, strengths, size)
    run = _plan(size, asked.min_size, parts, config)
    climb = _Climber(asked, config, photo, run, on_step)
    grow = _grow_whole if scheme != "residual" else _grow_residual
    pixels = resize(photo, run[0].size)

    def finished() -> NDArray[np.uint8]:
        return _finished(photo, pixels, grow, asked.masks)

    try:
        before = run[0].size
        for octave in run:
            if pixels.shape[:2] != octave.size:
                pixels = grow(photo, pixels, octave.size)
            climb(pixels, octave)
            if scheme == "lost-detail":
                _add_lost_detail(photo, pixels, before)
            before = octave.size
    except KeyboardInterrupt:
        raise Interrupted("interrupted", finished()) from None
    return Outcome(finished(), asked.layers, [octave.size for octave in run])


def _plan(
    size: tuple[int, int], min_size: int, parts: Sequence[Part], config: DreamConfig
) -> list[octaves.Octave]:
    """The octaves that run, with a warning for those too small for the networks."""
    names = " and ".join(part.network.provider.name for part in parts)
    if config.tile_size < min_size:
        raise ConfigError(
            f"tile_size is {config.tile_size} and {names} needs windows of at least "
            f"{min_size} pixels; use --tile-size {min_size} or more"
        )
    scale, scheme = config.octave_scale, config.octave_scheme
    wanted = config.octaves or octaves.count(size, scale, scheme, min_size)
    run = octaves.plan(size, wanted, scale, scheme, min_size, config.first_octave)
    height, width = run[-1].size
    if height * width > config.max_pixels:
        raise ConfigError(
            f"the last octave has {width} x {height} pixels, more than the {config.max_pixels} allowed; "
            "use a smaller --first-octave, or raise --max-pixels"
        )
    skipped = wanted - len(run)
    if skipped:
        warnings.warn(
            f"{skipped} of {wanted} octaves skipped: smaller than the {min_size} pixels that {names} needs",
            DreamkitWarning,
            stacklevel=3,
        )
    return run


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=4)


class _Asked:
    """What the networks are asked for in each octave: pulls, made once for each entry of the schedule."""

    def __init__(
        self,
        parts: Sequence[Part],
        config: DreamConfig,
        guide: NDArray[np.uint8] | None,
        strengths: Mapping[str, masks.Mask],
        size: tuple[int, int],
    ) -> None:
        self._parts = parts
        if not any(part.weight for part in parts):
            raise ConfigError("every network has weight zero; give at least one a weight")
        self._config = config
        self._guide = guide
        self._strengths = strengths
        self._size = size
        self._made: dict[int, list[Pull]] = {}
        self.layers: list[dict[str, float]] = []
        octaves_asked = range(max(1, len(config.schedule)))
        pulls = [pull for octave in octaves_asked for pull in self.pulls(octave)]
        self.min_size = max(pull.min_size for pull in pulls)
        # Without a mask in one place, the dream goes everywhere.
        everywhere = any(self.mask(pull) is None for pull in pulls)
        self.masks = [] if everywhere else [self._strengths[pull.mask] for pull in pulls]
        if guide is not None and not any(pull.is_guided for pull in pulls):
            _warn(
                "the guide guides nothing: terms of channels, neurons, directions and classes are not guided"
            )
        if "" in strengths and all(pull.mask for pull in pulls):
            _warn("the mask without a name masks nothing: every term is under a mask of its own")

    def pulls(self, octave: int) -> list[Pull]:
        """The pulls of octave `octave`, counted from 0."""
        entry = min(octave, max(0, len(self._config.schedule) - 1))
        if entry not in self._made:
            config = self._config.at(entry)
            self.layers = []
            total = sum(abs(part.weight) for part in self._parts)
            self._made[entry] = [
                pull for part in self._parts for pull in self._of_part(part, config, part.weight / total)
            ]
        return self._made[entry]

    def mask(self, pull: Pull) -> masks.Mask | None:
        """The mask that a pull is under, None for none."""
        return self._strengths.get(pull.mask)

    def _of_part(self, part: Part, config: DreamConfig, weight: float) -> list[Pull]:
        """One pull for each mask that the part's terms are under; the strongest moves by the step size."""
        network = part.network
        if not weight:
            self.layers.append({})
            return []
        own = part.layers if part.layers is not None else config.layers
        given = network.provider.layers if own is None else own
        if not given:
            raise LayerError(
                f"{network.provider.name} has no default layers; name some, such as "
                f"{', '.join(network.layers[-3:])}"
            )
        try:
            terms = objectives.parse_terms(given, network)
        except LayerError as error:
            if len(self._parts) == 1:
                raise
            raise LayerError(f"{network.provider.name}: {error}") from error
        told: dict[str, float] = {}
        regions: dict[str, objectives.Terms] = {}
        for term, each in terms.items():
            name = f"{term} under {term.mask}" if term.mask else str(term)
            told[name] = told.get(name, 0.0) + each  # directions of a layer are told of together
            if term.mask and term.mask not in self._strengths:
                raise ConfigError(
                    f"the mask {shown(term.mask)!r} of {term} is not given; "
                    f"give it with --mask {shown(term.mask)}=FILE"
                )
            regions.setdefault(term.mask, {})[term] = each
        self.layers.append(told)
        weights = {name: sum(map(abs, under.values())) for name, under in regions.items()}
        return [
            Pull(
                network,
                under,
                config,
                strength=weight * weights[name] / max(weights.values()),
                mask=name,
                guide=self._guide,
                size=self._size,
            )
            for name, under in regions.items()
        ]


class _Climber:
    """The steps of one octave after another, and the progress that is carried between them."""

    def __init__(
        self,
        asked: _Asked,
        config: DreamConfig,
        photo: NDArray[np.uint8],
        run: list[octaves.Octave],
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self._asked = asked
        self._config = config
        self._photo = photo
        self._spread = colour.spread(photo) if config.color == "decorrelated" else None
        self._unit = np.asarray(config.unit, np.float32)
        self._first: float | None = None
        self._run = run
        self._on_step = on_step
        self._work = sum(self._work_of(octave) for octave in run)
        self._worked = 0

    def __call__(self, pixels: Pixels, octave: octaves.Octave) -> None:
        """Takes all steps of `octave` on `pixels`, in place."""
        config = self._config.at(octave.number)
        pulls = self._asked.pulls(octave.number)
        reaches = [pull.cover(pixels).reach for pull in pulls]
        reach = (
            max(config.jitter, *(each[0] for each in reaches)),
            max(config.jitter, *(e[1] for e in reaches)),
        )
        regions = [
            None if mask is None else masks.at(mask, octave.size) for mask in map(self._asked.mask, pulls)
        ]
        original = resize(self._photo, octave.size) if config.l2 else None
        space = Spectrum.of(pixels) if config.space == "fourier" else None
        update = np.empty_like(pixels)
        spare = np.empty_like(pixels) if len(pulls) > 1 else update
        for step in range(config.steps):
            roll = draws.roll(config.seed, octave.number, step, reach)
            warp = self._warp(octave, step)
            seen = pixels if warp is None else warp.apply(pixels)
            pulled = weighed = 0.0
            for number, (pull, region) in enumerate(zip(pulls, regions, strict=True)):
                gradient = spare if number else update
                objectives = pull.gradient(seen, roll, gradient)
                if warp is not None:
                    gradient[:] = warp.adjoint(gradient)
                self._shape(gradient, (step, config.steps), roll)
                if region is not None:
                    gradient *= np.float32(pull.strength) * region
                elif pull.strength != 1.0:  # as it is where one network dreams everywhere
                    gradient *= np.float32(pull.strength)
                if number:
                    update += gradient
                pulled, weighed = pulled + objectives[0], weighed + objectives[1]
            del seen
            self._regularise(update, pixels, original)
            self._move(pixels, update, space, config.step_size)
            enough = config.max_objective is not None and weighed > config.max_objective
            self._report(pixels, octave, step, step + 1 if enough else config.steps, pulled)
            if enough:
                break

    def _warp(self, octave: octaves.Octave, step: int) -> Warp | None:
        config = self._config
        if not config.rotate and not config.zoom:
            return None
        turn, scale = draws.warp(config.seed, octave.number, step, math.radians(config.rotate), config.zoom)
        return Warp(octave.size, turn, scale)

    def _shape(self, gradient: Pixels, step: tuple[int, int], roll: tuple[int, int]) -> None:
        """Makes of a gradient, in place, the direction of a step: in units, smoothed, of one size.

        `step` is which step of how many.
        """
        config = self._config
        in_units = config.space == "pixels" and (len(set(config.unit)) > 1 or config.normalise == "none")
        if in_units:  # else one factor for all, which is normalised away
            gradient *= self._unit
        if config.smooth == "gaussian":
            smoothing.gaussian(gradient, smoothing.widths(*step, config.smooth_width), roll)
        elif config.smooth == "laplacian":
            smoothing.laplacian(gradient, config.smooth_levels)
        if config.color == "keep":
            colour.grey(gradient)
        elif config.color == "decorrelated":
            colour.natural(gradient)
        ascent.normalise(gradient, config.normalise)

    def _regularise(self, update: Pixels, pixels: Pixels, original: Pixels | None) -> None:
        config = self._config
        if config.tv:
            regularisers.subtract_total_variation(update, pixels, config.tv, self._unit)
        if original is not None:
            regularisers.subtract_distance(update, pixels, original, config.l2, self._unit)

    def _move(self, pixels: Pixels, update: Pixels, space: Spectrum | None, step_size: float) -> None:
        """Takes the step in the space that the dream is in; `update` is used up."""
        if space is not None:
            space.climb(update, step_size)
            pixels[:] = space.pixels()
        elif self._config.color == "keep":
            colour.shift_within(pixels, update.mean(-1) * np.float32(step_size * self._unit.mean()))
        else:
            ascent.climb(pixels, update, np.float32(step_size) * self._unit, clip=self._config.clip)
        if self._spread is not None:
            colour.hold(pixels, self._spread)

    def _work_of(self, octave: octaves.Octave) -> int:
        return math.prod(octave.size) * self._config.at(octave.number).steps

    def _report(
        self, pixels: Pixels, octave: octaves.Octave, step: int, steps: int, objective: float
    ) -> None:
        if self._first is None:
            self._first = abs(objective) or 1.0
        self._worked += math.prod(octave.size)
        if step + 1 == steps:  # which may be sooner than was planned
            self._worked = sum(map(self._work_of, self._run[: self._run.index(octave) + 1]))
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
                )
            )


def _grow_residual(photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The next octave of google/deepdream: the photograph at `size` and the dream so far, enlarged."""
    detail = pixels.copy()
    add_resized(detail, photo, -1)
    grown = resize(detail, size)
    add_resized(grown, photo)
    return grown


def _grow_whole(photo: NDArray[np.uint8], pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The next octave of the TensorFlow tutorial: the whole picture, enlarged."""
    del photo
    return resize(pixels, size)


def _add_lost_detail(photo: NDArray[np.uint8], pixels: Pixels, before: tuple[int, int]) -> None:
    """Adds, in place, what the photograph has more at this size than at size `before` (Keras' example)."""
    add_resized(pixels, photo)
    add_resized(pixels, resize(photo, before), -1)


def _finished(
    photo: NDArray[np.uint8], pixels: Pixels, grow: Grow, regions: Iterable[masks.Mask]
) -> NDArray[np.uint8]:
    """`pixels` at the photograph's size, within its masks, rounded to uint8."""
    if pixels.shape != photo.shape:
        pixels = grow(photo, pixels, (photo.shape[0], photo.shape[1]))
    if regions:
        masks.blend(photo, pixels, regions)
    picture = np.empty(photo.shape, np.uint8)
    for channel in range(3):
        picture[..., channel] = np.rint(np.clip(pixels[..., channel], 0.0, 255.0))
    return picture
