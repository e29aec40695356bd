"""ONNX models: reading, errors, and the feature maps that are found."""

from __future__ import annotations

import random

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.convert import onnx_model, onnx_runtime
from dreamkit.convert.feature_maps import FeatureMap, default_layer, find_head
from dreamkit.convert.onnx_forms import with_recent_operators
from dreamkit.convert.onnx_rewrites import with_outputs, with_plain_names
from dreamkit.errors import ConvertError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - what is not there is skipped above

TORCH = ROOT / "tests" / "data" / "torch" / "convnet.onnx"


def model(nodes, weights=(), dims=(1, 3, 32, 32), kind=TensorProto.FLOAT, opset=17, inputs=("x",)):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, list(dims)) for name in inputs],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def conv(name="y", source="x", channels=(4, 3), size=3, **attributes):
    """A convolution and its weights."""
    node = helper.make_node("Conv", [source, f"{name}:w"], [name], **attributes)
    return node, (f"{name}:w", np.ones((*channels, size, size), np.float32))


NODE, WEIGHTS = conv()


def freed(model, **options):
    return onnx_model.free_size(model, "it", **options)


def compute(model, inputs):
    return onnx_runtime.compute(onnx_runtime.session(model.SerializeToString()), inputs)


def test_a_model_of_one_size_works_at_others():
    network, size, maps = freed(onnx_model.read(TORCH, "it"))
    assert size == (96, 96)
    (picture,) = network.graph.input
    dims = picture.type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", 3, "height", "width"]
    session = onnx_runtime.session(network.SerializeToString())
    for shape in ((1, 3, 96, 96), (2, 3, 50, 71)):
        answers = onnx_runtime.compute(session, {picture.name: np.ones(shape, np.float32)})
        assert list(answers) == list(maps)
        for name, array in answers.items():
            assert array.shape[:2] == (shape[0], maps[name].channels)
            if maps[name].stride:
                assert array.shape[2] == -(-shape[2] // maps[name].stride)


def test_a_freed_model_computes_the_same():
    whole = onnx_model.read(TORCH, "it")
    network, _, maps = freed(whole)
    del whole.graph.output[:]
    whole.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in maps)
    x = np.random.default_rng(0).normal(size=(1, 3, 96, 96)).astype(np.float32)
    (name,) = (each.name for each in network.graph.input)
    a, b = (compute(m, {name: x}) for m in (whole, network))
    assert all(np.array_equal(a[each], b[each]) for each in maps)


def test_plain_names_change_no_numbers():
    network, _, maps = freed(onnx_model.read(TORCH, "it"))
    plain, names = with_plain_names(network)
    assert list(names) == list(maps)
    every = [each.name for each in (*plain.graph.input, *plain.graph.initializer, *plain.graph.node)]
    assert all(name.isalnum() for name in every)
    x = np.ones((1, 3, 40, 40), np.float32)
    ours = compute(plain, {plain.graph.input[0].name: x})
    theirs = compute(network, {network.graph.input[0].name: x})
    assert all(np.array_equal(ours[names[each]], theirs[each]) for each in maps)


def test_a_model_with_fewer_outputs_has_only_what_they_need():
    network, _, maps = freed(onnx_model.read(TORCH, "it"))
    first = next(iter(maps))
    part = with_outputs(network, [first])
    assert len(part.graph.node) < 4
    assert len(part.graph.initializer) < 6
    x = np.ones((1, 3, 40, 40), np.float32)
    (name,) = (each.name for each in part.graph.input)
    whole = compute(network, {name: x})
    cut = compute(part, {name: x})
    assert list(cut) == [first]
    assert np.array_equal(cut[first], whole[first])


@st.composite
def windows(draw):
    """Convolutions and poolings in a row: kernel, stride, padding and dilation of each, and its kind."""
    return [
        (
            draw(st.integers(1, 5)),
            draw(st.integers(1, 3)),
            draw(st.integers(0, 2)),
            draw(st.integers(1, 2)),
            kind,
        )
        for kind in draw(
            st.lists(st.sampled_from(("Conv", "MaxPool", "AveragePool")), min_size=1, max_size=4)
        )
    ]


@given(windows())
def test_the_least_side_is_the_smallest_in_which_every_window_fits(row):
    nodes, weights, sizes = [], {}, {}
    for place, (kernel, stride, pad, dilation, kind) in enumerate(row):
        pad = min(pad, kernel - 1)
        name, source = f"y{place}", f"y{place - 1}" if place else "x"
        more = {"dilations": [dilation] * 2} if kind == "Conv" else {}
        options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, **more}
        if kind == "Conv":
            node, (key, array) = conv(name, source, (3, 3), kernel, **options)
            weights[key] = array
        else:
            node = helper.make_node(kind, [source], [name], **options)
        nodes.append(node)
        sizes[name] = (more.get("dilations", [1])[0] * (kernel - 1) + 1, stride, pad)

    def fits(side):
        """The maps of a square picture, by the formula of a sliding window."""
        found = set()
        for name, (reach, stride, pad) in sizes.items():
            if side + 2 * pad < reach:
                return found
            side = (side + 2 * pad - reach) // stride + 1
            found.add(name)
        return found

    side = 120
    _, _, maps = freed(model(nodes, weights, (1, 3, side, side)))
    assert set(maps) == fits(side)
    for name, each in maps.items():
        assert name in fits(each.min_size)
        assert each.min_size == 1 or name not in fits(each.min_size - 1)


WRONG = {
    "channels last": (model([NODE], [WEIGHTS], (1, 32, 32, 3)), "takes float 1 x 32 x 32 x 3; dreamkit"),
    "grey": (model([NODE], [WEIGHTS], (1, 1, 32, 32)), "takes float 1 x 1 x 32 x 32"),
    "bytes": (model([NODE], [WEIGHTS], kind=TensorProto.UINT8), "takes uint8 1 x 3 x 32 x 32"),
    "no map": (model([helper.make_node("Flatten", ["x"], ["y"])]), "has no feature maps"),
    "two pictures": (
        model([helper.make_node("Add", ["x", "z"], ["y"])], inputs=("x", "z")), "it has 2 inputs"
    ),
    "none": (model([helper.make_node("Relu", ["x"], ["y"])], inputs=()), "has 0 inputs"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_model_that_cannot_be_dreamed_is_an_error_in_one_line(name):
    network, message = WRONG[name]
    with pytest.raises(ConvertError) as wrong:
        freed(network)
    assert message in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_constant_is_not_a_feature_map_and_a_condition_is_an_error():
    constant = helper.make_node(
        "Constant", [], ["c"], value=numpy_helper.from_array(np.ones((1, 4, 1, 1), "f4"))
    )
    add = helper.make_node("Add", ["y", "c"], ["z"])
    _, _, maps = freed(model([NODE, constant, add], [WEIGHTS]))
    assert list(maps) == ["y", "z"]
    assert maps["z"].kind == "join"  # two tensors are added, and the constant one is not recognised
    branch = helper.make_graph([], "b", [], [helper.make_empty_tensor_value_info("y")])
    chosen = helper.make_node("If", ["yes"], ["z"], then_branch=branch, else_branch=branch)
    network = model([NODE, chosen], [WEIGHTS, ("yes", np.array(True))])
    with pytest.raises(ConvertError, match="a If, has a graph inside it; a network with loops or conditions"):
        with_plain_names(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            model([helper.make_node("Relu", ["x"], ["y"], domain="com.example")]),
            "it is damaged or not an ONNX model|has a com.example.Relu, which is not one of ONNX's own",
        ),
    ],
)
def test_an_unsupported_model_is_an_error_in_one_line(network, message, tmp_path):
    if "com.example" in message:
        network.opset_import.append(helper.make_opsetid("com.example", 1))
    (tmp_path / "it.onnx").write_bytes(network.SerializeToString())
    with pytest.raises(ConvertError, match=message) as wrong:
        with_recent_operators(onnx_model.read(tmp_path / "it.onnx", "it"), "it")
    assert "\n" not in str(wrong.value)


def test_weights_in_a_file_beside_the_model_are_read_and_elsewhere_are_not(tmp_path):
    network = model([NODE], [WEIGHTS])
    onnx.save(network, tmp_path / "it.onnx", save_as_external_data=True, location="it.data", size_threshold=0)
    read = onnx_model.read(tmp_path / "it.onnx", "it")
    assert np.array_equal(numpy_helper.to_array(read.graph.initializer[0]), WEIGHTS[1])
    (tmp_path / "below").mkdir()
    (tmp_path / "it.onnx").rename(tmp_path / "below" / "it.onnx")
    text = (tmp_path / "below" / "it.onnx").read_bytes()
    (tmp_path / "below" / "it.onnx").write_bytes(text.replace(b"\x07it.data", b"\x0a../it.data"))
    with pytest.raises(ConvertError, match="damaged or not an ONNX model"):
        onnx_model.read(tmp_path / "below" / "it.onnx", "it")


def test_damaged_files_are_errors_or_prepared(tmp_path):
    draw, whole, messages = random.Random(0), TORCH.read_bytes(), []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 20)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        del damaged[draw.randrange(len(damaged) // 2, 2 * len(damaged)) :]
        (tmp_path / "it.onnx").write_bytes(damaged)
        try:
            onnx_model.prepare(onnx_model.read(tmp_path / "it.onnx", "it"), "it", tmp_path)
        except ConvertError as wrong:
            messages.append(str(wrong))
    assert 30 < len(messages) < 150
    assert not any("\n" in each for each in messages)


def test_the_default_layer_has_a_sixteenth_of_the_resolution():
    maps = {
        "conv1": FeatureMap(8, 2, 1),
        "relu1": FeatureMap(8, 2, 1, "activation"),
        "a": FeatureMap(8, 16, 1, "join"),
        "relu2": FeatureMap(8, 16, 1, "activation"),
        "b": FeatureMap(8, 16, 1, "join"),
        "c": FeatureMap(8, 16, 1, "join"),
        "d": FeatureMap(8, 32, 1, "join"),
    }
    assert default_layer(maps) == "b"
    assert default_layer({name: each for name, each in maps.items() if each.kind != "join"}) == "relu2"
    assert default_layer({"conv1": maps["conv1"], "relu1": maps["relu1"]}) == "relu1"


@pytest.mark.parametrize(
    ("kinds", "labelled", "found"),
    [
        ([("fc", "other", 10, 0), ("prob", "softmax", 10, 0)], False, "fc"),
        ([("fc", "other", 10, 32), ("prob", "softmax", 10, 32)], False, "fc"),
        ([("conv", "other", 4, 8), ("fc", "other", 10, 0)], False, "fc"),
        ([("conv", "other", 4, 8), ("fc", "other", 10, 32)], False, ""),  # any layer may end a network
        ([("conv", "other", 4, 8), ("fc", "other", 10, 32)], True, "fc"),
        ([("conv", "other", 4, 8), ("norm", "normalisation", 10, 0)], False, ""),  # features, no scores
        ([("conv", "other", 4, 8), ("norm", "normalisation", 10, 0)], True, "norm"),
        (
            [("conv", "other", 4, 8), ("prob", "softmax", 10, 0)],
            False,
            "",
        ),  # the scores are not a feature map
    ],
)
def test_the_head_is_the_layer_of_scores_before_a_softmax(kinds, labelled, found):
    maps = {name: FeatureMap(channels, stride, 1, kind) for name, kind, channels, stride in kinds}
    assert find_head(maps, labelled=labelled) == found
