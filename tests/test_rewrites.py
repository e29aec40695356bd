"""Rewritten graphs beside TensorFlow's own operations, forward and gradient, and beside NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from dreamkit import ModelProvider, Preprocess
from dreamkit.engine.tf import graph, network, rewrites
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.web import exported_graph

DRAW = np.random.default_rng(4)
FREE = [tf.TensorSpec([None, None, None, 3], tf.float32)]


def both(function, pixels):
    """What a function and its rewritten graph give for `pixels`: operations, results, gradients."""
    forward = graph.frozen(tf.function(function, input_signature=FREE).get_concrete_function())
    found = []
    for rewrite in (lambda graph_def: graph_def, rewrites.rewrite_graph):
        kinds = []

        def watched(graph_def, rewrite=rewrite, kinds=kinds):
            rewritten = rewrite(graph_def)
            kinds.extend(node.op for node in rewritten.node)
            return rewritten

        put = graph.fold(forward, watched)

        @tf.function(input_signature=FREE, autograph=False)
        def both(x, put=put):
            (result,) = put(x)
            return result, tf.gradients(tf.reduce_sum(tf.sin(result)), x)[0]

        found.append((kinds, *(each.numpy() for each in both(tf.constant(pixels)))))
    return found


def assert_same(function, pixels, before, after):
    """The rewritten graph has `after` for `before`, and gives the same numbers."""
    (kinds, *expected), (rewritten, *found) = both(function, pixels)
    assert before in kinds
    assert after in rewritten
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())
    return rewritten, found


def pictures(*shape):
    return DRAW.uniform(-50, 50, shape).astype(np.float32)


def response_by_numpy(x, radius, bias, alpha, beta):
    """As TensorFlow documents it, channel by channel."""
    x = x.astype(np.float64)
    result = np.empty_like(x)
    for channel in range(x.shape[-1]):
        near = x[..., max(0, channel - radius) : channel + radius + 1]
        result[..., channel] = x[..., channel] / (bias + alpha * (near**2).sum(-1)) ** beta
    return result


@pytest.mark.parametrize(
    ("radius", "bias", "alpha", "beta"),
    [(5, 1.0, 1e-4, 0.5), (2, 2.0, 0.01, 0.75), (1, 0.5, 1e-3, 0.6), (0, 1.0, 0.1, 1.0)],
)
def test_response_normalisation_is_numpys_and_tensorflows(radius, bias, alpha, beta):
    kernel = DRAW.normal(0, 0.5, (1, 1, 3, 9)).astype(np.float32)
    options = {"depth_radius": radius, "bias": bias, "alpha": alpha, "beta": beta}
    pixels = pictures(2, 6, 5, 3)
    rewritten, (result, _) = assert_same(
        lambda x: tf.nn.lrn(tf.nn.conv2d(x, kernel, 1, "SAME"), **options), pixels, "LRN", "Square"
    )
    assert "LRN" not in rewritten
    seen = pixels.astype(np.float64) @ kernel[0, 0]
    np.testing.assert_allclose(
        result, response_by_numpy(seen, radius, bias, alpha, beta), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("sides", [(16, 18), (17, 19), (16, 19), (17, 18), (7, 8)])
@pytest.mark.parametrize(
    ("kernel", "padding"),
    [
        ((7, 7), "SAME"), ((7, 7), "VALID"), ((5, 7), "SAME"), ((5, 5), "VALID"), ((6, 6), "SAME"),
        ((7, 7), [[0, 0], [3, 2], [1, 4], [0, 0]]), ((6, 8), [[0, 0], [3, 2], [1, 4], [0, 0]]),
        ((7, 5), [[0, 0], [0, 0], [2, 0], [0, 0]]),
    ],
)  # fmt: skip
def test_a_first_convolution_of_stride_two_is_tensorflows(sides, kernel, padding):
    weights = DRAW.normal(0, 0.05, (*kernel, 3, 4)).astype(np.float32)
    rewritten, _ = assert_same(
        lambda x: tf.nn.conv2d(x, weights, 2, padding), pictures(2, *sides, 3), "Conv2D", "SpaceToDepth"
    )
    assert rewritten.count("Conv2D") == 1


@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (5, 3)])
def test_halved_serves_small_kernels_too(kernel):
    weights = DRAW.normal(0, 0.3, (*kernel, 3, 4)).astype(np.float32)
    for sides in ((10, 11), (11, 12)):
        pixels = pictures(1, *sides, 3)
        expected = tf.nn.conv2d(pixels, weights, 2, "SAME")
        np.testing.assert_allclose(
            rewrites.convolution_over_blocks(tf.constant(pixels), weights), expected, atol=1e-3
        )


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3, 3, 4), {"strides": 2, "padding": "SAME"}),  # gains nothing
        ((7, 7, 3, 4), {"strides": 1, "padding": "SAME"}),
        ((7, 7, 3, 4), {"strides": [2, 1], "padding": "SAME"}),
        ((7, 7, 3, 4), {"strides": 1, "padding": "SAME", "dilations": 2}),
        ((6, 6, 3, 4), {"strides": 2, "padding": "VALID"}),  # leaves the last pixel of an odd size unread
        ((6, 7, 3, 4), {"strides": 2, "padding": [[0, 0], [2, 0], [2, 2], [0, 0]]}),
    ],
)
def test_other_convolutions_stay_as_they_are(kernel, options):
    weights = DRAW.normal(0, 0.1, kernel).astype(np.float32)
    plain, rewritten = both(lambda x: tf.nn.conv2d(x, weights, **options), pictures(1, 20, 21, 3))
    assert plain[0] == rewritten[0]


def network_of(layers):
    def load(_):
        keras.utils.set_random_seed(7)
        pixels = x = keras.Input((None, None, 3))
        for layer in layers():
            x = layer(x)
        return keras.Model(pixels, x)

    scale = Preprocess(mean=(117.0,) * 3)
    return network.load(ModelProvider(name="rewritten", load=load, preprocess=scale, layers={}), None)


def inception_stem():
    """How inception5h begins, on a small scale."""
    convolution = keras.layers.Conv2D
    return [
        convolution(8, 7, 2, padding="same", activation="tanh", name="stem"),
        keras.layers.Lambda(lambda x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.5), name="normal"),
        convolution(6, 3, padding="same", activation="tanh", name="end"),
    ]


@pytest.mark.parametrize("sides", [(32, 34), (33, 35)])
def test_a_networks_step_is_that_of_its_model(sides):
    net, pixels = network_of(inception_stem), DRAW.uniform(0, 255, (2, *sides, 3)).astype(np.float32)
    goals = [ObjectiveSpec("end", tiny.objective("mean-square"))]
    found = net.step(goals)(pixels, np.ones(1, np.float32)).gradient
    model = net.provider.load(None)
    window = tf.constant(pixels)
    with tf.GradientTape() as tape:
        tape.watch(window)
        raised = tf.reduce_sum(tf.reduce_mean(tf.square(model(net.provider.preprocess(window))), [1, 2, 3]))
    expected = tape.gradient(raised, window).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    graph_def, _ = net._step(tuple(goals), 0, "float32").graph
    assert {"SpaceToDepth"} <= {node.op for node in graph_def.node} >= {"Rsqrt"}
    assert not {"LRN", "LRNGrad"} & {node.op for node in graph_def.node}


def test_the_exported_graph_keeps_its_own_operations():
    kinds = [each.kind for each in exported_graph.export(network_of(inception_stem), ["end"]).operations]
    assert kinds.count("lrn") == 1
    assert kinds.count("conv2d") == 2


def test_in_sixteen_bits_no_squares_are_summed():
    net = network_of(inception_stem)
    graph_def, _ = net._step((ObjectiveSpec("end", tiny.objective("mean-square")),), 0, "mixed").graph
    assert {"LRN", "SpaceToDepth"} <= {node.op for node in graph_def.node}


def test_memory_is_still_told():
    """Every result of a rewritten step has a known size, and it grows with the windows."""
    net, goals = network_of(inception_stem), [ObjectiveSpec("end", tiny.objective("mean-square"))]
    one, four = (net.live_bytes(goals, 0, "float32", [(1, side, side, 3), (1,)]) for side in (64, 128))
    assert 3.5 < four / one < 4.5
    assert one > 64 * 64 * 3 * 4
