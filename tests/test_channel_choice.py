"""Channels that the photograph chooses: which they are, how they are written, and that redo repeats them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny

import dreamkit
from dreamkit import DreamConfig, ModelSpec, fingerprint, recipes
from dreamkit.engine import channel_choice
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, LayerError
from dreamkit.media import image_metadata
from dreamkit.request import make_request
from dreamkit.session import Session
from dreamkit.terms import Choice, has_choice, with_channels

KERNELS = tiny.kernels()
OPTIONS = {"octaves": 1, "steps": 2}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def ranked(photo, layer):
    """The layer's channels, the strongest first."""
    seen = tiny.activations(photo.astype(float), KERNELS)[layer]
    return np.argsort(-seen.mean((0, 1))).tolist()


def written(channels):
    return "+".join(map(str, sorted(channels)))


@pytest.mark.parametrize(
    ("layers", "plain"),
    [
        ("a:top2", "a:0+1"),
        ("a:top2=0.5,b", "a:0+1=0.5,b"),
        (" a:bottom3 @ 2", " a:bottom3 @ 2"),
        ("a:top1@3x4=2", "a:0@3x4=2"),
        (["b", "a:top1"], ("b", "a:0")),
        ({"a:top1": 2.0, "b": 1.0}, {"a:0": 2.0, "b": 1.0}),
        ({"a:top1": 2.0, "a:0": 1.0}, {"a:0": 3.0}),
        ([{"layer": "a:top2", "weight": 2.0}], ({"layer": "a:0+1", "weight": 2.0},)),
        ([{"class": "top1"}], ({"class": "top1"},)),
        ("odd:top2", "odd:top2"),  # the exact name of a layer
        ("a:2", "a:2"),
        (None, None),
    ],
)
def test_choices_become_plain_channels(layers, plain):
    found = with_channels(layers, ["a", "b", "odd:top2"], lambda choice: range(choice.count))
    assert found == plain or (isinstance(found, str) and found.strip() == str(plain).strip())


def test_a_choice_says_what_is_asked():
    asked = []
    with_channels("low:top12,a:bottom3", (), lambda choice: asked.append(choice) or (0,))
    assert asked == [Choice("low", True, 12), Choice("a", False, 3)]
    assert has_choice({"a:top1": 1.0})
    assert not has_choice(["a:1", {"layer": "b"}])


@pytest.mark.parametrize(("text", "pick"), [("top2", slice(2)), ("bottom2", slice(3, None))])
def test_channels_are_those_of_the_photograph(net, photo, text, pick):
    config = DreamConfig(layers=f"second:{text}")
    found, models = channel_choice.with_channels(config, [LoadedModel(net)], photo)
    assert found.layers == (f"second:{written(ranked(photo, 'second')[pick])}",)
    assert models == [LoadedModel(net)]


def test_a_large_photograph_is_looked_at_in_the_size_of_a_tile(net, photo):
    large = np.repeat(np.repeat(photo, 4, 0), 4, 1)
    config = DreamConfig(layers="second:top2", tile_size=64)
    found, _ = channel_choice.with_channels(config, [LoadedModel(net)], large)
    assert found.layers == (f"second:{written(ranked(photo, 'second')[:2])}",)


def test_networks_that_share_layers_get_their_own(net, photo):
    other = network.load(tiny.provider(seed=4), None)
    models = [LoadedModel(net), LoadedModel(other, layers=("first:top1",)), LoadedModel(other)]
    config = DreamConfig(layers="second:top1", schedule=[{"steps": 1}])
    same, found = channel_choice.with_channels(config, models, photo)
    assert same == config
    assert found[0].layers == (f"second:{ranked(photo, 'second')[0]}",)
    assert found[1].layers[0].startswith("first:")
    assert not has_choice(found[2].layers)
    config = DreamConfig(schedule=[{"layers": "second:top1"}])
    with pytest.raises(ConfigError, match="several networks share a schedule"):
        channel_choice.with_channels(config, [models[0], models[2]], photo)


def test_a_dream_records_plain_channels_and_redo_repeats_them(net, photo, tmp_path):
    schedule = [{"layers": "second:top1"}, {"layers": "first:bottom2=2"}]
    request = make_request(photo, net, layers="second", schedule=schedule, octaves=2, steps=1)
    session = Session(request)
    dream = session.run()
    dream.save(tmp_path / "dream.png")
    written_down = image_metadata.read_recipe(tmp_path / "dream.png")
    first, second = (entry["layers"] for entry in written_down["options"]["schedule"])
    assert first == [f"second:{ranked(photo, 'second')[0]}"]
    assert second == [f"first:{written(ranked(photo, 'first')[2:])}=2"]
    again = dreamkit.redo(tmp_path / "dream.png", photo, net)
    np.testing.assert_array_equal(again.pixels, dream.pixels)
    # A batch knows its finished dream again, though the request still has choices.
    now = json.loads(json.dumps(session.fingerprint()))
    assert fingerprint.from_metadata(written_down) == now
    # Another photograph is dreamed as this one was.
    options = recipes.from_picture(tmp_path / "dream.png").options
    assert options["schedule"][0]["layers"] == (first[0],)


def test_layers_of_a_network_are_recorded_plain_too(net, photo, tmp_path):
    spec = ModelSpec(net, layers="second:top2")
    dream = dreamkit.render(photo, [spec], **OPTIONS)
    assert dream.recipe["models"][0]["layers"] == [f"second:{written(ranked(photo, 'second')[:2])}"]
    assert dream.recipe["asked"]["models"] == [["second:top2"]]
    chosen = dreamkit.dream(photo, net, layers=f"second:{written(ranked(photo, 'second')[:2])}", **OPTIONS)
    np.testing.assert_array_equal(dream.pixels, chosen)


def test_too_many_and_too_small(net, photo):
    for text in ("second:top6", "second:top0", "nothing:top1"):
        with pytest.raises(LayerError):
            dreamkit.dream(photo, net, layers=text, **OPTIONS)
    config = DreamConfig(layers="second:top1")
    with pytest.raises(ConfigError, match="the photograph has 3 x 3 pixels"):
        channel_choice.with_channels(config, [LoadedModel(net)], photo[:3, :3])


def test_films_refuse_choices_by_name(net, photo):
    request = make_request(photo, net, layers="second:top1")
    with pytest.raises(ConfigError, match="there is a choice of channels by the photograph, which a film"):
        request.refuse("a film", "choices")
