"""Caffemodels for real prototxts, with seeded random weights, scaled so that activations stay near one."""

from __future__ import annotations

from math import prod
from pathlib import Path
from unittest import mock

import numpy as np
from caffemodel import caffemodel

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Net
from dreamkit.convert.caffe.onnx_graph import Graph
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.caffe.to_onnx import to_onnx


def weight_shapes(net: Net) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of all weights by layer, as the converter reads them."""
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def weight(layer, place, shape):
        shapes.setdefault(layer.name, []).append(shape)
        return np.broadcast_to(np.float32(1), shape)

    def add_constant(graph, layer, label, values, dtype=None):
        return graph.unique_name(layer.name)

    with (
        mock.patch.object(arguments, "weight", weight),
        mock.patch.object(Graph, "add_constant", add_constant),
    ):
        to_onnx(net)
    return shapes


def write(prototxt: Path, path: Path, seed: int = 0) -> None:
    """Writes a caffemodel for `prototxt`.

    Convolutions are scaled as He et al. do. Statistics and scales are near one, but small at the end of a
    residual branch: otherwise each block would double the activations.
    """
    random = np.random.default_rng(seed)
    net = read_net(prototxt, None)
    types = {layer.name: layer.type for layer in net.layers}
    weights: dict[str, list[np.ndarray]] = {}
    for name, shapes in weight_shapes(net).items():
        arrays = weights[name] = []
        for place, shape in enumerate(shapes):
            values = random.standard_normal(shape or 1, np.float32)
            if types[name] == "BatchNorm":
                values = (0.1 * values, 1 + 0.1 * np.abs(values), np.ones_like(values))[place]
            elif types[name] == "Scale":
                least = 0.2 if name.endswith("branch2c") else 1.0
                values = least + 0.05 * values if place == 0 else 0.1 * values
            elif place == 0:
                values *= np.float32((2 / prod(shape[1:])) ** 0.5)
                values *= np.float32(1 / 60 if not weights.keys() - {name} else 1)
            else:
                values *= np.float32(0.05)
            arrays.append(values)
    path.write_bytes(caffemodel(weights))
