"""From providers to compiled steps: names, cutting, freezing, and the gradient against NumPy."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from dreamkit import ModelProvider, Preprocess, SavedModel
from dreamkit.engine.tf import compiled_step, graph, network
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.errors import LayerError, ModelError, WeightsError
from dreamkit.models import inception_v3, registry


def provider_of(model, **changes):
    return tiny.provider(load=lambda weights: model, preprocess=Preprocess(), **changes)


def ascend(net, layers, objective, pixels, pulls):
    step = net.step([ObjectiveSpec(layer, tiny.objective(objective)) for layer in layers])
    return step(pixels[None].astype(np.float32), np.asarray(pulls, np.float32))


@pytest.mark.parametrize("objective", ["mean", "mean-square"])
@pytest.mark.parametrize("pulls", [{"first": 1.0}, {"second": 1.0}, {"first": 0.3, "second": -2.0}])
def test_gradient_is_the_oracles(photo, objective, pulls):
    net = network.load(tiny.provider(), None)
    result = ascend(net, list(pulls), objective, photo, list(pulls.values()))
    expected = tiny.gradient(photo.astype(float), tiny.kernels(), pulls, objective)
    np.testing.assert_allclose(result.gradient[0], expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    seen = tiny.activations(photo.astype(float), tiny.kernels())
    raised = [(seen[name] ** 2 if objective == "mean-square" else seen[name]).mean() for name in pulls]
    np.testing.assert_allclose(result.objectives, raised, rtol=1e-4)
    np.testing.assert_allclose(result.mean_squares, [(seen[name] ** 2).mean() for name in pulls], rtol=1e-4)


def test_windows_of_a_batch_do_not_know_each_other(photo):
    step = network.load(tiny.provider(), None).step([ObjectiveSpec("second", tiny.objective("mean-square"))])
    windows = np.stack([photo, photo[::-1], photo[:, ::-1]]).astype(np.float32)
    pull = np.ones(1, np.float32)
    together = step(windows, pull).gradient
    for window, gradient in zip(windows, together, strict=True):
        np.testing.assert_allclose(step(window[None], pull).gradient[0], gradient, rtol=1e-4, atol=1e-9)


def test_one_trace_serves_all_sizes_batches_and_pulls(photo):
    net = network.load(tiny.provider(), None)
    goals = [ObjectiveSpec("first", tiny.objective("mean")), ObjectiveSpec("second", tiny.objective("mean"))]
    step = net.step(goals)
    for height, width, count in ((40, 56, 1), (17, 23, 4), (9, 9, 2)):
        window = photo[:height, :width].astype(np.float32)
        step(np.stack([window] * count), np.full(2, float(count), np.float32))
    assert net.step(goals) is not None
    assert net.traces == 1


def folded(net, layers):
    """The network to `layers` as the step is differentiated over it."""
    return tf.function(
        graph.fold(net.cut(layers)), input_signature=[compiled_step.pictures_spec("pixels")]
    ).get_concrete_function()


def folded_ops(net, layers):
    return [node.op for node in folded(net, layers).graph.as_graph_def().node]


def test_nothing_behind_the_deepest_layer_is_run():
    net = network.load(tiny.provider(), None)
    shallow, deep = (set(folded_ops(net, [layer])) for layer in ("first", "second"))
    assert "Tanh" in deep
    assert "Tanh" not in shallow


def test_a_grouped_convolution_is_dreamed(photo):
    """Keras compiles these as functions that do not survive folding."""
    pixels = keras.Input((None, None, 3))
    wide = keras.layers.Conv2D(8, 3, name="wide")(pixels)
    model = keras.Model(pixels, keras.layers.Conv2D(8, 3, groups=4, name="grouped")(wide))
    net = network.load(provider_of(model), None)
    window = tf.constant(photo[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(window)
        raised = tf.reduce_mean(model(window))
    gradient = ascend(net, ["grouped"], "mean", photo, [1.0]).gradient
    np.testing.assert_allclose(gradient, tape.gradient(raised, window), rtol=1e-4, atol=1e-9)
    assert net.probe.describe() == [("wide", 8, 1, 1), ("grouped", 8, 1, 2)]


def test_batch_normalisation_is_folded_into_convolutions(photo):
    draw = np.random.default_rng(1)
    pixels = keras.Input((None, None, 3))
    layers = [keras.layers.Conv2D(6, 3, use_bias=False), keras.layers.BatchNormalization(name="normal")]
    model = keras.Model(pixels, keras.layers.ReLU(name="out")(layers[1](layers[0](pixels))))
    layers[1].set_weights([draw.uniform(0.5, 2, 6) for _ in range(4)])
    net = network.load(tiny.provider(load=lambda weights: model, preprocess=lambda picture: picture), None)
    ops = folded_ops(net, ["out"])
    assert ops.count("Conv2D") == 1
    assert not {"Mul", "Sub", "Rsqrt"} & set(ops)
    expected = model(photo[None].astype(np.float32)).numpy()
    (got,) = folded(net, ["out"])(tf.constant(photo[None].astype(np.float32)))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.heavy
def test_automatic_names_are_the_same_in_every_load():
    """Keras counts `conv2d`, `conv2d_1`, ... through the whole process; users type these names."""
    first = network.load(inception_provider(), None)
    keras.layers.Conv2D(1, 1)
    second = network.load(inception_provider(), None)
    assert first.layers == second.layers
    assert {"conv2d", "conv2d_93", "mixed0", "mixed10"} <= set(first.layers)


def inception_provider():
    (provider,) = inception_v3.dreamkit_model_providers()
    return provider


@pytest.mark.heavy
def test_inception_described_without_weights():
    layers = {layer.name: layer for layer in network.load(inception_provider(), None).probe.describe()}
    assert layers["mixed0"][1:] == (256, 8, 8)
    assert layers["mixed4"][1:3] == (768, 16)
    assert layers["mixed10"][1:3] == (2048, 32)


def test_describe_tells_channels_stride_and_depth():
    assert network.load(tiny.provider(), None).probe.describe() == [("first", 4, 1, 1), ("second", 5, 2, 2)]


def test_a_network_of_fixed_size_dreams_at_any(photo):
    pixels = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3, strides=2, name="features")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(features)))
    net = network.load(provider_of(model), None)
    assert net.layers == ("features",)
    result = ascend(net, ["features"], "mean", photo, [1.0])
    assert result.gradient.shape == (1, 40, 56, 3)
    assert model.get_layer("features").output.shape == (None, 15, 15, 4)  # the user's model is as it was
    again = network.load(provider_of(model), None)
    assert ascend(again, ["features"], "mean", photo, [1.0]).gradient.any()


def test_layers_of_a_model_inside_the_model_are_left_out(photo):
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3)])
    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, keras.layers.Conv2D(4, 1, name="outer")(inner(pixels)))
    net = network.load(provider_of(model), None)
    assert net.layers == ("outer",)
    assert ascend(net, ["outer"], "mean", photo, [1.0]).gradient.any()


def test_a_layer_used_elsewhere_first_is_said():
    shared = keras.layers.Conv2D(3, 3, padding="same", name="shared")
    shared(keras.Input((None, None, 3)))
    pixels = keras.Input((None, None, 3))
    net = network.load(provider_of(keras.Model(pixels, shared(pixels))), None)
    with pytest.raises(LayerError, match="shared cannot be reached from the picture"):
        net.step([ObjectiveSpec("shared", tiny.objective("mean"))])


def test_a_sequential_model_works(photo):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, name="only")])
    assert ascend(network.load(provider_of(model), None), ["only"], "mean", photo, [1.0]).gradient.any()


def test_a_saved_model_agrees_with_the_keras_model(photo, tmp_path):
    model = tiny.provider().load(None)
    cut = keras.Model(model.inputs, [model.get_layer(name).output for name in tiny.LAYERS])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def serve(picture):
        return dict(zip(("out_0", "out_1"), cut(picture), strict=True))

    module = tf.Module()
    module.model = cut
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=serve)
    saved = SavedModel(
        path=tmp_path / "saved", outputs={"inception/first": "out_0", "inception/second": "out_1"}
    )
    net = network.load(tiny.provider(load=lambda weights: saved), None)
    assert net.layers == ("inception/first", "inception/second")
    theirs = ascend(network.load(tiny.provider(), None), ["first", "second"], "mean", photo, [1.0, 2.0])
    ours = ascend(net, ["inception/first", "inception/second"], "mean", photo, [1.0, 2.0])
    np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-4, atol=1e-9)
    assert net.probe.describe() == [("inception/first", 4, 1, 1), ("inception/second", 5, 2, 2)]


def test_a_saved_model_that_looks_up_in_a_variable_is_taken_as_it_is(photo, tmp_path):
    kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 4], (0, 0)))
    offsets = tf.Variable([1.0, 2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def serve(picture):
        # A gather reads the variable by itself, so there is no reading to put a value in the place of.
        third = tf.raw_ops.ResourceGather(resource=offsets.handle, indices=2, dtype=tf.float32)
        return {"out": tf.nn.conv2d(picture, kernel, 1, "SAME") + third}

    module = tf.Module()
    module.held = [kernel, offsets]
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=serve)
    saved = SavedModel(path=tmp_path / "saved", outputs={"out": "out"})
    net = network.load(tiny.provider(load=lambda weights: saved, preprocess=Preprocess()), None)
    (seen,) = net.activations(["out"])(photo[None].astype(np.float32))
    wanted = tf.nn.conv2d(photo[None].astype(np.float32), kernel, 1, "SAME") + 3.0
    np.testing.assert_allclose(seen, wanted, rtol=1e-5, atol=1e-3)


def test_digests_tell_weights_apart():
    a, again, b = (network.load(tiny.provider(seed), None).digest for seed in (0, 0, 1))
    assert a == again != b


@pytest.mark.parametrize("content", [b"", b"not a weights file", b"\x89HDF\r\n\x1a\n" + b"\0" * 200])
def test_a_damaged_weights_file_is_named(tmp_path, content):
    path = tmp_path / "broken.weights.h5"
    path.write_bytes(content)
    with pytest.raises(
        WeightsError, match="broken.weights.h5 does not hold weights of inception_v3"
    ) as caught:
        network.load(inception_provider(), path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    path = tmp_path / "other.weights.h5"
    other.save_weights(path)
    with pytest.raises(WeightsError, match="other.weights.h5 does not hold weights of inception_v3"):
        network.load(inception_provider(), path)


def two_inputs():
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([a, b], keras.layers.Add()([a, b]))


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a string", "loads as str"),
        (None, "loads as NoneType"),
        (Subclassed, "not a functional Keras model"),
        (two_inputs, "2 inputs"),
    ],
)
def test_what_cannot_be_dreamed_is_said(source, message):
    provider = tiny.provider(load=lambda weights: source() if callable(source) else source)
    with pytest.raises(ModelError, match=message):
        network.load(provider, None)


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_model_that_does_not_take_rgb_is_one_line(channels, free):
    side = None if free else 32
    picture = keras.Input((side, side, channels))
    model = keras.Model(picture, keras.layers.Conv2D(2, 3)(picture))
    with pytest.raises(ModelError) as caught:
        network.load(provider_of(model), None)
    takes = f"any x {'any x any' if free else '32 x 32'} x {channels}"
    assert str(caught.value) == (
        f"tiny takes {takes}; dreamkit feeds RGB, batch x height x width x 3: build the model with an RGB "
        "input, and a layer that turns RGB into what it takes"
    )


def test_a_folder_that_is_no_saved_model_is_named(tmp_path):
    provider = tiny.provider(load=lambda weights: SavedModel(path=tmp_path, outputs={"a": "a"}))
    with pytest.raises(ModelError, match="is not a readable SavedModel"):
        network.load(provider, None)


def test_unknown_layers_get_a_near_miss():
    with pytest.raises(LayerError, match="did you mean first"):
        network.load(tiny.provider(), None).step([ObjectiveSpec("frist", tiny.objective("mean"))])


def test_a_callable_preprocess_is_differentiated_through(photo):
    plain = network.load(tiny.provider(), None)
    by_function = network.load(tiny.provider(preprocess=lambda pixels: tiny.PREPROCESS(pixels)), None)
    gradients = [ascend(net, ["second"], "mean", photo, [1.0]).gradient for net in (plain, by_function)]
    np.testing.assert_array_equal(*gradients)


def test_a_provider_is_what_authors_write():
    assert isinstance(tiny.provider(), ModelProvider)


# What a network says of itself while terms are read


def branched():
    """Three blocks, each ending in two branches, with one more convolution in each than in the one before."""
    pixels = x = keras.Input((None, None, 3))
    for block in range(1, 4):
        y = x
        for number in range(block):
            y = keras.layers.Conv2D(4, 3, padding="same", name=f"conv{block}_{number}")(y)
        x = keras.layers.Concatenate(name=f"join{block}")(
            [keras.layers.Conv2D(4, 1, name=f"one{block}")(x), y]
        )
    return keras.Model(pixels, x)


@pytest.mark.parametrize(
    ("depth", "layer"),
    [(0.0, "join1"), (0.25, "join1"), (0.5, "join2"), (0.6, "join2"), (0.75, "join3"), (1.0, "join3")],
)
def test_a_depth_is_a_layer_that_branches_end_in(depth, layer):
    """At depths 1, 3 and 6 of 6; of two as near, the deeper."""
    assert network.load(provider_of(branched()), None).at_depth(depth) == layer


def test_without_branches_a_depth_is_any_layer():
    net = network.load(tiny.provider(), None)
    assert [net.at_depth(depth) for depth in (0.25, 0.5, 1.0)] == ["first", "first", "second"]


@pytest.mark.parametrize("size", [(40, 56), (9, 200)])
def test_the_size_of_a_map_is_that_of_its_activations(size):
    net = network.load(tiny.provider(), None)
    for layer in ("first", "second"):
        (seen,) = net.activations([layer])(np.zeros((1, *size, 3), np.float32))
        assert net.probe.map_size(layer, size) == seen.shape[1:3]
        assert net.channels(layer) == seen.shape[3]


LABELS = ["/c/castle", "kit fox, Vulpes macrotis", "Bamboo_forest", "tower", "/l/library/indoor"]


@pytest.mark.parametrize(
    ("label", "channel"),
    [
        ("castle", 0),
        ("/c/castle", 0),
        ("Kit Fox", 1),
        ("vulpes macrotis", 1),
        ("kit fox, Vulpes macrotis", 1),
        ("bamboo forest", 2),
        ("BAMBOO_FOREST", 2),
        ("3", 3),
        (3, 3),
        ("library indoor", 4),
        ("library/indoor", 4),
        ("indoor", 4),
    ],
)
def test_a_class_is_found_by_any_of_its_names(label, channel):
    net = network.load(tiny.provider(head="second", labels=LABELS), None)
    assert net.class_term(label) == ("second", channel)


@pytest.mark.parametrize(
    ("fields", "label", "said"),
    [
        ({}, "castle", "tiny has no layer of class scores"),
        ({"head": "second"}, "castle", "tiny has no labels; give a class by number, 0 to 4"),
        ({"head": "second", "labels": LABELS}, "castel", "no class 'castel'; did you mean castle"),
        ({"head": "second", "labels": LABELS}, "5", "no class 5; its classes are 0 to 4"),
    ],
)
def test_a_class_that_is_not_there_is_said(fields, label, said):
    with pytest.raises(LayerError, match=said):
        network.load(tiny.provider(**fields), None).class_term(label)


# Messages for layers that do not exist


def message(net, layer):
    with pytest.raises(LayerError) as caught:
        net.step([ObjectiveSpec(layer, tiny.objective("mean"))])
    return str(caught.value)


def test_near_misses_come_first_for_an_unknown_layer():
    assert message(network.load(tiny.provider(), None), "frist") == (
        "there is no layer 'frist'; did you mean first?"
    )


def test_without_a_near_miss_the_layers_that_branches_end_in_are_listed():
    net = network.load(provider_of(branched()), None)
    assert message(net, "x") == "there is no layer 'x'; choose from join1, join2, join3, low, mid, high"


def test_without_branches_the_default_layers_and_some_along_the_depth_are_listed():
    pixels = x = keras.Input((None, None, 3))
    for number in range(24):
        x = keras.layers.Conv2D(2, 1, name=f"conv{number}")(x)
    net = network.load(provider_of(keras.Model(pixels, x), layers={"conv4": 1.0}), None)
    listed = "conv0, conv3, conv4, conv7, conv11, conv15, conv19, conv23"
    assert message(net, "x") == f"there is no layer 'x'; choose from {listed}, low, mid, high"


def test_many_layers_that_branches_end_in_are_thinned_out():
    pixels = x = keras.Input((None, None, 3))
    for number in range(30):
        branches = [keras.layers.Conv2D(1, 1)(x), keras.layers.Conv2D(1, 1)(x)]
        x = keras.layers.Concatenate(name=f"join{number}")(branches)
    net = network.load(provider_of(keras.Model(pixels, x)), None)
    listed = ", ".join(f"join{number}" for number in range(0, 30, 3))
    assert message(net, "x") == f"there is no layer 'x'; choose from {listed}, low, mid, high"


@pytest.mark.parametrize(
    ("layer", "others"),
    [
        ("mixed5", "inception_v3 has a layer of this name (--model inception_v3)"),
        ("mixed4", "pocket1 and inception_v3 have a layer of this name (--model inception_v3)"),
    ],
)
def test_another_network_that_has_the_layer_is_named(layer, others):
    text = message(network.load(registry.installed().provider("pocket"), None), layer)
    assert re.fullmatch(
        rf"there is no layer '{layer}'; did you mean {layer}\w or .*\? {re.escape(others)}; "
        r"dreamkit layers pocket lists all",
        text,
    )


def test_main_layers_of_built_in_networks_are_theirs():
    """They are written down, so that no network is loaded to name them."""
    for name in ("pocket", "pocket1", "inception5h", "inception_v3"):
        provider = registry.installed().provider(name)
        net = network.load(provider, None)
        assert set(provider.main_layers) <= set(net.layers), name
        assert set(provider.layers) <= set(provider.main_layers), name
