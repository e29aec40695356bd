"""A Caffe network as an ONNX model that takes pictures of any size.

Batch, height and width are symbols from the input to every output. Caffe fixes some things to the size
that a network was trained at: rounding up, divisors of averages, inner products. They are rewritten so
that they hold at any size.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dreamkit.convert.caffe.net import Layer, Net
from dreamkit.convert.caffe.onnx_graph import IR_VERSION, OPSET, Blob, Graph
from dreamkit.convert.caffe.onnx_layers import CONVERTERS, add_layer
from dreamkit.errors import ConvertError, did_you_mean, shown

if TYPE_CHECKING:
    import onnx


def to_onnx(net: Net, blobs: Collection[str] | None = None) -> onnx.ModelProto:
    """`net` as a float32 ONNX model in NCHW with the outputs `blobs`, or every blob by default.

    Outputs keep their names and the network's order. Layers that no output depends on are left out.

    Raises:
        ConvertError: a blob is unknown; or a layer is of an unknown type, has no weights or weights of the
            wrong shape, or cannot be computed at the original size or at other sizes.
    """
    from onnx import TensorProto, helper

    outputs = _outputs(net, blobs)
    layers = _needed_layers(net, outputs)
    read = {bottom for layer in layers for bottom in layer.bottoms}
    graph = Graph(names={*net.inputs, *net.blobs})
    inputs = [graph.add_input(name, shape) for name, shape in net.inputs.items() if name in read]
    for layer in layers:
        add_layer(graph, layer)

    def info(blob: Blob) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(blob.name, TensorProto.FLOAT, blob.dims)

    onnx_graph = helper.make_graph(
        graph.nodes,
        net.name or "caffe",
        [info(blob) for blob in inputs],
        [info(graph.blobs[name]) for name in outputs],
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(
        onnx_graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="dreamkit"
    )


def supported_blobs(net: Net) -> list[str]:
    """The blobs that do not depend on a layer of an unknown type, in order."""
    unsupported: set[str] = set()
    for layer in net.layers:
        if layer.type not in CONVERTERS or unsupported.intersection(layer.bottoms):
            unsupported.update(layer.tops)
    return [blob for blob in net.blobs if blob not in unsupported]


def _outputs(net: Net, blobs: Collection[str] | None) -> list[str]:
    """The outputs in the network's order."""
    for blob in blobs or ():
        if blob not in net.blobs:
            hint = did_you_mean(shown(blob), map(shown, net.blobs))
            raise ConvertError(f"the network has no blob {shown(blob)}; {hint}")
    return [blob for blob in net.blobs if blobs is None or blob in blobs]


def _needed_layers(net: Net, outputs: Collection[str]) -> list[Layer]:
    """The layers that `outputs` depend on, in the network's order."""
    needed, layers = set(outputs), []
    for layer in reversed(net.layers):
        if needed.intersection(layer.tops):
            needed.update(layer.bottoms)
            layers.append(layer)
    return layers[::-1]
