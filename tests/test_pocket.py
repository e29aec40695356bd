"""The network that dreamkit carries: what it promises of its layers, its size and its arithmetic."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
from PIL import Image

import dreamkit
from dreamkit.models import architecture, inception5h, pocket

BLOCKS = [*("mixed3a", "mixed3b"), *(f"mixed4{each}" for each in "abcde"), *("mixed5a", "mixed5b")]


@pytest.fixture(scope="module")
def carried():
    return pocket.load(None)


@pytest.fixture(scope="module")
def inception():
    return inception5h.load(None)


def named_rightly(model, weights, folder, count=40):
    """The share of photographs, named as their class is, whose class a network names."""
    network = dreamkit.load(model, weights)
    classify = network.activations([network.provider.head])
    labels = [label.casefold() for label in network.provider.labels]
    paths = sorted(folder.glob("*.jpg"))
    right = []
    for path in paths[:: len(paths) // count][:count]:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
        (scores,) = classify(picture[None])
        name = re.sub(r"^n\d+_", "", path.stem).replace("_", " ").casefold()
        right.append(labels[scores.mean((0, 1, 2)).argmax()] == name)
    assert len(right) == count
    return np.mean(right)


def test_it_is_small_plain_and_finite():
    assert pocket.WEIGHTS.stat().st_size < 8e6
    with np.load(pocket.WEIGHTS, allow_pickle=False) as arrays:
        for key in arrays.files:
            wanted = {"operations": (np.uint8,)}.get(key, (np.float16, np.int8, np.float32))
            assert arrays[key].dtype in wanted, key
            assert arrays[key].dtype != np.float32 or key.endswith(":scale"), key
            assert np.isfinite(arrays[key]).all(), key


def test_its_layers_are_inceptions(carried, inception):
    """As many, called alike, of as many channels: a term for the one is a term for the other."""
    own, theirs = (
        {layer.name: layer.output.shape[-1] for layer in model.layers[1:]} for model in (carried, inception)
    )
    assert own == theirs
    assert {"conv2d0", "conv2d2_pre_relu", *BLOCKS} <= own.keys()
    assert own["mixed4c"] == 512


def test_its_provider_is_inceptions_but_for_the_weights():
    own, theirs = (next(iter(module.dreamkit_model_providers())) for module in (pocket, inception5h))
    for what in ("layers", "head", "labels", "preprocess", "min_size"):
        assert getattr(own, what) == getattr(theirs, what), what
    assert own.head in {each.name for each in architecture.read(pocket.WEIGHTS)[0]}
    assert len(own.labels) == 1008


@pytest.mark.parametrize("side", [1, 7, 33])
def test_any_picture_is_large_enough(carried, side):
    assert min(carried(np.zeros((1, side, side, 3), np.float32)).shape[1:3]) == 1 + (side - 1) // 32


@pytest.mark.parametrize("layer", ["mixed3b", "mixed4c"])
def test_a_layer_costs_less_than_inceptions(carried, inception, layer):
    import measure_pocket

    own, theirs = (measure_pocket.arithmetic(model, layer, 224) for model in (carried, inception))
    assert own < 0.95 * theirs


def test_its_card_is_of_these_weights():
    card = pocket.WEIGHTS.with_suffix(".md").read_text()
    assert hashlib.sha256(pocket.WEIGHTS.read_bytes()).hexdigest() in card


@pytest.mark.heavy
def test_photographs_are_classified_as_they_are_named(photographs):
    assert named_rightly("pocket", None, photographs) >= 0.6


@pytest.mark.heavy
@pytest.mark.long
def test_it_dreams_much_of_what_its_teacher_dreams(photographs, tmp_path):
    """On photographs held out from its training; noise as strong lowers the teacher's objective."""
    import inception5h_graph
    from test_inception5h import FOLDER

    import measure_pocket
    from distillation import samples

    weights = tmp_path / "graph.pb"
    weights.write_bytes(inception5h_graph.graph(FOLDER))
    networks = dreamkit.load("pocket"), dreamkit.load("inception5h", weights)
    unseen = samples.photographs(photographs, held_out=True)
    chosen = {name: unseen[name] for name in list(unseen)[::12]}
    for layer in ("mixed3b", "mixed4c"):
        rows = list(measure_pocket.shares(*networks, layer, chosen, octaves=2, steps=5))
        assert np.mean([row.share for row in rows]) > 0.75, layer
        assert max(row.noise for row in rows) < 0.1, layer
        assert np.mean(measure_pocket.cosines(*networks, layer, chosen, "all")) > 0.75, layer
