"""The plan of a dream: octaves, tiles, memory and time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from dreamkit.config import DreamConfig
from dreamkit.engine import memory, octaves
from dreamkit.engine.drawn_transforms import seen_size
from dreamkit.engine.memory import MemoryPlan
from dreamkit.engine.objective_set import LoadedModel, ObjectiveSet
from dreamkit.engine.tiles import Cover
from dreamkit.errors import ConfigError, DreamkitWarning

_LEAST_TILE = 32  # pixels; smaller tiles are all overhead


@dataclass(frozen=True, slots=True)
class PlannedOctave:
    """One octave of a plan; sizes are (height, width) in pixels.

    Attributes:
        size: of the picture in it.
        steps: of gradient ascent.
        tiles: how many, down and across.
        window: what the network sees of a tile.
    """

    size: tuple[int, int]
    steps: int
    tiles: tuple[int, int]
    window: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a dream, made before its first step.

    Attributes:
        octaves: smallest first.
        tile_size: longest side of the tiles, as it fits `max_memory`.
        memory: bytes at the peak.
        seconds: that the steps will take, by the time that one batch of tiles took; without loading,
            compiling, reading and writing.
    """

    octaves: tuple[PlannedOctave, ...]
    tile_size: int
    memory: MemoryPlan
    seconds: float


def octaves_of(
    size: tuple[int, int], min_size: int, models: Sequence[LoadedModel], config: DreamConfig
) -> list[octaves.Octave]:
    """The octaves that run, with a warning for those too small for the networks."""
    names = " and ".join(model.network.provider.name for model in models)
    if config.tile_size < min_size:
        raise ConfigError(
            f"tile_size is {config.tile_size} and {names} needs windows of at least "
            f"{min_size} pixels; use --tile-size {min_size} or more"
        )
    if config.crops and config.view_size < min_size:
        raise ConfigError(
            f"view_size is {config.view_size} and {names} needs pictures of at least {min_size} pixels; use "
            f"--view-size {min_size} or more"
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


def tile_size(objectives: ObjectiveSet, config: DreamConfig, run: Sequence[octaves.Octave], held: int) -> int:
    """The longest side of tiles with which the dream fits into `max_memory`.

    Args:
        held: bytes of the photograph and masks, which the process holds already.

    Raises:
        ConfigError: it fits with none.
    """
    size = config.tile_size
    if config.max_memory is None:
        return size
    while (needed := memory_plan(objectives, config, run, size, held).total) > config.max_memory * 10**6:
        if objectives.one_by_one():
            continue
        smaller = smaller_tile(size, objectives.min_size)
        if smaller is None:
            raise ConfigError(
                f"this dream takes about {round(needed / 1e6)} MB with tiles of {size} pixels, the smallest, "
                f"and max_memory is {config.max_memory}; shrink the picture with --max-size, or raise "
                "--max-memory"
            )
        size = smaller
    return size


def smaller_tile(tile_size: int, min_size: int) -> int | None:
    """Half of `tile_size`, but no less than networks need that take windows of `min_size`; None where it is
    the smallest already."""
    least = max(min_size, _LEAST_TILE)
    return max(tile_size // 2, least) if tile_size > least else None


def memory_plan(
    objectives: ObjectiveSet, config: DreamConfig, run: Sequence[octaves.Octave], tile_size: int, held: int
) -> MemoryPlan:
    """What the dream takes with tiles of `tile_size`: see `tile_size` for `held`."""
    now, before = memory.resident()
    last = run[-1]  # and the largest
    masked = objectives.of_octave(last.number)
    sizes = [seen_size(config, octave.size) for octave in run]
    # Kernels keep what they made for a shape once for each batch that is computed at the same time.
    shapes = {
        (each.cover(size, tile_size).windows(tile_size), number)
        for each in masked
        for size in sizes
        for number in range(each.together(size, tile_size))
    }
    live = max(each.live_bytes(sizes, tile_size) for each in masked)
    copies = memory.copies(
        config, objectives=len(masked), masks=objectives.mask_count, compares=objectives.compares
    )
    return MemoryPlan(
        base=now - held,
        copies=copies,
        picture=int(copies * memory.COPY * last.size[0] * last.size[1]),
        tiles=memory.tile_bytes(live, len(shapes)),
        before=before,
    )


def plan(objectives: ObjectiveSet, config: DreamConfig, run: Sequence[octaves.Octave], held: int) -> Plan:
    """The plan of a dream, for which a batch of tiles is computed twice: see `tile_size` for `held`."""
    size = tile_size(objectives, config, run, held)
    memory = memory_plan(objectives, config, run, size, held)
    planned, seconds = [], 0.0
    largest = seen_size(config, run[-1].size)
    rates = [each.seconds(largest, size) for each in objectives.of_octave(run[-1].number)]
    for octave in run:
        steps = objectives.steps(octave)
        seen = seen_size(config, octave.size)
        covers = [each.cover(seen, size) for each in objectives.of_octave(octave.number)]
        seconds += (
            steps
            * config.views
            * sum(rate * _pixels(cover) for rate, cover in zip(rates, covers, strict=False))
        )
        rows, columns = covers[0]
        planned.append(
            PlannedOctave(
                octave.size, steps, (len(rows.spans), len(columns.spans)), (rows.window, columns.window)
            )
        )
    return Plan(tuple(planned), size, memory, seconds)


def _pixels(cover: Cover) -> int:
    """Of all windows of a cover."""
    rows, columns = cover
    return len(rows.spans) * rows.window * len(columns.spans) * columns.window
