"""The loop over octaves and steps.

Memory, beside the network and one batch of tiles: the photograph (uint8, a quarter of a float32 copy),
the pixels and their gradient, at the size of the largest octave; bases are computed again, not kept.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import ascent, draws, objectives, octaves, tiles
from dreamkit.engine.network import Network
from dreamkit.engine.resize import Pixels, add_resized, resize
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted, LayerError, NumericError

Grow = Callable[[NDArray[np.uint8], Pixels, tuple[int, int]], Pixels]


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
        layers: the layers that were dreamed, with weights.
        sizes: height and width of each octave that ran.
    """

    pixels: NDArray[np.uint8]
    layers: dict[str, float]
    sizes: list[tuple[int, int]]


def dream(
    photo: NDArray[np.uint8],
    network: Network,
    config: DreamConfig,
    on_step: Callable[[Step], None] | None = None,
) -> Outcome:
    """Dreams `photo`, uint8 `(height, width, 3)`, and leaves it unchanged; the result has its size.

    Raises:
        LayerError: a layer term names no layer of the network.
        ConfigError: the picture or the tile size is below the network's least size.
        NumericError: the network returned something that is not a number.
        Interrupted: Ctrl-C; it carries the picture so far.
    """
    provider = network.provider
    given = provider.layers if config.layers is None else config.layers
    if not given:
        raise LayerError(
            f"{provider.name} has no default layers; name some, such as {', '.join(network.layers[-3:])}"
        )
    terms = objectives.parse_terms(given, network.layers)
    min_size = network.min_size(terms)
    if config.tile_size < min_size:
        raise ConfigError(
            f"tile_size is {config.tile_size} and {provider.name} needs windows of at least "
            f"{min_size} pixels; use --tile-size {min_size} or more"
        )
    size = photo.shape[0], photo.shape[1]
    scale, scheme = config.octave_scale, config.octave_scheme
    wanted = config.octaves or octaves.count(size, scale, scheme, min_size)
    run = octaves.plan(size, wanted, scale, scheme, min_size)
    skipped = wanted - len(run)
    if skipped:
        warnings.warn(
            f"{skipped} of {wanted} octaves skipped: smaller than the {min_size} pixels "
            f"that {provider.name} needs",
            DreamkitWarning,
            stacklevel=2,
        )
    grow = _grow_residual if config.octave_scheme == "residual" else _grow_whole
    climb = _Climber(network, terms, config, run, on_step)
    pixels = resize(photo, run[0].size)
    try:
        for octave in run:
            if pixels.shape[:2] != octave.size:
                pixels = grow(photo, pixels, octave.size)
            climb(pixels, octave)
    except KeyboardInterrupt:
        raise Interrupted("interrupted", _finished(photo, pixels, grow)) from None
    return Outcome(_finished(photo, pixels, grow), terms, [octave.size for octave in run])


class _Climber:
    """The steps of one octave after another, and what is carried between them: pulls and progress."""

    def __init__(
        self,
        network: Network,
        terms: objectives.Terms,
        config: DreamConfig,
        run: list[octaves.Octave],
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self.config = config
        self.min_size = network.min_size(terms)
        self.ascent = network.ascent(list(terms), config.objective)
        self.weights = list(terms.values())
        self.pulls = np.asarray(self.weights, np.float32)
        self.balanced = not config.balance or len(terms) == 1  # one layer's pull is normalised away
        self.first: float | None = None
        self.run = run
        self.on_step = on_step
        self.work = sum(math.prod(octave.size) for octave in run) * config.steps
        self.worked = 0

    def __call__(self, pixels: Pixels, octave: octaves.Octave) -> None:
        """Takes all steps of `octave` on `pixels`, in place."""
        config = self.config
        cover = tiles.cover(octave.size, config.tile_size, self.min_size)
        reach = max(config.jitter, cover.reach[0]), max(config.jitter, cover.reach[1])
        gradient = np.empty_like(pixels)
        if not self.balanced:
            seen = ascent.gradient(pixels, self.ascent, self.pulls, cover, config.tile_size, (0, 0), gradient)
            self.pulls = objectives.pulls(self.weights, seen.mean_squares, config.objective)
            self.balanced = True
        for step in range(config.steps):
            roll = draws.roll(config.seed, octave.number, step, reach)
            seen = ascent.gradient(pixels, self.ascent, self.pulls, cover, config.tile_size, roll, gradient)
            size = ascent.magnitude(gradient, config.normalise)
            if not math.isfinite(size):
                raise NumericError(
                    f"the gradient at step {step + 1} of octave {octave.number + 1} is not a number; "
                    "the weights are damaged or the layers overflow: try others"
                )
            ascent.climb(pixels, gradient, config.step_size, size)
            self._report(pixels, octave, step, float(seen.objectives @ self.pulls))

    def _report(self, pixels: Pixels, octave: octaves.Octave, step: int, objective: float) -> None:
        if self.first is None:
            self.first = abs(objective) or 1.0
        self.worked += math.prod(octave.size)
        if self.on_step is not None:
            self.on_step(
                Step(
                    octave=self.run.index(octave) + 1,
                    octaves=len(self.run),
                    step=step + 1,
                    steps=self.config.steps,
                    size=octave.size,
                    objective=objective / self.first,
                    done=self.worked / self.work,
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


def _finished(photo: NDArray[np.uint8], pixels: Pixels, grow: Grow) -> NDArray[np.uint8]:
    """`pixels` at the photograph's size, rounded to uint8."""
    if pixels.shape != photo.shape:
        pixels = grow(photo, pixels, (photo.shape[0], photo.shape[1]))
    picture = np.empty(photo.shape, np.uint8)
    for channel in range(3):
        picture[..., channel] = np.rint(np.clip(pixels[..., channel], 0.0, 255.0))
    return picture
