"""The files of a network that the page reads: `model.json`, and its weights in shards."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.terms import DEPTHS

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.web.exported_graph import ExportedGraph

FORMAT = "dreamkit-program-1"
_SHARD_BYTES = 4 << 20  # browsers and caches keep small files better than large ones


def write(network: Network, layers: Sequence[str], folder: Path, dtype: str) -> int:
    """Writes the part of `network` that computes `layers` to `folder`, which must exist and be empty.

    `dtype` is `float32` or `float16`. An array that is exact in 16 bits is always written as float16.

    Returns the size of the weights in bytes.

    Raises:
        LayerError: there is no such layer.
        ModelError: the network has an operation that the page does not support.
    """
    from dreamkit.web import exported_graph

    exported = exported_graph.export(network, layers)
    operations, weights = _operations(exported)
    stored = [_to_dtype(values, dtype) for values in weights]
    shards = []
    for number, shard in enumerate(_shards(b"".join(values.tobytes() for values in stored))):
        path = f"weights-{number}.bin"
        (folder / path).write_bytes(shard)
        shards.append({"path": path, "bytes": len(shard), "sha256": hashlib.sha256(shard).hexdigest()})
    provider = network.provider
    default = {layer: weight for layer, weight in provider.layers.items() if layer in exported.layers}
    guided = {layer: weight for layer, weight in guide_layers(network).items() if layer in exported.layers}
    description = {
        "format": FORMAT,
        "name": provider.name,
        "sha256": network.digest,
        "licence": provider.licence,
        "description": provider.description,
        "min_size": provider.min_size,
        "min_sizes": {layer: network.min_size([layer]) for layer in exported.layers},
        "default_layers": default or {list(exported.layers)[-1]: 1.0},
        "guide_layers": guided or {next(iter(exported.layers)): 1.0},
        "layers": [
            {
                "name": layer,
                "channels": network.channels(layer),
                "activation": activation,
                "stride": network.probe.stride(layer),
            }
            for layer, activation in exported.layers.items()
        ],
        "operations": operations,
        "weights": [{"shape": list(values.shape), "dtype": values.dtype.name} for values in stored],
        "shards": shards,
    }
    (folder / "model.json").write_text(json.dumps(description, separators=(",", ":")), encoding="utf-8")
    return sum(shard["bytes"] for shard in shards)  # type: ignore[misc]


def guide_layers(network: Network) -> Mapping[str, float]:
    """The layers that are dreamed by default with a guide, with their weights."""
    return network.provider.guide_layers or {network.at_depth(DEPTHS["low"]): 1.0}


def default_layers(network: Network) -> list[str]:
    """The layers that a page offers where none are named: the default ones, and those that join branches, up
    to the deepest default one. In a network without branches, those at a quarter, a half and three quarters
    of its depth take the place of the joins."""
    default = [layer for layer in network.layers if layer in network.provider.layers]
    joins = network.probe.joins
    if len(joins) < 3:
        joins = [network.at_depth(share) for share in (0.25, 0.5, 0.75)]
    last = max(map(network.layers.index, default), default=len(network.layers))
    wanted = {layer for layer in joins if network.layers.index(layer) <= last} | set(default)
    return [layer for layer in network.layers if layer in wanted]


def _operations(exported: ExportedGraph) -> tuple[list[dict[str, Any]], list[NDArray[np.float32]]]:
    """The operations with indices of weights in place of arrays, and the weights."""
    weights: list[NDArray[np.float32]] = []
    descriptions = []
    for operation in exported.operations:
        constants = {}
        for name, values in operation.constants.items():
            constants[name] = len(weights)
            weights.append(values)
        descriptions.append(
            {
                "kind": operation.kind,
                "inputs": list(operation.inputs),
                "attributes": operation.attributes,
                "constants": constants,
            }
        )
    return descriptions, weights


def _to_dtype(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Weights as they are written: little-endian, float16 where that is exact or `dtype` and in its range."""
    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    exact = np.array_equal(half.astype(np.float32), values)
    fits = dtype == "float16" and np.isfinite(half).all()
    return half if exact or fits else values.astype("<f4")


def _shards(data: bytes) -> Iterator[bytes]:
    for number in range(math.ceil(len(data) / _SHARD_BYTES)):
        yield data[number * _SHARD_BYTES : (number + 1) * _SHARD_BYTES]
