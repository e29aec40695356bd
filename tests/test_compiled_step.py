"""Compiled steps: as good as the plain network's, kept between runs, the same bytes cold and warm."""

from __future__ import annotations

import gc
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from conftest import ROOT
from PIL import Image

import dreamkit
from dreamkit import ModelProvider, Preprocess
from dreamkit.engine.tf import graph, model_source, network, packaged_steps, private
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.models import pocket

GOALS = [ObjectiveSpec("mixed4c", tiny.objective("mean-square"))]
PULL = np.ones(1, np.float32)


def photograph(side):
    with Image.open(ROOT / "docs" / "pictures" / "coffee.jpg") as image:
        return np.asarray(image.convert("RGB").resize((side, side)), np.float32)[None]


def plainly(model, preprocess, layers, pixels):
    """The gradient as TensorFlow takes it of the provider's model, with nothing frozen, folded or kept."""
    cut = keras.Model(model.inputs, [model.get_layer(name).output for name in layers])
    window = tf.constant(pixels)
    with tf.GradientTape() as tape:
        tape.watch(window)
        seen = tf.nest.flatten(cut(preprocess(window), training=False))
        raised = sum(tf.reduce_mean(tf.square(layer)) for layer in seen)
    return tape.gradient(raised, window).numpy()


def assert_alike(found, expected, *, cosine=0.9999, error=1e-2):
    assert np.vdot(found, expected) / np.linalg.norm(found) / np.linalg.norm(expected) > cosine
    assert np.linalg.norm(found - expected) < error * np.linalg.norm(expected)


def smooth_model():
    """Batch normalisation, several kernels and strides, and smooth activations."""
    draw = np.random.default_rng(5)
    pixels = x = keras.Input((None, None, 3))
    for number, (channels, side, stride) in enumerate([(8, 3, 1), (8, 5, 2), (12, 1, 1)]):
        x = keras.layers.Conv2D(channels, side, stride, use_bias=False, name=f"conv{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm{number}")(x)
        x = keras.layers.Activation("tanh", name=f"tanh{number}")(x)
    model = keras.Model(pixels, x)
    for layer in model.layers:
        kernels = layer.name.startswith("conv")
        drawn = [
            draw.normal(0, 0.2, each.shape) if kernels else draw.uniform(0.5, 1, each.shape)
            for each in layer.get_weights()
        ]
        layer.set_weights(drawn)
    return model


def test_on_a_smooth_network_the_step_agrees_to_a_hundred_thousandth(photo):
    model, scale = smooth_model(), Preprocess(mean=(128,) * 3, scale=(0.01,) * 3)
    provider = ModelProvider(name="smooth", load=lambda _: model, preprocess=scale, layers={})
    step = network.load(provider, None).step(
        [
            ObjectiveSpec("tanh1", tiny.objective("mean-square")),
            ObjectiveSpec("tanh2", tiny.objective("mean-square")),
        ]
    )
    found = step(photo[None].astype(np.float32), np.ones(2, np.float32)).gradient
    expected = plainly(model, scale, ["tanh1", "tanh2"], photo[None].astype(np.float32))
    assert expected.any()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_pockets_step_is_that_of_its_model():
    provider, *_ = pocket.dreamkit_model_providers()
    pixels = photograph(256)
    found = network.load(provider, pocket.WEIGHTS).step(GOALS)(pixels, PULL).gradient
    assert_alike(found, plainly(pocket.load(None), provider.preprocess, ["mixed4c"], pixels))


@pytest.mark.heavy
def test_inceptions_step_is_that_of_its_model(inception_weights):
    net = dreamkit.load("inception_v3", inception_weights)
    layers = ["mixed3", "mixed5"]
    pixels = photograph(512)
    found = net.step([ObjectiveSpec(name, tiny.objective("mean-square")) for name in layers])(
        pixels, np.ones(2, np.float32)
    ).gradient
    model = net.provider.load(inception_weights)
    assert_alike(found, plainly(model, net.provider.preprocess, layers, pixels))


# Kept


@pytest.fixture
def cold(monkeypatch, tmp_path):
    """A cache of one's own, in which no network was kept yet, and no step in the package."""
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "cold"))
    monkeypatch.setattr(packaged_steps, "of", lambda *_: None)


@pytest.fixture
def loads(monkeypatch, cold):
    """How often a network was really loaded."""
    seen = []
    load = model_source.load
    monkeypatch.setattr(model_source, "load", lambda *given: seen.append(given) or load(*given))
    return seen


def test_the_second_time_nothing_is_loaded_or_compiled_and_the_bytes_are_the_same(loads):
    cold, pixels = dreamkit.load("pocket"), photograph(128)
    gradients = [cold.step(GOALS)(pixels, PULL).gradient]
    assert (len(loads), cold.traces) == (1, 1)
    warm = dreamkit.load("pocket")
    gradients.append(warm.step(GOALS)(pixels, PULL).gradient)
    assert (len(loads), warm.traces) == (1, 0)
    np.testing.assert_array_equal(*gradients)
    assert (warm.layers, warm.digest) == (cold.layers, cold.digest)
    assert warm.channels("mixed4c") == 512
    assert warm.probe.map_size("mixed4c", (299, 299)) == (19, 19)  # for which the network itself is needed
    assert len(loads) == 2


def test_depths_are_kept_too(loads):
    first = dreamkit.load("pocket").at_depth(0.5)
    assert dreamkit.load("pocket").at_depth(0.5) == first
    assert len(loads) == 1


def test_a_whole_dream_is_the_same_cold_and_warm(cold):
    options = {"octaves": 2, "steps": 2, "layers": "mixed3a,mixed4c:3"}
    photo = photograph(128)[0].astype(np.uint8)
    cold, warm = (dreamkit.dream(photo, "pocket", **options) for _ in range(2))
    np.testing.assert_array_equal(cold, warm)


def test_damaged_files_are_made_again(loads):
    from dreamkit.media import paths

    pixels = photograph(128)
    first = dreamkit.load("pocket").step(GOALS)(pixels, PULL).gradient
    files = list((paths.cache() / "networks").glob("*.kept"))
    assert len(files) == 2  # the facts and the step
    for path in files:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    again = dreamkit.load("pocket")
    np.testing.assert_array_equal(again.step(GOALS)(pixels, PULL).gradient, first)
    assert (len(loads), again.traces) == (2, 1)


NO_STEPS = [
    b"no step",
    *(pytest.param(each, marks=pytest.mark.heavy) for each in (b"", b"\x0a\x00", b"\x0a\x03\x0a\x01a")),
]


@pytest.mark.parametrize("content", NO_STEPS)
def test_what_is_no_step_is_made_again(loads, content):
    from dreamkit.engine.tf.compiled_cache import CompiledCache

    pixels = photograph(128)
    net = dreamkit.load("pocket")
    first = net.step(GOALS)(pixels, PULL).gradient
    for key in (
        "info",
        "stride mixed3a",
        "depths",
        f"fused step 0 float32 {(False, 'max')} {[spec.key for spec in GOALS]!r}",
    ):
        assert isinstance(net._cache, CompiledCache)
        net._cache.put(key, content)
    again = dreamkit.load("pocket")
    np.testing.assert_array_equal(again.step(GOALS)(pixels, PULL).gradient, first)
    assert again.traces == 1
    assert again.probe.stride("mixed3a") == 8
    assert again.at_depth(0.5) == net.at_depth(0.5)


def test_a_model_that_was_handed_over_is_not_kept(cold):
    from dreamkit.media import paths

    network.load(tiny.provider(), None).step([ObjectiveSpec("first", tiny.objective("mean"))])
    assert not (paths.cache() / "networks").exists()


def test_a_step_is_forgotten_with_its_network():
    from tensorflow.python.eager import context

    net = network.load(tiny.provider(), None)
    net.step([ObjectiveSpec("first", tiny.objective("mean"))])
    (step,) = net._steps.values()
    assert context.context().has_function(step._name)
    name = step._name
    del step
    net.clear_steps()
    assert not context.context().has_function(name)


# Memory, precision, devices


def test_a_network_keeps_its_last_steps():
    from tensorflow.python.eager import context

    net, spec = network.load(tiny.provider(), None), ObjectiveSpec("first", tiny.objective("mean"))
    names = [net._step((spec,), border, "float32")._name for border in range(network._MOST_STEPS + 3)]
    known = [context.context().has_function(name) for name in names]
    assert known == [False] * 3 + [True] * network._MOST_STEPS


@pytest.mark.parametrize(("size", "removed"), [(0, 17), (30 << 20, 2), (100 << 20, 1)])
def test_many_small_functions_are_freed_together(size, removed, monkeypatch):
    from tensorflow.python.eager import context

    step = network.load(tiny.provider(), None)._step(
        (ObjectiveSpec("first", tiny.objective("mean")),), 0, "float32"
    )
    data = private.get_function(step._name).SerializeToString()
    gc.collect()  # steps of other tests
    gc.disable()
    try:
        cleared = []
        monkeypatch.setattr(private, "_forgotten", [])
        monkeypatch.setattr(context.Context, "clear_kernel_cache", lambda _: cleared.append(True))
        for number in range(removed):
            assert not cleared
            private.add_function(f"forgotten_{number}", data)
            private.remove_function(f"forgotten_{number}", size)
        assert cleared == [True]
        private.remove_function("not there", 1 << 30)
        assert cleared == [True]
    finally:
        gc.enable()


def test_what_is_alive_at_once_is_counted_by_hand():
    """a = 8 numbers of 4 bytes; b and c of a; d = b + c. At the most, b, c and a or d are there."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="a")], autograph=False)
    def function(a):
        return tf.sin(a) + tf.concat([tf.cos(a), tf.cos(a)], 0)[: tf.shape(a)[0]]

    graph_def = function.get_concrete_function().graph.as_graph_def()
    small, large = (graph.live_bytes(graph_def, {"a": [count]}) for count in (8, 800))
    # a, sin, cos, cos and their concatenation of twice the length, and some whole numbers of shapes.
    assert 4 * 8 * 4 <= small <= 4 * 8 * 6 + 100
    assert 4 * 800 * 4 <= large <= 4 * 800 * 6 + 100


def test_a_step_holds_as_much_more_as_its_windows_are_larger():
    net = dreamkit.load("pocket")
    one, four, batch = (
        net.live_bytes(GOALS, 0, "float32", [shape, (1,)])
        for shape in ((1, 128, 128, 3), (1, 256, 256, 3), (4, 128, 128, 3))
    )
    assert 2.5 < four / one < 6  # what does not grow with the window is a part of a small one
    assert 2.5 < batch / one < 4.1


def test_mixed_precision_goes_the_same_way():
    net, pixels = dreamkit.load("pocket"), photograph(192)
    whole, mixed = (net.step(GOALS, 0, precision)(pixels, PULL) for precision in ("float32", "mixed"))
    assert_alike(mixed.gradient, whole.gradient, cosine=0.8, error=0.7)
    np.testing.assert_allclose(mixed.objectives, whole.objectives, rtol=0.1)


SPREAD = """
import numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import dreamkit
from dreamkit.engine.tf import compiled_step
seen = []
call = compiled_step.CompiledStep.__call__
def watched(self, *arguments):
    outputs = call(self, *arguments)
    seen.append(outputs[0].device[-5:])
    return outputs
compiled_step.CompiledStep.__call__ = watched
photo = np.random.default_rng(0).integers(0, 255, (150, 170, 3), np.uint8)
options = {"octaves": 1, "steps": 2, "tile_size": 64, "layers": "mixed3a"}
alone = dreamkit.dream(photo, "pocket", **options)
print(sorted(set(seen)))
seen.clear()
compiled_step.devices = lambda: ["/CPU:0", "/CPU:1"]
spread = dreamkit.dream(photo, "pocket", **options)
print(sorted(set(seen)))
print(np.array_equal(alone, spread))
"""


@pytest.mark.heavy
def test_tiles_are_spread_over_devices_and_nothing_else_changes():
    run = subprocess.run([sys.executable, "-c", SPREAD], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["['CPU:0']", "['CPU:0', 'CPU:1']", "True"]
