"""The teacher as data: its operations and arrays, whatever network it is, and the plan of its student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distillation.factorise import Arrays
from dreamkit.models import architecture, layers
from dreamkit.models.architecture import INPUT, Operation
from dreamkit.models.providers import ModelProvider
from dreamkit.models.weights import resolve


def read(provider: ModelProvider, weights: Path | None) -> tuple[list[Operation], Arrays, Path]:
    """A teacher's operations and arrays, and its weights file.

    Args:
        provider: the teacher.
        weights: its weights file, instead of fetching one; or an npz of `architecture.write`.

    Raises:
        SystemExit: it is no plain convolutional network.
        DreamkitError: its weights cannot be had.
    """
    if weights is not None and weights.suffix == ".npz":  # which the provider itself does not read
        return *architecture.read(weights), weights
    path = resolve(provider, weights)
    if path is None:
        raise SystemExit(f"{provider.name} has no weights file; give one that is trained")
    if path.suffix == ".npz":
        return *architecture.read(path), path
    try:
        return *operations_of(provider.load(path)), path
    except ValueError as error:
        raise SystemExit(f"{provider.name} cannot teach: {error}") from error


def operations_of(model: Any) -> tuple[list[Operation], Arrays]:
    """A functional Keras model as operations and arrays, batch normalisation folded into convolutions.

    Raises:
        ValueError: a layer is of another kind than `architecture.KINDS`.
    """
    found: list[Operation] = []
    arrays: Arrays = {}
    known: dict[str, str] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        before = [node.operation for node in layer._inbound_nodes[0].parent_nodes]
        # A sequential model does not list its input.
        inputs = tuple(
            INPUT if isinstance(each, keras.layers.InputLayer) else known[each.name] for each in before
        )
        known[layer.name] = layer.name
        if isinstance(layer, keras.layers.BatchNormalization):
            (normalised,) = inputs
            if f"{normalised}/kernel" not in arrays:
                raise ValueError(f"{layer.name} normalises {normalised}, which is not a convolution")
            _fold(layer, normalised, arrays)
            known[layer.name] = normalised
            continue
        kind, options = _kind(layer)
        if kind == "convolution":
            weights = layer.get_weights()
            arrays[f"{layer.name}/kernel"] = weights[0]
            none = np.zeros(weights[0].shape[-1], np.float32)
            arrays[f"{layer.name}/bias"] = weights[1] if len(weights) > 1 else none
        found.append(Operation(layer.name, kind, inputs, options))
    return found, arrays


def _fold(layer: Any, before: str, arrays: Arrays) -> None:
    gamma = layer.gamma.numpy() if layer.scale else 1.0
    beta = layer.beta.numpy() if layer.center else 0.0
    scale = gamma / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
    arrays[f"{before}/kernel"] = arrays[f"{before}/kernel"] * scale
    arrays[f"{before}/bias"] = (arrays[f"{before}/bias"] - layer.moving_mean.numpy()) * scale + beta


def _kind(layer: Any) -> tuple[str, dict[str, Any]]:
    match layer:
        case keras.layers.Conv2D() if layer.groups == 1 and layer.activation is keras.activations.linear:
            return "convolution", {"stride": _one(layer, layer.strides), "padding": layer.padding}
        case layers.Convolution() if len(layer.kernels) == 1:
            return "convolution", dict(layer.options)
        case keras.layers.ReLU():
            return "relu", {}
        case keras.layers.Activation() if layer.activation is keras.activations.relu:
            return "relu", {}
        case keras.layers.MaxPooling2D() | keras.layers.AveragePooling2D():
            kind = "max_pool" if isinstance(layer, keras.layers.MaxPooling2D) else "average_pool"
            size, stride = (_one(layer, each) for each in (layer.pool_size, layer.strides))
            return kind, {"size": size, "stride": stride, "padding": layer.padding}
        case layers.ResponseNormalisation():
            return "response_normalisation", dict(layer.options)
        case keras.layers.Concatenate():
            return "concatenate", {}
    raise ValueError(
        f"layer {layer.name} is a {type(layer).__name__}; convolutions, pools and joins are read"
    )


def _one(layer: Any, sides: Sequence[int]) -> int:
    if len(set(sides)) != 1:
        raise ValueError(f"{layer.name} has different steps down and right")
    return int(sides[0])


def lighter(operations: Sequence[Operation]) -> list[Operation]:
    """The student's operations: response normalisation after the pool it feeds, on a quarter of the map."""
    found = list(operations)
    for pool in operations:
        before = next((each for each in operations if (each.name,) == pool.inputs), None)
        if pool.kind != "max_pool" or before is None or before.kind != "response_normalisation":
            continue
        if sum(before.name in each.inputs for each in operations) > 1:
            continue
        renamed = {pool.name: before.name}
        found = [
            replace(each, inputs=tuple(renamed.get(name, name) for name in each.inputs)) for each in found
        ]
        names = [each.name for each in found]
        first, second = names.index(before.name), names.index(pool.name)
        found[first] = Operation(pool.name, pool.kind, before.inputs, pool.options)
        found[second] = Operation(before.name, before.kind, (pool.name,), before.options)
    return found
