"""ONNX models as exporters write them: what becomes of them computes the same, at any size of picture."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from conftest import skip_without_converter

from dreamkit.convert import onnx_model, onnx_runtime
from dreamkit.convert.feature_maps import Kept, find_head
from dreamkit.convert.onnx_constants import with_constants
from dreamkit.convert.onnx_feature_maps import count_kept, find_shapes
from dreamkit.convert.onnx_forms import in_float32, with_recent_operators, with_rgb_input
from dreamkit.convert.onnx_layouts import on_maps
from dreamkit.convert.verify import _as_map
from dreamkit.errors import ConvertError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402 - what is not there is skipped above
from onnx_network import SIDE, Network, gemm, long, normal, trunk  # noqa: E402 - it needs onnx


def pooled_by_mean():
    network = trunk().add("ReduceMean", axes=[2, 3], keepdims=0)
    network.add("MatMul", network.last, normal(16, 5))
    return network.add("Add", network.last, normal(5))


def two_dense_layers():
    network = trunk().add("GlobalAveragePool")
    network.add("Reshape", network.last, long(1, -1)).add("Dropout")
    return gemm(gemm(network, 6, 16).add("Relu"), 5, 6).add("Softmax", axis=1)


def normalised_head():
    network = trunk().add("GlobalAveragePool").add("Flatten")
    network.add("LayerNormalization", network.last, normal(16), normal(16))
    return gemm(network, 5, 16)


def convnext(constants_first=False):
    """A block on batch x height x width x channels, and its sum with its input."""

    def pair(*inputs):
        return reversed(inputs) if constants_first else inputs

    network = trunk()
    before = network.last
    network.add("Transpose", perm=[0, 2, 3, 1])
    network.add("LayerNormalization", network.last, normal(16), normal(16), axis=-1, epsilon=1e-6)
    network.add("MatMul", network.last, normal(16, 24))
    network.add("Add", *pair(network.last, normal(24)))
    up = network.last
    network.add("Div", up, np.array(2**0.5, np.float32)).add("Erf")
    network.add("Add", network.last, np.array(1, np.float32)).add("Mul", up, network.last)
    network.add("MatMul", network.last, normal(24, 16))
    network.add("Mul", *pair(network.last, normal(16)))
    network.add("Transpose", perm=[0, 3, 1, 2])
    return network.add("Add", network.last, before).convolution(8, 16)


def squeezed():
    network = trunk()
    before = network.last
    network.add("GlobalAveragePool").add("Reshape", network.last, long(1, 16))
    gemm(network, 16, 16).add("Sigmoid").add("Reshape", network.last, long(1, 16, 1, 1))
    return network.add("Mul", before, network.last).convolution(8, 16)


def shuffled():
    network = trunk()
    network.add("Reshape", network.last, long(1, 4, 4, 8, 8)).add("Transpose", perm=[0, 2, 1, 3, 4])
    return network.add("Reshape", network.last, long(1, 16, 8, 8)).convolution(8, 16)


FORMS = {
    "a classifier": lambda: gemm(trunk().add("GlobalAveragePool").add("Flatten"), 5, 16),
    "a mean and a product": pooled_by_mean,
    "two dense layers": two_dense_layers,
    "layer normalisation before the classifier": normalised_head,
    "a classifier of a whole map": lambda: gemm(trunk().add("Flatten"), 5, 16 * 64),
    "a block with its channels last": convnext,
    "the same, with constants before maps": partial(convnext, constants_first=True),
    "squeeze and excitation": squeezed,
    "a channel shuffle": shuffled,
    "channels last": lambda: channels_last(),
    "uint8": lambda: uint8(),
    "float16": lambda: float16(),
    "grey": lambda: Network(dims=(1, 1, SIDE, SIDE)).convolution(8, 1),
    "four channels": lambda: Network(dims=(1, 4, SIDE, SIDE)).convolution(8, 4),
    "an old operator set": lambda: gemm(trunk(opset=8).add("GlobalAveragePool").add("Flatten"), 5, 16),
}
HEADS = {
    "a classifier": 5,
    "a mean and a product": 5,
    "two dense layers": 5,
    "layer normalisation before the classifier": 5,
    "a classifier of a whole map": 5,
    "an old operator set": 5,
}


def channels_last():
    network = Network(dims=(1, SIDE, SIDE, 3)).add("Transpose", perm=[0, 3, 1, 2])
    return network.convolution(8, 3)


def uint8():
    network = Network(kind=TensorProto.UINT8).add("Cast", to=TensorProto.FLOAT)
    return network.add("Div", network.last, np.array(255, np.float32)).convolution(8, 3)


def float16():
    network = Network(kind=TensorProto.FLOAT16).convolution(8, 3)
    network.weights = {name: each.astype(np.float16) for name, each in network.weights.items()}
    network.kind_out = TensorProto.FLOAT16
    return network


def prepared(model, fill=0.5):
    """The model on maps, what it takes, the layouts that were changed, the freed model, and its maps."""
    dims = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim]
    recent = with_recent_operators(model, "it")
    wrapped, picture = with_rgb_input(recent, "it", fill if 4 in dims else None)
    constant = with_constants(wrapped, (SIDE, SIDE))
    mapped, layouts = on_maps(constant, find_shapes(constant, (SIDE, SIDE)))
    freed, size, maps = onnx_model.free_size(mapped, "it")
    assert size == (SIDE, SIDE)
    return recent, picture, layouts, freed, maps


def kept_of(recent, freed):
    return count_kept(recent, freed, {output for node in recent.graph.node for output in node.output})


def computed(model, batch, names):
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    (given,) = (each.name for each in model.graph.input)
    return onnx_runtime.compute(onnx_runtime.session(model.SerializeToString()), {given: batch})


@pytest.mark.parametrize("form", FORMS)
def test_all_of_it_is_kept_and_computes_the_same(form):
    original = FORMS[form]().model()
    recent, picture, layouts, freed, maps = prepared(original)
    assert kept_of(recent, freed).convolutions[0] == kept_of(recent, freed).convolutions[1] > 0
    own = {output for node in original.graph.node for output in node.output}
    names = [name for name in maps if name in own]
    assert original.graph.node[-1].output[0] in names
    batch = np.rint(np.random.default_rng(1).uniform(0, 255, (1, 3, SIDE, SIDE))).astype(np.float32)
    theirs = computed(in_float32(original), picture.from_rgb(batch), names)
    ours = computed(freed, batch, names)
    for name in names:
        expected = _as_map(theirs[name], layouts.get(name))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours[name] / scale, expected / scale, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_it_takes_pictures_of_any_size(form):
    *_, freed, maps = prepared(FORMS[form]().model())
    for height, width in ((SIDE, SIDE), (SIDE + 1, SIDE + 18), (3 * SIDE, 2 * SIDE)):
        batch = np.zeros((2, 3, height, width), np.float32)
        names = [name for name, each in maps.items() if each.min_size <= min(height, width)]
        for name, found in computed(freed, batch, names).items():
            assert found.shape[:2] == (2, maps[name].channels)


@pytest.mark.parametrize("form", FORMS)
def test_the_head_is_the_classifier_and_nothing_else(form):
    *_, maps = prepared(FORMS[form]().model())
    head = find_head(maps, labelled=False)
    assert bool(head) == (form in HEADS)
    if head:
        assert maps[head].channels == HEADS[form]


def test_what_more_of_the_network_follows_is_no_head():
    """Scores that go on into a sequence of their own."""
    network = trunk().add("GlobalAveragePool").add("Flatten")
    gemm(network, 5, 16).add("CumSum", network.last, long(1).reshape(()))
    *_, maps = prepared(network.model())
    assert find_head(maps, labelled=True) == find_head(maps, labelled=False) == ""


def test_what_stops_a_network_is_said():
    """Tokens, as vision transformers have them."""
    network = trunk().add("Reshape", "Relu3", long(1, 16, 64)).add("Transpose", perm=[0, 2, 1])
    for _ in range(7):
        network.add("MatMul", network.last, normal(16, 16))
    recent, *_, freed, _ = prepared(network.model())
    kept = kept_of(recent, freed)
    assert kept == Kept((2, 9), (0, 0), "Reshape Reshape4")
    assert str(kept) == "kept 2 of 9 convolutions; stopped at Reshape Reshape4"
    assert kept.is_little
    assert not Kept((3, 9), (1, 2)).is_little


def pyramid():
    """A map that is halved, enlarged again, and joined with what it was."""
    network = trunk()
    before = network.last
    network.convolution(16, 16, strides=[2, 2])
    scales = np.array([1, 1, 2, 2], np.float32)
    network.add(
        "Resize", network.last, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric"
    )
    network.add("Concat", network.last, before, axis=1).convolution(8, 32)
    return network


def test_a_fixed_size_of_a_resized_map_is_a_factor():
    network = trunk()
    network.add("Resize", network.last, "", "", long(1, 16, 16, 16), mode="linear").convolution(8, 16)
    *_, freed, maps = prepared(network.model())
    assert (maps["Resize4"].stride, maps["Relu6"].stride) == (2, 2)
    batch = np.zeros((1, 3, 3 * SIDE, SIDE), np.float32)
    assert computed(freed, batch, ["Relu6"])["Relu6"].shape == (1, 8, 48, 16)


def test_branches_meet_at_multiples_of_some_size():
    *_, maps = prepared(pyramid().model())
    assert {name: each.multiple for name, each in maps.items()} == {
        **dict.fromkeys(("Conv0", "Relu1", "Conv2", "Relu3", "Conv4", "Relu5", "Resize6"), 1),
        **dict.fromkeys(("Concat7", "Conv8", "Relu9"), 8),
    }
    assert maps["Relu9"].stride == 4


def test_grey_is_the_same_luminance_in_either_order_of_colours():
    model = Network(dims=(1, 1, SIDE, SIDE)).convolution(8, 1).model()
    batch = np.random.default_rng(1).uniform(0, 255, (1, 3, SIDE, SIDE)).astype(np.float32)
    found = []
    for order, given in (("RGB", batch), ("BGR", batch[:, ::-1].copy())):
        wrapped, picture = with_rgb_input(model, "it", None, order)
        grey = np.einsum("nchw,c->nhw", batch, [0.299, 0.587, 0.114])[:, None]
        np.testing.assert_allclose(picture.from_rgb(given), grey, rtol=1e-5)
        found.append(computed(wrapped, given, ["Relu1"])["Relu1"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-4)


def test_weights_among_the_inputs_are_weights():
    model = trunk().model(ir=3)
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
    *_, freed, maps = prepared(model)
    assert [each.name for each in freed.graph.input] == ["x"]
    assert list(maps) == ["Conv0", "Relu1", "Conv2", "Relu3"]


@pytest.mark.parametrize(
    ("network", "fill", "message"),
    [
        (
            Network(dims=(1, 2, SIDE, SIDE)).convolution(4, 2),
            None,
            "it takes float 1 x 2 x 32 x 32; dreamkit",
        ),
        (
            Network(dims=(1, 4, SIDE, SIDE)).convolution(4, 4),
            None,
            "say what the fourth channel holds.*--fill",
        ),
        (Network().convolution(4, 3), 0.5, "--fill is for a fourth channel"),
        (Network(dims=(3, SIDE, SIDE)).add("Relu"), None, "it takes float 3 x 32 x 32"),
        (Network(kind=TensorProto.INT64).add("Relu"), None, "it takes int64 1 x 3 x 32 x 32; .* or of uint8"),
    ],
)
def test_an_input_that_cannot_be_fed_is_one_line(network, fill, message):
    with pytest.raises(ConvertError, match=message):
        with_rgb_input(network.model(), "it", fill)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "form", ["a classifier", "two dense layers", "a block with its channels last", "uint8"]
)
def test_it_is_converted_and_a_class_rises_in_the_original(form, tmp_path):
    """Through onnx2tf, and seen by ONNX Runtime in the file itself."""
    skip_without_converter()
    import dreamkit
    from dreamkit.convert import conversion
    from dreamkit.convert.options import TORCH, ConversionOptions
    from dreamkit.models import converted

    original = FORMS[form]().model()
    onnx.save(original, tmp_path / "it.onnx")
    options = ConversionOptions(preprocess=TORCH, is_default=True)
    made = conversion.from_onnx(tmp_path / "it.onnx", tmp_path / "it", options, print)
    assert "stopped" not in made.kept
    assert made.report.runs[0].oracle.endswith("of the file")
    network = dreamkit.load(converted.provider(tmp_path / "it"))
    noise = np.random.default_rng(2).integers(96, 160, (SIDE, SIDE, 3), np.uint8)
    settings = {"octaves": 1, "steps": 8, "jitter": 0, "step_size": 0.02, "color": 0.0}
    if form not in HEADS:
        assert (dreamkit.dream(noise, network, **settings) != noise).any()
        return
    assert made.kept.endswith(f", {HEADS[form]} classes")
    with pytest.raises(dreamkit.DreamkitError, match=f"has no class {HEADS[form]}; its classes are 0 to 4"):
        dreamkit.dream(noise, network, layers=[{"class": HEADS[form]}], **settings)
    before = scores(original, noise)
    for label in range(HEADS[form]):
        dreamed = dreamkit.dream(noise, network, layers=[{"class": label}], **settings)
        assert scores(original, dreamed)[label] > before[label]


def scores(model, pixels):
    """The scores before any softmax, as ONNX Runtime computes them in the original, for RGB pixels."""
    from dreamkit.convert.options import TORCH

    nodes = [node for node in model.graph.node if node.op_type != "Softmax"]
    batch = np.moveaxis(TORCH(pixels[None].astype(np.float32)), -1, 1)
    name = nodes[-1].output[0]
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return computed(copied, np.ascontiguousarray(batch, np.float32), [name])[name][0]
