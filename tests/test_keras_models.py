"""Keras models as SavedModels for pictures of any size: heads, models inside models, HDF5, inputs."""

from __future__ import annotations

import json
import re
import warnings

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

import dreamkit
from dreamkit.convert import conversion, keras_file, keras_hdf5, keras_model
from dreamkit.convert.options import KERAS, ConversionOptions
from dreamkit.convert.parity import Report
from dreamkit.errors import ConvertError
from dreamkit.models import converted

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture
def convert(tmp_path):
    """Converts a model, or a file, in this process; returns the description and the function of pixels."""

    def run(model, *, layers=None, order="RGB", fill=None, name="mine.keras"):
        file, folder = tmp_path / name, tmp_path / f"{name} saved"
        if model is not None:
            model.save(file)
        result = keras_model.read_and_write(lambda _: None, str(file), str(folder), layers, order, fill)
        plain = keras_model.compare_with_keras(
            lambda _: None,
            str(file),
            str(folder),
            {name: each["min_size"] for name, each in result["maps"].items()},
            {"order": order, "mean": (0, 0, 0), "scale": (1, 1, 1)},
            fill,
        )
        result["report"] = Report.from_dict(plain)
        result["report"].check()
        saved = tf.saved_model.load(str(folder))
        signature = saved.signatures["serving_default"]

        def compute(pixels):
            compute.held = saved
            outputs = signature(pixels=tf.constant(pixels, tf.float32))
            return {name: each.numpy() for name, each in outputs.items()}

        return result, compute

    return run


def pictures(height, width, channels=3):
    return np.random.default_rng(0).uniform(0, 2, (2, height, width, channels)).astype(np.float32)


def trunk(side=24):
    picture = keras.Input((side, side, 3))
    first = kl.Conv2D(6, 3, strides=2, activation="relu", name="first")(picture)
    return picture, kl.Conv2D(8, 3, activation="relu", name="second")(first)


# ----------------------------------------------------------------------------------------------- heads

TOPS = {
    "average": [kl.GlobalAveragePooling2D, lambda: kl.Dense(5, name="scores")],
    "maximum": [kl.GlobalMaxPooling2D, lambda: kl.Dense(5, name="scores", use_bias=False)],
    "softmax inside": [kl.GlobalAveragePooling2D, lambda: kl.Dense(5, "softmax", name="scores")],
    "sigmoid inside": [kl.GlobalAveragePooling2D, lambda: kl.Dense(1, "sigmoid", name="scores")],
    "softmax behind": [kl.GlobalAveragePooling2D, lambda: kl.Dense(5, name="scores"), kl.Softmax],
    "activation behind": [
        kl.GlobalAveragePooling2D,
        lambda: kl.Dense(5, name="scores"),
        lambda: kl.Activation("softmax"),
    ],
    "keepdims": [
        lambda: kl.GlobalAveragePooling2D(keepdims=True),
        lambda: kl.Dropout(0.5),
        kl.Flatten,
        lambda: kl.Dense(5, name="scores"),
    ],
    "hidden layers": [
        kl.GlobalAveragePooling2D,
        lambda: kl.Dense(7, name="hidden"),
        kl.BatchNormalization,
        kl.ReLU,
        lambda: kl.Dropout(0.5),
        lambda: kl.Reshape((7,)),
        lambda: kl.Dense(5, "softmax", name="scores"),
    ],
    "mobilenet": [
        lambda: kl.GlobalAveragePooling2D(keepdims=True),
        lambda: kl.Conv2D(5, 1, name="scores"),
        lambda: kl.Reshape((5,)),
        kl.Softmax,
    ],
    "fully convolutional": [lambda: kl.Conv2D(5, 1, name="scores"), kl.GlobalAveragePooling2D, kl.Softmax],
    "one position": [
        lambda: kl.AveragePooling2D(9),
        kl.Flatten,
        lambda: kl.Dense(5, "softmax", name="scores"),
    ],
    "flatten": [kl.Flatten, lambda: kl.Dropout(0.5), lambda: kl.Dense(5, "softmax", name="scores")],
}


def scores_of(model, pixels):
    """The scores of the layer `scores` of a model, before its activation, by NumPy."""
    layer = model.get_layer("scores")
    taken = keras.Model(model.inputs[0], layer.input)(pixels, training=False).numpy()
    kernel, *bias = (each.reshape(-1, each.shape[-1]) for each in layer.get_weights())
    return taken @ kernel + sum(bias)


@pytest.mark.parametrize("name", TOPS)
def test_a_classifier_has_a_head(name, convert):
    picture, values = trunk()
    for layer in TOPS[name]:
        values = layer()(values)
    model = keras.Model(picture, values)
    result, compute = convert(model)
    classes = model.get_layer("scores").output.shape[-1]
    assert result["head"] == "scores"
    assert result["maps"]["scores"]["channels"] == classes
    assert result["kept"].endswith(f"; the head is scores, {classes} class{'es' if classes > 1 else ''}")
    pixels = pictures(24, 24)
    found = compute(pixels)["scores"]
    expected = scores_of(model, pixels)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    larger = compute(pictures(60, 41))["scores"]
    assert larger.shape[0] == 2
    assert larger.shape[-1] == classes


def test_a_dense_layer_behind_a_flatten_is_a_convolution(convert):
    picture, values = trunk()
    hidden = kl.Dense(7, "relu", name="hidden")(kl.Flatten()(values))
    model = keras.Model(picture, kl.Dense(5, name="scores")(hidden))
    result, compute = convert(model)
    assert result["maps"]["hidden"]["stride"] == 2
    assert {result["maps"][each]["min_size"] for each in ("hidden", "scores")} == {23}
    assert result["maps"]["second"]["min_size"] < 23
    pixels = pictures(24, 28)
    found = compute(pixels)["scores"]
    for place in range(3):  # windows as large as the model's picture, moved by the stride
        window = pixels[:, :, 2 * place : 2 * place + 24]
        if window.shape[2] == 24:
            np.testing.assert_allclose(found[:, 0, place], model(window).numpy(), rtol=1e-4, atol=1e-5)
    first, *others = result["report"].runs
    assert "scores" in first.errors
    assert all("scores" not in run.errors for run in others)  # the original cannot compute them


def more_behind(values):
    return kl.Conv1D(2, 3)(kl.Reshape((5, 1))(kl.Dense(5, name="scores")(values)))


@pytest.mark.parametrize(
    "top",
    [
        lambda values: values,
        kl.GlobalAveragePooling2D(),
        lambda values: kl.Flatten()(kl.GlobalAveragePooling2D(keepdims=True)(values)),
        lambda values: more_behind(kl.GlobalAveragePooling2D()(values)),
        lambda values: [kl.Dense(5)(kl.Flatten()(values)), kl.Dense(4)(kl.GlobalMaxPooling2D()(values))],
        lambda values: kl.LayerNormalization()(kl.GlobalAveragePooling2D()(values)),
    ],
    ids=["maps", "pooled", "pooled and flat", "more behind", "two outputs", "normalised"],
)
def test_features_and_what_has_more_behind_it_are_not_a_head(top, convert):
    picture, values = trunk()
    result, _ = convert(keras.Model(picture, top(values)))
    assert result["head"] == ""
    assert re.fullmatch(
        r"kept 2 of 2 convolutions( \(stopped at Reshape .*\))?; there is no head", result["kept"]
    )
    assert all(each["stride"] for name, each in result["maps"].items() if name in ("first", "second"))


def test_the_gates_of_squeeze_and_excitation_are_kept_and_not_dreamed(convert):
    picture, values = trunk()
    gates = kl.Reshape((1, 1, 8))(kl.GlobalAveragePooling2D()(values))
    gates = kl.Conv2D(8, 1, activation="sigmoid", name="gates")(gates)
    dense = kl.Dense(8, "sigmoid", name="dense_gates")(kl.GlobalMaxPooling2D()(values))
    gated = kl.Multiply(name="gated")([values, gates, kl.Reshape((1, 1, 8))(dense)])
    model = keras.Model(picture, kl.Dense(5, name="scores")(kl.GlobalAveragePooling2D()(gated)))
    result, compute = convert(model)
    assert list(result["maps"]) == ["first", "second", "gated", "scores"]
    assert result["kept"] == "kept 3 of 3 convolutions; the head is scores, 5 classes"
    pixels = pictures(24, 24)
    np.testing.assert_allclose(
        compute(pixels)["scores"][:, 0, 0], scores_of(model, pixels), rtol=1e-4, atol=1e-5
    )


def test_a_channel_shuffle_is_computed_at_any_size(convert):
    picture, values = trunk()
    shuffled = kl.Permute((1, 2, 4, 3))(kl.Reshape((9, 9, 2, 4))(values))
    shuffled = kl.Conv2D(5, 3, name="third")(kl.Reshape((9, 9, 8), name="shuffled")(shuffled))
    result, compute = convert(keras.Model(picture, shuffled))
    assert list(result["maps"]) == ["first", "second", "shuffled", "third"]
    maps = compute(pictures(40, 52))
    expected = maps["second"].reshape(2, 17, 23, 2, 4).swapaxes(3, 4).reshape(2, 17, 23, 8)
    np.testing.assert_array_equal(maps["shuffled"], expected)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """The folder of a converted classifier of five classes, and the original."""
    folder = tmp_path_factory.mktemp("classifier")
    keras.utils.set_random_seed(7)
    picture, values = trunk(32)
    values = kl.Dense(5, "softmax", name="scores")(kl.GlobalAveragePooling2D()(values))
    model = keras.Model(picture, values)
    model.save(folder / "mine.keras")
    options = ConversionOptions(preprocess=dreamkit.Preprocess(mean=(127.5,) * 3, scale=(1 / 127.5,) * 3))
    done = conversion.from_keras(folder / "mine.keras", folder / "models" / "mine", options, lambda _: None)
    assert done.kept == "kept 2 of 2 convolutions; the head is scores, 5 classes"
    assert converted.record(done.folder)["head"] == "scores"
    return done.folder, model


def test_class_3_is_raised_in_the_original_and_others_are_refused(classifier):
    folder, model = classifier
    network = dreamkit.load(converted.provider(folder))

    def scores(pixels):
        return scores_of(model, (np.asarray(pixels, np.float32)[None] - 127.5) / 127.5)[0]

    start = np.random.default_rng(1).integers(100, 156, (32, 32, 3)).astype(np.uint8)
    pixels = dreamkit.dream(start, network, layers=[{"class": 3}], octaves=1, steps=20, tile_size=64)
    change = scores(pixels) - scores(start)
    assert change.argmax() == 3
    assert change[3] > 0.01
    with pytest.raises(dreamkit.DreamkitError, match="mine has no class 5; its classes are 0 to 4"):
        dreamkit.dream(start, network, layers=[{"class": 5}], octaves=1, steps=1)


def test_labels_name_the_scores(tmp_path):
    picture, values = trunk()
    keras.Model(picture, kl.GlobalAveragePooling2D()(values)).save(tmp_path / "mine.keras")
    options = ConversionOptions(preprocess=KERAS, labels=[*"abcde"])
    with pytest.raises(ConvertError, match="there are 5 labels and 8 classes in second; give a file with"):
        conversion.from_keras(tmp_path / "mine.keras", tmp_path / "x", options, lambda _: None)
    assert not (tmp_path / "x").exists()
    model = keras_model.KerasModel((24, 24), {}, "", "", "")
    with pytest.raises(ConvertError, match="5 labels, but no scores of classes that can be dreamed"):
        model.head_for(options.labels)


# ------------------------------------------------------------------------------- models inside models


def inner_model(name):
    picture = keras.Input((None, None, 3))
    values = kl.Conv2D(4, 3, padding="same", name="conv")(picture)
    values = kl.ReLU(name=f"{name}_relu")(values)
    return keras.Model(picture, values, name=name)


def test_models_inside_models_are_opened(convert):
    picture = keras.Input((32, 32, 3))
    flips = keras.Sequential(
        [kl.RandomFlip(name="flip"), kl.RandomRotation(0.1, name="turn")], name="augment"
    )
    values = kl.Rescaling(1 / 127.5, offset=-1, name="rescaled")(flips(picture))
    first, second = inner_model("one"), inner_model("two")
    both = kl.Concatenate(name="both")([first(values), second(values)])
    deeper = keras.Sequential(
        [
            keras.Input((32, 32, 8)),
            kl.Conv2D(6, 3, strides=2, name="deep"),
            kl.BatchNormalization(name="norm"),
        ],
        name="deeper",
    )
    middle = keras.Input((32, 32, 8))
    outer = keras.Model(middle, deeper(middle), name="outer")
    values = kl.Dense(3, "softmax", name="scores")(kl.GlobalAveragePooling2D(name="pool")(outer(both)))
    model = keras.Model(picture, values)
    result, compute = convert(model)
    assert set(result["maps"]) == {
        *("flip", "turn", "rescaled", "one/conv", "two/conv", "one_relu", "two_relu", "both", "deep", "norm"),
        "scores",
    }
    assert result["head"] == "scores"
    assert result["kept"] == "kept 3 of 3 convolutions; the head is scores, 3 classes"
    pixels = 100 * pictures(32, 32)
    maps = compute(pixels)
    np.testing.assert_allclose(maps["one_relu"], first(pixels / 127.5 - 1).numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(maps["scores"][:, 0, 0], scores_of(model, pixels), rtol=1e-4, atol=1e-5)


def test_a_layer_used_twice_stands_for_its_first_use(convert):
    picture = keras.Input((24, 24, 3))
    twice = kl.Conv2D(3, 3, padding="same", name="twice")
    model = keras.Model(picture, kl.Conv2D(2, 3, name="last")(twice(twice(picture))))
    result, compute = convert(model)
    assert list(result["maps"]) == ["twice", "last"]
    pixels = pictures(24, 24)
    np.testing.assert_allclose(compute(pixels)["twice"], twice(pixels).numpy(), rtol=1e-4, atol=1e-5)


def test_most_convolutions_must_be_kept(convert):
    picture = keras.Input((16, 16, 3))
    values = kl.Conv2D(4, 3, padding="same", name="first")(picture)
    values = kl.Reshape((16, 16, 4))(kl.Reshape((256, 4), name="tokens")(values))
    for _ in range(3):
        values = kl.Conv2D(4, 3)(values)
    model = keras.Model(picture, values)
    with pytest.raises(
        ConvertError, match=r"only 1 of the 4 convolutions of .*stopped at Reshape tokens: .*-l"
    ):
        convert(model)
    result, _ = convert(model, layers=["first"])
    assert result["kept"].startswith("kept 1 of 4 convolutions (stopped at Reshape tokens: ")


# ---------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_a_grey_network_gets_luminance(order, convert):
    model = keras.Sequential([keras.Input((28, 28, 1)), kl.Conv2D(4, 3, name="first")])
    _, compute = convert(model, order=order)
    pixels = pictures(28, 28)
    rgb = pixels if order == "RGB" else pixels[..., ::-1]
    grey = rgb @ np.array([[0.299], [0.587], [0.114]], np.float32)
    np.testing.assert_allclose(compute(pixels)["first"], model(grey).numpy(), rtol=1e-4, atol=1e-5)


def test_the_fourth_channel_is_filled(convert):
    model = keras.Sequential([keras.Input((28, 28, 4)), kl.Conv2D(4, 3, name="first")])
    _, compute = convert(model, fill=0.5)
    pixels = pictures(28, 28)
    filled = np.concatenate([pixels, np.full((2, 28, 28, 1), 0.5, np.float32)], -1)
    np.testing.assert_allclose(compute(pixels)["first"], model(filled).numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ConvertError, match=r"takes four channels, .* give the value .* with --fill"):
        convert(model)


def test_another_fill_is_another_network(tmp_path):
    record = {
        "format": 1, "blobs": {"a": {"min_size": 1}}, "sources": {"a.keras": "1"}, "files": {},
        "layers": {"a": 1}, "preprocess": {}, "min_size": 1, "description": "", "licence": "",
    }  # fmt: skip
    digests = set()
    for fill in (None, 0.0, 1.0):
        (tmp_path / "model.json").write_text(json.dumps({**record, "fill": fill}))
        saved, _ = converted.provider(tmp_path).load.args
        digests.add(saved.digest)
    assert len(digests) == 3


@pytest.mark.parametrize("channels", [2, 5])
def test_other_numbers_of_channels_are_one_line(channels, convert):
    model = keras.Sequential([keras.Input((28, 28, channels)), kl.Conv2D(4, 3)])
    with pytest.raises(ConvertError, match=f"takes any x 28 x 28 x {channels}; dreamkit feeds .* 1, 3 or 4"):
        convert(model)


def test_fill_is_for_four_channels(convert):
    with pytest.raises(ConvertError, match="takes 3 channels; leave out --fill"):
        convert(keras.Model(*trunk()), fill=1.0)


# ------------------------------------------------------------------------------------------------ HDF5


@pytest.fixture
def tf_keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("tf_keras")
    module.utils.set_random_seed(7)
    return module


def small_model(framework, *more):
    layers = framework.layers
    return framework.Sequential(
        [
            layers.Input((24, 24, 3)),
            layers.Conv2D(6, 3, strides=2, activation="relu", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(3, name="second"),
            *more,
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(5, activation="softmax", name="scores"),
        ]
    )


@pytest.mark.parametrize("ending", ["h5", "hdf5", "weights"])
def test_hdf5_of_keras_3(ending, convert, tmp_path):
    model = small_model(keras)
    model.save(tmp_path / "mine.h5")
    (tmp_path / "mine.h5").rename(tmp_path / f"mine.{ending}")
    result, compute = convert(None, name=f"mine.{ending}")
    assert list(result["maps"]) == ["first", "norm", "second", "scores"]
    pixels = pictures(24, 24)
    np.testing.assert_allclose(
        compute(pixels)["scores"][:, 0, 0], scores_of(model, pixels), rtol=1e-4, atol=1e-5
    )


@pytest.mark.usefixtures("without_links")
def test_hdf5_of_keras_3_is_read_where_links_are_refused(tmp_path):
    model = small_model(keras)
    model.save(tmp_path / "mine.h5")
    (tmp_path / "mine.h5").rename(tmp_path / "mine.weights")
    read = keras_file.load(str(tmp_path / "mine.weights"))
    np.testing.assert_array_equal(read.get_weights()[0], model.get_weights()[0])
    assert (tmp_path / "mine.weights").is_file()


def scores_of_tf_keras(model, pixels):
    kernel, bias = model.layers[-1].get_weights()
    for layer in model.layers[:-1]:
        pixels = layer(pixels, training=False)
    return pixels.numpy() @ kernel + bias


def test_hdf5_of_keras_2(convert, tmp_path, tf_keras):
    model = small_model(tf_keras)
    model.save(tmp_path / "mine.h5")
    result, compute = convert(None, name="mine.h5")
    assert result["head"] == "scores"
    assert result["report"].runs[0].oracle == f"tf_keras {tf_keras.__version__}"
    pixels = pictures(24, 24)
    np.testing.assert_allclose(
        compute(pixels)["scores"][:, 0, 0], scores_of_tf_keras(model, pixels), rtol=1e-4, atol=1e-5
    )


def test_hdf5_of_keras_2_with_a_model_inside_and_functions(convert, tmp_path, tf_keras):
    layers = tf_keras.layers
    inside = tf_keras.Input((24, 24, 3))
    values = layers.Conv2D(6, 3, padding="same", name="conv")(inside)
    inner = tf_keras.Model(inside, layers.Add(name="twice")([values, values]), name="inner")
    picture = tf_keras.Input((24, 24, 3))
    values = inner(picture / 2.0 - 1.0, training=False)
    values = layers.Conv2D(4, 3, name="conv")(layers.ReLU(6.0)(values))
    values = layers.Dense(1, name="scores")(layers.Dropout(0.5)(layers.GlobalMaxPooling2D()(values)))
    model = tf_keras.Model(picture, values)
    model.save(tmp_path / "mine.h5")
    result, compute = convert(None, name="mine.h5")
    assert {"inner/conv", "twice", "conv", "scores"} <= result["maps"].keys()
    assert result["head"] == "scores"
    pixels = pictures(24, 24)
    np.testing.assert_allclose(
        compute(pixels)["scores"][:, 0, 0], model(pixels).numpy(), rtol=1e-4, atol=1e-5
    )


def keras_1_model():
    """The layers of a classifier as Keras 1 describes them."""
    shared = {"trainable": True, "init": "glorot_uniform", "W_regularizer": None, "b_constraint": None}

    def layer(kind, name, before, **fields):
        inbound = [[[each, 0, 0] for each in before]] if before else []
        return {
            "class_name": kind,
            "config": {"name": name, **fields},
            "name": name,
            "inbound_nodes": inbound,
        }

    def convolution(name, before):
        return layer(
            "Convolution2D", name, [before], nb_filter=4, nb_row=3, nb_col=2, border_mode="same", bias=True,
            subsample=[1, 1], dim_ordering="tf", activation="relu", **shared,
        )  # fmt: skip

    layers = [
        layer("InputLayer", "picture", [], batch_input_shape=[None, 20, 20, 3], input_dtype="float32"),
        convolution("first", "picture"),
        convolution("second", "picture"),
        layer(
            "Merge", "both", ["first", "second"], mode="concat", concat_axis=-1, mode_type="raw",
            dot_axes=-1, output_shape=None, output_shape_type="raw",
        ),
        layer("Dropout", "dropout", ["both"], p=0.5, trainable=True),
        layer("GlobalAveragePooling2D", "pool", ["dropout"], dim_ordering="tf"),
        layer(
            "Dense", "scores", ["pool"], output_dim=5, input_dim=8, bias=True, activation="softmax", **shared
        ),
    ]  # fmt: skip
    config = {
        "name": "model_1",
        "layers": layers,
        "input_layers": [["picture", 0, 0]],
        "output_layers": [["scores", 0, 0]],
    }
    return {"class_name": "Model", "config": config}


def write_keras_1(file, arrays):
    with h5py.File(file, "w") as opened:
        opened.attrs["model_config"] = json.dumps(keras_1_model()).encode()
        opened.attrs["keras_version"] = b"1.2.2"
        weights = opened.create_group("model_weights")
        names = ["picture", "first", "second", "both", "dropout", "pool", "scores"]
        weights.attrs["layer_names"] = [name.encode() for name in names]
        weights.attrs["keras_version"], weights.attrs["backend"] = b"1.2.2", b"tensorflow"
        for name in names:
            group = weights.create_group(name)
            found = [each for each in arrays if each.startswith(name)]
            group.attrs["weight_names"] = [each.encode() for each in found]
            for each in found:
                group[each] = arrays[each]


def test_hdf5_of_keras_1(convert, tmp_path, tf_keras):
    random = np.random.default_rng(3)
    shapes = {"first_W": (3, 2, 3, 4), "second_W": (3, 2, 3, 4), "scores_W": (8, 5)}
    shapes |= {"first_b": (4,), "second_b": (4,), "scores_b": (5,)}
    order = ["first_W", "first_b", "second_W", "second_b", "scores_W", "scores_b"]
    arrays = {name: random.normal(size=shapes[name]).astype(np.float32) for name in order}
    write_keras_1(tmp_path / "old.h5", arrays)
    result, compute = convert(None, name="old.h5")
    assert result["head"] == "scores"
    assert result["kept"] == "kept 2 of 2 convolutions; the head is scores, 5 classes"
    pixels = pictures(20, 20)
    both = [
        tf.nn.relu(tf.nn.conv2d(pixels, arrays[f"{name}_W"], 1, "SAME") + arrays[f"{name}_b"])
        for name in ("first", "second")
    ]
    expected = tf.concat(both, -1).numpy().mean((1, 2)) @ arrays["scores_W"] + arrays["scores_b"]
    np.testing.assert_allclose(compute(pixels)["scores"][:, 0, 0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("version", [2, 3])
def test_code_in_an_hdf5_file_is_not_run(version, convert, tmp_path, request):
    framework = keras if version == 3 else request.getfixturevalue("tf_keras")
    mark = tmp_path / "ran"
    path = str(mark)
    marking = framework.layers.Lambda(lambda values: (open(path, "w").close(), values)[1], name="marking")
    small_model(framework, marking).save(tmp_path / "mine.h5")
    mark.unlink()
    with pytest.raises(ConvertError, match="layer marking is a Lambda; .* not run: write a plugin"):
        convert(None, name="mine.h5")
    assert not mark.exists()


def changed(file, change):
    """Changes the text of the configuration in an HDF5 file."""
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = change(opened.attrs["model_config"])


@pytest.mark.parametrize("version", [2, 3])
def test_a_custom_class_in_an_hdf5_file_is_one_line(version, convert, tmp_path, request):
    framework = keras if version == 3 else request.getfixturevalue("tf_keras")
    small_model(framework).save(tmp_path / "mine.h5")
    changed(tmp_path / "mine.h5", lambda text: text.replace('"BatchNormalization"', '"MyNorm"'))
    with pytest.raises(ConvertError, match="layer norm is a MyNorm, which is not a layer of Keras; custom"):
        convert(None, name="mine.h5")


def test_functions_that_do_more_than_compute_are_refused(convert, tmp_path, tf_keras):
    picture = tf_keras.Input((24, 24, 3))
    values = tf_keras.layers.Conv2D(4, 3)(tf.math.abs(picture))
    tf_keras.Model(picture, values).save(tmp_path / "mine.h5")
    convert(None, name="mine.h5")
    changed(tmp_path / "mine.h5", lambda text: text.replace('"math.abs"', '"io.write_file"'))
    with pytest.raises(ConvertError, match=r"layer tf.math.abs calls io.write_file; .* not run"):
        convert(None, name="mine.h5")


def test_damaged_hdf5_files_are_one_line(tmp_path):
    file = tmp_path / "mine.h5"
    model = small_model(keras)
    model.save(file)
    whole = file.read_bytes()

    def message(most=1 << 30):
        with pytest.raises(ConvertError) as caught:
            keras_hdf5.read(str(file), most)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "has 0 MB of data; 0 MB can be converted" in message(100)
    file.write_bytes(whole[:3000])
    assert "is damaged or not a Keras model" in message()
    file.write_bytes(whole)
    changed(file, lambda text: "[1]")
    assert "model_config is not a table" in message()
    changed(file, lambda text: "{")
    assert "is damaged or not a Keras model" in message()
    file.write_bytes(whole)
    with h5py.File(file, "r+") as opened:
        opened["model_weights/other"] = h5py.ExternalLink("/etc/other.h5", "/x")
    assert "refers to another file at model_weights/other" in message()
    file.unlink()
    with h5py.File(file, "w") as opened:
        opened["first/kernel"] = np.zeros(3)
    assert "has weights and no model_config" in message()


def test_a_missing_tf_keras_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_hdf5, "find_spec", lambda module: None)
    with pytest.raises(ConvertError, match=r"Keras 2.15.0; reading it needs tf_keras, .* run: .*pip install"):
        keras_hdf5.load("mine.h5", keras_hdf5.Description("2.15.0", {}))


@pytest.mark.heavy
def test_the_command_says_what_was_kept(tmp_path, capsys, monkeypatch):
    from dreamkit.cli import main

    small_model(keras).save(tmp_path / "mine.h5")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["convert", "keras", "mine.h5", "--name", "mine", "--mean", "0,0,0", "--scale", "1"])
    out, err = capsys.readouterr()
    assert left.value.code in (0, None), err
    assert re.search(r"^kept 2 of 2 convolutions; the head is scores, 5 classes$", out, re.MULTILINE)
    with pytest.raises(SystemExit):
        main(["convert", "keras", "mine.h5", "--name", "x", "--fill", "1,2"])
    assert "--fill is '1,2'; it takes one number" in capsys.readouterr().err
