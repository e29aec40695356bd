"""Redirected ReLU gradients and other poolings: against NumPy, step for step, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tiny

import dreamkit
from dreamkit import DreamConfig, ModelProvider, Preprocess
from dreamkit.engine import rng
from dreamkit.engine.loop import dream, planned
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import graph, network
from dreamkit.engine.tf.gradients import Gradients, with_gradients
from dreamkit.errors import ConfigError, DreamkitWarning

SILENT = 2
"""The channel of `second` that no picture wakes."""

PLAIN = {
    "objective": "mean",
    "color": "free",
    "smooth": "none",
    "normalise": "none",
    "octaves": 1,
    "jitter": 5,
    "step_size": 0.5,
    "unit": 255.0,
    "clip": False,
}
POOL, STRIDE = 3, 2


def kernels():
    k = tiny.kernels(seed=3)
    bias = k.second_bias.copy()
    bias[SILENT] = -4.0
    return tiny.Kernels(k.first, k.first_bias, k.second, bias)


K = kernels()


def provider(activation="relu", pooling=True):
    """A convolution, a pooling of 3 x 3 in steps of 2, and a convolution."""

    def load(_):
        import keras

        pixels = keras.Input((None, None, 3))
        first = keras.layers.Conv2D(4, 3, padding="same", activation=activation, name="first")
        second = keras.layers.Conv2D(5, 3, padding="same", activation=activation, name="second")
        x = first(pixels)
        if pooling:
            x = keras.layers.MaxPooling2D(POOL, STRIDE, padding="same", name="pool")(x)
        model = keras.Model(pixels, second(x))
        first.set_weights([K.first, K.first_bias])
        second.set_weights([K.second, K.second_bias])
        return model

    return ModelProvider(
        name="small", load=load, preprocess=Preprocess(scale=(0.01,) * 3), layers={"second": 1.0}
    )


@pytest.fixture(scope="module")
def net():
    return network.load(provider(), None)


def windows(size):
    """The places that each output of the pooling reads, where it is padded on both sides."""
    outputs = -(-size // STRIDE)
    before = max(0, (outputs - 1) * STRIDE + POOL - size) // 2
    for each in range(outputs):
        start = each * STRIDE - before
        yield slice(max(0, start), min(size, start + POOL))


def pooled(x, pooling):
    """The pooled map, and the function from its gradient to that of `x`."""
    places = [(down, right) for down in windows(x.shape[0]) for right in windows(x.shape[1])]
    shape = len(list(windows(x.shape[0]))), len(list(windows(x.shape[1]))), x.shape[2]
    reduce = np.mean if pooling == "average" else np.max
    result = np.stack([reduce(x[place], (0, 1)) for place in places]).reshape(shape)

    def back(gradient):
        found = np.zeros_like(x)
        for place, g in zip(places, gradient.reshape(-1, x.shape[2]), strict=True):
            seen = x[place]
            if pooling == "max":
                share = (seen == seen.max((0, 1))).astype(float)
                assert (share.sum((0, 1))[seen.max((0, 1)) > 0] == 1).all()  # no ties where it matters
            elif pooling == "average":
                share = np.full_like(seen, 1 / seen[..., 0].size)
            else:  # the derivative of sum(x^2) / (sum |x| + n / 100)
                size = np.abs(seen).sum((0, 1)) + 0.01 * seen[..., 0].size
                share = (2 * seen - (seen**2).sum((0, 1)) / size * np.sign(seen)) / size
            found[place] += share * g
        return found

    return result, back


def convolved(x, kernel, bias):
    return tiny._conv(np.pad(x, ((1, 1), (1, 1), (0, 0))), kernel, 1) + bias


def convolved_back(gradient, kernel):
    height, width, _ = gradient.shape
    return tiny._conv_back(gradient, kernel, 1, (height + 2, width + 2, kernel.shape[2]))[1:-1, 1:-1]


def relu_back(gradient, x, redirected):
    """The gradient of a ReLU; if it lets nothing through, and it may, what pushes the units up."""
    true = gradient * (x > 0)
    return gradient * (gradient > 0) if redirected and not true.any() else true


def numpy_gradient(pixels, channel, weight=1.0, *, redirected=False, pooling="max"):
    """The gradient of the channel's mean, times `weight`, and that mean."""
    first = convolved(pixels * 0.01, K.first, K.first_bias)
    maps, pool_back = pooled(np.maximum(first, 0), pooling)
    second = convolved(maps, K.second, K.second_bias)
    at_second = np.zeros_like(second)
    at_second[..., channel] = weight / second[..., 0].size
    at_maps = convolved_back(relu_back(at_second, second, redirected), K.second)
    at_first = relu_back(pool_back(at_maps), first, redirected)
    return convolved_back(at_first, K.first) * 0.01, np.maximum(second, 0)[..., channel].mean()


def taken(net, photo, layers, **options):
    found = []
    config = DreamConfig(**{**PLAIN, "layers": layers, **options})
    dream(photo, [LoadedModel(net)], config, lambda step: found.append(step.pixels.copy()))
    return found


CASES = {
    "true": (0, {}, {}),
    "redirected": (SILENT, {"redirected_relu": 3}, {"redirected": True}),
    "smooth": (0, {"pooling": "smooth"}, {"pooling": "smooth"}),
    "average": (0, {"pooling": "average"}, {"pooling": "average"}),
    "both": (SILENT, {"redirected_relu": 3, "pooling": "smooth"}, {"redirected": True, "pooling": "smooth"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_dream_is_that_of_numpy_step_for_step(net, photo, name):
    channel, options, by_hand = CASES[name]
    small = photo[:15, :22]
    found = taken(net, small, f"second:{channel}", steps=6, **options)
    pixels = small.astype(float)
    for step, ours in enumerate(found):
        roll = rng.roll(0, 0, step, (5, 5))
        redirected = by_hand.get("redirected", False) and step < 3
        seen = np.roll(pixels, roll, (0, 1))
        gradient, _ = numpy_gradient(seen, channel, **{**by_hand, "redirected": redirected})
        pixels = pixels + 0.5 * 255.0**2 * np.roll(gradient, (-roll[0], -roll[1]), (0, 1))
        assert np.abs(ours - pixels).max() < 1e-2, step
    assert np.abs(found[0] - small).mean() > 0.1


def test_a_silent_channel_stays_grey_without_it_and_wakes_with_it(net, photo):
    small = photo[:20, :20]
    layers = f"second:{SILENT}"
    assert numpy_gradient(small.astype(float), SILENT)[1] == 0
    with pytest.warns(DreamkitWarning, match=r"nothing in the picture activates second:\d; try --redirected"):
        still = taken(net, small, layers, steps=2)
    for same in still:
        np.testing.assert_array_equal(same, small)
    awake = taken(net, small, layers, steps=40, redirected_relu=40, normalise="std", step_size=0.02)[-1]
    assert numpy_gradient(awake.astype(float), SILENT)[1] > 0.1


def test_what_is_not_silent_has_its_true_gradient(net, photo):
    plain = taken(net, photo, "second:0", steps=2)
    np.testing.assert_array_equal(plain, taken(net, photo, "second:0", steps=2, redirected_relu=2))


def test_a_silent_channel_that_is_lowered_is_left_alone(net, photo):
    """Redirected, only what raises a silent unit passes."""
    with pytest.warns(DreamkitWarning, match="try another layer or another picture"):
        still = taken(net, photo, {f"second:{SILENT}": -1.0}, steps=2, redirected_relu=2, tv=0.0)
    for same in still:
        np.testing.assert_array_equal(same, photo)


def test_tiles_octaves_and_resuming_have_the_same_steps(net, photo):
    options = {"octaves": 2, "steps": 3, "redirected_relu": 2, "normalise": "std", "step_size": 0.02}
    config = DreamConfig(**{**PLAIN, "layers": f"second:{SILENT}", **options, "tile_size": 32})
    model, states = [LoadedModel(net)], []
    whole = dream(
        photo,
        model,
        config,
        lambda step: states.append(replace(step.state, pixels=step.state.pixels.copy())),
    )
    assert (whole.pixels != photo).any()
    again = dream(photo, model, config, start=states[3])
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert planned(photo, model, config).memory.total > 0


def test_relu6_is_brought_down_where_it_is_flat_above():
    x = np.array([[-1.0, -2.0, 7.0, 9.0]] * 2 + [[-1.0, 2.0, 7.0, 9.0]], np.float32)
    pulls = np.array([[1.0, -2.0, 3.0, -4.0]] * 3, np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")], autograph=False)
    def forward(x):
        return tf.nn.relu6(x)

    function = forward.get_concrete_function()
    changed = with_gradients(function.graph.as_graph_def(), Gradients(redirected_relu=True), "it")

    @tf.function(autograph=False)
    def gradient(x):
        (y,) = tf.graph_util.import_graph_def(
            changed, input_map={"x": x}, return_elements=[function.outputs[0].name]
        )
        return tf.gradients(y, x, pulls)

    (found,) = gradient(tf.constant(x))
    np.testing.assert_array_equal(found, [[1, 0, 0, -4]] * 2 + [[0, -2, 0, 0]])


@pytest.mark.parametrize("pooling", ["smooth", "average"])
def test_a_map_that_is_padded_first_is_pooled_without_its_padding(pooling):
    """As converters write poolings of Caffe and PyTorch."""
    x = np.random.default_rng(1).normal(size=(2, 7, 9, 3)).astype(np.float32)
    lowest = np.finfo(np.float32).min

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)], autograph=False)
    def forward(x):
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=lowest)
        return tf.nn.max_pool2d(padded, POOL, STRIDE, "VALID")

    folded = graph.fold(
        forward.get_concrete_function(), lambda each: with_gradients(each, Gradients(pooling=pooling), "it")
    )
    pulls = np.random.default_rng(2).normal(size=(2, 4, 5, 3)).astype(np.float32)

    @tf.function(autograph=False)
    def both(x):
        (y,) = folded(x)
        return y, tf.gradients(y, x, pulls)[0]

    values, found = both(tf.constant(x))
    for each, pull, value, gradient in zip(x, pulls, values, found, strict=True):
        expected, back = pooled(each.astype(float), pooling)
        np.testing.assert_allclose(value, expected, atol=1e-5)
        if pooling == "average":
            np.testing.assert_allclose(gradient, back(pull), atol=1e-5)
        else:  # whose 0.01 counts for each place of a window, the padding's too
            assert np.abs(gradient - back(pull)).max() < 0.05 * np.abs(gradient).max()


REFUSED = {
    "no ReLU": (
        provider("tanh"),
        {"redirected_relu": 16},
        "small up to second has no ReLU, so redirected_relu has no effect; set it to 0",
    ),
    "no max pooling": (
        provider(pooling=False),
        {"pooling": "smooth"},
        "small up to second has no max pooling, so pooling smooth has no effect; set it to max",
    ),
    "a layer before any": (
        provider(),
        {"pooling": "average", "layers": "first"},
        "small up to first has no max pooling",
    ),
    "mean-square": (
        provider(),
        {"redirected_relu": 16, "objective": "mean-square"},
        "redirected_relu is 16, but the objective mean-square has no gradient where a unit is silent",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_have_it_is_refused_by_name(photo, name):
    network_provider, options, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        dreamkit.dream(photo, network.load(network_provider, None), **{**PLAIN, "steps": 1, **options})


def test_a_network_of_negative_weight_is_refused(net, photo):
    models = [LoadedModel(net), LoadedModel(net, -0.5)]
    with pytest.raises(ConfigError, match="a network of negative weight minimises it"):
        dream(photo, models, DreamConfig(**PLAIN, redirected_relu=1))


def test_a_network_that_calls_functions_is_refused(photo):
    def load(_):
        import keras

        pixels = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(4, 3, activation="relu")(pixels)
        return keras.Model(pixels, keras.layers.Conv2D(4, 3, groups=2, name="grouped")(x))

    grouped = network.load(
        ModelProvider(name="grouped", load=load, preprocess=Preprocess(), layers={"grouped": 1.0}), None
    )
    with pytest.raises(ConfigError, match="grouped up to grouped calls functions, such as grouped conv"):
        dream(photo, [LoadedModel(grouped)], DreamConfig(**PLAIN, layers="grouped", redirected_relu=1))
    with pytest.raises(ConfigError, match="calls functions"):
        dream(photo, [LoadedModel(grouped)], DreamConfig(**PLAIN, layers="grouped", pooling="average"))
