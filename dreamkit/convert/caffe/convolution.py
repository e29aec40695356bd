"""Convolution, Deconvolution and InnerProduct as ONNX."""

from __future__ import annotations

from math import prod

import numpy as np

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, Weight, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Graph
from dreamkit.errors import shown


def convolution(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Convolution and Deconvolution."""
    x, params = bottoms[0], layer.params
    channels, _, _ = arguments.feature_map(layer, x)
    outputs, group = params["num_output"] or 0, params["group"]
    kernel = arguments.height_and_width(layer, "kernel")
    stride = arguments.height_and_width(layer, "stride", 1)
    pad = arguments.height_and_width(layer, "pad", 0)
    dilation = arguments.height_and_width(layer, "dilation", 1)
    if params["axis"] not in (1, -3):
        raise layer_error(layer, f"axis is {params['axis']}; only 1 can be converted")
    if not outputs or not group or channels % group or outputs % group:
        raise layer_error(layer, f"{channels} channels cannot become num_output {outputs} in {group} groups")
    # The extent of the dilated kernel, less the padding.
    extent = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(dilation, kernel, pad, strict=True)]
    transposed = layer.type == "Deconvolution"
    if transposed:  # stride * (size - 1) + extent
        weight_shape = (channels, outputs // group, *kernel)
        offset = [e - s - 1 for e, s in zip(extent, stride, strict=True)]
        shape, dims = arguments.windows(graph, layer, x, outputs, offset, (1, 1), stride)
    else:
        weight_shape = (outputs, channels // group, *kernel)
        shape, dims = arguments.windows(graph, layer, x, outputs, [-e for e in extent], stride)
    inputs = [x.name, graph.add_constant(layer, "weights", arguments.weight(layer, 0, weight_shape))]
    if params["bias_term"]:
        inputs.append(_add_bias(graph, layer, outputs))
    attributes = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": pad * 2,
        "dilations": dilation,
        "group": group,
    }
    graph.add_top(layer, "ConvTranspose" if transposed else "Conv", inputs, shape, dims, **attributes)


def inner_product(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """InnerProduct. Over a whole feature map it is a convolution, which slides over larger maps."""
    x = bottoms[0].unflattened or bottoms[0]
    outputs, axis = layer.params["num_output"] or 0, arguments.axis(layer, layer.params["axis"], x)
    if not outputs:
        raise layer_error(layer, "it has no num_output")
    if axis == 1 and len(x.dims) == 4:
        _inner_product_of_map(graph, layer, x, outputs)
    else:
        _inner_product_of_axes(graph, layer, x, outputs, axis)


def _inner_product_of_map(graph: Graph, layer: Layer, x: Blob, outputs: int) -> None:
    """A convolution whose kernel is the whole map at the original size."""
    channels, *kernel = arguments.feature_map(layer, x)
    weights = _input_by_output(layer, channels * prod(kernel), outputs).T
    shape, dims = arguments.windows(graph, layer, x, outputs, [-side for side in kernel], (1, 1))
    kernels = weights.reshape(outputs, channels, *kernel)
    inputs = [x.name, graph.add_constant(layer, "weights", kernels)]
    if layer.params["bias_term"]:
        inputs.append(_add_bias(graph, layer, outputs))
    graph.add_top(layer, "Conv", inputs, shape[:2], dims, kernel_shape=kernel)


def _inner_product_of_axes(graph: Graph, layer: Layer, x: Blob, outputs: int, axis: int) -> None:
    """A matrix product over the axes from `axis` on, which must have fixed sizes."""
    arguments.check_rank(layer, x)
    if any(isinstance(size, str) for size in x.dims[axis:]):
        raise layer_error(
            layer,
            f"{shown(x.name)} is {format_shape(x.dims)}; an inner product from axis {axis} on works only "
            "at one size of picture",
        )
    count = prod(x.shape[axis:])
    weights = _input_by_output(layer, count, outputs)
    flat_shape = graph.add_constant(layer, "shape", [*[0] * axis, count], np.int64)
    flat = graph.add_node(layer, "Reshape", [x.name, flat_shape])
    op, inputs = "MatMul", [flat, graph.add_constant(layer, "weights", weights)]
    if layer.params["bias_term"]:
        bias = _add_bias(graph, layer, outputs)
        op, inputs = "Add", [graph.add_node(layer, "MatMul", inputs), bias]
    graph.add_top(layer, op, inputs, (*x.shape[:axis], outputs), (*x.dims[:axis], outputs))


def _input_by_output(layer: Layer, count: int, outputs: int) -> Weight:
    """The weights of an InnerProduct, `(count, outputs)`. Caffe stores them transposed by default."""
    if layer.params["transpose"]:
        return arguments.weight(layer, 0, (count, outputs))
    return arguments.weight(layer, 0, (outputs, count)).T


def _add_bias(graph: Graph, layer: Layer, outputs: int) -> str:
    return graph.add_constant(layer, "bias", arguments.weight(layer, 1, (outputs,)))
