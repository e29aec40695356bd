"""Small dreams of one photograph on one sheet, each with the command that makes it large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts import lookup
from dreamkit.config import DreamConfig
from dreamkit.inputs import PathLike
from dreamkit.jobs.command_line import command, term_text
from dreamkit.media import contact_sheet
from dreamkit.media.images import Picture
from dreamkit.session import Session
from dreamkit.terms import layer_named

CELL = 240  # pixels
DEPTHS = ("low", "", "high")  # one row each: a shallow layer, the options' own, a deep one
MOST = 10.0  # of a strength, as `DreamConfig` takes it
SEVERAL = 8  # concepts in a row
STRENGTHS = (("subtle", 0.5), ("normal", 1.0), ("wild", 2.0))  # one column each


@dataclass(frozen=True, slots=True)
class Variant:
    """One dream of the sheet.

    Attributes:
        name: its layer and strength, or its concept.
        config: how it is dreamed, at its own size.
        command: the command line that dreams the whole photograph so.
        pixels: uint8 `(height, width, 3)`; None before it is dreamed.
    """

    name: str
    config: DreamConfig
    command: str
    pixels: NDArray[np.uint8] | None = None


def plan(image: PathLike, session: Session, cell: int, given: Any = None) -> list[Variant]:
    """The nine variants, not dreamed yet: layers down, strengths across, each with a seed of its own.

    `given` are the layers as the user gave them: a command names the file of a direction, and the config has
    only its numbers.
    """
    request, network = session.request, session.models[0].network
    config = request.config
    found = []
    for row, depth in enumerate(DEPTHS):
        layers = (depth,) if depth else config.layers
        name = (
            layer_named(depth, network)
            if depth
            else ",".join(map(term_text, given or config.layers or network.provider.layers))
        )
        for column, (strength, factor) in enumerate(STRENGTHS):
            seed = (config.seed + row * len(STRENGTHS) + column) % 2**64
            strong = min(config.strength * factor, MOST)
            chosen = replace(config, layers=layers, strength=strong, seed=seed)
            written = replace(chosen, layers=layers if depth else given or layers)
            line = command(image, replace(request, config=written))
            found.append(Variant(f"{name}, {strength}", replace(chosen, max_size=cell), line))
    return found


def plan_concepts(image: PathLike, session: Session, cell: int, names: Sequence[str]) -> list[Variant]:
    """A variant for each concept of `names`, not dreamed yet.

    Raises:
        ConceptError: there is no such concept.
    """
    request = session.request
    found = []
    for name in names:
        layers = lookup.layers_with_directions(({"concept": name},), request.models)
        chosen = replace(request.config, layers=layers)
        line = command(image, replace(request, config=chosen))
        found.append(Variant(name, replace(chosen, max_size=cell), line))
    return found


def dreams(
    picture: Picture, session: Session, planned: list[Variant], on_step: Callable[[float], None] | None = None
) -> Iterator[Variant]:
    """Dreams each variant and yields it with its pixels; `on_step` gets the share of all that is done."""
    for number, variant in enumerate(planned):

        def tell(step: Any, number: int = number) -> None:
            if on_step is not None:
                on_step((number + step.done) / len(planned))

        request = replace(session.request, config=variant.config).on(picture)
        # Every variant would give the same warnings of its octaves.
        result = session.compute(request, on_step=tell, quiet=number > 0)
        yield replace(variant, pixels=result.pixels)


def sheet(dreamed: list[Variant], columns: int, title: str) -> NDArray[np.uint8]:
    """All variants in a grid, numbered, uint8 `(height, width, 3)`."""
    cells = [
        contact_sheet.Cell(variant.pixels, f"{number}  {variant.name}")
        for number, variant in enumerate(dreamed, 1)
        if variant.pixels is not None
    ]
    return contact_sheet.draw(cells, min(columns, len(cells)), title=title)
