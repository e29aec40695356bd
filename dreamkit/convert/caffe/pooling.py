"""Pooling as ONNX, with Caffe's rounding and divisors at any size of picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Dim, Graph

LOWEST = float(np.finfo(np.float32).min)  # Caffe's initial value of a maximum


def pooling(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Maximum and average, over windows or the whole map."""
    x, params = bottoms[0], layer.params
    channels, _, _ = arguments.feature_map(layer, x)
    if params["pool"] == "STOCHASTIC":
        raise layer_error(layer, "stochastic pooling is random and cannot be converted; MAX and AVE can")
    if params["global_pooling"]:
        op = "GlobalAveragePool" if params["pool"] == "AVE" else "GlobalMaxPool"
        graph.add_top(layer, op, [x.name], (x.shape[0], channels, 1, 1), (x.dims[0], channels, 1, 1))
        return
    kernel = arguments.height_and_width(layer, "kernel")
    stride = arguments.height_and_width(layer, "stride", 1)
    begin = arguments.height_and_width(layer, "pad", 0)
    if any(p >= k for p, k in zip(begin, kernel, strict=True)):
        raise layer_error(
            layer, f"pad {format_shape(begin)} must be less than the kernel, {format_shape(kernel)}"
        )
    end = [pad_end(k, s, p, any(begin)) for k, s, p in zip(kernel, stride, begin, strict=True)]
    offset = [b + e - k for b, e, k in zip(begin, end, kernel, strict=True)]
    shape, dims = arguments.windows(graph, layer, x, channels, offset, stride)
    attributes = {"kernel_shape": kernel, "strides": stride}
    if params["pool"] == "MAX":
        padded = pad(graph, layer, x.name, begin, end, LOWEST)
        graph.add_top(layer, "MaxPool", [padded], shape, dims, **attributes)
    elif all(e <= b for b, e in zip(begin, end, strict=True)):
        # No window goes beyond Caffe's padding, so all have the same divisor.
        padded = pad(graph, layer, x.name, begin, end, 0.0)
        graph.add_top(layer, "AveragePool", [padded], shape, dims, **attributes)
    else:
        _clipped_average(graph, layer, x, (shape, dims), begin, end, attributes)


def pad_end(kernel: int, stride: int, pad: int, padded: bool) -> int:
    """The padding at the end with which rounding down gives Caffe's rounding up, at every size.

    `padded` is whether the layer pads any side. ceil((i - k) / s) is floor((i + s - 1 - k) / s). If the
    layer pads, Caffe drops a last window that begins in the padding at the end: the
    ceil((i + 2p - k) / s) + 1 windows become at most ceil((i + p) / s). The smaller of the two is
    floor((i + p + end - k) / s) + 1 with this end.
    """
    end = pad + stride - 1
    return min(end, kernel - 1) if padded else end


def pad(graph: Graph, layer: Layer, name: str, begin: Sequence[int], end: Sequence[int], value: float) -> str:
    """Adds rows and columns of `value` around the tensor `name`; returns the result's name."""
    if not any((*begin, *end)):
        return name
    pads = graph.add_constant(layer, "pads", [0, 0, *begin, 0, 0, *end], np.int64)
    return graph.add_node(layer, "Pad", [name, pads, graph.add_constant(layer, "padding", value)])


def _clipped_average(
    graph: Graph,
    layer: Layer,
    x: Blob,
    size: tuple[tuple[int, ...], tuple[Dim, ...]],
    begin: Sequence[int],
    end: Sequence[int],
    attributes: Mapping[str, Any],
) -> None:
    """An average whose windows go beyond the padded map, and are divided by what lies within it.

    It is the average of the map over the average of a mask, which is 1 in the map and in Caffe's padding
    and 0 beyond.
    """
    padded = pad(graph, layer, x.name, begin, end, 0.0)
    average = graph.add_node(layer, "AveragePool", [padded], **attributes)
    mask = _ones_like_one_channel(graph, layer, x)
    inner = [min(b, e) for b, e in zip(begin, end, strict=True)]
    mask = pad(graph, layer, mask, begin, inner, 1.0)
    mask = pad(graph, layer, mask, (0, 0), [e - i for i, e in zip(inner, end, strict=True)], 0.0)
    share = graph.add_node(layer, "AveragePool", [mask], **attributes)
    # A window can lie entirely beyond the map if the stride is larger than the kernel: 0 / 0 must be 0.
    least = graph.add_constant(layer, "least", 1 / prod(attributes["kernel_shape"]))
    graph.add_top(layer, "Div", [average, graph.add_node(layer, "Max", [share, least])], *size)


def _ones_like_one_channel(graph: Graph, layer: Layer, x: Blob) -> str:
    """A tensor of ones, batch x 1 x height x width."""
    bounds = {"from": 0, "to": 1, "axis": 1}
    constants = [graph.add_constant(layer, label, [value], np.int64) for label, value in bounds.items()]
    channel = graph.add_node(layer, "Slice", [x.name, *constants])
    zeros = graph.add_node(layer, "Mul", [channel, graph.add_constant(layer, "zero", 0.0)])
    return graph.add_node(layer, "Add", [zeros, graph.add_constant(layer, "one", 1.0)])
