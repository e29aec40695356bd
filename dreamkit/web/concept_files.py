"""The file of a network's concepts that the page reads: `concepts.json`, with what it needs to learn more."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.concepts import library, reference
from dreamkit.concepts.features import SIDE
from dreamkit.concepts.reference import LayerStatistics
from dreamkit.concepts.separation import SHRINKAGE
from dreamkit.direction_text import half_text

if TYPE_CHECKING:
    from dreamkit.concepts.concept import Concept
    from dreamkit.engine.tf.network import Network

NAME = "concepts.json"


def layers_of(network: Network) -> list[str]:
    """The layers that a page needs for the concepts of a network: none where it has no concepts."""
    found = reference.find(network.provider.name, network.digest)
    wanted = network.provider.concept_layers
    return list(wanted) if found is not None and found.layers.keys() >= set(wanted) else []


def names_of(network: Network, exported: Sequence[str]) -> list[str]:
    """The names of the concepts that a page has of a network, if the layers that they need are `exported`."""
    layers = layers_of(network)
    if not layers or not set(layers) <= set(exported):
        return []
    return [each.name for each in _concepts(network, layers)]


def write(network: Network, exported: Sequence[str], folder: Path) -> str:
    """Writes the concepts of a network, if it has any in layers that are `exported`; returns the file's name,
    empty for none."""
    layers = layers_of(network)
    known = reference.find(network.provider.name, network.digest)
    if known is None or not layers or not set(layers) <= set(exported):
        return ""
    content = {
        "layers": layers,
        "side": max(SIDE, network.min_size(layers)),
        "shrinkage": SHRINKAGE,
        "reference": {layer: statistics(known.layers[layer]) for layer in layers},
        "concepts": [
            {
                "name": each.name,
                "directions": {layer: half_text(each.directions[layer].weights) for layer in layers},
            }
            for each in _concepts(network, layers)
        ],
    }
    (folder / NAME).write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
    return NAME


def _concepts(network: Network, layers: Sequence[str]) -> list[Concept]:
    """The concepts of a network that have directions in all of `layers`."""
    return [
        each
        for each in library.of_network(network.provider.name)
        if each.sha256 == network.digest and set(layers) <= each.directions.keys()
    ]


def statistics(layer: LayerStatistics) -> dict[str, Any]:
    """The statistics of a layer as texts, in units of its standard deviation: float32 and float16 numbers."""
    unit = layer.unit
    return {
        "unit": unit,
        "mean": base64.b64encode(
            (layer.mean / unit).astype("<f4").tobytes()
        ).decode(),  # may be far from zero
        "factors": half_text((layer.factors / unit).ravel()),
        "variances": half_text(layer.variances / unit**2),
    }
