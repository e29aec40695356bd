"""The options of a dream: what they take, what they refuse, and how they are written down."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dreamkit.config import DreamConfig, default, option_names
from dreamkit.errors import ConfigError
from dreamkit.option_table import describe

# A few of each kind: Hypothesis needs seconds to list all of Unicode.
letters = st.sampled_from("aZ09_/:.=- \\'\n\0é日🐕")
names = st.text(letters, min_size=1, max_size=12).filter(str.strip)
numbers = st.floats(allow_nan=False, allow_infinity=False)
sides = st.integers(1, 65_536)
channels = st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple)
table_keys = {
    "weight": numbers,
    "objective": st.sampled_from(["mean", "mean-square"]),
    "mask": names,
    "guide": st.booleans(),
}
tables = st.one_of(
    st.fixed_dictionaries(
        {"layer": names},
        optional={"channels": channels, "place": st.tuples(*[st.integers(0, 2**31 - 1)] * 2), **table_keys},
    ),
    st.fixed_dictionaries(
        {"layer": names, "direction": st.lists(numbers, min_size=1, max_size=3).map(tuple) | names},
        optional=table_keys,
    ),
    st.fixed_dictionaries({"class": names | st.integers(0, 9)}, optional=table_keys),
)
layers = st.one_of(
    st.none(),
    st.lists(names | tables, min_size=1, max_size=4).map(tuple),
    st.dictionaries(names, numbers, min_size=1, max_size=4),
)
steps, step_sizes, jitters = (
    st.integers(1, 100_000),
    st.floats(0, 255, exclude_min=True),
    st.integers(0, 4096),
)

AMOUNTS = {
    "strength": {"subtle": 0.5, "normal": 1.0, "wild": 2.0},
    "color": {"free": 0.0, "natural": 0.5, "keep": 1.0, "decorrelated": 0.5},
}
"""What the names of options stand for that take a number or a name."""

OPTIONS = {
    "strength": st.floats(0, 10, exclude_min=True) | st.sampled_from(sorted(AMOUNTS["strength"])),
    "blend": st.floats(0, 1),
    "layers": layers,
    "objective": st.sampled_from(["mean", "mean-square"]),
    "cosine_power": st.floats(0, 16),
    "balance": st.booleans(),
    "border": st.integers(0, 64),
    "guide_style": st.sampled_from(["match", "texture", "channels"]),
    "normalise": st.sampled_from(["std", "mean-abs", "score", "none"]),
    "smooth": st.sampled_from(["none", "gaussian", "laplacian"]),
    "smooth_width": st.none() | st.floats(0, 64),
    "smooth_levels": st.integers(1, 12),
    "color": st.floats(0, 1) | st.sampled_from(sorted(AMOUNTS["color"])),
    "tv": st.none() | st.floats(0, 10),
    "l2": st.floats(0, 100),
    "hold": st.none() | st.dictionaries(names, st.floats(0.1, 100), min_size=1, max_size=2),
    "octaves": st.integers(1, 32),
    "octave_scale": st.floats(1, 4, exclude_min=True),
    "octave_scheme": st.sampled_from(["residual", "whole", "lost-detail"]),
    "first_octave": st.none() | st.integers(-31, 8),
    "steps": steps,
    "step_size": step_sizes,
    "unit": st.tuples(*[st.floats(0, 255, exclude_min=True)] * 3),
    "alpha": st.sampled_from(["photograph", "importance"]),
    "clip": st.booleans(),
    "redirected_relu": st.integers(0, 100_000),
    "pooling": st.sampled_from(["max", "smooth", "average"]),
    "max_objective": st.none() | st.floats(0, 1e9, exclude_min=True),
    "space": st.sampled_from(["pixels", "fourier", "maco"]),
    "jitter": jitters,
    "rotate": st.floats(0, 180),
    "zoom": st.floats(0, 0.9),
    "views": st.integers(1, 64),
    "crop": st.tuples(st.floats(0.01, 0.5), st.floats(0.5, 1)),
    "view_size": st.integers(32, 4096),
    **dict.fromkeys(("transforms", "regularisers", "plugin_options"), st.none()),  # test_parts has plugins
    "schedule": st.lists(
        st.fixed_dictionaries(
            {}, optional={"layers": layers, "steps": steps, "step_size": step_sizes, "jitter": jitters}
        ),
        max_size=3,
    ).map(tuple),
    "tile_size": st.integers(32, 8192),
    "max_memory": st.one_of(st.none(), st.integers(1)),
    "precision": st.sampled_from(["float32", "mixed"]),
    "max_size": st.one_of(st.none(), st.integers(1)),
    "upscale": st.floats(1, 8),
    "wrap": st.sampled_from(["none", "horizontal", "both"]),
    "size": st.tuples(sides, sides),
    "start": st.sampled_from(["photograph", "noise"]),
    "noise": st.sampled_from(["clouds", "faint", "white"]),
    "seed": st.integers(0, 2**64 - 1),
    "clouds": st.floats(0, 64),
    "max_pixels": st.integers(1),
}
LATER = ("cosine_power", "hold", "alpha", "views", "crop", "view_size", "start", "redirected_relu", "pooling")
"""Options that a recipe has only where they are not at their defaults: earlier recipes stay what they are."""

words = st.text(letters, max_size=3)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
)


def can_be(options):
    """Whether nothing is asked for that cannot wrap where the dream wraps."""
    return options.get("wrap", "none") == "none" or not any(
        options.get(name) for name in ("rotate", "zoom", "border", "crop")
    )


some_options = st.fixed_dictionaries({}, optional=OPTIONS).filter(can_be)


def test_every_option_is_tested():
    assert list(OPTIONS) == option_names()


# What is taken


@given(some_options)
def test_options_are_kept_and_the_rest_are_defaults(options):
    config = DreamConfig(**options)
    for name in option_names():
        given = options.get(name, default(name))
        assert getattr(config, name) == (
            AMOUNTS[name][given] if isinstance(given, str) and name in AMOUNTS else given
        )


@given(some_options)
def test_a_config_comes_back_from_json(options):
    config = DreamConfig(**options)
    plain = json.loads(json.dumps(config.to_dict()))
    assert plain == config.to_dict()
    assert DreamConfig(**plain) == config
    left_out = {"transforms", "regularisers", "plugin_options", *LATER}
    expected = [
        name for name in option_names() if name not in left_out or getattr(config, name) != default(name)
    ]
    assert list(config.to_dict()) == expected


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
        ("layers", {"layer": "a", "channels": [1]}, ({"layer": "a", "channels": (1,)},)),
        ("unit", 1, (1.0, 1.0, 1.0)),
        ("unit", [1, 2.5, 255], (1.0, 2.5, 255.0)),
        ("schedule", [{"steps": 3}, {}], ({"steps": 3}, {})),
        ("schedule", [{"layers": "a"}], ({"layers": ("a",)},)),
        ("size", 300, (300, 300)),
        ("size", [300, 400], (300, 400)),
        ("size", (1, 65_536), (1, 65_536)),
        ("size", (np.int32(30), np.uint8(40)), (30, 40)),
        ("strength", "wild", 2.0),
        ("strength", 10, 10.0),
        ("color", "decorrelated", 0.5),
        ("color", np.float32(0.25), 0.25),
        ("smooth_width", None, None),
        ("tv", None, None),
        ("steps", np.int64(3), 3),
        ("step_size", 1, 1.0),
        ("step_size", np.float32(0.5), 0.5),
        ("octaves", 1, 1),
        ("octaves", 32, 32),
        ("octave_scale", 1.0000001, 1.0000001),
        ("octave_scale", 4, 4.0),
        ("steps", 100_000, 100_000),
        ("step_size", 5e-324, 5e-324),
        ("step_size", 255, 255.0),
        ("jitter", 0, 0),
        ("tile_size", 32, 32),
        ("max_memory", None, None),
        ("max_memory", 1, 1),
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

NO_AMOUNTS = [*NO_NUMBERS, "1.0", "Wild", "wild ", ["wild"], {"wild"}]

BAD = {
    "strength": [*NO_AMOUNTS, 0, -1, 10.1, "keep"],
    "blend": [*NO_NUMBERS, -0.1, 1.1],
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
        [{}],
        [{"layer": "a", "chanels": [1]}],
        [{"layer": "a", "class": "b"}],
        [{"weight": 1.0}],
        [{"layer": ""}],
        [{"layer": "a", "channels": []}],
        [{"layer": "a", "channels": [-1]}],
        [{"layer": "a", "channels": [1.5]}],
        [{"layer": "a", "channels": 1}],
        [{"layer": "a", "place": [1]}],
        [{"layer": "a", "place": "1x2"}],
        [{"layer": "a", "direction": [math.nan]}],
        [{"layer": "a", "direction": ""}],
        [{"layer": "a", "direction": [1.0], "channels": [1]}],
        [{"class": "a", "place": [1, 2]}],
        [{"class": True}],
        [{"layer": "a", "weight": math.inf}],
        [{"layer": "a", "objective": "std"}],
        [{"layer": "a", "mask": 3}],
        [{"layer": "a", "guide": 1}],
    ],
    "objective": [*NO_CHOICES, "std"],
    "cosine_power": [*NO_NUMBERS, -0.1, 16.1],
    "balance": [None, 0, 1, "", "yes", 1.0, [], np.array([True, False])],
    "border": [*NO_WHOLE_NUMBERS, None, -1, 65],
    "guide_style": NO_CHOICES,
    "normalise": NO_CHOICES,
    "smooth": NO_CHOICES,
    "smooth_width": [*NO_NUMBERS[1:], -0.1, 64.1],
    "smooth_levels": [*NO_WHOLE_NUMBERS, None, 0, 13],
    "color": [*NO_AMOUNTS, -0.1, 1.1],
    "tv": [*NO_NUMBERS[1:], -0.1, 10.1],
    "l2": [*NO_NUMBERS, -0.1, 100.1],
    "hold": [1, "low", ["low"], {"low": 0}, {"low": -1.0}, {"low": "much"}, {1: 1.0}, {"": 1.0}],
    "octaves": [*NO_WHOLE_NUMBERS, 0, -1, 33, 10**400, -(10**400)],
    "octave_scale": [*NO_NUMBERS, 1, 1.0, 0, -2, 4.0000001, 10**400, np.array([[1.5, 2], [3, 4]])],
    "octave_scheme": NO_CHOICES,
    "first_octave": [*NO_WHOLE_NUMBERS, -32, 9],
    "steps": [*NO_WHOLE_NUMBERS, 0, -1, 100_001, 10**400],
    "step_size": [*NO_NUMBERS, 0, 0.0, -0.0, -1e-9, 255.0000001, 10**400, -(10**400)],
    "unit": [None, "1", 0, -1, 256, math.nan, True, (1, 2), (1, 2, 3, 4), (1, 2, 0), {}, [None] * 3],
    "alpha": NO_CHOICES,
    "clip": [None, 0, 1, "", "yes"],
    "redirected_relu": [*NO_WHOLE_NUMBERS, None, -1, 100_001],
    "pooling": NO_CHOICES,
    "max_objective": [*NO_NUMBERS[1:], 0, -1.0],
    "space": NO_CHOICES,
    "jitter": [*NO_WHOLE_NUMBERS, None, -1, 4097],
    "rotate": [*NO_NUMBERS, -1, 181],
    "zoom": [*NO_NUMBERS, -0.1, 1],
    "views": [*NO_WHOLE_NUMBERS, None, 0, 65],
    "crop": [None, "0.5", 0, -1, 1.1, math.nan, True, (0.5, 0.2), (0.1, 0.2, 0.3), (0, 0.5), [None] * 2],
    "view_size": [*NO_WHOLE_NUMBERS, None, 31, 4097],
    "transforms": [1, "mirror", ["mirror"], {"none": 1.0}, {"jitter": 1.0}, {1: 1.0}, np.array([1])],
    "regularisers": [1, "grey", ["grey"], {"none": 1.0}, {"tv": 1.0}, {None: 1.0}, {"l2": "much"}],
    "plugin_options": [1, [], {"a": 1}, {"a": {}}, {1: {}}, {"mean": {"b": 1}}],
    "schedule": [
        None,
        1,
        "a",
        {},
        [1],
        [{"octaves": 3}],
        [{"step": 3}],
        [{"steps": 0}],
        [{"layers": []}],
        [{}] * 33,
    ],
    "tile_size": [*NO_WHOLE_NUMBERS, None, 31, 8193],
    "max_memory": [*NO_WHOLE_NUMBERS, 0, -1],
    "precision": ["", "float16", None, 32],
    "max_size": [*NO_WHOLE_NUMBERS, 0, -1],
    "upscale": [*NO_NUMBERS, 0, 0.99, 8.1],
    "wrap": [*NO_CHOICES, "vertical"],
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
    "start": NO_CHOICES,
    "noise": NO_CHOICES,
    "seed": [*NO_WHOLE_NUMBERS, None, -1, 2**64],
    "clouds": [*NO_NUMBERS, -0.1, 64.1],
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
    # A schedule's octave says which of its options is wrong.
    assert message.startswith(f"{name} ") or (name == "schedule" and message.startswith(tuple(value[0])))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("octaves", 40, "octaves is 40; it takes a whole number, 1 to 32"),
        ("octave_scale", 1, "octave_scale is 1; it takes a number, above 1, at most 4"),
        ("max_pixels", 0, "max_pixels is 0; it takes a whole number, at least 1"),
        ("normalise", "max", "normalise is 'max'; choose std or mean-abs or score or none"),
        ("color", "grey", "color is 'grey'; it takes free, natural, keep or a number, 0 to 1"),
        ("strength", 0, "strength is 0; it takes subtle, normal, wild or a number, above 0, at most 10"),
        ("balance", 1, "balance is 1; it is True or False"),
        ("layers", {"a": "b"}, "layers has 'a': 'b'; it maps layers to numbers"),
        ("layers", [], "layers is []; name at least one layer, such as mixed3b,mixed4d=0.5"),
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
    assume(can_be({**base, **over}))
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
    with pytest.raises(ConfigError, match="there is no option 'qqq'; choose from strength, blend, .* more"):
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


def test_a_schedule_goes_over_the_options_octave_by_octave():
    config = DreamConfig(steps=5, jitter=1, schedule=[{"steps": 3}, {"jitter": 2, "layers": "a"}])
    assert [config.at(octave).steps for octave in (0, 1, 7)] == [3, 5, 5]
    assert [config.at(octave).jitter for octave in (0, 1, 7)] == [1, 2, 2]
    assert [config.at(octave).layers for octave in (0, 1, 7)] == [None, ("a",), ("a",)]
    assert DreamConfig(steps=5).at(3) == DreamConfig(steps=5)


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
        ("objective", ". (caricature or cosine or direction or distance or mean or mean-square)"),
        ("max_size", ". (at least 1)"),
        ("balance", "."),
        ("layers", "."),
        ("rotate", ". (0 to 180)"),
        ("max_objective", ". (above 0)"),
    ],
)
def test_help_ends_with_the_range(name, limits):
    assert describe(name).endswith(limits)
