"""Layer terms, and the balance between layers. No TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.masked_objective import balanced
from dreamkit.errors import LayerError
from dreamkit.terms import Term, layer_named, parse_terms

LAYERS = ["mixed3", "mixed5", "inception_4c/output", "a,b", "a", "k=2", "x:1", "y@1x2", "scores", "mid"]
LABELS = {"cat": 0, "dog": 1}


class Names:
    """A network of seven channels in every layer, as far as terms ask it."""

    layers = tuple(LAYERS)

    def channels(self, layer):  # noqa: ARG002
        return 7

    def at_depth(self, depth):
        return {0.25: "mixed3", 0.75: "mixed5", 0.6: "a", 0.125: "k=2"}[depth]

    def class_term(self, label):
        return "scores", LABELS[label]

    def unknown_layer(self, name):
        return LayerError(f"there is no layer {name!r}")


NAMES = Names()


def plain(layer, **more):
    return Term(layer, **more)


def part(layer, **more):
    """A term of single channels or neurons, which a guide does not guide."""
    return Term(layer, guided=False, **more)


@pytest.mark.parametrize(
    ("given_terms", "terms"),
    [
        (["mixed3"], {plain("mixed3"): 1.0}),
        (["mixed3,mixed5=0.5"], {plain("mixed3"): 1.0, plain("mixed5"): 0.5}),
        (["mixed3", "mixed5=-2"], {plain("mixed3"): 1.0, plain("mixed5"): -2.0}),
        ([" mixed3 , mixed5 = 0.5 "], {plain("mixed3"): 1.0, plain("mixed5"): 0.5}),
        (["inception_4c/output=1e-3"], {plain("inception_4c/output"): 0.001}),
        (["mixed3=0.5,mixed3=0.25"], {plain("mixed3"): 0.75}),
        (["mixed3,mixed5=0"], {plain("mixed3"): 1.0}),
        # channels and neurons
        (["mixed3:4"], {part("mixed3", channels=(4,)): 1.0}),
        (["mixed3:4+2+4=2"], {part("mixed3", channels=(2, 4)): 2.0}),
        (["mixed3:2+4=2,mixed3:4+2"], {part("mixed3", channels=(2, 4)): 3.0}),
        (["mixed5@12x7"], {part("mixed5", place=(12, 7)): 1.0}),
        (["mixed5:3@12x7=-1"], {part("mixed5", channels=(3,), place=(12, 7)): -1.0}),
        (["mixed3,mixed3:0"], {plain("mixed3"): 1.0, part("mixed3", channels=(0,)): 1.0}),
        # an exact name wins before any parsing
        (["a,b"], {plain("a,b"): 1.0}),
        (["k=2"], {plain("k=2"): 1.0}),
        (["k=2=3"], {plain("k=2"): 3.0}),  # the last equals sign is the weight's
        (["k=2:3=4"], {part("k=2", channels=(3,)): 4.0}),
        (["x:1"], {plain("x:1"): 1.0}),
        (["x:1:2"], {part("x:1", channels=(2,)): 1.0}),
        (["y@1x2"], {plain("y@1x2"): 1.0}),
        (["y@1x2@3x4"], {part("y@1x2", place=(3, 4)): 1.0}),
        # depths; a layer that is called so wins
        (["low,high=2"], {plain("mixed3"): 1.0, plain("mixed5"): 2.0}),
        (["mid"], {plain("mid"): 1.0}),
        (["60%=0.5,12.5%:3"], {plain("a"): 0.5, part("k=2", channels=(3,)): 1.0}),
        # mappings and tables
        ({"a,b": 2, "mixed3": 1, "mixed5:1": 3}, {
            plain("a,b"): 2, plain("mixed3"): 1, part("mixed5", channels=(1,)): 3
        }),
        ([{"layer": "mixed3"}], {plain("mixed3"): 1.0}),
        ([{"layer": "mixed3", "channels": (1, 2), "weight": 3.0, "mask": "left"}], {
            part("mixed3", channels=(1, 2), mask="left"): 3.0
        }),
        ([{"layer": "mixed3", "place": (1, 2), "objective": "mean"}], {
            part("mixed3", place=(1, 2), objective="mean"): 1.0
        }),
        ([{"layer": "mixed3", "direction": (0, 1, 0, -1, 0, 0, 0)}], {
            part("mixed3", direction=(0, 1, 0, -1, 0, 0, 0), objective="mean"): 1.0
        }),
        ([{"class": "dog", "weight": 2.0}], {part("scores", channels=(1,), objective="mean"): 2.0}),
        ([{"layer": "mixed3", "guide": False}], {part("mixed3"): 1.0}),
        ([{"layer": "mixed3:2", "guide": True}], {plain("mixed3", channels=(2,)): 1.0}),
    ],
)  # fmt: skip
def test_terms(given_terms, terms):
    assert parse_terms(given_terms, NAMES) == terms


@pytest.mark.parametrize(
    ("given_terms", "message"),
    [
        (["mixd3"], "no layer 'mixd3'"),
        (["mixed3,"], "no layer ''"),
        (["mixed3=much"], "'much' in 'mixed3=much' is not a weight"),
        (["mixed3=nan"], "not a weight"),
        (["mixed3="], "not a weight"),
        (["mixed3=0"], "every weight of mixed3 is zero"),
        (["mixed3=1,mixed3=-1"], "zero"),
        ({"nope": 1.0}, "no layer 'nope'"),
        (["mixed3:7"], "mixed3 has no channel 7; its channels are 0 to 6"),
        (["mixed3:0+9"], "no channel 9"),
        (["mixed3:0.5"], "'0.5' in 'mixed3:0.5' is not a channel of mixed3; .* weight write mixed3=0.5"),
        (["mixed3:a"], "'a' in 'mixed3:a' is not a channel of mixed3; a channel is a whole number"),
        (["mixed3@a"], "no layer 'mixed3@a'"),
        (["101%"], "'101%' is not a depth of a network; write 0% to 100%"),
        (["hgih"], "no layer 'hgih'"),
        ([{"layer": "mixed3", "direction": (1.0,)}], "has 1 numbers and the layer has 7 channels"),
        ([{"layer": "mixed3", "direction": (0.0,) * 7}], "direction for mixed3 is zero"),
    ],
)
def test_wrong_terms_name_what_was_given(given_terms, message):
    with pytest.raises(LayerError, match=message) as caught:
        parse_terms(given_terms, NAMES)
    assert "\n" not in str(caught.value)


@given(
    st.sampled_from(LAYERS),
    st.lists(st.integers(0, 6), max_size=4),
    st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_a_term_is_read_as_it_is_written(layer, channels, place):
    term = Term(layer, tuple(sorted(set(channels))), place, guided=not channels and place is None)
    assert parse_terms({str(term): 2.0}, NAMES) == {term: 2.0}


def test_channels_count_the_same_and_together_one():
    assert part("a", channels=(1, 3)).channel_weights(4).tolist() == [0, 0.5, 0, 0.5]
    assert part("a", direction=(1, -2)).channel_weights(2).tolist() == [1, -2]
    assert plain("a").channel_weights(4) is None


weights = st.floats(-8, 8).filter(lambda weight: abs(weight) > 1e-3)
layer_sizes = st.floats(1e-6, 1e6)
units = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(weights, layer_sizes, units), min_size=1, max_size=4))
def test_a_layers_pull_does_not_know_the_unit_of_its_activations(layers):
    """Activations times u: the mean rises by u, the mean of squares by u squared, the pull undoes both."""
    w, squares, unit = map(np.asarray, zip(*layers, strict=True))
    for power in (1, 2):
        powers = [power] * len(w)
        before, scaled = balanced(w, squares, powers), balanced(w, squares * unit**2, powers)
        np.testing.assert_allclose(scaled * unit**power, before, rtol=1e-5)


def test_a_silent_layer_keeps_its_weight():
    assert balanced([2.0, 3.0], np.array([0.0, 4.0]), [1, 1]).tolist() == [2.0, 1.5]


@pytest.mark.parametrize("name", ["mixed3:4", "mixed3:4+5", "mixed3:top2"])
def test_where_a_whole_layer_is_needed_a_part_is_refused(name):
    with pytest.raises(LayerError, match="is a part of a layer, and a whole one is needed; write mixed3$"):
        layer_named(name, NAMES)
