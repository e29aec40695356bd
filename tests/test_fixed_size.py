"""Networks of one size: ONNX's operators in TensorFlow, their maps, and windows of larger pictures."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import skip_without_converter
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.convert import fixed_size, onnx_runtime
from dreamkit.convert.feature_maps import FeatureMap, Kept
from dreamkit.convert.fixed_size import Place
from dreamkit.errors import ConvertError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - what is not there is skipped above
from onnx_network import SIDE, Network, gemm, long, normal  # noqa: E402 - it needs onnx

PATCH, WIDTH, CLASSES = 8, 12, 5
TOKENS = (SIDE // PATCH) ** 2


def product(network, count, name=""):
    """A dense layer on the last axis."""
    before = network.width
    network.add("MatMul", network.last, normal(before, count) / np.float32(before**0.5))
    network.width = count
    return network.add("Add", network.last, normal(count) / 4, name=name)


def transformer(*, opset=17, extra=1):
    """A vision transformer of one block, with a class token and its head."""
    network = Network(opset=opset)
    network.add(
        "Conv",
        "x",
        normal(WIDTH, 3, PATCH, PATCH) / 14,
        normal(WIDTH),
        strides=[PATCH, PATCH],
        name="patches",
    )
    network.add("Reshape", network.last, long(1, WIDTH, TOKENS)).add("Transpose", perm=[0, 2, 1])
    if extra:
        network.add("Concat", normal(1, extra, WIDTH), network.last, axis=1)
    network.add("Add", network.last, normal(1, TOKENS + extra, WIDTH) / 4, name="embedded")
    network.width = WIDTH
    before = network.last
    network.add("LayerNormalization", before, normal(WIDTH), normal(WIDTH), name="norm")
    normed = network.last
    parts = []
    for _ in "qkv":
        network.last, network.width = normed, WIDTH
        product(network, WIDTH)
        network.add("Reshape", network.last, long(1, TOKENS + extra, 3, 4)).add(
            "Transpose", perm=[0, 2, 1, 3]
        )
        parts.append(network.last)
    network.add("Transpose", parts[1], perm=[0, 1, 3, 2]).add("MatMul", parts[0], network.last)
    network.add("Mul", network.last, np.array(0.5, np.float32)).add("Softmax", axis=-1)
    network.add("MatMul", network.last, parts[2]).add("Transpose", perm=[0, 2, 1, 3])
    network.add("Reshape", network.last, long(1, TOKENS + extra, WIDTH))
    product(network, WIDTH)
    network.add("Add", network.last, before, name="attended")
    network.add("Gather", network.last, np.array(0, np.int64), axis=1)
    return gemm(network, CLASSES, WIDTH)


def windowed():
    """Windows of 4 x 4 on batch x height x width x channels, as Swin has them."""
    network = Network()
    network.add("Conv", "x", normal(WIDTH, 3, 4, 4) / 7, normal(WIDTH), strides=[4, 4], name="patches")
    network.add("Transpose", perm=[0, 2, 3, 1])
    before = network.last
    network.add("Slice", before, long(1), long(99), long(1), name="below")
    network.add("Slice", before, long(0), long(1), long(1), name="above")
    network.add("Concat", "below", "above", axis=1, name="rolled")
    network.add("Reshape", network.last, long(1, 2, 4, 2, 4, WIDTH)).add("Transpose", perm=[0, 1, 3, 2, 4, 5])
    network.add("Reshape", network.last, long(4, 16, WIDTH))
    tokens = network.last
    network.add("Transpose", tokens, perm=[0, 2, 1]).add("MatMul", tokens, network.last)
    network.add("Softmax", axis=-1).add("MatMul", network.last, tokens)
    network.add("Reshape", network.last, long(1, 2, 2, 4, 4, WIDTH)).add("Transpose", perm=[0, 1, 3, 2, 4, 5])
    network.add("Reshape", network.last, long(1, 8, 8, WIDTH))
    return network.add("Add", network.last, before, name="attended")


# Each of ONNX's operators, on numbers that no other order or sign would give.
MAP = (2, 4, 9, 7)
BLOCKS = (1, 8, 4, 6)


def one(op, *inputs, opset=18, shape=MAP, outputs=1, **options):
    return op, inputs, opset, shape, outputs, options


def numbers(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


OPERATORS = [
    *(one(op) for op in ("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Identity")),
    *(one(op) for op in ("Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign")),
    *(one(op) for op in ("Sin", "Softplus", "Tanh")),
    *(one(op, alpha=0.3) for op in ("Elu", "LeakyRelu")),
    *(one(op, numbers(7)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu")),
    one("Gelu", opset=20),
    one("Gelu", opset=20, approximate="tanh"),
    one("HardSigmoid", alpha=0.3, beta=0.4),
    one("Pow", np.array(2, np.int64)),
    one("Clip", np.array(-0.5, np.float32), np.array(0.4, np.float32)),
    one("Clip", "", np.array(0.4, np.float32)),
    *(one(op, axis=axis) for op in ("Softmax", "LogSoftmax") for axis in (-1, 1)),
    one("Softmax", shape=(1, 2, 2, 2, 2, 3)),
    one("Softmax", shape=(1, 2, 2, 2, 2, 3), axis=1),
    *(one(f"Reduce{op}", long(2, 3), keepdims=keep) for op in ("Mean", "Max", "Min") for keep in (0, 1)),
    one("ReduceMean", axes=[1], opset=17),
    one("ReduceL2", long(1)),
    one("ReduceSum", long(-1), keepdims=0),
    one("ReduceSum", long(), noop_with_empty_axes=1),
    one("ReduceProd", long(3)),
    one("GlobalAveragePool"),
    one("GlobalMaxPool"),
    one("Reshape", long(0, 0, -1)),
    one("Flatten", axis=2),
    one("Transpose", perm=[3, 0, 2, 1]),
    one("Unsqueeze", long(-1, 1)),
    one("Squeeze", long(0), shape=(1, 3, 5)),
    one("Concat", numbers(2, 3, 9, 7), axis=1),
    one("Split", axis=2, num_outputs=2, outputs=2),
    one("Split", long(1, 3), axis=1, outputs=2),
    one("Slice", long(1, -4), long(9999, -1), long(2, 3), long(3, 1)),
    one("Slice", long(-1), long(-9999), long(2), long(-2)),
    one("Slice", long(-9999), long(3), long(1)),
    one("Gather", long(-1, 0), axis=1),
    one("GatherND", np.array([[1, 3], [0, 2]], np.int64)),
    one("Expand", long(3, 2, 4, 9, 7)),
    one("Tile", long(1, 2, 1, 3)),
    one("Pad", long(0, 0, 1, 2, 0, 1, 0, 3)),
    one("Pad", long(0, 0, 1, 2, 0, 0, 0, 3), mode="reflect"),
    one("Pad", long(0, 0, -1, 2, 0, 0, 3, -2), np.array(0.5, np.float32)),
    one("DepthToSpace", blocksize=2, shape=BLOCKS),
    one("DepthToSpace", blocksize=2, mode="CRD", shape=BLOCKS),
    one("SpaceToDepth", blocksize=2, shape=BLOCKS),
    one("MatMul", numbers(7, 5)),
    one("MatMul", numbers(7)),
    one("MatMul", numbers(2, 4, 7, 3)),
    one("Gemm", numbers(6, 4), numbers(4), shape=(6, 5), transA=1, alpha=0.5, beta=2.0),
    one("Gemm", numbers(4, 6), shape=(3, 6), transB=1),
    one("Einsum", numbers(4, 7, 3), equation="bchw,cwk->bhk"),
    one("Conv", numbers(6, 4, 3, 3), numbers(6), pads=[1, 0, 1, 2], strides=[2, 2]),
    one("Conv", numbers(6, 4, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2]),
    one("Conv", numbers(6, 4, 3, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
    one("Conv", numbers(6, 4, 3, 3), dilations=[2, 2]),
    one("Conv", numbers(8, 1, 3, 3), numbers(8), group=4),
    one("Conv", numbers(6, 2, 3, 3), numbers(6), group=2, pads=[1, 1, 1, 1]),
    one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    one("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    one("AveragePool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    one("BatchNormalization", numbers(4), numbers(4), numbers(4), np.abs(numbers(4)) + 1),
    one("LayerNormalization", numbers(7), numbers(7)),
    one("LayerNormalization", numbers(9, 7), axis=2, epsilon=0.1),
    one("InstanceNormalization", numbers(4), numbers(4)),
    one("GroupNormalization", numbers(4), numbers(4), num_groups=2, opset=21),
    one("LpNormalization", axis=1),
    one("LpNormalization", axis=1, p=1),
    one("Resize", "", np.array([1, 1, 2, 3], np.float32), mode="nearest"),
    one("Resize", "", np.array([1, 1, 2, 2], np.float32), mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric"),
    one("Resize", "", "", long(2, 4, 5, 11), mode="linear"),
    one("Resize", "", "", long(2, 4, 13, 4), mode="cubic", cubic_coeff_a=-0.5),
    one("Where", numbers(7), shape=MAP),
    one("CastLike", long(1)),
    one("Cast", to=TensorProto.INT32),
    one("Trilu", np.array(1, np.int64), shape=(5, 5)),
    *(one("CumSum", np.array(axis, np.int64), exclusive=axis % 2, reverse=axis // 2) for axis in range(4)),
    one("CumSum", np.array(-1, np.int64)),
    *(one(op) for op in ("Log", "Sqrt", "Dropout")),
    *(one(op, numbers(7)) for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    one("Equal", np.zeros(7, np.float32)),
    one("Mod", numbers(7), fmod=1),
    one("RMSNormalization", numbers(7), opset=23),
    one("ScatterND", np.array([[1, 3], [0, 2]], np.int64), numbers(2, 9, 7)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "opset", "shape", "outputs", "options"), OPERATORS)
def test_an_operator_computes_what_onnx_runtime_computes(op, inputs, opset, shape, outputs, options):
    import tensorflow as tf

    from dreamkit.convert.onnx_graph import evaluate

    names, weights = ["x"], {}
    for number, each in enumerate(inputs):
        names.append(f"w{number}" if isinstance(each, np.ndarray) else each)
        if isinstance(each, np.ndarray):
            weights[f"w{number}"] = each
    if op == "Where":  # its condition comes first
        weights["chosen"] = numbers(7) > 0
        names = ["chosen", *names]
    made = [f"y{number}" for number in range(outputs)]
    values = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(op, names, made, **options)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_empty_tensor_value_info(name) for name in made],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    expected = onnx_runtime.compute(onnx_runtime.session(model.SerializeToString()), {"x": values})
    found = tf.function(lambda x: evaluate(model, {"x": x}), autograph=False)(tf.constant(values))
    for name in made:
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-5, atol=2e-5)


def test_comparisons_and_numbers_of_the_shape():
    """Where both `x` is above one of a row of numbers and not below another, or is below -1; and a mask of
    the same shape."""
    import tensorflow as tf

    from dreamkit.convert.onnx_graph import evaluate

    network = Network(dims=(1, 3, 4, 5))
    network.add("Shape", "x", name="shape")
    network.add("ConstantOfShape", "shape", value=numpy_helper.from_array(np.array([0.25], np.float32)))
    network.add("Greater", "x", network.last, name="above")
    network.add("Gather", "shape", np.array(3, np.int64), name="width")
    network.add("Range", np.array(0, np.int64), "width", np.array(1, np.int64), name="columns")
    network.add("Mod", "columns", np.array(2, np.int64)).add("Cast", to=TensorProto.BOOL, name="odd")
    network.add("Not", "odd", name="even").add("And", "above", "even", name="both")
    network.add("Less", "x", np.array(-1, np.float32), name="low").add("Or", "both", "low", name="chosen")
    network.add("Constant", value=numpy_helper.from_array(np.array(7, np.float32)), name="seven")
    network.nodes[-1].ClearField("input")
    network.add("Where", "chosen", "x", "seven")
    values = numbers(1, 3, 4, 5)
    model = network.model()
    (expected,) = onnx_runtime.compute(
        onnx_runtime.session(model.SerializeToString()), {"x": values}
    ).values()
    found = tf.function(lambda x: evaluate(model, {"x": x})[network.last], autograph=False)(
        tf.constant(values)
    )
    assert 3 < (expected == 7).sum() < values.size - 3
    np.testing.assert_allclose(found, expected)


def test_layers_off_the_grid_of_the_others_are_left_out():
    """As in LeViT, where 7 x 7 tokens are halved to 4 x 4: a map of 4 has no place on one of 7."""
    maps = {
        name: FeatureMap(8, stride, 224, "other", False)
        for name, stride in (("a", 16), ("b", 32), ("c", 56), ("scores", 0), ("d", 64))
    }
    assert fixed_size._off_grid(maps) == ["c"]
    kept = (
        "kept 1 of 1 convolutions; left out, because their places are not on the grid of the others: 1 layer"
    )
    assert str(Kept((1, 1), off_grid=1)) == kept
    assert str(Kept((1, 1), off_grid=2)) == kept.replace("1 layer", "2 layers")


@pytest.mark.parametrize(("new_axis", "shape"), [(0, (6, 3, 32, 32)), (1, (3, 2, 3, 32, 32))])
def test_sequences_are_put_together(new_axis, shape):
    """As PyTorch's exporter writes an adaptive pool."""
    import tensorflow as tf

    from dreamkit.convert.onnx_graph import evaluate

    network = Network(dims=(2, 3, SIDE, SIDE)).add("Neg", name="minus")
    network.nodes.append(helper.make_node("SequenceEmpty", [], ["none"]))
    network.add("SequenceInsert", "none", "x", name="one").add("SequenceInsert", "one", "minus", name="two")
    network.add("SequenceInsert", "two", "x", np.array(-1, np.int64), name="three")
    network.add("SequenceAt", "three", np.array(1, np.int64), name="second")
    network.add("ConcatFromSequence", "three", axis=0, new_axis=new_axis, name="all")
    values = numbers(2, 3, SIDE, SIDE)
    model = network.model()
    (expected,) = onnx_runtime.compute(
        onnx_runtime.session(model.SerializeToString()), {"x": values}
    ).values()
    found = tf.function(lambda x: evaluate(model, {"x": x})["all"], autograph=False)(tf.constant(values))
    assert found.shape == expected.shape == shape
    np.testing.assert_allclose(found, expected)


def test_loops_and_choices_that_are_the_same_for_every_picture():
    """A loop of three rounds that doubles its sum and collects it, and a choice."""
    import tensorflow as tf

    from dreamkit.convert.onnx_graph import evaluate

    def value(name, kind=TensorProto.FLOAT, shape=(1, 3, SIDE, SIDE)):
        return helper.make_tensor_value_info(name, kind, shape)

    body = helper.make_graph(
        [
            helper.make_node("Add", ["before", "x"], ["after"]),
            helper.make_node("Identity", ["after"], ["seen"]),
            helper.make_node("Identity", ["go"], ["more"]),
        ],
        "body",
        [value("round", TensorProto.INT64, ()), value("go", TensorProto.BOOL, ()), value("before")],
        [value("more", TensorProto.BOOL, ()), value("after"), value("seen")],
    )
    graphs = {
        f"{branch}_branch": helper.make_graph(
            [helper.make_node(op, ["sum"], [branch])], branch, [], [value(branch)]
        )
        for branch, op in (("then", "Neg"), ("else", "Abs"))
    }
    network = Network()
    network.weights |= {"rounds": np.array(3, np.int64), "yes": np.array(True), "no": np.array(False)}
    network.nodes += [
        helper.make_node("Loop", ["rounds", "yes", "x"], ["sum", "all"], body=body),
        helper.make_node("If", ["no"], ["chosen"], **graphs),
        helper.make_node("If", ["yes"], ["other"], **graphs),
    ]
    network.last = "chosen"
    model = network.model()
    for name in ("all", "other"):
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    values = numbers(1, 3, SIDE, SIDE)
    expected = onnx_runtime.compute(onnx_runtime.session(model.SerializeToString()), {"x": values})
    found = tf.function(lambda x: evaluate(model, {"x": x}), autograph=False)(tf.constant(values))
    for name in ("chosen", "all", "other"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert found["all"].shape == (3, 1, 3, SIDE, SIDE)


def test_whole_numbers_are_divided_towards_zero():
    from dreamkit.convert.onnx_graph import evaluate

    network = Network().add("Div", long(-7, 7, -8), long(2, 2, 4), name="quotient").add("Relu", "x")
    found = evaluate(network.model(), {"x": numbers(1, 3, SIDE, SIDE)})
    assert found["quotient"].tolist() == [-3, 3, -2]


def test_what_is_not_known_is_named():
    from dreamkit.convert.onnx_graph import evaluate

    network = Network().add("Hardmax", name="hard")
    with pytest.raises(ConvertError, match="the operation Hardmax hard is not known"):
        evaluate(network.model(), {"x": numbers(1, 3, SIDE, SIDE)})
    network = Network().add("Resize", "x", "", "", long(1, 3, 16, 16), name="small")
    with pytest.raises(ConvertError, match="the operation Resize small cannot be computed"):
        evaluate(network.model(), {"x": numbers(1, 3, SIDE, SIDE)})


@pytest.mark.parametrize("extra", [0, 1, 5])
def test_tokens_are_a_map_without_those_of_no_place(extra):
    maps, places, kept = fixed_size.describe(transformer(extra=extra).model(), (SIDE, SIDE))
    side = SIDE // PATCH
    assert places["patches"] == Place("first", side, side)
    assert places["attended"] == Place("tokens", side, side, extra)
    assert maps["attended"].stride == PATCH
    assert maps["attended"].kind == "join"
    assert str(kept) == f"kept 6 of 6 convolutions, in windows of {SIDE} x {SIDE}"
    assert not [name for name in maps if name.startswith(("Softmax", "Reshape", "Transpose"))]


def test_scores_of_one_position_have_a_channel_for_each_class():
    network = Network().convolution(8, 3, strides=[2, 2])
    network.convolution(CLASSES, 8).add("GlobalAveragePool", name="scores")
    maps, places, _ = fixed_size.describe(network.model(), (SIDE, SIDE))
    assert places["scores"] == Place("flat")
    assert (maps["scores"].channels, maps["scores"].stride) == (CLASSES, 0)


def test_windows_of_a_map_are_parts_of_the_map():
    maps, places, _ = fixed_size.describe(windowed().model(), (SIDE, SIDE))
    assert places == {"patches": Place("first", 8, 8), "attended": Place("last", 8, 8)}
    assert maps["attended"].channels == WIDTH


@given(
    height=st.integers(8, 31), width=st.integers(12, 40), stride=st.sampled_from([1, 2, 4]), count=st.just(2)
)
def test_what_looks_at_one_place_is_the_same_in_windows(height, width, stride, count):
    """A network without context: a mean over each stride x stride pixels."""
    import tensorflow as tf

    from dreamkit.convert.windows import on_windows

    def network(picture):
        one = tf.nn.avg_pool2d(picture[None], stride, stride, "VALID")[0]
        return [one, tf.nn.avg_pool2d(picture[None], 4, 4, "VALID")[0]]

    pictures = np.random.default_rng(height).normal(size=(count, height, width, 3)).astype(np.float32)
    found, _ = on_windows(network, (8, 12), [stride, 4])(tf.constant(pictures))
    padded = np.pad(pictures, [(0, 0), (0, -height % 4), (0, -width % 4), (0, 0)], "symmetric")
    cells = padded.reshape(count, padded.shape[1] // stride, stride, -1, stride, 3)
    np.testing.assert_allclose(found, cells.mean((2, 4)), atol=1e-6)


def test_a_place_is_seen_from_the_window_whose_centre_is_nearest():
    import tensorflow as tf

    from dreamkit.convert.windows import on_windows

    def network(picture):  # says where its window begins
        start = picture[:1, :1, :1]
        return [tf.zeros([8, 8, 1]) + start, start]

    row = np.arange(12, dtype=np.float32)
    pictures = np.broadcast_to(row[None, :, None, None], (1, 12, 8, 3))
    places, mean = on_windows(network, (8, 8), [1, 0])(tf.constant(pictures))
    assert np.asarray(places)[0, :, 0, 0].tolist() == [0] * 6 + [4] * 6
    assert np.asarray(mean).tolist() == [[[[2.0]]]]


@pytest.mark.heavy
@pytest.mark.parametrize("form", [transformer, windowed])
def test_it_is_converted_whole_and_dreams(form, tmp_path):
    skip_without_converter()
    import dreamkit
    from dreamkit.convert import conversion
    from dreamkit.convert.options import TORCH, ConversionOptions
    from dreamkit.models import converted

    original = form().model()
    onnx.save(original, tmp_path / "it.onnx")
    options = ConversionOptions(preprocess=TORCH, is_default=True)
    made = conversion.from_onnx(tmp_path / "it.onnx", tmp_path / "it", options, print)
    assert f"in windows of {SIDE} x {SIDE}" in made.kept
    assert {run.size for run in made.report.runs} == {(32, 32), (33, 49), (41, 38)}
    network = dreamkit.load(converted.provider(tmp_path / "it"))
    settings = {"octaves": 1, "steps": 8, "jitter": 0, "step_size": 0.02, "color": 0.0}
    picture = np.random.default_rng(2).integers(96, 160, (SIDE + 9, 2 * SIDE, 3), np.uint8)
    assert (dreamkit.dream(picture, network, layers=["attended"], **settings) != picture).any()
    with pytest.raises(dreamkit.DreamkitError, match="32"):
        dreamkit.dream(picture[:20], network, layers=["attended"], **settings)
    if form is windowed:
        return
    one = picture[:SIDE, :SIDE]
    before = scores(original, one)
    for label in range(CLASSES):
        dreamed = dreamkit.dream(one, network, layers=[{"class": label}], **settings)
        assert scores(original, dreamed)[label] > before[label]


def scores(model, pixels):
    """The output of a model for RGB pixels, as ONNX Runtime computes it."""
    from dreamkit.convert.options import TORCH

    batch = np.moveaxis(TORCH(pixels[None].astype(np.float32)), -1, 1)
    session = onnx_runtime.session(model.SerializeToString())
    (found,) = onnx_runtime.compute(session, {"x": np.ascontiguousarray(batch, np.float32)}).values()
    return found[0]


@pytest.mark.heavy
def test_a_convolutional_network_can_be_kept_whole_too(tmp_path):
    """An instance normalisation, which onnx2tf does not build for any size."""
    skip_without_converter()
    from dreamkit.convert import conversion
    from dreamkit.convert.options import TORCH, ConversionOptions

    network = Network().convolution(8, 3, strides=[2, 2])
    network.add("InstanceNormalization", network.last, normal(8), normal(8))
    onnx.save(network.convolution(8, 8).model(), tmp_path / "it.onnx")
    options = ConversionOptions(preprocess=TORCH, fixed_size=True)
    made = conversion.from_onnx(tmp_path / "it.onnx", tmp_path / "it", options, print)
    assert made.kept.startswith(f"kept 2 of 2 convolutions, in windows of {SIDE} x {SIDE}")
