"""Layers that treat each number alone, as ONNX: activations, powers, scales, sums."""

from __future__ import annotations

from collections.abc import Callable
from math import e, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Graph
from dreamkit.errors import shown


def unary(op: str) -> Callable[[Graph, Layer, list[Blob]], None]:
    """The conversion to an ONNX operation without parameters."""

    def convert(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
        graph.add_top_like(layer, op, [bottoms[0].name], bottoms[0])

    return convert


def relu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, slope = bottoms[0], layer.params["negative_slope"]
    if slope:
        graph.add_top_like(layer, "LeakyRelu", [x.name], x, alpha=slope)
    else:
        graph.add_top_like(layer, "Relu", [x.name], x)


def prelu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x = bottoms[0]
    if layer.params["channel_shared"]:
        slopes: NDArray[Any] = arguments.weight(layer, 0, ()).reshape(1)
    else:
        slopes = arguments.weight(layer, 0, (arguments.channels(layer, x),))
        slopes = arguments.broadcastable(slopes, 1, len(x.dims))
    graph.add_top_like(layer, "PRelu", [x.name, graph.add_constant(layer, "slope", slopes)], x)


def elu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    graph.add_top_like(layer, "Elu", [bottoms[0].name], bottoms[0], alpha=layer.params["alpha"])


def power(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """(shift + scale x) ^ power."""
    name, exponent = _scale_and_shift(graph, layer, bottoms[0]), layer.params["power"]
    if exponent == 1:
        graph.add_top_like(layer, "Identity", [name], bottoms[0])
    else:
        exponent = graph.add_constant(layer, "power", exponent)
        graph.add_top_like(layer, "Pow", [name, exponent], bottoms[0])


def exp(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """base ^ (shift + scale x)."""
    name, log_base = _scale_and_shift(graph, layer, bottoms[0]), _log_base(layer)
    if log_base != 1:
        name = graph.add_node(layer, "Mul", [name, graph.add_constant(layer, "base", log_base)])
    graph.add_top_like(layer, "Exp", [name], bottoms[0])


def logarithm(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """log(shift + scale x) to the base."""
    name, log_base = _scale_and_shift(graph, layer, bottoms[0]), _log_base(layer)
    if not log_base:
        raise layer_error(layer, "base is 1, for which there is no logarithm")
    if log_base == 1:
        graph.add_top_like(layer, "Log", [name], bottoms[0])
    else:
        divisor = graph.add_constant(layer, "base", log_base)
        graph.add_top_like(layer, "Div", [graph.add_node(layer, "Log", [name]), divisor], bottoms[0])


def _scale_and_shift(graph: Graph, layer: Layer, x: Blob) -> str:
    """Adds shift + scale x, or the part of it that changes x; returns the result's name."""
    name, scale, shift = x.name, layer.params["scale"], layer.params["shift"]
    if scale != 1:
        name = graph.add_node(layer, "Mul", [name, graph.add_constant(layer, "scale", scale)])
    if shift:
        name = graph.add_node(layer, "Add", [name, graph.add_constant(layer, "shift", shift)])
    return name


def _log_base(layer: Layer) -> float:
    """The natural logarithm of the base, for which -1 means e."""
    base: float = layer.params["base"]
    if base != -1 and not 0 < base < float("inf"):
        raise layer_error(layer, f"base is {base}; it must be above 0, or -1 for e")
    return log(e if base == -1 else base)


def scale(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """x times a factor, and plus a bias if there is one. The factor can be a second bottom."""
    x, params = bottoms[0], layer.params
    axis = arguments.axis(layer, params["axis"], x)
    operand, shape = _operand(graph, layer, bottoms, axis)
    if not params["bias_term"]:
        graph.add_top_like(layer, "Mul", [x.name, operand], x)
        return
    product = graph.add_node(layer, "Mul", [x.name, operand])
    values = arguments.weight(layer, 0 if len(bottoms) > 1 else 1, shape)
    constant = graph.add_constant(layer, "bias", arguments.broadcastable(values, axis, len(x.dims)))
    graph.add_top_like(layer, "Add", [product, constant], x)


def bias(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """x plus a bias, which can be a second bottom."""
    x = bottoms[0]
    operand, _ = _operand(graph, layer, bottoms, arguments.axis(layer, layer.params["axis"], x))
    graph.add_top_like(layer, "Add", [x.name, operand], x)


def _operand(graph: Graph, layer: Layer, bottoms: list[Blob], axis: int) -> tuple[str, tuple[int, ...]]:
    """The second bottom, or the first array of weights, to combine with x from `axis` on; and its shape."""
    x = bottoms[0]
    if len(bottoms) > 1:
        return _broadcast_bottom(graph, layer, bottoms[1], axis, x), bottoms[1].shape
    shape = _weight_shape(layer, x, axis)
    values = arguments.broadcastable(arguments.weight(layer, 0, shape), axis, len(x.dims))
    return graph.add_constant(layer, "operand", values), shape


def _weight_shape(layer: Layer, x: Blob, axis: int) -> tuple[int, ...]:
    """The shape of the weights of a Scale or Bias with one bottom."""
    count = layer.params["num_axes"]
    end = len(x.shape) if count == -1 else axis + count
    if not axis <= end <= len(x.shape):
        raise layer_error(
            layer,
            f"axis {axis} and num_axes {count} go beyond the {len(x.shape)} axes of {shown(x.name)}",
        )
    if any(isinstance(size, str) for size in x.dims[axis:end]):
        raise layer_error(
            layer,
            f"its weights cover axes {axis} to {end - 1} of {format_shape(x.dims)}, which works only at one "
            "size of picture",
        )
    return x.shape[axis:end]


def _broadcast_bottom(graph: Graph, layer: Layer, other: Blob, axis: int, x: Blob) -> str:
    """The second bottom with axes of 1 at the end, to broadcast over x from `axis` on."""
    if other.shape != x.shape[axis : axis + len(other.shape)]:
        raise layer_error(
            layer,
            f"{shown(other.name)}, {format_shape(other.shape)}, does not fit {format_shape(x.shape)} from "
            f"axis {axis} on",
        )
    rank = len(other.dims)
    missing = len(x.dims) - axis - rank
    if missing <= 0:
        return other.name
    axes = graph.add_constant(layer, "axes", list(range(rank, rank + missing)), np.int64)
    return graph.add_node(layer, "Unsqueeze", [other.name, axes])


def eltwise(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Weighted sum, product or maximum of several blobs."""
    x, params = bottoms[0], layer.params
    for other in bottoms[1:]:
        if other.shape != x.shape or len(other.dims) != len(x.dims):
            raise layer_error(
                layer,
                f"its bottoms are {format_shape(x.shape)} and {format_shape(other.shape)}; they must have "
                "the same shape",
            )
    names, coefficients = [blob.name for blob in bottoms], params["coeff"]
    if params["operation"] == "SUM" and coefficients:
        if len(coefficients) != len(names):
            raise layer_error(layer, f"it has {len(coefficients)} coeff for {len(names)} bottoms")
        names = [
            name if c == 1 else graph.add_node(layer, "Mul", [name, graph.add_constant(layer, "coeff", c)])
            for name, c in zip(names, coefficients, strict=True)
        ]
    op = {"SUM": "Add", "PROD": "Mul", "MAX": "Max"}[params["operation"]]
    name = names[0]
    for other_name in names[1:-1]:
        name = graph.add_node(layer, op, [name, other_name])
    graph.add_top_like(layer, op, [name, names[-1]], x)
