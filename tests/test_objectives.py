"""Layer terms, and the balance between layers. No TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.objectives import parse_terms, pulls
from dreamkit.errors import LayerError

LAYERS = ["mixed3", "mixed5", "inception_4c/output", "a,b", "a", "k=2"]


@pytest.mark.parametrize(
    ("given_terms", "terms"),
    [
        (["mixed3"], {"mixed3": 1.0}),
        (["mixed3,mixed5=0.5"], {"mixed3": 1.0, "mixed5": 0.5}),
        (["mixed3", "mixed5=-2"], {"mixed3": 1.0, "mixed5": -2.0}),
        ([" mixed3 , mixed5 = 0.5 "], {"mixed3": 1.0, "mixed5": 0.5}),
        (["inception_4c/output=1e-3"], {"inception_4c/output": 0.001}),
        (["mixed3=0.5,mixed3=0.25"], {"mixed3": 0.75}),
        (["mixed3,mixed5=0"], {"mixed3": 1.0}),
        (["a,b"], {"a,b": 1.0}),  # an exact name wins before any parsing
        (["k=2"], {"k=2": 1.0}),
        (["k=2=3"], {"k=2": 3.0}),  # the last equals sign is the weight's
        ({"a,b": 2, "mixed3": 1}, {"a,b": 2, "mixed3": 1}),
    ],
)
def test_terms(given_terms, terms):
    assert parse_terms(given_terms, LAYERS) == terms


@pytest.mark.parametrize(
    ("given_terms", "message"),
    [
        (["mixd3"], "did you mean mixed3"),
        (["mixed3,"], "no layer ''"),
        (["mixed3=much"], "'much' in 'mixed3=much' is no weight"),
        (["mixed3=nan"], "no weight"),
        (["mixed3="], "no weight"),
        (["mixed3=0"], "every weight of mixed3 is zero"),
        (["mixed3=1,mixed3=-1"], "zero"),
        ({"nope": 1.0}, "no layer 'nope'"),
    ],
)
def test_wrong_terms_name_what_was_given(given_terms, message):
    with pytest.raises(LayerError, match=message) as caught:
        parse_terms(given_terms, LAYERS)
    assert "\n" not in str(caught.value)


weights = st.floats(-8, 8).filter(lambda weight: abs(weight) > 1e-3)
layer_sizes = st.floats(1e-6, 1e6)
units = st.floats(1e-3, 1e3)


@given(st.lists(st.tuples(weights, layer_sizes, units), min_size=1, max_size=4))
def test_a_layers_pull_does_not_know_the_unit_of_its_activations(layers):
    """Activations times u: the mean rises by u, the mean of squares by u squared, the pull undoes both."""
    w, squares, unit = map(np.asarray, zip(*layers, strict=True))
    for objective, power in (("mean", 1), ("mean-square", 2)):
        plain = pulls(w, squares, objective)
        scaled = pulls(w, squares * unit**2, objective)
        np.testing.assert_allclose(scaled * unit**power, plain, rtol=1e-5)


def test_a_silent_layer_keeps_its_weight():
    assert pulls([2.0, 3.0], np.array([0.0, 4.0]), "mean").tolist() == [2.0, 1.5]
