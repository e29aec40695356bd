"""Google's archive of inception5h, read as data: the same network, and every wrong file in one line."""

from __future__ import annotations

import io
import zipfile
from functools import partial

import inception5h_graph
import numpy as np
import pytest
from conftest import DATA
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.errors import ModelError
from dreamkit.models import architecture, graphdef, inception5h

FOLDER = DATA / "caffe" / "inception5h"
SIDE = 223  # where Caffe pads as TensorFlow's SAME does


@pytest.fixture(scope="module")
def google():
    """A graph of the structure of Google's, with its numbers."""
    if not FOLDER.is_dir():
        pytest.skip(f"no test data: {FOLDER} is absent (set DREAMKIT_TEST_DATA)")
    return inception5h_graph.graph(FOLDER)


def small():
    """A GraphDef with all operations that are read, of few channels."""
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    random = np.random.default_rng(0)

    node = partial(inception5h_graph.add_node, graph)

    def convolution(name, before, kernel):
        node(f"{name}_w", "Const", value=(random.standard_normal(kernel) / 3).astype(np.float32))
        node(f"{name}_b", "Const", value=random.standard_normal(kernel[-1:]).astype(np.float32))
        node(f"{name}/conv", "Conv2D", before, f"{name}_w", strides=[1, 2, 2, 1], padding=b"SAME")
        node(name, "BiasAdd", f"{name}/conv", f"{name}_b")

    node("input", "Placeholder")
    convolution("first", "input", (3, 3, 3, 4))
    node("first/relu", "Relu", "first")
    node("pool", "MaxPool", "first/relu", ksize=[1, 3, 3, 1], strides=[1, 1, 1, 1], padding=b"SAME")
    node("norm", "LRN", "pool", depth_radius=2, bias=2.0, alpha=1e-4, beta=0.5)
    node("axis", "Const", value=np.array(3, np.int32))
    node("join", "Concat", "axis", "norm", "pool")
    convolution("second", "join", (1, 1, 8, 5))
    node("mean", "AvgPool", "second", ksize=[1, 7, 7, 1], strides=[1, 1, 1, 1], padding=b"VALID")
    node("flat/shape", "Const", value=np.array([-1, 5], np.int32))
    node("flat", "Reshape", "mean", "flat/shape")
    node("head_w", "Const", value=random.standard_normal((5, 6)).astype(np.float32))
    node("head_b", "Const", value=random.standard_normal(6).astype(np.float32))
    node("head/matmul", "MatMul", "flat", "head_w")
    node("head", "BiasAdd", "head/matmul", "head_b")
    node("softmax", "Softmax", "head")
    node("output", "Identity", "softmax")
    return graph


def named(graph, name):
    (found,) = [node for node in graph.node if node.name == name]
    return found


def archive(data, name="tensorflow_inception_graph.pb", **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as written:
        written.writestr("LICENSE", "Apache-2.0")
        written.writestr(name, data)
        written.writestr("../../outside.txt", "not to be unpacked")
    return file.getvalue()


# The same network


def test_every_operation_is_read_and_computed_as_tensorflow_does():
    """Against TensorFlow's own run of the graph; the slashes of a graph's names are none of Keras'."""
    import tensorflow as tf

    graph = small()
    for node in graph.node:
        node.name = node.name.replace("/", "_")
        node.input[:] = [name.replace("/", "_") for name in node.input]
    operations, arrays = graphdef.read(graph.SerializeToString(), "it")
    assert [each.name for each in operations] == [
        *("first", "first_relu", "pool", "norm", "join", "second", "head"),
    ]
    pixels = np.random.default_rng(1).standard_normal((2, 28, 28, 3)).astype(np.float32)
    for node in graph.node:
        if node.op not in ("Concat",):
            kind = tf.int32 if node.name in ("axis", "flat_shape") else tf.float32
            key = {"Const": "dtype", "Placeholder": "dtype", "Reshape": "T"}.get(node.op, "T")
            node.attr[key].type = (tf.float32 if node.op == "Reshape" else kind).as_datatype_enum
        else:
            node.attr["T"].type, node.attr["N"].i = tf.float32.as_datatype_enum, 2
    with tf.Graph().as_default() as made, tf.compat.v1.Session(graph=made) as session:
        tf.import_graph_def(graph, name="")
        theirs = session.run({each.name: f"{each.name}:0" for each in operations}, {"input:0": pixels})
    import keras

    model = architecture.model(operations, arrays, "small")
    outputs = [model.get_layer(each.name).output for each in operations]
    ours = dict(zip(theirs, keras.Model(model.inputs[0], outputs)(pixels), strict=True))
    ours["head"] = np.mean(ours["head"], (1, 2))
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-5, err_msg=name)


def test_the_plan_is_that_of_the_graph(google):
    """What `dreamkit layers` shows without the archive."""
    operations, arrays = inception5h.plan()
    found, kernels = graphdef.read(google, "it")
    assert {each.name: each for each in operations} == {each.name: each for each in found}
    assert {key: array.shape for key, array in arrays.items()} == {
        key: array.shape for key, array in kernels.items()
    }
    assert len(inception5h.labels()) == arrays[f"{inception5h.HEAD}/bias"].size
    assert inception5h.labels()[0] != ""


@pytest.mark.heavy
def test_it_agrees_with_the_caffe_model_blob_by_blob(google, tmp_path):
    cv2 = pytest.importorskip("cv2")
    import keras

    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("this OpenCV reads no Caffe models")
    from dreamkit.convert.caffe import opencv
    from dreamkit.convert.caffe.reader import read_net

    path = tmp_path / "inception5h.zip"
    path.write_bytes(archive(google))
    model = inception5h.load(path)
    layers = {layer.name: layer.output for layer in model.layers[1:]}
    pixels = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 3)).astype(np.float32)
    eaten = inception5h.PREPROCESS(pixels)
    ours = dict(
        zip(layers, keras.Model(model.inputs[0], [*layers.values()])(eaten.astype(np.float32)), strict=True)
    )
    text = tmp_path / "net.prototxt"
    text.write_text(
        opencv.prototxt_without_k(FOLDER / "inception5h.prototxt").replace("dim: 224", f"dim: {SIDE}")
    )
    net = read_net(FOLDER / "inception5h.prototxt", FOLDER / "inception5h.caffemodel")
    batch = np.ascontiguousarray(np.moveaxis(eaten[..., ::-1], -1, 1), np.float32)
    theirs = opencv.compute(text, FOLDER / "inception5h.caffemodel", net, {"data": batch})
    scores = ours.pop(inception5h.HEAD).numpy().mean((1, 2))
    np.testing.assert_allclose(scores, theirs["softmax2"].reshape(1, -1), atol=1e-3)
    compared = [name for name in ours if name in theirs]
    assert len(compared) > 80
    for name in compared:
        (own,), (other,) = ours[name].numpy(), np.moveaxis(theirs[name], 1, -1)
        assert own.shape == other.shape, name
        assert np.abs(own - other).max() <= 1e-4 * np.abs(other).max(), name


@pytest.mark.heavy
def test_photographs_are_classified_as_they_are_named(google, photographs, tmp_path):
    from test_pocket import named_rightly

    path = tmp_path / "inception5h.zip"
    path.write_bytes(archive(google))
    # OpenCV names 0.8 of the same photographs rightly from the Caffe model, which pads otherwise.
    assert named_rightly("inception5h", path, photographs) >= 0.7


# Files


def test_nothing_else_of_the_archive_is_unpacked(tmp_path):
    data = small().SerializeToString()
    path = tmp_path / "inside" / "it.zip"
    path.parent.mkdir()
    path.write_bytes(archive(data))
    assert inception5h.graph(path) == data
    assert [each.name for each in tmp_path.rglob("*")] == ["inside", "it.zip"]
    bare = tmp_path / "it.pb"
    bare.write_bytes(data)
    assert inception5h.graph(bare) == data


def refusal(path):
    with pytest.raises(ModelError) as caught:
        inception5h.load(path)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400
    return str(caught.value)


def encrypted(data):
    """The archive with the bit set that says that its files need a password."""
    changed = bytearray(archive(data))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := changed.find(signature, at + 1)) >= 0:
            changed[at + offset] |= 1
    return bytes(changed)


def test_wrong_archives_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "it.zip"
    data = small().SerializeToString()
    whole = archive(data)

    def said(content):
        path.write_bytes(content)
        return refusal(path)

    at = whole.index(b"tensorflow_inception_graph.pb") + 40
    damaged = whole[:at] + bytes(255 - byte for byte in whole[at : at + 64]) + whole[at + 64 :]
    assert said(damaged).startswith(f"{path} is a damaged archive (")
    assert "password" in said(encrypted(data))
    assert "does not hold tensorflow_inception_graph.pb" in said(archive(data, "other.pb"))
    assert "damaged or not a TensorFlow graph" in said(whole[:-30])
    assert "damaged or not a TensorFlow graph" in said(b"\x89PNG no graph")
    assert said(b"") == f"{path} is damaged or of a kind dreamkit does not read (it has no layers)"
    monkeypatch.setattr(inception5h, "_MOST_BYTES", 1000)
    assert "too large for inception5h" in said(whole)
    assert "too large for the graph" in said(data)


def test_an_archive_that_lies_about_sizes_is_read_no_further(tmp_path, monkeypatch):
    """Ten million bytes that the archive's list calls a hundred."""
    monkeypatch.setattr(inception5h, "_MOST_BYTES", 1 << 20)
    whole = bytearray(archive(bytes(10_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = whole.find(signature, whole.find(signature) + 1)
        whole[at + offset : at + offset + 4] = (100).to_bytes(4, "little")
    path = tmp_path / "it.zip"
    path.write_bytes(whole)
    refusal(path)


def change(graph, name, **attributes):
    import tensorflow as tf

    for key, value in attributes.items():
        attribute = named(graph, name).attr[key]
        if isinstance(value, list):
            attribute.list.i[:] = value
        elif isinstance(value, np.ndarray):
            attribute.tensor.CopyFrom(tf.make_tensor_proto(value))
        elif isinstance(value, bytes):
            attribute.s = value
        else:
            attribute.f = value


def with_a_function(graph):
    graph.library.function.add().signature.name = "its_own"


def with_another_input(graph):
    graph.node.add(name="second_input", op="Placeholder")


def with_another_operation(graph):
    graph.node.add(name="evil", op="ReadFile")


def with_one_name_twice(graph):
    graph.node.add(name="first", op="Relu", input=["pool"])


def with_a_circle(graph):
    named(graph, "first_w").name = "unused"
    graph.node.add(name="first_w", op="Identity", input=["again"])
    graph.node.add(name="again", op="Identity", input=["first_w"])


def with_a_giant(graph):
    """One number for a shape of 2 ** 60."""
    shape = named(graph, "first_w").attr["value"].tensor
    shape.tensor_content = b""
    shape.float_val[:] = [1.0]
    for side in shape.tensor_shape.dim:
        side.size = 1 << 15


def with_a_negative_side(graph):
    named(graph, "first_w").attr["value"].tensor.tensor_shape.dim[0].size = -1


def with_too_many_channels(graph):
    del graph.node[[node.name for node in graph.node].index("second_w") :]
    before = "join"
    for index in range(30):
        graph.node.add(name=f"join{index}", op="Concat", input=["axis", before, before])
        before = f"join{index}"


def without_inputs(graph):
    del named(graph, "first").input[:]


CHANGES = {
    "operation ReadFile": with_another_operation,
    "contains functions": with_a_function,
    "two inputs": with_another_input,
    "two operations have the name first": with_one_name_twice,
    "first_w is not a constant": with_a_circle,
    "first_w has the shape": with_a_giant,
    "first_w has the shape [-1": with_a_negative_side,
    "channels": with_too_many_channels,
    "list index out of range": without_inputs,
    "weights of shape (3, 3, 4, 4)": lambda graph: change(
        graph, "first_w", value=np.zeros((3, 3, 4, 4), np.float32)
    ),
    "first has weights of shape (3, 3, 3, 4)": lambda graph: change(
        graph, "first_b", value=np.zeros(5, np.float32)
    ),
    "second has weights of shape": lambda graph: change(
        graph, "second_w", value=np.zeros((8, 5), np.float32)
    ),
    "first_w holds something other": lambda graph: change(
        graph, "first_w", value=np.full((3, 3, 3, 4), np.nan, np.float32)
    ),
    "second_b holds something other": lambda graph: change(graph, "second_b", value=np.array([b"text"] * 5)),
    "strides 1, 2, 3, 1": lambda graph: change(graph, "first/conv", strides=[1, 2, 3, 1]),
    "strides 1, 0, 0, 1": lambda graph: change(graph, "first/conv", strides=[1, 0, 0, 1]),
    "not enough values to unpack": lambda graph: change(graph, "first/conv", strides=[1, 2]),
    "windows 2, 3, 3, 1": lambda graph: change(graph, "pool", ksize=[2, 3, 3, 1]),
    "the padding b'EXPLICIT'": lambda graph: change(graph, "first/conv", padding=b"EXPLICIT"),
    "dilations or an order of axes": lambda graph: change(graph, "first/conv", data_format=b"NCHW"),
    "norm normalises with": lambda graph: change(graph, "norm", alpha=float("nan")),
    "norm normalises with 2, {'bias': 0.0": lambda graph: change(graph, "norm", bias=0.0),
    "another axis": lambda graph: change(graph, "axis", value=np.array(1, np.int32)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_graphs_of_another_kind_are_refused(what):
    graph = small()
    graphdef.read(graph.SerializeToString(), "it")
    CHANGES[what](graph)
    with pytest.raises(ModelError) as caught:
        graphdef.read(graph.SerializeToString(), "it.pb")
    assert what in str(caught.value)
    assert str(caught.value).startswith("it.pb ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_graph_of_very_many_operations_or_bytes_is_refused(monkeypatch):
    graph = small()
    for index in range(graphdef._MOST_NODES):
        graph.node.add(name=f"relu{index}", op="Relu", input=["first"])
    with pytest.raises(ModelError, match="it holds 2023 operations; at most 2000 are read"):
        graphdef.read(graph.SerializeToString(), "it")
    monkeypatch.setattr(graphdef, "_MOST_BYTES", 100)
    with pytest.raises(ModelError, match="too large for a graph"):
        graphdef.read(small().SerializeToString(), "it")


RIGHT = small().SerializeToString()


@given(st.data())
def test_nearly_right_graphs_are_read_or_refused(data):
    changed = bytearray(RIGHT)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        if data.draw(st.booleans()):
            changed[at] = data.draw(st.integers(0, 255))
        else:
            del changed[at : at + data.draw(st.integers(1, 40))]
    refused = ""
    try:
        operations, arrays = graphdef.read(bytes(changed), "it")
        assert operations
        assert all(np.isfinite(array).all() for array in arrays.values())
    except ModelError as error:
        refused = str(error)
    assert len(refused.splitlines()) <= 1


# The command line


def test_its_layers_are_listed_without_the_archive(run):
    code, out, err = run("layers", "inception5h")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert rows["mixed4c"][:2] == ["512", "16"]
    assert rows["mixed4c"][-1] == "default"
    assert rows["softmax2_pre_activation"][0] == "1008"
    assert {"conv2d0_pre_relu", "mixed3a_1x1", "mixed4d_3x3_bottleneck_pre_relu", "mixed5b"} <= set(rows)


@pytest.mark.parametrize(
    "content",
    [b"", b"no graph", archive(b"no graph"), archive(RIGHT)[:200], archive(RIGHT, "x.pb"), archive(RIGHT)],
    ids=["empty", "text", "zip of text", "zip cut short", "other zip", "names that Keras refuses"],
)
def test_a_damaged_archive_is_one_line(run, picture, tmp_path, content):
    (tmp_path / "damaged.zip").write_bytes(content)
    code, out, err = run("dream", picture, "--model", "inception5h", "--weights", "damaged.zip")
    assert (code, out) == (1, "")
    assert err.startswith("error: damaged.zip ")
    assert err.count("\n") == 1


def test_a_whole_dream_by_a_graph_of_ones_own(run, picture, tmp_path):
    """Another graph than Google's, whose layers are named: read as data like it."""
    graph = small()
    for node in graph.node:
        node.name = node.name.replace("/", "_")
        node.input[:] = [name.replace("/", "_") for name in node.input]
    (tmp_path / "own.pb").write_bytes(graph.SerializeToString())
    quick = ["--octaves", "1", "--steps", "2", "-q", "-o", "d.png"]
    arguments = ["dream", picture, "--model", "inception5h", "--weights", "own.pb", *quick]
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: there is no layer 'mixed4c'; ")
    assert err.endswith(
        "pocket has a layer of this name (--model pocket); dreamkit layers inception5h lists all\n"
    )
    assert run(*arguments, "--layers", "join") == (0, "", "")
