"""Objectives that compose, and what notebooks show of them."""

from __future__ import annotations

import io
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
import tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dreamkit
from dreamkit import DreamkitError, vis
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, ImageError, LayerError
from dreamkit.terms import parse_terms

OPTIONS = {"recipe": None, "size": (24, 32), "octaves": 1, "steps": 2, "tile_size": 64}

terms = st.one_of(
    st.builds(vis.layer, st.sampled_from(tiny.LAYERS)),
    st.builds(vis.channel, st.just("second"), st.integers(0, 4)),
    st.builds(vis.neuron, st.just("second"), st.integers(0, 9), st.integers(0, 9)),
    st.builds(vis.direction, st.just("first"), st.lists(st.sampled_from((-1, 1, 2)), min_size=4, max_size=4)),
)
numbers = st.integers(-8, 8).map(lambda each: each / 4)  # sums and products of these are exact
sums = st.lists(st.tuples(numbers, terms), min_size=1, max_size=4).map(
    lambda pairs: sum(weight * term for weight, term in pairs)
)


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def png(shown):
    with Image.open(io.BytesIO(shown._repr_png_())) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@given(sums, sums, sums, numbers)
def test_weights_add_scale_and_negate(a, b, c, factor):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert factor * (a + b) == factor * a + factor * b == (a + b) * factor
    assert np.float32(factor) * a == factor * a
    assert a - b == a + -b
    assert a + a == 2 * a
    assert vis.mean(a, a) == 2 * a / 2 == a
    assert sum([a, b, c]) == a + b + c


@given(st.lists(st.tuples(numbers, terms), min_size=1, max_size=4))
def test_an_objective_is_its_terms(net, pairs):
    def parsed(layers):
        try:
            return parse_terms(dreamkit.DreamConfig(layers=layers).layers, net)
        except LayerError as error:  # all weights are zero
            return "zero" if "is zero" in str(error) else error

    composed = sum(weight * term for weight, term in pairs)
    by_hand = [
        {**table, "weight": weight * table["weight"]} for weight, term in pairs for table in term.layers
    ]
    assert parsed(composed.layers) == parsed(by_hand)


@pytest.mark.parametrize(
    ("objective", "table"),
    [
        (vis.layer("mid", mask="left"), {"layer": "mid", "mask": "left"}),
        (vis.channel("a", 3), {"layer": "a", "channels": (3,)}),
        (vis.channel("a", 3, 4, objective="mean"), {"layer": "a", "channels": (3, 4), "objective": "mean"}),
        (vis.neuron("a", 5, 6), {"layer": "a", "place": (5, 6)}),
        (vis.neuron("a", 5, 6, 7), {"layer": "a", "place": (5, 6), "channels": (7,)}),
        (vis.direction("a", np.float32([0.5, 2])), {"layer": "a", "direction": (0.5, 2.0)}),
        (vis.direction("a", "sae.npy:3"), {"layer": "a", "direction": "sae.npy:3"}),
        (vis.class_score("castle"), {"class": "castle"}),
        (vis.concept("wings", guide=True), {"concept": "wings", "guide": True}),
        (vis.text("a red circle"), {"text": "a red circle"}),
    ],
)
def test_every_term_is_the_table_of_a_recipe(objective, table):
    assert objective.layers == ({**table, "weight": 1.0},)
    assert objective.options == {"layers": objective.layers}


def test_a_rendering_is_the_dream_of_the_same_terms(net):
    objective = vis.channel("first", 1) - 0.5 * vis.direction("second", [1, 0, -1, 0, 2])
    steps = []
    rendering = vis.render(objective, net, on_step=steps.append, **OPTIONS)
    dreamed = dreamkit.dream(
        None,
        net,
        layers=[
            {"layer": "first", "channels": [1]},
            {"layer": "second", "direction": [1, 0, -1, 0, 2], "weight": -0.5},
        ],
        **OPTIONS,
    )
    assert np.array_equal(rendering.pixels, dreamed)
    assert np.array_equal(png(rendering), dreamed)
    assert rendering.objective == steps[-1].objective * steps[-1].state.first
    assert rendering.recipe["models"][0]["name"] == "tiny"


def test_the_objective_is_the_sum_that_is_reached(net, photo):
    """Without balance and with one step, it is the activation of the picture itself, by hand."""
    weighted = 2 * vis.channel("second", 3) - vis.channel("second", 0)
    plain = {"recipe": None, "octaves": 1, "steps": 1, "jitter": 0, "balance": False, "objective": "mean"}
    reached = vis.render(weighted, net, image=photo, **plain).objective
    maps = tiny.activations(photo.astype(np.float64), tiny.kernels())["second"].mean((0, 1))
    assert reached == pytest.approx(2 * maps[3] - maps[0], rel=1e-3)


def energy(activations):
    return tf.reduce_mean(activations**2, axis=[1, 2, 3])


def test_a_function_is_an_objective_as_in_a_dream(net):
    rendering = vis.render(2 * vis.channel("second", 3, objective=energy), net, **OPTIONS)
    dreamed = dreamkit.dream(None, net, objective=energy, layers="second:3", **OPTIONS)
    assert np.array_equal(rendering.pixels, dreamed)


def test_channels_share_a_step_and_are_the_dreams_of_each(net):
    traces = net.traces
    sheet = vis.channels("second", np.arange(3), net, columns=2, **OPTIONS)
    assert net.traces <= traces + 1
    assert list(sheet.renderings) == ["second:0", "second:1", "second:2"]
    for name, rendering in sheet.renderings.items():
        assert np.array_equal(rendering.pixels, dreamkit.dream(None, net, layers=name, **OPTIONS))
    assert np.array_equal(png(sheet), sheet.pixels)


def test_photographs_that_wake_a_channel_stand_beside_it(net, photo, tmp_path):
    for number in range(3):
        Image.fromarray(np.roll(photo, 7 * number, 1)).save(tmp_path / f"{number}.png")
    with_examples = vis.channels("first", [1], net, examples=tmp_path, **OPTIONS)
    alone = vis.channels("first", [1], net, **OPTIONS)
    assert np.array_equal(with_examples.renderings["first:1"].pixels, alone.renderings["first:1"].pixels)
    beside = with_examples.pixels.shape[1] - alone.pixels.shape[1]
    assert beside == OPTIONS["size"][0] + 4


def test_a_sheet_is_saved(net, tmp_path):
    sheet = vis.channels("second", [0], net, **OPTIONS)
    sheet.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert np.array_equal(np.asarray(image), sheet.pixels)


def test_a_notebook_shows_one_line_that_is_gone_at_the_end(net, capsys, monkeypatch):
    vis.render(vis.layer("second"), net, **OPTIONS)
    assert capsys.readouterr().out == ""
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    vis.channels("second", [0, 1], net, **OPTIONS)
    written = capsys.readouterr().out
    assert written.startswith("\rdreaming: 25%\rdreaming: 50%\rdreaming: 75%\rdreaming: 100%\r  ")
    assert written.endswith(" \r")
    assert "\n" not in written
    ipython.get_ipython = lambda: None  # imported, and no notebook
    vis.render(vis.layer("second"), net, **OPTIONS)
    assert capsys.readouterr().out == ""


def other(activations):
    return tf.reduce_mean(activations, axis=[1, 2, 3])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda net: vis.channel("second"), ConfigError, "channels"),
        (lambda net: vis.channel("second", -1), ConfigError, "channels"),
        (lambda net: vis.channel("second", 1, weight=2), ConfigError, "has no weight"),
        (lambda net: vis.layer("second", objective="men"), ConfigError, "objective"),
        (lambda net: vis.direction("second", [[1, 2]]), ConfigError, "direction"),
        (lambda net: vis.mean(), ConfigError, "no objectives"),
        (lambda net: vis.layer("second") / 0, ConfigError, "zero"),
        (lambda net: vis.render("second", net), ConfigError, "vis.channel"),
        (lambda net: vis.render(vis.layer("second"), net, layers="first"), ConfigError, "given twice"),
        (lambda net: vis.render(vis.layer("second"), net, stesp=1), ConfigError, "steps"),
        (lambda net: vis.render(float("nan") * vis.layer("second"), net, **OPTIONS), ConfigError, "weight"),
        (lambda net: vis.render(vis.layer("third"), net, **OPTIONS), LayerError, "third"),
        (lambda net: vis.render(vis.channel("second", 9), net, **OPTIONS), LayerError, "no channel 9"),
        (lambda net: vis.render(vis.layer("first") - vis.layer("first"), net, **OPTIONS), LayerError, "zero"),
        (
            lambda net: vis.render(
                vis.layer("first", objective=energy) + vis.layer("second", objective=other), net, **OPTIONS
            ),
            ConfigError,
            "2 functions",
        ),
        (
            lambda net: vis.render(
                vis.layer("first", objective=energy) + vis.layer("second"), net, **OPTIONS
            ),
            ConfigError,
            "beside a function",
        ),
        (
            lambda net: vis.render(vis.layer("first", objective=energy), net, objective="mean"),
            ConfigError,
            "given twice",
        ),
        (
            lambda net: vis.render(vis.layer("first"), [dreamkit.ModelSpec(net, layers="second")], **OPTIONS),
            ConfigError,
            "layers of its own",
        ),
        (
            lambda net: vis.render(vis.layer("first"), net, schedule=[{"layers": "second"}], **OPTIONS),
            ConfigError,
            "layers of their own",
        ),
        (lambda net: vis.channels("second", [], net), ConfigError, "at least one"),
        (lambda net: vis.channels("second", [0], net, columns=0), ConfigError, "at least one"),
        (lambda net: vis.channels("second", [0], [net, net], **OPTIONS), ConfigError, "one network"),
        (lambda net: vis.channels("second", [0, 5], net, **OPTIONS), LayerError, "no channel 5"),
        (lambda net: vis.channels("third", [0], net, **OPTIONS), LayerError, "third"),
        (lambda net: vis.channels("second", [0], net, examples="nowhere", **OPTIONS), ImageError, "nowhere"),
    ],
)
def test_what_cannot_be_rendered_is_refused_in_one_line(net, make, error, message):
    with pytest.raises(error, match=message) as caught:
        make(net)
    assert isinstance(caught.value, DreamkitError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["1 + a", "a + 'b'", "'b' * a", "a * a", "a - 1", "a / 'b'"])
def test_what_is_no_algebra_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        eval(wrong, {"a": vis.layer("mixed3")})


def test_composing_imports_no_tensorflow():
    code = """if True:
        import sys
        from dreamkit import vis
        vis.mean(vis.channel("mixed4a", 20), vis.direction("mixed4a", [1, 2])).options
        assert not {"tensorflow", "keras", "IPython"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", code], check=True)
