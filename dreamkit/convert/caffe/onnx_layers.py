"""Which function converts which type of layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dreamkit.convert.caffe import convolution, elementwise, normalization, pooling, reshape, shapes
from dreamkit.convert.caffe.net import Layer, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Graph
from dreamkit.errors import did_you_mean, shown

# Adds a layer with these bottoms to the graph. Raises ConvertError if that is impossible.
Converter = Callable[[Graph, Layer, list[Blob]], None]

CONVERTERS: Mapping[str, Converter] = {
    "AbsVal": elementwise.unary("Abs"),
    "BatchNorm": normalization.batch_norm,
    "Bias": elementwise.bias,
    "Concat": shapes.concat,
    "Convolution": convolution.convolution,
    "Crop": shapes.crop,
    "Deconvolution": convolution.convolution,
    "Dropout": shapes.identity,
    "ELU": elementwise.elu,
    "Eltwise": elementwise.eltwise,
    "Exp": elementwise.exp,
    "Flatten": reshape.flatten,
    "InnerProduct": convolution.inner_product,
    "LRN": normalization.lrn,
    "Log": elementwise.logarithm,
    "PReLU": elementwise.prelu,
    "Permute": shapes.permute,
    "Pooling": pooling.pooling,
    "Power": elementwise.power,
    "ReLU": elementwise.relu,
    "Reshape": reshape.reshape,
    "Scale": elementwise.scale,
    "Sigmoid": elementwise.unary("Sigmoid"),
    "Slice": shapes.slices,
    "Softmax": normalization.softmax,
    "Split": shapes.identity,
    "TanH": elementwise.unary("Tanh"),
}
_SEVERAL_TOPS = ("Slice", "Split")
_MIN_BOTTOMS = {"Eltwise": 2, "Crop": 2}


def add_layer(graph: Graph, layer: Layer) -> None:
    """Adds `layer` to the graph, whose blobs must include its bottoms.

    Raises:
        ConvertError: its type is unknown, or it cannot be computed.
    """
    converter = CONVERTERS.get(layer.type)
    if converter is None:
        hint = did_you_mean(shown(layer.type), CONVERTERS)
        raise layer_error(layer, f"its type is unknown; {hint}; or give --layers that come before it")
    if not layer.bottoms or not layer.tops:
        raise layer_error(
            layer, f"it has {len(layer.bottoms)} bottoms and {len(layer.tops)} tops and needs one of each"
        )
    if len(layer.tops) > 1 and layer.type not in _SEVERAL_TOPS:
        raise layer_error(layer, f"it has {len(layer.tops)} tops and can have only one")
    needed = _MIN_BOTTOMS.get(layer.type, 1)
    if len(layer.bottoms) < needed:
        raise layer_error(layer, f"it has {len(layer.bottoms)} bottoms and needs {needed}")
    converter(graph, layer, [graph.blobs[name] for name in layer.bottoms])
