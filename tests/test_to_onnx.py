"""Caffe's layers as ONNX, compared with OpenCV's importer of Caffe models and, at other sizes, with NumPy."""

from __future__ import annotations

import random
import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from caffe_oracle import forward, pooled_size
from caffemodel import caffemodel
from conftest import DATA
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.convert import onnx_runtime
from dreamkit.convert.caffe import opencv
from dreamkit.convert.caffe.onnx_layers import CONVERTERS
from dreamkit.convert.caffe.pooling import pad_end
from dreamkit.convert.caffe.reader import read_net
from dreamkit.convert.caffe.to_onnx import to_onnx
from dreamkit.errors import ConvertError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("cv2")

MAP = (2, 6, 13, 11)
SMALL = (1, 6, 7, 7)


@dataclass
class Case:
    """Layers after an input, the shapes of their weights, and the inputs at the original and other sizes."""

    text: str
    weights: dict[str, list] = field(default_factory=dict)
    inputs: dict[str, tuple] = field(default_factory=lambda: {"data": MAP})
    sizes: tuple = ((17, 20), (14, 16), (23, 13))
    opencv: str = ""  # why it is not compared with OpenCV
    low: float = -1.0  # the lower bound of the inputs


def one(kind, params="", *shapes, bottoms=("data",), tops=("out",), **more):
    """A case of one layer."""
    words = [f'bottom: "{each}"' for each in bottoms] + [f'top: "{each}"' for each in tops]
    text = f'layer {{ name: "it" type: "{kind}" {" ".join(words)} {params} }}'
    more.setdefault("inputs", dict.fromkeys(bottoms, MAP))
    return Case(text, {"it": list(shapes)} if shapes else {}, **more)


def conv(params, *shapes, **more):
    return one("Convolution", f"convolution_param {{ {params} }}", *shapes, **more)


def deconv(params, *shapes, **more):
    return one("Deconvolution", f"convolution_param {{ {params} }}", *shapes, **more)


def pool(params, **more):
    return one("Pooling", f"pooling_param {{ {params} }}", **more)


def product(params, *shapes, **more):
    return one("InnerProduct", f"inner_product_param {{ {params} }}", *shapes, **more)


HEAD = """layer { name: "fc6" type: "InnerProduct" bottom: "data" top: "fc6"
  inner_product_param { num_output: 5 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" dropout_param { dropout_ratio: 0.5 } }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7" inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "fc7" top: "prob" }"""
FLAT_HEAD = """layer { name: "flat" type: "Flatten" bottom: "data" top: "flat" }
layer { name: "fc" type: "InnerProduct" bottom: "flat" top: "fc" inner_product_param { num_output: 5 } }
layer { name: "again" type: "Flatten" bottom: "fc" top: "again" }"""
DETECTOR = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param
  { num_output: 8 kernel_size: 1 } }
layer { name: "permute" type: "Permute" bottom: "conv" top: "permute" permute_param { order: [0, 2, 3, 1] } }
layer { name: "flat" type: "Flatten" bottom: "permute" top: "flat" flatten_param { axis: 1 } }
layer { name: "reshape" type: "Reshape" bottom: "flat" top: "reshape" reshape_param
  { shape { dim: 0 dim: -1 dim: 4 } } }
layer { name: "softmax" type: "Softmax" bottom: "reshape" top: "softmax" softmax_param { axis: 2 } }"""
GATE = """layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 6 } }
layer { name: "gate" type: "Sigmoid" bottom: "fc" top: "gate" }
layer { name: "scaled" type: "Scale" bottom: "data" bottom: "gate" top: "scaled" scale_param { axis: 0 } }"""
IGNORES_K = "OpenCV ignores k"

CASES = {
    "convolution": conv("num_output: 4 kernel_size: 3", (4, 6, 3, 3), (4,)),
    "convolution padded": conv("num_output: 4 kernel_size: 5 pad: 2 stride: 2", (4, 6, 5, 5), (4,)),
    "convolution grouped": conv("num_output: 4 kernel_size: 3 group: 2 pad: 1", (4, 3, 3, 3), (4,)),
    "convolution depthwise": conv("num_output: 6 kernel_size: 3 group: 6 bias_term: false", (6, 1, 3, 3)),
    "convolution dilated": conv("num_output: 4 kernel_size: 3 dilation: 2 pad: 2", (4, 6, 3, 3), (4,)),
    "convolution rectangular": conv(
        "num_output: 4 kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2", (4, 6, 3, 5), (4,)
    ),
    "convolution of two sizes": conv("num_output: 4 kernel_size: [3, 1] pad: [1, 0]", (4, 6, 3, 1), (4,)),
    "deconvolution": deconv("num_output: 4 kernel_size: 4 stride: 2 pad: 1", (6, 4, 4, 4), (4,)),
    "deconvolution grouped": deconv(
        "num_output: 6 kernel_size: 3 stride: 2 group: 3 bias_term: false", (6, 2, 3, 3)
    ),
    "deconvolution rectangular": deconv(
        "num_output: 4 kernel_h: 3 kernel_w: 4 stride_h: 3 stride_w: 2 pad_h: 1 pad_w: 0", (6, 4, 3, 4), (4,)
    ),
    "inner product": product("num_output: 5", (5, 6 * 7 * 7), (5,), inputs={"data": SMALL}),
    "inner product of a rectangle": product("num_output: 5 bias_term: false", (5, 6 * 13 * 11)),
    "inner product transposed": product(
        "num_output: 5 transpose: true",
        (6 * 7 * 7, 5),
        (5,),
        inputs={"data": SMALL},
        opencv="it ignores transpose",
    ),
    "inner product of no map": product("num_output: 5", (5, 6), (5,), inputs={"data": (2, 6)}),
    "inner products": Case(HEAD, {"fc6": [(5, 294), (5,)], "fc7": [(4, 5), (4,)]}, {"data": SMALL}),
    "inner product, flattened": Case(FLAT_HEAD, {"fc": [(5, 294), (5,)]}, {"data": SMALL}, sizes=()),
    "max pooling": pool("kernel_size: 3 stride: 2"),
    "max pooling padded": pool("kernel_size: 3 stride: 2 pad: 1", inputs={"data": (2, 6, 14, 12)}),
    "max pooling inception": pool("kernel_size: 3 stride: 1 pad: 1"),
    "max pooling dropping": pool("kernel_size: 2 stride: 2 pad: 1"),
    "max pooling rectangular": pool("kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 3 pad_h: 0 pad_w: 1"),
    "max pooling global": pool("pool: MAX global_pooling: true"),
    "max pooling in gaps": pool(
        "kernel_size: 1 stride: 3",
        opencv="it has no value where there is no window",
        sizes=((13, 14), (11, 12)),
    ),
    "average pooling": pool("pool: AVE kernel_size: 3 stride: 2"),
    "average pooling padded": pool("pool: AVE kernel_size: 3 stride: 2 pad: 1"),
    "average pooling same": pool("pool: AVE kernel_size: 3 stride: 1 pad: 1"),
    "average pooling wide": pool("pool: AVE kernel_size: 5 stride: 3 pad: 2"),
    "average pooling rectangular": pool(
        "pool: AVE kernel_h: 2 kernel_w: 4 stride_h: 2 stride_w: 3 pad_h: 0 pad_w: 1"
    ),
    "average pooling whole": pool("pool: AVE kernel_size: 7", inputs={"data": SMALL}),
    "average pooling global": pool("pool: AVE global_pooling: true"),
    "lrn": one("LRN", "lrn_param { local_size: 5 alpha: 0.9 beta: 0.75 }"),
    "lrn with k": one("LRN", "lrn_param { local_size: 3 alpha: 0.9 beta: 0.5 k: 2 }", opencv=IGNORES_K),
    "lrn wider than the channels": one("LRN", "lrn_param { local_size: 11 alpha: 0.9 beta: 0.5 }"),
    "lrn within channels": one(
        "LRN", "lrn_param { local_size: 3 alpha: 0.9 beta: 0.75 norm_region: WITHIN_CHANNEL }"
    ),
    "relu": one("ReLU"),
    "relu leaky": one("ReLU", "relu_param { negative_slope: 0.55 }"),
    "prelu": one("PReLU", "", (6,)),
    "prelu shared": one("PReLU", "prelu_param { channel_shared: true }", (1,)),
    "elu": one("ELU", "elu_param { alpha: 0.7 }"),
    "sigmoid": one("Sigmoid"),
    "tanh": one("TanH"),
    "absval": one("AbsVal"),
    "power": one("Power", "power_param { power: 3 scale: 0.5 shift: 2 }"),
    "power of one": one("Power", "power_param { scale: 0.017 shift: -1.5 }"),
    "power of nothing": one("Power"),
    "exp": one("Exp"),
    "exp of two": one("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.3 }"),
    "log": one("Log", low=0.1),
    "log shifted": one("Log", "log_param { shift: 0.5 }", low=0, opencv="it ignores Log's parameters"),
    "log of ten": one(
        "Log", "log_param { base: 10 scale: 2 shift: 1 }", low=0, opencv="it ignores Log's parameters"
    ),
    "batch norm": one("BatchNorm", "batch_norm_param { eps: 0.001 }", (6,), (6,), (1,)),
    "scale": one("Scale", "", (6,)),
    "scale and bias": one("Scale", "scale_param { bias_term: true }", (6,), (6,)),
    "scale by a bottom": one(
        "Scale", "scale_param { axis: 0 }", bottoms=("data", "gate"), inputs={"data": MAP, "gate": (2, 6)}
    ),
    "gate": Case(GATE, {"fc": [(6, 6), (6,)]}),
    "bias": one("Bias", "", (6,), opencv="it has no Bias"),
    "bias by a bottom": one("Bias", "bias_param { axis: 0 }", bottoms=("data", "b"), opencv="it has no Bias"),
    "eltwise sum": one("Eltwise", bottoms=("data", "b", "c")),
    "eltwise weighted": one("Eltwise", "eltwise_param { coeff: 1 coeff: -0.5 }", bottoms=("data", "b")),
    "eltwise product": one("Eltwise", "eltwise_param { operation: PROD }", bottoms=("data", "b")),
    "eltwise maximum": one("Eltwise", "eltwise_param { operation: MAX }", bottoms=("data", "b", "c")),
    "concat": one("Concat", bottoms=("data", "b"), inputs={"data": MAP, "b": (2, 3, 13, 11)}),
    "concat of rows": one("Concat", "concat_param { axis: 2 }", bottoms=("data", "b")),
    "concat of old": one("Concat", "concat_param { concat_dim: 1 }", bottoms=("data", "b")),
    "slice": one("Slice", "slice_param { slice_point: 1 slice_point: 4 }", tops=("a", "b", "c")),
    "slice equal": one("Slice", tops=("a", "b"), opencv="it needs a slice_point"),
    "slice of rows": one("Slice", "slice_param { axis: 2 slice_point: 5 }", tops=("a", "b")),
    "split": one("Split", tops=("a", "b")),
    "flatten": one("Flatten"),
    "flatten rows": one("Flatten", "flatten_param { axis: 2 }"),
    "reshape": one("Reshape", "reshape_param { shape { dim: 0 dim: 3 dim: -1 } }"),
    "reshape in part": one("Reshape", "reshape_param { axis: 2 shape { dim: -1 } }"),
    "reshape to itself": one(
        "Reshape", "reshape_param { shape { dim: 2 dim: 6 dim: 13 dim: -1 } }", sizes=()
    ),
    "permute": one("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "detector": Case(DETECTOR, {"conv": [(8, 6, 1, 1), (8,)]}),
    "crop": one(
        "Crop",
        "crop_param { offset: 2 }",
        bottoms=("data", "b"),
        inputs={"data": MAP, "b": (2, 6, 9, 8)},
    ),
    "crop channels": one(
        "Crop",
        "crop_param { axis: 1 offset: [1, 0, 3] }",
        bottoms=("data", "b"),
        inputs={"data": MAP, "b": (2, 4, 9, 8)},
    ),
    "dropout": one("Dropout"),
    "softmax": one("Softmax"),
    "softmax of columns": one("Softmax", "softmax_param { axis: -1 }"),
}


def write(folder, case):
    """Writes the files of a case; returns them and the network."""
    random = np.random.default_rng(0)
    weights = {
        name: [random.uniform(0.1, 1, shape) for shape in shapes] for name, shapes in case.weights.items()
    }
    for name, arrays in weights.items():
        weights[name] = [array if array.size < 7 else array - 0.5 for array in arrays]
    dims = "".join(
        f'input: "{name}" input_shape {{ {" ".join(f"dim: {size}" for size in shape)} }}\n'
        for name, shape in case.inputs.items()
    )
    prototxt, model = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(dims + case.text)
    model.write_bytes(caffemodel(weights or {"unused": [[1.0]]}))
    return prototxt, model, read_net(prototxt, model)


def session(model):
    return onnx_runtime.session(model.SerializeToString())


def error(got, want):
    """The largest difference relative to the largest number."""
    assert got.size == want.size, f"{got.shape} is not {want.shape}"
    return float(np.abs(got.reshape(want.shape) - want).max() / max(np.abs(want).max(), 1e-30))


def inputs_of(case, size=None, batch=None):
    """Random inputs at the original size, or with `data` at `size` and the others enlarged by as much."""
    random, inputs = np.random.default_rng(1), {}
    for name, shape in case.inputs.items():
        if size is not None and len(shape) == 4:
            grown = [new - old for new, old in zip(size, case.inputs["data"][2:], strict=True)]
            shape = (batch, shape[1], shape[2] + grown[0], shape[3] + grown[1])
        elif batch is not None:
            shape = (batch, *shape[1:])
        inputs[name] = random.uniform(case.low, 1, shape).astype(np.float32)
    return inputs


def against_opencv(inputs, prototxt, model, net, ready):
    """The error of every blob at the original size."""
    opencv.version()
    got, expected = onnx_runtime.compute(ready, inputs), opencv.compute(prototxt, model, net, inputs)
    return {name: error(got[name], expected[name]) for name in got}


def against_numpy(case, net, ready):
    """The largest error of any blob at the original size and at others."""
    kernels, worst = {}, 0.0
    for size, batch in ((None, None), *((size, batch) for batch, size in enumerate(case.sizes, start=1))):
        inputs = inputs_of(case, size, batch)
        expected, got = forward(net, inputs, kernels), onnx_runtime.compute(ready, inputs)
        for name, array in got.items():
            same_shape = array.shape == expected[name].shape
            assert same_shape or array.shape[2:] == (1, 1), (
                f"{name} is {array.shape}, not {expected[name].shape}"
            )
            worst = max(worst, error(array, expected[name]))
    return worst


@pytest.mark.parametrize("name", CASES)
def test_layer(name, tmp_path):
    case = CASES[name]
    prototxt, model, net = write(tmp_path, case)
    converted = to_onnx(net)
    onnx.checker.check_model(converted, full_check=True)
    ready = session(converted)
    assert against_numpy(case, net, ready) <= 1e-4
    if not case.opencv:
        errors = against_opencv(inputs_of(case), prototxt, model, net, ready)
        assert max(errors.values()) <= 1e-4


def test_every_layer_type_has_a_case():
    tested = {kind for kind in CONVERTERS for case in CASES.values() if f'type: "{kind}"' in case.text}
    assert tested == set(CONVERTERS)


# ------------------------------------------------------------------------------------ any size of picture


@given(st.integers(1, 90), st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.booleans())
def test_pooling_has_the_same_number_of_windows_as_in_caffe(size, kernel, stride, pad, other_side):
    pad %= kernel
    padded = pad > 0 or other_side
    if size + 2 * pad < kernel:
        return
    windows = (size + pad + pad_end(kernel, stride, pad, padded) - kernel) // stride + 1
    assert windows == pooled_size(size, kernel, stride, pad, padded)


@given(st.data())
def test_pooling_equals_caffes_at_any_size(data):
    kernel = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pad = tuple(data.draw(st.integers(0, k - 1)) for k in kernel)
    kind = data.draw(st.sampled_from(["MAX", "AVE"]))
    sides = [
        f"kernel_{s}: {k} stride_{s}: {t} pad_{s}: {p}"
        for s, k, t, p in zip("hw", kernel, stride, pad, strict=True)
    ]
    sizes = data.draw(st.lists(st.tuples(st.integers(4, 12), st.integers(4, 12)), min_size=2, max_size=2))
    case = pool(f"pool: {kind} {' '.join(sides)}", inputs={"data": (1, 2, 9, 8)}, sizes=tuple(sizes))
    with tempfile.TemporaryDirectory() as folder:
        _, _, net = write(Path(folder), case)
    assert against_numpy(case, net, session(to_onnx(net))) <= 1e-5


def dims(value):
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def test_batch_height_and_width_are_symbols_to_the_end(tmp_path):
    _, _, net = write(tmp_path, CASES["inner products"])
    graph = to_onnx(net).graph
    assert dims(graph.input[0]) == ["batch", 6, "height", "width"]
    for output in graph.output:
        batch, channels, height, width = dims(output)
        assert batch == "batch"
        assert channels in (4, 5)
        assert isinstance(height, str)
        assert isinstance(width, str)


def test_an_unchanged_size_keeps_its_symbol(tmp_path):
    _, _, net = write(tmp_path, CASES["max pooling inception"])
    graph = to_onnx(net).graph
    assert dims(graph.output[0]) == dims(graph.input[0])


def test_an_inner_product_after_a_flatten_slides_over_larger_maps(tmp_path):
    case = CASES["inner product, flattened"]
    _, _, net = write(tmp_path, case)
    weights = {layer.name: layer.weights for layer in net.layers}["fc"]
    data = np.random.default_rng(2).normal(size=(3, 6, 9, 8)).astype(np.float32)
    got = onnx_runtime.compute(session(to_onnx(net, ["fc"])), {"data": data})["fc"]
    assert got.shape == (3, 5, 3, 2)
    for i, j in np.ndindex(3, 2):
        expected = data[:, :, i : i + 7, j : j + 7].reshape(3, -1) @ weights[0].T + weights[1]
        assert error(got[:, :, i, j], expected) <= 1e-5


def test_a_size_that_a_reshape_keeps_as_a_number_follows_the_picture(tmp_path):
    _, _, net = write(tmp_path, CASES["reshape to itself"])
    got = onnx_runtime.compute(session(to_onnx(net)), {"data": np.zeros((1, 6, 13, 20), np.float32)})
    assert got["out"].shape == (1, 6, 13, 20)


def test_each_blob_is_an_output_with_every_value_of_in_place_layers(tmp_path):
    _, _, net = write(tmp_path, CASES["inner products"])
    names = [output.name for output in to_onnx(net).graph.output]
    assert names == ["fc6@fc6", "fc6@relu6", "fc6", "fc7", "prob"]
    got = onnx_runtime.compute(session(to_onnx(net)), {"data": inputs_of(CASES["inner products"])["data"]})
    assert got["fc6@fc6"].min() < 0 == got["fc6@relu6"].min()


def test_only_the_chosen_blobs_are_converted(tmp_path):
    _, _, net = write(tmp_path, CASES["inner products"])
    graph = to_onnx(net, ["fc6", "fc6@fc6"]).graph
    assert [output.name for output in graph.output] == ["fc6@fc6", "fc6"]
    assert not any("fc7" in node.name for node in graph.node)


def test_unusual_names_survive(tmp_path):
    text = """layer { name: "inception_4c/out:put" type: "Power" bottom: "data" top: "inception_4c/output é"
      power_param { scale: 2 shift: 1 } }
    layer { name: "inception_4c/out:put" type: "AbsVal" bottom: "inception_4c/output é"
      top: "inception_4c/out:put:scale" }"""
    _, _, net = write(tmp_path, Case(text))
    model = to_onnx(net)
    onnx.checker.check_model(model, full_check=True)
    got = onnx_runtime.compute(session(model), {"data": np.full(MAP, -2, np.float32)})
    assert {name: array.max() for name, array in got.items()} == {net.blobs[0]: -3, net.blobs[1]: 3}


# ------------------------------------------------------------------------------------------- wrong input

NUMBERS = ["0", "1", "2", "3", "7", "-1", "12", "65536", "4294967295", "9223372036854775807"]
WRONG = {
    "an unknown type": (one("Interp", "interp_param { height: 3 }"), "its type is unknown"),
    "a near type": (one("Convolutional"), "did you mean Convolution"),
    "stochastic pooling": (pool("pool: STOCHASTIC kernel_size: 2"), "stochastic pooling"),
    "no kernel": (pool("stride: 2"), "kernel is None; give one size"),
    "a kernel of nothing": (conv("num_output: 4 kernel_size: 0", (4, 6, 1, 1), (4,)), "kernel is 0"),
    "a pad past the kernel": (pool("kernel_size: 2 pad: 2"), "must be less than the kernel"),
    "a window past the map": (
        conv("num_output: 4 kernel_size: 15", (4, 6, 15, 15), (4,)),
        "larger than data, which is 13 x 11",
    ),
    "odd groups": (conv("num_output: 4 kernel_size: 1 group: 4", (4, 6, 1, 1), (4,)), "in 4 groups"),
    "other weights": (
        conv("num_output: 4 kernel_size: 3", (4, 5, 3, 3), (4,)),
        "array 0 of weights is 4 x 5 x 3 x 3 and must be 4 x 6 x 3 x 3",
    ),
    "an even lrn": (one("LRN", "lrn_param { local_size: 4 }"), "must be odd"),
    "a fixed size": (
        one("Reshape", "reshape_param { shape { dim: 0 dim: 6 dim: 143 } }"),
        "works only at one size of picture",
    ),
    "sizes that move": (
        one("Reshape", "reshape_param { axis: 1 num_axes: 1 shape { dim: 2 dim: 3 } }"),
        "works only at one size of picture",
    ),
    "a shape of another count": (
        one("Reshape", "reshape_param { shape { dim: 7 } }"),
        "cannot be given the shape 7",
    ),
    "weights of a picture's size": (
        one("Scale", "scale_param { num_axes: 3 }", (6, 13, 11)),
        "only at one size of picture",
    ),
    "different bottoms": (
        one("Eltwise", bottoms=("data", "b"), inputs={"data": MAP, "b": (2, 6, 13, 9)}),
        "2 x 6 x 13 x 11 and 2 x 6 x 13 x 9; they must have the same shape",
    ),
    "a missing bottom": (one("Eltwise"), "has 1 bottoms and needs 2"),
    "coefficients": (
        one("Eltwise", "eltwise_param { coeff: 2 }", bottoms=("data", "b")),
        "1 coeff for 2 bottoms",
    ),
    "slices that overlap": (
        one("Slice", "slice_param { slice_point: 4 slice_point: 2 }", tops="abc"),
        "slice_point 4 x 2",
    ),
    "slices of height": (
        one("Slice", "slice_param { axis: 3 }", tops=("a",) * 1 + tuple("bcdefghijkl")[:10]),
        "would depend on the size",
    ),
    "axes twice": (one("Permute", "permute_param { order: [1, 1] }"), "each at most once"),
    "an axis too far": (one("Softmax", "softmax_param { axis: 4 }"), "no axis 4; data has 4"),
    "a crop past the edge": (
        one(
            "Crop", "crop_param { offset: 5 }", bottoms=("data", "b"), inputs={"data": MAP, "b": (2, 6, 9, 8)}
        ),
        "from 5 on in axis 2 goes beyond",
    ),
    "a logarithm to one": (one("Log", "log_param { base: 1 }"), "for which there is no logarithm"),
    "no map": (pool("kernel_size: 2", inputs={"data": (2, 6)}), "works on batch x channels x height x width"),
    "a flat map": (
        Case(
            'layer { name: "f" type: "Flatten" bottom: "data" top: "f" }\n'
            'layer { name: "it" type: "ReLU" bottom: "f" top: "f" }\n'
            'layer { name: "fc" type: "InnerProduct" bottom: "f" top: "x"'
            " inner_product_param { num_output: 2 } }",
            {"fc": [(2, 858), (2,)]},
        ),
        "works only at one size",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_impossible_layer_is_an_error_in_one_line(name, tmp_path):
    case, message = WRONG[name]
    _, _, net = write(tmp_path, case)
    with pytest.raises(ConvertError) as caught:
        to_onnx(net)
    assert message in str(caught.value)
    assert str(caught.value).startswith(("layer it, line 2", "layer it, line 3", "layer fc, line 4"))
    assert "\n" not in str(caught.value)


def test_an_unknown_type_affects_only_what_depends_on_it(tmp_path):
    text = """layer { name: "first" type: "ReLU" bottom: "data" top: "first" }
    layer { name: "odd" type: "Interp" bottom: "first" top: "odd" interp_param { zoom_factor: 2 } }
    layer { name: "last" type: "ReLU" bottom: "odd" top: "last" }
    layer { name: "aside" type: "TanH" bottom: "first" top: "aside" }"""
    _, _, net = write(tmp_path, Case(text))
    assert [output.name for output in to_onnx(net, ["aside", "first"]).graph.output] == ["first", "aside"]
    with pytest.raises(ConvertError, match="layer odd, line 3, a Interp: its type is unknown"):
        to_onnx(net, ["last"])


def test_mutated_descriptions_are_errors_or_valid_models(tmp_path):
    """Random changes to the numbers of the cases: what is not an error is a valid model."""
    draw, converted, messages, cases = random.Random(0), 0, [], list(CASES.values())
    for _ in range(400):
        case = draw.choice(cases)
        text = re.sub(
            r"\b\d+", lambda found: found[0] if draw.random() < 0.8 else draw.choice(NUMBERS), case.text
        )
        try:
            _, _, net = write(tmp_path, replace(case, text=text))
            model = to_onnx(net)
        except ConvertError as error:
            messages.append(str(error))
            continue
        onnx.checker.check_model(model, full_check=True)
        converted += 1
    assert 100 < converted < 390
    assert not any("\n" in message for message in messages)


def test_an_unknown_blob_is_named_with_similar_ones(tmp_path):
    _, _, net = write(tmp_path, CASES["inner products"])
    with pytest.raises(ConvertError, match="has no blob fc8; did you mean fc7 or fc6"):
        to_onnx(net, ["fc8"])


def test_a_net_without_weights_is_an_error(tmp_path):
    prototxt, _, _ = write(tmp_path, CASES["convolution"])
    with pytest.raises(
        ConvertError, match=r"layer it, line 2, .* no weights .*; read the network with its caffemodel"
    ):
        to_onnx(read_net(prototxt, None))


# ----------------------------------------------------------------------------------------- real networks


K = """layer { name: "a\\"b" type: "LRN" bottom: "data" top: "n\\303\\251"
  lrn_param { local_size: 3 alpha: 0.9 beta: 0.6 k: 2.5 } } # an end
layer { name: "plain" type: "LRN" bottom: "n\\303\\251" top: "plain" lrn_param { alpha: 0.5 } }
layer { name: "last" type: "LRN" bottom: "plain" top: "last" lrn_param { k: 0.5 alpha: 0.1 } }"""
V1_K = """layers { name: "n" type: LRN bottom: "data" top: "n"
  lrn_param { local_size: 5 alpha: 0.9 beta: 0.75 k: 2 } }
layers { name: "r" type: RELU bottom: "n" top: "r" }"""


@pytest.mark.parametrize("text", [K, V1_K])
def test_a_prototxt_without_k_is_the_same_network(text, tmp_path):
    case = Case(text)
    prototxt, model, net = write(tmp_path, case)
    (tmp_path / "without.prototxt").write_text(opencv.prototxt_without_k(prototxt))
    without = read_net(tmp_path / "without.prototxt", model)
    assert all(layer.params["k"] == 1 for layer in without.layers if layer.type == "LRN")
    assert set(net.blobs) < set(without.blobs)
    inputs = inputs_of(case)
    ours, theirs = (
        onnx_runtime.compute(session(to_onnx(each, list(net.blobs))), inputs) for each in (net, without)
    )
    assert all(error(ours[name], theirs[name]) < 1e-5 for name in net.blobs)
    against_opencv(inputs, tmp_path / "without.prototxt", model, without, session(to_onnx(without)))


def test_opencv_reads_files_with_any_name(tmp_path, monkeypatch):
    """On Windows it opens none with characters beyond ASCII."""
    import cv2

    read = cv2.dnn.readNetFromCaffe

    def as_on_windows(*files):
        if any(isinstance(each, str) and not each.isascii() for each in files):
            raise cv2.error("FAILED: fs.is_open(). Can't open")
        return read(*files)

    monkeypatch.setattr(cv2.dnn, "readNetFromCaffe", as_on_windows)
    case = Case(K)
    folder = tmp_path / "caf\xe9"
    folder.mkdir()
    prototxt, model, _ = write(folder, case)
    (folder / "without.prototxt").write_text(opencv.prototxt_without_k(prototxt))
    without = read_net(folder / "without.prototxt", model)
    ready = session(to_onnx(without))
    errors = against_opencv(inputs_of(case), folder / "without.prototxt", model, without, ready)
    assert max(errors.values()) < 1e-5


REAL = {"squeezenet_v1.0": 60, "inception5h": 60, "squeezenet_places365": 0.4}


def largest_error(name, scratch):
    """The largest error of a real network compared with OpenCV, and its blob."""
    folder = DATA / "caffe" / name
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    (prototxt,), (model,) = folder.glob("*.prototxt"), folder.glob("*.caffemodel")
    net = read_net(prototxt, model)
    without_k = scratch / "net.prototxt"
    without_k.write_text(opencv.prototxt_without_k(prototxt))
    (shape,) = net.inputs.values()
    inputs = {"data": np.random.default_rng(0).normal(0, REAL[name], shape).astype(np.float32)}
    errors = against_opencv(inputs, without_k, model, net, session(to_onnx(net)))
    assert list(errors) == list(net.blobs)
    return max((error, blob) for blob, error in errors.items())


@pytest.mark.heavy
@pytest.mark.parametrize("name", REAL)
def test_every_blob_of_a_real_network_equals_opencvs(name, tmp_path):
    worst, blob = largest_error(name, tmp_path)
    assert worst <= 1e-4, f"{blob} differs by {worst:.1e}"
