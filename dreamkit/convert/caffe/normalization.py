"""LRN, BatchNorm and Softmax as ONNX."""

from __future__ import annotations

import numpy as np

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Graph
from dreamkit.convert.caffe.pooling import pad

_MAX_LRN_SIZE = 1 << 16


def lrn(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Local response normalization, across channels or within each."""
    x, params = bottoms[0], layer.params
    arguments.feature_map(layer, x)
    size, alpha, beta = params["local_size"], params["alpha"], params["beta"]
    if size % 2 == 0 or size > _MAX_LRN_SIZE:
        raise layer_error(layer, f"local_size is {size}; it must be odd and at most {_MAX_LRN_SIZE}")
    if params["norm_region"] == "ACROSS_CHANNELS":
        # Caffe and ONNX both divide alpha by the size.
        graph.add_top_like(layer, "LRN", [x.name], x, size=size, alpha=alpha, beta=beta, bias=params["k"])
    else:
        _lrn_within_channel(graph, layer, x)


def _lrn_within_channel(graph: Graph, layer: Layer, x: Blob) -> None:
    """x (1 + alpha mean(x^2))^-beta. Caffe's mean counts the padding, and k is ignored."""
    size, alpha, beta = (layer.params[name] for name in ("local_size", "alpha", "beta"))
    half = [size // 2] * 2
    squares = pad(graph, layer, graph.add_node(layer, "Mul", [x.name, x.name]), half, half, 0.0)
    mean = graph.add_node(layer, "AveragePool", [squares], kernel_shape=[size, size], strides=[1, 1])
    scale = graph.add_node(layer, "Mul", [mean, graph.add_constant(layer, "alpha", alpha)])
    scale = graph.add_node(layer, "Add", [scale, graph.add_constant(layer, "one", 1.0)])
    scale = graph.add_node(layer, "Pow", [scale, graph.add_constant(layer, "beta", beta)])
    graph.add_top_like(layer, "Div", [x.name, scale], x)


def batch_norm(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """(x - mean) / sqrt(variance + eps) with the stored statistics, both divided by the third array."""
    x = bottoms[0]
    channels = arguments.channels(layer, x)
    mean, variance = arguments.weight(layer, 0, (channels,)), arguments.weight(layer, 1, (channels,))
    divisor = float(arguments.weight(layer, 2, ()))
    factor = 1 / divisor if divisor else 0.0
    values = {
        "scale": np.ones(channels),
        "bias": np.zeros(channels),
        "mean": mean * factor,
        "variance": variance * factor,
    }
    inputs = [x.name, *(graph.add_constant(layer, label, array) for label, array in values.items())]
    graph.add_top_like(layer, "BatchNormalization", inputs, x, epsilon=layer.params["eps"])


def softmax(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x = bottoms[0]
    graph.add_top_like(layer, "Softmax", [x.name], x, axis=arguments.axis(layer, layer.params["axis"], x))
