"""Caffemodels of real networks with seeded random weights, scaled so that activations stay near one."""

from __future__ import annotations

from math import prod
from pathlib import Path
from unittest import mock

import numpy as np
from caffemodel import caffemodel

from dreamkit.convert import caffe, to_onnx


def shapes_of(net: caffe.Net) -> dict[str, list[tuple[int, ...]]]:
    """The shapes of all weights, as the converter asks for them."""
    asked: dict[str, list[tuple[int, ...]]] = {}

    def weight(layer, place, shape):
        asked.setdefault(layer.name, []).append(shape)
        return np.broadcast_to(np.float32(1), shape)

    with (
        mock.patch.object(to_onnx, "_weight", weight),
        mock.patch.object(
            to_onnx.Graph, "constant", lambda graph, layer, what, values, dtype=None: graph.fresh(layer.name)
        ),
    ):
        to_onnx.to_onnx(net)
    return asked


def write(prototxt: Path, path: Path, seed: int = 0) -> None:
    """He's scaling for convolutions; statistics and scales near one, and small ones at the end of a residual
    branch, since what it adds would double everything block by block."""
    draw = np.random.default_rng(seed)
    net = caffe.read(prototxt, None)
    types = {layer.name: layer.type for layer in net.layers}
    weights: dict[str, list[np.ndarray]] = {}
    for name, shapes in shapes_of(net).items():
        arrays = weights[name] = []
        for place, shape in enumerate(shapes):
            values = draw.standard_normal(shape or 1, np.float32)
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
