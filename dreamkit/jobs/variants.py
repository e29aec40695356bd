"""Nine small dreams of one photograph on one sheet, each with the command that makes it large."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import api
from dreamkit.config import DreamConfig
from dreamkit.errors import DreamkitWarning
from dreamkit.inputs import PathLike
from dreamkit.jobs import atlas
from dreamkit.media import contact_sheet
from dreamkit.media.images import Picture

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

CELL = 240  # pixels
DEPTHS = ("low", "", "high")  # one row each: a shallow layer, the options' own, a deep one
MOST = 10.0  # of a strength, as `DreamConfig` takes it
STRENGTHS = (("subtle", 0.5), ("normal", 1.0), ("wild", 2.0))  # one column each


@dataclass(frozen=True, slots=True)
class Variant:
    """One dream of the sheet.

    Attributes:
        name: its layer and strength.
        config: how it is dreamed, at its own size.
        command: the command line that dreams the whole photograph so.
        pixels: uint8 `(height, width, 3)`; None before it is dreamed.
    """

    name: str
    config: DreamConfig
    command: str
    pixels: NDArray[np.uint8] | None = None


def plan(
    image: PathLike, network: Network, weights: PathLike | None, config: DreamConfig, cell: int
) -> list[Variant]:
    """The nine variants, none of them dreamed: layers down, strengths across, each with a seed of its own."""
    own = config.layers
    found = []
    for row, depth in enumerate(DEPTHS):
        layers = (depth,) if depth else own
        said = network_layer(network, depth) if depth else ",".join(map(str, own or network.provider.layers))
        for column, (strength, factor) in enumerate(STRENGTHS):
            seed = (config.seed + row * len(STRENGTHS) + column) % 2**64
            strong = min(config.strength * factor, MOST)
            chosen = replace(config, layers=layers, strength=strong, seed=seed)
            found.append(
                Variant(
                    f"{said}, {strength}",
                    replace(chosen, max_size=cell),
                    atlas.command(image, network, weights, replace(chosen, max_size=config.max_size)),
                )
            )
    return found


def network_layer(network: Network, depth: str) -> str:
    """The layer that a depth, such as `low`, stands for in `network`."""
    from dreamkit.engine.objectives import DEPTHS as SHARES

    return network.at_depth(SHARES[depth])


def dreams(
    picture: Picture, network: Network, planned: list[Variant], on_step: Callable[[float], None] | None = None
) -> Iterator[Variant]:
    """Dreams each variant and yields it with its pixels; `on_step` gets the share of all that is done."""
    for number, variant in enumerate(planned):

        def tell(step: Any, number: int = number) -> None:
            if on_step is not None:
                on_step((number + step.done) / len(planned))

        with warnings.catch_warnings():
            if number:  # every variant has the same to say of its octaves
                warnings.simplefilter("ignore", DreamkitWarning)
            rendered = api.render(picture, network, config=variant.config, on_step=tell)
        yield replace(variant, pixels=rendered.pixels[..., :3])


def sheet(dreamed: list[Variant], title: str) -> NDArray[np.uint8]:
    """All variants in a grid, numbered, uint8 `(height, width, 3)`."""
    cells = [
        contact_sheet.Cell(variant.pixels, f"{number}  {variant.name}")
        for number, variant in enumerate(dreamed, 1)
        if variant.pixels is not None
    ]
    return contact_sheet.draw(cells, len(STRENGTHS), title=title)
