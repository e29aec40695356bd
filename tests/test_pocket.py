"""The network that dreamkit carries: what it promises of its plan, its size and its arithmetic."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import dreamkit
from dreamkit.models import inception_v3, pocket


def in_a_fresh_thread(make):
    """Keras counts automatic names for each thread, and Inception v3's layers have such."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


@pytest.fixture(scope="module")
def carried():
    return pocket.load(None)


@pytest.fixture(scope="module")
def inception():
    return in_a_fresh_thread(lambda: inception_v3.load(None))


def arithmetic(model, layer, side=512):
    """Multiplications of the convolutions that `layer` needs, from Keras' own shapes."""
    cut = keras.Model(model.inputs[0], model.get_layer(layer).output)
    copy = keras.models.clone_model(cut, input_tensors=keras.Input((side, side, 3)))
    return sum(
        np.prod(one.kernel.shape) * np.prod(one.output.shape[1:3])
        for one in copy.layers
        if isinstance(one, keras.layers.Conv2D)
    )


def test_it_is_small_plain_and_finite():
    assert pocket.WEIGHTS.stat().st_size < 6e6
    with np.load(pocket.WEIGHTS, allow_pickle=False) as arrays:
        for key in arrays.files:
            assert arrays[key].dtype == np.float16, key
            assert np.isfinite(arrays[key]).all(), key


@pytest.mark.parametrize("layer", pocket.LAYERS)
def test_a_layer_costs_at_most_a_sixth_of_inceptions(carried, inception, layer):
    assert arithmetic(carried, layer) <= arithmetic(inception, layer) / 6


def test_its_layers_have_inceptions_channels(carried, inception):
    shared = {layer.name for layer in carried.layers if layer.name.startswith(("mixed", "activation"))}
    shared &= {layer.name for layer in inception.layers}
    assert {f"activation_{n}" for n in range(1, 40)} | set(pocket.LAYERS) <= shared
    for name in shared:
        own, theirs = (model.get_layer(name).output.shape[-1] for model in (carried, inception))
        assert own == theirs, name


def test_the_plan_is_inceptions(inception):
    """With whole kernels it computes what Keras' own Inception v3 does, whatever the weights."""
    import distil_pocket

    random = np.random.default_rng(3)
    for layer in inception.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    random.normal(0.1, 0.2, beta.shape),
                    random.normal(0, 0.2, mean.shape),
                    random.uniform(0.5, 2, variance.shape),
                ]
            )
    whole = pocket.network(distil_pocket.folded(inception))
    pixels = random.uniform(-1, 1, (2, 107, 91, 3)).astype(np.float32)
    for layer in (*pocket.LAYERS, "activation_4"):
        own, theirs = (
            keras.Model(model.inputs[0], model.get_layer(layer).output)(pixels).numpy()
            for model in (whole, inception)
        )
        assert own.shape == theirs.shape
        np.testing.assert_allclose(own, theirs, atol=1e-4 * np.abs(theirs).max())


def test_the_least_size_is_the_least(carried):
    (provider,) = pocket.dreamkit_model_providers()
    side = provider.min_size
    assert carried(np.zeros((1, side, side, 3), np.float32)).shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match="dimension|size|shape"):
        carried(np.zeros((1, side - 1, side - 1, 3), np.float32))


def test_its_card_is_of_these_weights():
    card = pocket.WEIGHTS.with_suffix(".md").read_text()
    assert hashlib.sha256(pocket.WEIGHTS.read_bytes()).hexdigest() in card


@pytest.mark.heavy
def test_it_dreams_much_of_what_its_teacher_dreams(inception_weights, photographs):
    """On photographs held out from its training; noise as strong lowers the teacher's objective."""
    import measure_pocket
    from distillation import samples

    networks = dreamkit.load("pocket"), dreamkit.load("inception_v3", inception_weights)
    unseen = samples.photographs(photographs, held_out=True)
    rows = list(measure_pocket.share(*networks, {name: unseen[name] for name in list(unseen)[::12]}))
    assert np.mean([row.share for row in rows]) > 0.25
    assert min(row.cosine for row in rows) > 0.1
    assert max(row.noise for row in rows) < 0
