"""Timelines: the options of a film that change along the way, and how one entry fades into the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dreamkit.config import DreamConfig

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import LoadedModel

Timeline = Sequence[Mapping[str, Any]]


def at(
    timeline: Timeline, share: float, models: Sequence[LoadedModel], config: DreamConfig
) -> tuple[list[LoadedModel], DreamConfig]:
    """The networks with their layers, and the options, at a share of the film, 0 to 1.

    Entries have `at`, a share, and options of an octave's schedule. Between two of them the layers of the
    first fade out as those of the second fade in; everything else is the first one's. Before the first entry
    and after the last, those hold.
    """
    if not timeline:
        return list(models), config
    before, after = timeline[0], timeline[0]
    for one, other in pairwise(timeline):
        if share >= one["at"]:
            before, after = one, other
    if share >= timeline[-1]["at"]:
        before = after = timeline[-1]
    span = after["at"] - before["at"]
    faded = min(1.0, max(0.0, (share - before["at"]) / span)) if span else 0.0
    options = {name: value for name, value in before.items() if name not in ("at", "layers")}
    first, second = (entry.get("layers", config.layers) for entry in (before, after))
    if first == second:
        faded = 0.0
    mixed = [
        model._replace(weight=model.weight * weight, layers=layers)
        for model in models
        for weight, layers in ((1 - faded, first), (faded, second))
        if weight
    ]
    return mixed, replace(config, **options)
