"""The loop over octaves: a photograph in, a dream out.

Memory, beside the networks and one batch of tiles, is what `memory.copies` says. The photograph at the size
of an octave is computed again, not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import masks, octave_schemes, octaves, plan, tile_threads
from dreamkit.engine.ascent import Ascent
from dreamkit.engine.objective_set import LoadedModel, ObjectiveSet
from dreamkit.engine.profile import OFF, RESIZING, Unmeasured
from dreamkit.engine.progress import DreamResult, DreamState, StepEvent
from dreamkit.errors import ConfigError, Interrupted, NetworkMemoryError


def dream(
    photo: NDArray[np.uint8],
    models: Sequence[LoadedModel],
    config: DreamConfig,
    on_step: Callable[[StepEvent], None] | None = None,
    *,
    guide: NDArray[np.uint8] | None = None,
    regions: Mapping[str, NDArray[np.uint8]] | None = None,
    start: DreamState | None = None,
    profile: Unmeasured = OFF,
) -> DreamResult:
    """Dreams `photo`, uint8 `(height, width, 3)`, and leaves it unchanged; the result has its size.

    Args:
        photo: the photograph, or noise.
        models: one network or several.
        config: the options.
        on_step: called after each step.
        guide: a picture, `(height, width, 3)`, whose features the dream follows.
        regions: masks by name, grey levels `(height, width)` of the photograph's size; the one with an empty
            name is for terms that name none.
        start: the state to resume from; its arrays are taken over.
        profile: of the command.

    Raises:
        LayerError: a layer term names no layer of the network.
        ConfigError: the picture or the tile size is below a network's least size, or a mask is missing.
        NumericError: a network returned something that is not a number.
        NetworkMemoryError: too little memory, even for the smallest tiles.
        Interrupted: Ctrl-C; it carries the picture so far.
    """
    tile_threads.keep_for((photo.shape[0], photo.shape[1]))
    objectives, run, held = _prepare(photo, models, config, guide, regions)
    tile_size = start.tile_size if start else plan.tile_size(objectives, config, run, held)
    ascent = Ascent(objectives, config, photo, run, on_step, tile_size, profile)
    grow = octave_schemes.grow(config)
    first = start.octave if start else 0
    if start and (first >= len(run) or start.pixels.shape[:2] != run[first].size):
        raise ConfigError("the dream to resume had other octaves; start it anew")
    try:
        with profile.span(RESIZING):
            pixels = start.pixels if start else octave_schemes.compose(photo, run[0].size, config)
        smaller = run[max(0, first - 1)].size
        for number, octave in enumerate(run[first:], first):
            if pixels.shape[:2] != octave.size:
                with profile.span(RESIZING):
                    pixels = grow(photo, pixels, octave.size)
            ascent.climb(pixels, octave, start if number == first else None)
            if config.octave_scheme == "lost-detail":
                ascent.state = None
                with profile.span(RESIZING):
                    octave_schemes.add_lost_detail(config.wrapped, photo, pixels, smaller)
            smaller = octave.size
        ascent.warn_if_still()
        picture = octave_schemes.finish(photo, pixels, objectives.masks, config)
    except KeyboardInterrupt:
        picture = octave_schemes.finish(photo, pixels, objectives.masks, config)
        raise Interrupted("interrupted", picture, ascent.state) from None
    except MemoryError as error:
        height, width = photo.shape[:2]
        raise NetworkMemoryError(
            f"too little memory for a picture of {width} x {height} pixels; shrink it with --max-size"
        ) from error
    height, width = photo.shape[:2]
    sizes = [octave.size for octave in run]
    return DreamResult(picture, objectives.layers, sizes, ascent.tile_size, ascent.alpha((height, width)))


def planned(
    photo: NDArray[np.uint8],
    models: Sequence[LoadedModel],
    config: DreamConfig,
    *,
    guide: NDArray[np.uint8] | None = None,
    regions: Mapping[str, NDArray[np.uint8]] | None = None,
) -> plan.Plan:
    """The plan of `dream` with the same arguments. One batch of tiles is computed; nothing is dreamed.

    Raises:
        LayerError, ConfigError: as `dream`.
    """
    objectives, run, held = _prepare(photo, models, config, guide, regions)
    return plan.plan(objectives, config, run, held)


def _prepare(
    photo: NDArray[np.uint8],
    models: Sequence[LoadedModel],
    config: DreamConfig,
    guide: NDArray[np.uint8] | None,
    regions: Mapping[str, NDArray[np.uint8]] | None,
) -> tuple[ObjectiveSet, list[octaves.Octave], int]:
    """The objectives, the octaves that run, and the bytes that the photograph and its masks take."""
    size = photo.shape[0], photo.shape[1]
    soft = {name: masks.soften(mask, config.wrapped) for name, mask in (regions or {}).items()}
    objectives = ObjectiveSet(models, config, guide, soft, size)
    run = plan.octaves_of(size, objectives.min_size, models, config)
    return objectives, run, photo.nbytes + sum(mask.nbytes for mask in soft.values())
