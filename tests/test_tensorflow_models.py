"""SavedModels and frozen GraphDefs as networks for pictures of any size; what is refused, and why."""

from __future__ import annotations

import re

import inception5h_graph
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import DATA
from keras import layers as kl
from PIL import Image

import dreamkit
from dreamkit.convert import tensorflow_file, tensorflow_frozen, tensorflow_model
from dreamkit.convert.parity import Report
from dreamkit.convert.tensorflow_names import layer_names
from dreamkit.engine.tf import private
from dreamkit.errors import ConvertError
from dreamkit.models import converted, safe_operations

SIDE = 32


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture
def convert(tmp_path):
    """Converts a file or folder in this process; returns the description and the function of pixels."""

    def run(path, *, fill=None, signature=None):
        folder = tmp_path / f"{path.name} converted"
        result = tensorflow_model.read_and_write(
            lambda _: None, str(path), str(folder), signature, "RGB", fill
        )
        maps = result["maps"]
        plain = tensorflow_model.compare_with_tensorflow(
            lambda _: None,
            str(path),
            str(folder),
            signature,
            {name: each["min_size"] for name, each in maps.items()},
            {name: each["multiple"] for name, each in maps.items()},
            result["tensors"],
            result["sized"],
            {"order": "RGB", "mean": (0, 0, 0), "scale": (1, 1, 1)},
            fill,
        )
        result["report"] = Report.from_dict(plain)
        result["report"].check()
        saved = tf.saved_model.load(str(folder))
        signature_ = saved.signatures["serving_default"]

        def compute(pixels):
            compute.held = saved
            outputs = signature_(pixels=tf.constant(pixels, tf.float32))
            return {name: each.numpy() for name, each in outputs.items()}

        return result, compute

    return run


def pictures(height, width, channels=3):
    return np.random.default_rng(0).uniform(0, 2, (2, height, width, channels)).astype(np.float32)


def normal(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def trunk(side=SIDE):
    picture = keras.Input((side, side, 3))
    values = kl.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="first")(picture)
    values = kl.Conv2D(8, 3, strides=2, padding="same", name="second", use_bias=False)(values)
    return picture, kl.ReLU(name="second_relu")(kl.BatchNormalization(name="second_norm")(values))


def exported(model, folder):
    model.export(folder, verbose=False)
    return folder


def with_distinct_classes(model):
    """A classifier of random weights whose classes can be told apart.

    With the statistics that Keras starts with, activations vanish with depth. And classes whose weights point
    the same way rise together, whichever of them is dreamed, so theirs are made orthogonal.
    """
    norms = [each for each in model.layers if isinstance(each, kl.BatchNormalization)]
    momenta = [each.momentum for each in norms]
    for each in norms:
        each.momentum = 0.0
    noise = np.random.default_rng(2).uniform(-1, 1, (8, *model.input_shape[1:])).astype(np.float32)
    model(noise, training=True)
    for each, momentum in zip(norms, momenta, strict=True):
        each.momentum = momentum
    *_, head = (each for each in model.layers if each.weights)
    kernel, *bias = head.get_weights()
    columns = np.random.default_rng(3).normal(size=(kernel.size // kernel.shape[-1], kernel.shape[-1]))
    head.set_weights([np.linalg.qr(columns)[0].reshape(kernel.shape), *bias])
    return model


def frozen(function, file, shape=(None, SIDE, SIDE, 3), kind=tf.float32):
    """Writes the frozen GraphDef of a function of a tensor to a file."""
    concrete = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec(shape, kind, "x"))
    file.write_bytes(private.freeze(concrete).graph.as_graph_def().SerializeToString())
    return file


def convolved(values, count, name, stride=1):
    kernel = normal(3, 3, values.shape[-1], count) / 3
    return tf.nn.relu(tf.nn.conv2d(values, kernel, stride, "SAME", name=f"{name}/Conv2D"), f"{name}/Relu")


# ------------------------------------------------------------------------------------------------ heads


TOPS = {
    "average": [kl.GlobalAveragePooling2D, lambda: kl.Dense(5, "softmax", name="scores")],
    "maximum": [kl.GlobalMaxPooling2D, lambda: kl.Dense(5, name="scores")],
    "two layers": [
        lambda: kl.GlobalAveragePooling2D(keepdims=True),
        kl.Flatten,
        lambda: kl.Dense(7, "relu"),
        kl.BatchNormalization,
        lambda: kl.Dropout(0.5),
        lambda: kl.Dense(5, "softmax", name="scores"),
    ],
    "one position": [
        lambda: kl.AveragePooling2D(8),
        kl.Flatten,
        lambda: kl.Dense(5, name="scores"),
        kl.Softmax,
    ],
    "a convolution": [lambda: kl.Conv2D(5, 1, name="scores"), kl.GlobalAveragePooling2D, kl.Softmax],
    "flatten": [kl.Flatten, lambda: kl.Dense(5, "softmax", name="scores")],
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", TOPS)
def test_a_classifier_has_a_head(name, convert, tmp_path):
    picture, values = trunk()
    for layer in TOPS[name]:
        values = layer()(values)
    model = keras.Model(picture, values)
    result, compute = convert(exported(model, tmp_path / "net"))
    assert list(result["maps"])[:4] == ["first", "second", "second_norm", "second_relu"]
    assert result["maps"]["second"]["stride"] == 4
    assert result["kept"][0][0] == result["kept"][0][1] > 2
    scores = result["maps"]["scores"]
    assert scores["channels"] == 5
    pixels = pictures(SIDE, SIDE)
    layer = model.get_layer("scores")
    taken = keras.Model(picture, layer.input)(pixels, training=False).numpy()
    kernel, bias = layer.get_weights()
    expected = taken @ kernel.reshape(-1, 5) + bias
    found = compute(pixels)["scores"]
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    assert compute(pictures(61, 45))["scores"].shape[::3] == (2, 5)


def test_a_dense_layer_behind_a_flatten_is_a_convolution(convert, tmp_path):
    picture, values = trunk()
    model = keras.Model(picture, kl.Dense(5, name="scores")(kl.Flatten()(values)))
    result, compute = convert(exported(model, tmp_path / "net"))
    assert result["maps"]["scores"]["stride"] == 4
    assert result["maps"]["scores"]["min_size"] == 29  # eight positions, four pixels apart
    assert result["maps"]["second"]["min_size"] == 1
    assert result["sized"] == ["scores"]
    first, *others = result["report"].runs
    assert "scores" in first.errors
    assert all("scores" not in run.errors for run in others)  # the original cannot compute them
    pixels = pictures(SIDE, SIDE)
    np.testing.assert_allclose(
        compute(pixels)["scores"][:, 0, 0], model(pixels).numpy(), rtol=1e-4, atol=1e-4
    )


def test_a_wrong_weight_is_found(convert, tmp_path, monkeypatch):
    picture, values = trunk()
    path = exported(keras.Model(picture, kl.GlobalAveragePooling2D()(values)), tmp_path / "net")
    load = tensorflow_model.tensorflow_frozen.load

    def damaged(*arguments):
        graph = load(*arguments)
        for node in graph.graph_def.node:
            if node.op == "Const" and node.attr["value"].tensor.tensor_shape.dim[-1:]:
                tensor = node.attr["value"].tensor
                if tensor.tensor_shape.dim[-1].size == 8 and len(tensor.tensor_shape.dim) == 4:
                    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(tf.make_ndarray(tensor) * 1.01))
        return graph

    monkeypatch.setattr(tensorflow_model.tensorflow_frozen, "load", damaged)
    with pytest.raises(ConvertError, match="the graph differs from the network in the file by"):
        convert(path)


# ------------------------------------------------------------------------------------------- other forms


def squeezed(x):
    values = convolved(x, 8, "first", 2)
    gate = tf.reshape(tf.reduce_mean(values, [1, 2]), [-1, 1, 1, 8])
    gate = tf.sigmoid(tf.nn.conv2d(gate, normal(1, 1, 8, 8), 1, "SAME", name="gate/Conv2D"))
    return convolved(tf.multiply(values, gate, "gated"), 4, "last", 2)


def shuffled(x):
    values = convolved(x, 8, "first", 2)
    values = tf.transpose(tf.reshape(values, [-1, 16, 16, 2, 4]), [0, 1, 2, 4, 3])
    return convolved(tf.reshape(values, [-1, 16, 16, 8]), 4, "last")


def resized(x):
    values = tf.image.resize(convolved(x, 4, "first", 2), [SIDE, SIDE], "nearest")
    return convolved(values, 4, "last")


def transposed(x):
    values = convolved(x, 4, "first", 2)
    shape = tf.stack([tf.shape(values)[0], SIDE, SIDE, 6])
    values = tf.nn.conv2d_transpose(values, normal(2, 2, 6, 4), shape, 2, "SAME", name="up")
    return convolved(values, 4, "last")


def without_biases(x):
    values = tf.reduce_mean(convolved(x, 8, "first", 2), [1, 2])
    return tf.nn.softmax(tf.matmul(values, normal(5, 8), transpose_b=True, name="scores/MatMul"))


FORMS = {
    "gates": (squeezed, ["first", "gated", "last"]),
    "shuffled channels": (shuffled, ["first", "last"]),
    "a fixed size": (resized, ["first", "last"]),
    "a transposed convolution": (transposed, ["first", "up", "last"]),
    "transposed weights": (without_biases, ["first", "scores"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_a_file_fixes_to_its_size_is_computed_at_any(name, convert, tmp_path):
    function, layers = FORMS[name]
    result, compute = convert(frozen(function, tmp_path / "net.pb"))
    assert set(layers) <= set(result["maps"])
    kept, of = result["kept"][0]
    assert kept == of > 0
    maps = compute(pictures(50, 41))
    assert maps["first"].shape[1:3] == (25, 21)


def test_branches_that_meet_at_multiples_are_padded(convert, tmp_path):
    def function(x):
        half = convolved(x, 4, "half", 2)
        quarter = convolved(half, 4, "quarter", 2)
        up = tf.image.resize(quarter, 2 * tf.shape(quarter)[1:3], "nearest")
        return convolved(tf.concat([half, up], -1, "joined"), 4, "last")

    result, compute = convert(frozen(function, tmp_path / "net.pb", (None, None, None, 3)))
    assert {name: each["multiple"] for name, each in result["maps"].items()} == {
        **dict.fromkeys(("half", "quarter"), 1),
        **{name: 1 for name in result["maps"] if name.startswith("resize")},
        **dict.fromkeys(("joined", "last"), 4),
    }
    assert compute(pictures(33, 42))["last"].shape[1:3] == (18, 22)


def test_whole_numbers_grey_and_four_channels(convert, tmp_path):
    def bytes_(x):
        return convolved(tf.cast(x, tf.float32) / 255.0, 4, "first")

    result, compute = convert(frozen(bytes_, tmp_path / "bytes.pb", kind=tf.uint8))
    assert result["type"] == "uint8"
    assert compute(pictures(9, 9))["first"].shape == (2, 9, 9, 4)
    for channels, fill in ((1, None), (4, 0.5)):
        file = frozen(lambda x: convolved(x, 4, "first"), tmp_path / "net.pb", (None, SIDE, SIDE, channels))
        result, compute = convert(file, fill=fill)
        assert result["channels"] == channels
        assert compute(pictures(9, 9))["first"].shape == (2, 9, 9, 4)
        with pytest.raises(ConvertError, match="--fill"):
            convert(file, fill=None if fill else 1.0)


def test_tokens_are_left_out(convert, tmp_path):
    def function(x):
        values = convolved(x, 4, "first", 4)
        tokens = tf.reshape(values, [-1, 64, 4])
        mixed = tf.matmul(tokens, tokens, transpose_b=True)
        values = tf.reshape(tf.matmul(mixed, tokens), [-1, 8, 8, 4])
        return convolved(convolved(values, 4, "second"), 4, "third")

    result, _ = convert(frozen(function, tmp_path / "net.pb"))
    assert list(result["maps"]) == ["first"]
    assert result["kept"] == [(1, 3), (0, 0), "Reshape Reshape"]


def test_a_network_without_maps_is_refused(convert, tmp_path):
    file = frozen(lambda x: tf.matmul(tf.reshape(x, [-1, SIDE * SIDE * 3]), normal(3072, 4)), tmp_path / "x")
    result, _ = convert(file)  # a dense layer of all pixels is a convolution as large as the picture
    assert [each["min_size"] for each in result["maps"].values()] == [SIDE]
    with pytest.raises(ConvertError, match="x has no feature maps, batch x height x width x channels"):
        convert(frozen(lambda x: tf.reduce_sum(tf.reshape(x, [-1, 96]), 1), tmp_path / "x"))


def test_a_saved_model_of_tensorflow_1(convert, tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        picture = tf.compat.v1.placeholder(tf.float32, (None, SIDE, SIDE, 3), "picture")
        training = tf.compat.v1.placeholder_with_default(False, (), "training")
        kernel = tf.compat.v1.Variable(normal(3, 3, 3, 4), name="kernel", use_resource=False)
        values = tf.nn.relu(tf.nn.conv2d(picture, kernel, 2, "SAME", name="first/Conv2D"), "first/Relu")
        values = tf.where(training, 2.0 * values, values)
        weights = tf.compat.v1.Variable(normal(4, 5), name="weights", use_resource=True)
        scores = tf.matmul(tf.reduce_mean(values, [1, 2]), weights, name="scores/MatMul")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "net"), {"x": picture}, {"y": scores})
        pixels = pictures(SIDE, SIDE)
        expected = session.run(scores, {picture: pixels})
    result, compute = convert(tmp_path / "net")
    assert {"first", "scores"} <= set(result["maps"])
    np.testing.assert_allclose(compute(pixels)["scores"][:, 0, 0], expected, rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------------------------- names


def test_layers_have_the_names_that_their_program_gave():
    found = layer_names(
        [
            *(
                "StatefulPartitionedCall/model/block1_conv1/Conv2D",
                "StatefulPartitionedCall/model/block1_conv1/Relu",
            ),
            "StatefulPartitionedCall/model/block1_pool/MaxPool",
            *("StatefulPartitionedCall/model/raw/Conv2D", "StatefulPartitionedCall/model/raw/Conv2D_1"),
            *("StatefulPartitionedCall/model/scores/BiasAdd", "StatefulPartitionedCall/model/scores/Softmax"),
        ],
        {
            name: re.sub(r"_\d$", "", name.rpartition("/")[2])
            for name in (
                *("StatefulPartitionedCall/model/block1_conv1/Conv2D",),
                *("StatefulPartitionedCall/model/block1_conv1/Relu",),
                *("StatefulPartitionedCall/model/block1_pool/MaxPool",),
                *("StatefulPartitionedCall/model/raw/Conv2D",),
                *("StatefulPartitionedCall/model/raw/Conv2D_1",),
                *("StatefulPartitionedCall/model/scores/BiasAdd",),
                *("StatefulPartitionedCall/model/scores/Softmax",),
            )
        },
        {"StatefulPartitionedCall/model/scores/BiasAdd", "StatefulPartitionedCall/model/scores/Softmax"},
    )
    assert {name: each.rpartition("/")[2] for name, each in found.items()} == {
        "block1_conv1": "Relu",
        "block1_pool": "MaxPool",
        "raw/Conv2D": "Conv2D",
        "raw/Conv2D_1": "Conv2D_1",
        "scores": "BiasAdd",
    }


# --------------------------------------------------------------------------------- what is never run


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            lambda x: tf.py_function(lambda each: each, [x], tf.float32),
            "EagerPyFunc .*which runs Python code",
        ),
        (lambda x: tf.numpy_function(lambda each: each, [x], tf.float32), "PyFunc .*which runs Python code"),
        (lambda x: tf.io.decode_raw(tf.io.read_file("/etc/hostname"), tf.uint8), "ReadFile .*read or write"),
        (lambda x: tf.io.write_file("/other/x", "x"), "WriteFile .*which can read or write files"),
        (lambda x: tf.print(x), "StringFormat|PrintV2"),
        (lambda x: tf.io.matching_files("*"), "MatchingFiles .*which can read or write files"),
    ],
    ids=["py_function", "numpy_function", "read_file", "write_file", "print", "matching_files"],
)
def test_an_operation_that_does_more_than_compute_is_refused(more, why, tmp_path):
    @tf.function(autograph=False)
    def function(x):
        with tf.control_dependencies([each for each in [more(x)] if each is not None]):
            return tf.identity(x)

    graph = function.get_concrete_function(tf.TensorSpec([None, 8, 8, 3])).graph.as_graph_def()
    for saved_model in (False, True):
        assert re.search(why, safe_operations.problem(graph, saved_model=saved_model))
    inside = tf.compat.v1.GraphDef()
    inside.library.function.add().node_def.extend(graph.node)
    assert re.search(why, safe_operations.problem(inside, saved_model=True))
    for node in graph.node:  # a function of that name hides nothing
        inside.library.function.add().signature.name = node.op
    assert re.search(why, safe_operations.problem(inside, saved_model=True))


def test_an_unknown_operation_is_refused_by_its_name(tmp_path):
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="a", op="MyOwnConvolution")
    (tmp_path / "net.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(ConvertError, match=r"has the operation MyOwnConvolution \(a\), which is not one of"):
        tensorflow_file.read_graph(str(tmp_path / "net.pb"))


def test_nothing_in_a_saved_model_writes_files(tmp_path):
    picture, values = trunk()
    folder = exported(keras.Model(picture, values), tmp_path / "net")
    before = private.SavedModelDef.FromString((folder / "saved_model.pb").read_bytes())
    assert any(node.op == "SaveV2" for node in safe_operations.nodes(before.meta_graphs[0].graph_def))
    saved = tensorflow_file.read_saved_model(str(folder), None)
    found = {node.op for node in safe_operations.nodes(saved.message.meta_graphs[0].graph_def)}
    assert not found & safe_operations.WRITES
    assert "RestoreV2" in found


@pytest.mark.usefixtures("without_links")
def test_a_saved_model_is_read_where_links_are_refused(tmp_path):
    module = tf.Module()
    module.kernel = tf.Variable(normal(3, 3, 3, 48))
    module.f = tf.function(
        lambda x: {"y": tf.nn.conv2d(x, module.kernel, 1, "SAME")},
        input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, "x")],
        autograph=False,
    )
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=module.f)
    before = sorted((tmp_path / "net").rglob("*"))
    weights = tensorflow_frozen.load(str(tmp_path / "net"), None).weights
    np.testing.assert_array_equal([*weights.values()], [module.kernel.numpy()])
    assert sorted((tmp_path / "net").rglob("*")) == before


# ------------------------------------------------------------------------------- by the command line


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """The scores of a small classifier of ten classes, and its SavedModel."""
    keras.utils.set_random_seed(3)
    picture, values = trunk()
    values = kl.Conv2D(32, 3, padding="same", activation="relu", name="third")(values)
    scores = kl.Dense(10, name="scores")(kl.GlobalAveragePooling2D()(values))
    model = with_distinct_classes(keras.Model(picture, scores))
    saved = exported(keras.Model(picture, kl.Softmax()(scores)), tmp_path_factory.mktemp("cifar") / "saved")
    return model, saved


@pytest.mark.heavy
def test_class_3_is_raised_in_the_original(run, cifar, tmp_path):
    model, saved = cifar
    options = ["--mean", "127.5,127.5,127.5", "--scale", "0.0078431"]
    code, out, err = run("convert", "tensorflow", saved, "--name", "mine", *options)
    assert code == 0, err
    assert "kept 4 of 4 convolutions; the head is scores, 10 classes" in out
    record = converted.record(converted.folder() / "mine")
    assert record["description"] == "converted from saved"
    assert {"saved_model.pb", "variables.index"} <= record["sources"].keys()
    start = np.random.default_rng(1).integers(100, 156, (SIDE, SIDE, 3)).astype(np.uint8)
    Image.fromarray(start).save(tmp_path / "start.png")
    # Jitter, which rolls the picture, undoes steps on noise that is as small as this.
    dream = ["--octaves", "1", "--steps", "20", "--jitter", "0", "-q"]

    def scores(name):
        pixels = np.asarray(Image.open(tmp_path / name).convert("RGB"), np.float32)[None]
        return model((pixels - 127.5) / 127.5).numpy()[0]

    for wanted in (0, 3, 7):
        made = f"{wanted}.png"
        code, _, err = run("dream", "start.png", "--model", "mine", "--class", wanted, *dream, "-o", made)
        assert code == 0, err
        change = scores(made) - scores("start.png")
        assert change[wanted] > 0
        assert change.argmax() == wanted
    code, _, err = run("dream", "start.png", "--model", "mine", "--class", "10", *dream, "-o", "10.png")
    assert code != 0
    assert "mine has no class 10" in err


def empty(folder, _saved):
    folder.mkdir()


def without_graph(folder, _saved):
    (folder / "variables").mkdir(parents=True)


def checkpoint(folder, _saved):
    folder.mkdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "model"\n')


def hub(folder, saved):
    copied(folder, saved)
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")


def as_text(folder, _saved):
    folder.mkdir()
    (folder / "saved_model.pbtxt").write_text("saved_model_schema_version: 1\n")


def copied(folder, saved):
    (folder / "variables").mkdir(parents=True)
    for each in saved.rglob("*"):
        if each.is_file():
            (folder / each.relative_to(saved)).write_bytes(each.read_bytes())


def several_signatures(folder, _saved):
    module = tf.Module()
    specs = [tf.TensorSpec([None, SIDE, SIDE, 3], name="x")]
    module.one = tf.function(lambda x: {"y": convolved(x, 4, "first")}, specs, autograph=False)
    module.two = tf.function(lambda x: {"y": convolved(x, 4, "other")}, specs, autograph=False)
    tf.saved_model.save(module, str(folder), signatures={"one": module.one, "two": module.two})


def without_weights(folder, saved):
    copied(folder, saved)
    (folder / "variables" / "variables.index").unlink()


def short_weights(folder, saved):
    copied(folder, saved)
    file = folder / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:100])


def short_graph(folder, saved):
    copied(folder, saved)
    file = folder / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-9])


def several_inputs(folder, _saved):
    module = tf.Module()
    specs = [tf.TensorSpec([None, 8, 8, 3], name=name) for name in "ab"]
    module.f = tf.function(lambda a, b: {"c": a + b}, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.f)


def variables(file, _saved):
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3))
        weights = tf.compat.v1.get_variable("w", (1, 1, 3, 2))
        tf.nn.conv2d(picture, weights, 1, "SAME")
    file.write_bytes(graph.as_graph_def().SerializeToString())


def truncated(file, _saved):
    frozen(lambda x: convolved(x, 4, "first"), file)
    file.write_bytes(file.read_bytes()[:-9])


def graph_as_text(file, _saved):
    file.write_text('node {\n  name: "x"\n  op: "Placeholder"\n}\n')


def words(file, _saved):
    frozen(lambda x: tf.identity(x), file, (None,), tf.string)


def channels_first(file, _saved):
    graph = tf.compat.v1.GraphDef.FromString(frozen(lambda x: convolved(x, 4, "first"), file).read_bytes())
    for node in graph.node:
        if node.op == "Conv2D":
            node.attr["data_format"].s = b"NCHW"
    file.write_bytes(graph.SerializeToString())


def loop(file, _saved):
    graph = tf.compat.v1.GraphDef.FromString(frozen(lambda x: convolved(x, 4, "first"), file).read_bytes())
    for node in graph.node:
        if node.op == "Conv2D":
            node.input[0] = "first/Relu"
    file.write_bytes(graph.SerializeToString())


BAD = {
    "nothing": (lambda path, _: None, "cannot read bad; give a SavedModel folder or a frozen GraphDef"),
    "an empty folder": (empty, "bad is an empty folder; give a SavedModel folder"),
    "no graph": (without_graph, "bad has no saved_model.pb; give a SavedModel folder"),
    "a checkpoint": (checkpoint, "bad is a checkpoint, which holds weights without their network"),
    "a hub module": (hub, "bad is a module of TensorFlow Hub for TensorFlow 1"),
    "a saved model as text": (as_text, "bad has its graph as text"),
    "several signatures": (several_signatures, "several signatures: one, two; choose one with"),
    "no weights": (without_weights, r"bad has no weights: variables/variables\.index is missing"),
    "short weights": (short_weights, "bad cannot be read by TensorFlow .* is it complete"),
    "a short graph": (short_graph, "is damaged or not a TensorFlow graph"),
    "several inputs": (several_inputs, "bad has 2 inputs: .*; dreamkit feeds one picture"),
    "variables": (variables, "bad has variables, whose values are in another file: it is not frozen"),
    "a truncated file": (truncated, "bad is damaged or not a TensorFlow graph"),
    "a graph as text": (graph_as_text, "bad is a TensorFlow graph as text; save it in the binary form"),
    "words": (words, r"bad takes string any \(x\); dreamkit feeds pictures"),
    "channels first": (channels_first, "on batch x channels x height x width, which TensorFlow does on GPUs"),
    "a loop": (loop, "bad has a loop at first/"),
}


# Found by a child process of some seconds. In the ordinary suite, two more of the kind stand for them.
SLOW = {
    *("several signatures", "no weights", "short weights", "a short graph"),
    *("several inputs", "variables", "channels first", "a loop"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.heavy) if each in SLOW else each for each in BAD]
)
def test_a_bad_input_is_one_line(name, run, cifar, tmp_path):
    make, expected = BAD[name]
    make(tmp_path / "bad", cifar[1])
    code, out, err = run("convert", "tensorflow", "bad", "--name", "x", "-q")
    assert (code, out) == (1, ""), err
    assert err.count("\n") == 1, err
    assert re.search(expected, err), err
    assert not (converted.folder() / "x").exists()


@pytest.mark.heavy
def test_a_signature_is_chosen(run, cifar, tmp_path):
    several_signatures(tmp_path / "two", cifar[1])
    code, _, err = run("convert", "tensorflow", "two", "--name", "x", "--signature", "three", "-q")
    assert code == 1
    assert "two has no signature three; " in err
    code, _, err = run("convert", "tensorflow", "two", "--name", "x", "--signature", "two", "-q")
    assert code == 0, err
    assert list(converted.record(converted.folder() / "x")["blobs"]) == ["other"]


@pytest.mark.heavy
def test_little_of_a_network_is_refused_unless_its_layers_are_named(run, tmp_path):
    def function(x):
        values = convolved(x, 4, "first", 4)
        values = tf.reshape(tf.reshape(values, [-1, 16, 16]), [-1, 8, 8, 4])
        for place in range(3):
            values = convolved(values, 4, f"later{place}")
        return values

    frozen(function, tmp_path / "net.pb")
    code, _, err = run("convert", "tensorflow", "net.pb", "--name", "x", "-q")
    assert code == 1
    assert re.search(
        r"net.pb cannot be converted as a whole: kept 1 of 4 convolutions; stopped at Reshape .*--layers", err
    )
    code, _, err = run("convert", "tensorflow", "net.pb", "--name", "x", "-q", "--layers", "first")
    assert code == 0, err


@pytest.mark.heavy
def test_whole_numbers_want_no_mean(run, tmp_path):
    frozen(lambda x: convolved(tf.cast(x, tf.float32), 4, "first"), tmp_path / "net.pb", kind=tf.uint8)
    code, _, err = run("convert", "tensorflow", "net.pb", "--name", "x", "-q", "--scale", "1")
    assert code == 1
    assert "net.pb takes whole numbers from 0 to 255; leave out --order, --mean and --scale" in err
    code, _, err = run("convert", "tensorflow", "net.pb", "--name", "x", "-q")
    assert (code, err) == (0, "")


# ------------------------------------------------------------------------------------ real networks


@pytest.mark.heavy
def test_inception5h_is_the_built_in_network(run, tmp_path, photo):
    folder = DATA / "caffe" / "inception5h"
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    (tmp_path / "net.pb").write_bytes(inception5h_graph.graph(folder))
    code, out, err = run(
        *("convert", "tensorflow", "net.pb", "--name", "net", "--mean", "117,117,117", "--scale", "1")
    )
    assert code == 0, err
    assert (
        "kept 58 of 58 convolutions, 9 of 9 joins; the head is softmax2_pre_activation, 1008 classes" in out
    )
    ours = dreamkit.load(converted.provider(converted.folder() / "net"))
    theirs = dreamkit.load("inception5h", weights=tmp_path / "net.pb")
    pixels = np.asarray(photo, np.float32)[None]
    for name in ("mixed3b", "mixed4c", "mixed5b"):
        (found,), (expected,) = (each.activations([name])(pixels) for each in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


APPLICATIONS = {
    "MobileNet": {"alpha": 0.25},
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"alpha": 0.75, "minimalistic": True, "include_preprocessing": False},
}


@pytest.fixture
def application(run, tmp_path):
    """Converts a classifier of seven classes; returns its scores of normalised pixels, and the network."""

    def make(name):
        build = getattr(keras.applications, name)
        options = {"classes": 7, "classifier_activation": None, **APPLICATIONS[name]}
        model = with_distinct_classes(build(weights=None, input_shape=(96, 96, 3), **options))
        exported(model, tmp_path / "net")
        given = ["--mean", "127.5,127.5,127.5", "--scale", "0.0078431"]
        code, _, err = run("convert", "tensorflow", "net", "--name", "net", "-q", *given)
        assert code == 0, err

        def scores(pixels):
            return model((tf.cast(pixels, tf.float32) - 127.5) * 0.0078431, training=False)

        return scores, dreamkit.load(converted.provider(converted.folder() / "net"))

    return make


def noise():
    return np.random.default_rng(1).integers(60, 196, (96, 96, 3)).astype(np.uint8)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name",
    ["MobileNet", *(pytest.param(f"MobileNetV{each}", marks=pytest.mark.long) for each in ("2", "3Small"))],
)
def test_the_gradient_of_each_class_is_that_of_the_keras_classifier(name, application):
    scores, network = application(name)
    forward = network.cut([network.provider.head])
    pixels = tf.constant(noise()[None], tf.float32)

    def gradients(function):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(pixels)
            found = tf.reshape(function(pixels), (1, 7))
        rows = tape.jacobian(found, pixels, experimental_use_pfor=False).numpy().reshape(7, -1)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    alike = gradients(lambda each: forward(each)[0]) @ gradients(scores).T
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-3)
    assert alike.argmax(1).tolist() == list(range(7))
