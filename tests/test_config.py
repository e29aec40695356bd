"""The options of a dream: what they take, what they refuse, and how they are written down."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamkit.config import DreamConfig, default, describe, option_names
from dreamkit.errors import ConfigError

# A few of each kind: Hypothesis needs seconds to list all of Unicode.
letters = st.sampled_from("aZ09_/:.=- \\'\n\0é日🐕")
names = st.text(letters, min_size=1, max_size=12).filter(str.strip)
numbers = st.floats(allow_nan=False, allow_infinity=False)
sides = st.integers(1, 65_536)

OPTIONS = {
    "layers": st.one_of(
        st.none(),
        st.lists(names, min_size=1, max_size=4).map(tuple),
        st.dictionaries(names, numbers, min_size=1, max_size=4),
    ),
    "objective": st.sampled_from(["mean", "mean-square"]),
    "balance": st.booleans(),
    "normalise": st.sampled_from(["std", "mean-abs"]),
    "octaves": st.integers(1, 32),
    "octave_scale": st.floats(1, 4, exclude_min=True),
    "octave_scheme": st.sampled_from(["residual", "whole"]),
    "steps": st.integers(1, 100_000),
    "step_size": st.floats(0, 2, exclude_min=True),
    "jitter": st.integers(0, 4096),
    "tile_size": st.integers(32, 8192),
    "max_size": st.one_of(st.none(), st.integers(1)),
    "size": st.tuples(sides, sides),
    "seed": st.integers(0, 2**64 - 1),
    "max_pixels": st.integers(1),
}
words = st.text(letters, max_size=3)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
)
some_options = st.fixed_dictionaries({}, optional=OPTIONS)


def test_every_option_is_tested():
    assert list(OPTIONS) == option_names()


# What is taken


@given(some_options)
def test_options_are_kept_and_the_rest_are_defaults(options):
    config = DreamConfig(**options)
    for name in option_names():
        assert getattr(config, name) == options.get(name, default(name))


@given(some_options)
def test_a_config_comes_back_from_json(options):
    config = DreamConfig(**options)
    plain = json.loads(json.dumps(config.to_dict()))
    assert plain == config.to_dict()
    assert DreamConfig(**plain) == config
    assert list(config.to_dict()) == option_names()


@pytest.mark.parametrize("name", option_names())
def test_every_default_passes_its_own_check(name):
    given = DreamConfig(**{name: default(name)})
    assert given == DreamConfig()
    assert getattr(given, name) == default(name)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("layers", "mixed4", ("mixed4",)),
        ("layers", ["mixed3", "mixed5=0.5"], ("mixed3", "mixed5=0.5")),
        ("layers", {"mixed3": 1}, {"mixed3": 1.0}),
        ("layers", {"mixed3": np.float32(0.5)}, {"mixed3": 0.5}),
        ("layers", {"mixed3": -1.0, "mixed5": 0}, {"mixed3": -1.0, "mixed5": 0.0}),
        ("size", 300, (300, 300)),
        ("size", [300, 400], (300, 400)),
        ("size", (1, 65_536), (1, 65_536)),
        ("size", (np.int32(30), np.uint8(40)), (30, 40)),
        ("steps", np.int64(3), 3),
        ("step_size", 1, 1.0),
        ("step_size", np.float32(0.5), 0.5),
        ("octaves", 1, 1),
        ("octaves", 32, 32),
        ("octave_scale", 1.0000001, 1.0000001),
        ("octave_scale", 4, 4.0),
        ("steps", 100_000, 100_000),
        ("step_size", 5e-324, 5e-324),
        ("step_size", 2, 2.0),
        ("jitter", 0, 0),
        ("tile_size", 32, 32),
        ("max_size", None, None),
        ("max_size", 1, 1),
        ("seed", 2**64 - 1, 2**64 - 1),
        ("max_pixels", 10**400, 10**400),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_is_kept_in_its_own_type(name, value, kept):
    found = getattr(DreamConfig(**{name: value}), name)
    assert found == kept
    assert type(found) is type(kept)
    if isinstance(kept, tuple):
        assert [type(part) for part in found] == [type(part) for part in kept]
    if isinstance(kept, dict):
        assert {type(weight) for weight in found.values()} == {float}


# What is refused

NO_NUMBERS = [
    None,
    "",
    "1",
    b"1",
    True,
    False,
    math.nan,
    math.inf,
    -math.inf,
    1j,
    [1],
    (1,),
    {},
    object(),
    int,
]
NO_WHOLE_NUMBERS = [value for value in NO_NUMBERS if value is not None] + [
    2.0,
    0.5,
    np.float64(2),
    np.array([[1, 2], [3, 4]]),
]
NO_CHOICES = [
    None,
    "",
    "MEAN",
    "mean ",
    0,
    True,
    ["mean"],
    np.array(["mean"]),
    np.array(["mean", "std"]),
    {"mean"},
]

BAD = {
    "layers": [
        "",
        " ",
        (),
        [],
        {},
        set("a"),
        7,
        True,
        iter("a"),
        ["a", ""],
        ["a", " "],
        ["a", 1],
        [None],
        [["a"]],
        {"a": "much"},
        {"a": "1"},
        {"a": None},
        {"a": True},
        {"a": math.nan},
        {"a": math.inf},
        {"a": 10**400},
        {"a": [1]},
        {1: 1.0},
        {None: 1.0},
        {"": 1.0},
        {" ": 1.0},
        np.array([["a", "b"], ["c", "d"]]),
    ],
    "objective": [*NO_CHOICES, "std"],
    "balance": [None, 0, 1, "", "yes", 1.0, [], np.array([True, False])],
    "normalise": NO_CHOICES,
    "octaves": [*NO_WHOLE_NUMBERS, 0, -1, 33, 10**400, -(10**400)],
    "octave_scale": [*NO_NUMBERS, 1, 1.0, 0, -2, 4.0000001, 10**400, np.array([[1.5, 2], [3, 4]])],
    "octave_scheme": NO_CHOICES,
    "steps": [*NO_WHOLE_NUMBERS, None, 0, -1, 100_001, 10**400],
    "step_size": [*NO_NUMBERS, 0, 0.0, -0.0, -1e-9, 2.0000001, 10**400, -(10**400)],
    "jitter": [*NO_WHOLE_NUMBERS, None, -1, 4097],
    "tile_size": [*NO_WHOLE_NUMBERS, None, 31, 8193],
    "max_size": [*NO_WHOLE_NUMBERS, 0, -1],
    "size": [
        None,
        "",
        "512",
        "12",
        True,
        0,
        -1,
        65_537,
        512.0,
        (),
        (1,),
        (1, 2, 3),
        (0, 1),
        (1, 0),
        (1, 65_537),
        (1, 10**400),
        (1.0, 2.0),
        (True, True),
        (None, 1),
        ("1", "2"),
        {1, 2},
        {1: 2, 3: 4},
        np.zeros((2, 2), int),
        math.nan,
        (math.nan, 1),
    ],
    "seed": [*NO_WHOLE_NUMBERS, None, -1, 2**64],
    "max_pixels": [*NO_WHOLE_NUMBERS, None, 0, -1],
}


def test_every_option_refuses_something():
    assert list(BAD) == option_names()


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD.items() for value in values],
    ids=[f"{name}-{number}" for name, values in BAD.items() for number, _ in enumerate(values)],
)
def test_a_bad_value_is_one_line_that_names_the_option(name, value):
    with pytest.raises(ConfigError) as refused:
        DreamConfig(**{name: value})
    message = str(refused.value)
    assert message.startswith(f"{name} ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("octaves", 40, "octaves is 40; it takes a whole number, 1 to 32"),
        ("octave_scale", 1, "octave_scale is 1; it takes a number, above 1, at most 4"),
        ("max_pixels", 0, "max_pixels is 0; it takes a whole number, at least 1"),
        ("normalise", "max", "normalise is 'max'; choose std or mean-abs"),
        ("balance", 1, "balance is 1; it is True or False"),
        ("layers", {"a": "b"}, "layers has 'a': 'b'; it maps layer names to numbers"),
        ("layers", [], "layers is []; name at least one layer, such as mixed3,mixed5=0.5"),
        ("size", 0, "size is 0; it takes one side or height and width, each 1 to 65536 pixels"),
    ],
)
def test_a_message_says_what_was_given_and_what_is_possible(name, value, said):
    with pytest.raises(ConfigError) as refused:
        DreamConfig(**{name: value})
    assert str(refused.value) == said


@pytest.mark.parametrize("name", option_names())
def test_anything_at_all_is_taken_or_refused(name):
    @settings(max_examples=20)
    @given(anything)
    def check(value):
        with suppress(ConfigError):
            config = DreamConfig(**{name: value})
            assert DreamConfig(**json.loads(json.dumps(config.to_dict()))) == config

    check()


# Putting options over a config


@given(some_options, some_options)
def test_options_go_over_a_config(base, over):
    config = DreamConfig.of(DreamConfig(**base), **over)
    assert config == DreamConfig(**{**base, **over})


def test_without_a_config_options_go_over_the_defaults():
    assert DreamConfig.of() == DreamConfig()
    assert DreamConfig.of(None, steps=3) == DreamConfig(steps=3)


def test_the_config_underneath_stays_as_it_was():
    base = DreamConfig(steps=3)
    DreamConfig.of(base, steps=4)
    assert base == DreamConfig(steps=3)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("octave", "octaves"), ("step", "steps"), ("layer", "layers"), ("normalize", "normalise")],
)
def test_an_unknown_option_suggests_a_near_miss(given, meant):
    with pytest.raises(
        ConfigError, match=rf"there is no option '{given}'; did you mean .*\b{meant}\b"
    ) as refused:
        DreamConfig.of(**{given: 1})
    assert "\n" not in str(refused.value)


def test_an_option_like_no_other_lists_what_there_is():
    with pytest.raises(ConfigError, match="there is no option 'qqq'; choose from layers, objective, .* more"):
        DreamConfig.of(qqq=1)


def test_a_bad_value_over_a_config_is_refused():
    with pytest.raises(ConfigError, match="steps is 0"):
        DreamConfig.of(DreamConfig(), steps=0)


# Nobody can change one


@pytest.mark.parametrize("name", option_names())
def test_a_config_cannot_be_changed(name):
    config = DreamConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, default(name))
    with pytest.raises((AttributeError, TypeError)):
        config.another = 1


def test_layers_given_as_a_mapping_are_the_configs_own():
    layers = {"mixed3": 1.0}
    config = DreamConfig(layers=layers)
    layers["mixed5"] = 1.0
    config.to_dict()["layers"]["mixed4"] = 1.0
    assert config.layers == {"mixed3": 1.0}


def test_replace_makes_checked_variants():
    assert dataclasses.replace(DreamConfig(steps=3), seed=4) == DreamConfig(steps=3, seed=4)
    with pytest.raises(ConfigError, match="steps"):
        dataclasses.replace(DreamConfig(), steps=0)


# Help


@pytest.mark.parametrize("name", option_names())
def test_every_option_has_one_line_of_help(name):
    text = describe(name)
    assert text
    assert "\n" not in text
    assert re.search(r"\.( \(.+\))?$", text)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("octaves", ". (1 to 32)"),
        ("octave_scale", ". (above 1, at most 4)"),
        ("objective", ". (mean or mean-square)"),
        ("max_size", ". (at least 1)"),
        ("balance", "."),
        ("layers", "."),
    ],
)
def test_help_ends_with_the_range(name, limits):
    assert describe(name).endswith(limits)
