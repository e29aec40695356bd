"""Octave sizes against the published schedules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.engine.octaves import count, plan, scaled
from dreamkit.errors import ConfigError

sizes = st.tuples(st.integers(75, 5000), st.integers(75, 5000))


def test_residual_ends_at_the_picture_as_in_the_notebook():
    assert [octave.size for octave in plan((575, 1024), 4, 1.4, "residual", 1)] == [
        (210, 373),
        (293, 522),
        (411, 731),
        (575, 1024),
    ]


def test_whole_is_centred_as_in_the_tutorial():
    assert [octave.size for octave in plan((512, 512), 5, 1.3, "whole", 1)] == [
        (303, 303),
        (394, 394),
        (512, 512),
        (666, 666),
        (865, 865),
    ]


@given(sizes, st.integers(1, 12), st.floats(1.01, 4), st.sampled_from(["residual", "whole"]))
def test_sizes_rise_and_none_is_too_small(size, octaves, scale, scheme):
    run = plan(size, octaves, scale, scheme, 75)
    assert all(min(octave.size) >= 75 for octave in run)
    assert run == sorted(run)
    assert [octave.number for octave in run] == list(range(octaves - len(run), octaves))
    if scheme == "residual":
        assert run[-1].size == size


@given(sizes, st.floats(1.01, 4), st.integers(1, 150))
def test_the_count_leads_down_to_the_smallest_useful_octave(size, scale, min_size):
    least = max(100, min_size)
    octaves = count(size, scale, "residual", min_size)
    assert octaves == 1 or min(size) / scale ** (octaves - 1) >= least * (1 - 1e-9)
    assert min(size) / scale**octaves < least


def test_the_count_by_example():
    assert count((341, 512), 1.4, "residual", 75) == 4
    assert count((1365, 2048), 1.4, "residual", 75) == 8
    assert count((80, 80), 1.4, "residual", 75) == 1
    assert count((1365, 2048), 1.3, "whole", 75) == 5


def test_a_number_does_not_depend_on_what_is_skipped():
    """So that a seed's rolls stay with their octave when a picture grows."""
    assert plan((100, 100), 4, 1.4, "residual", 75)[-1].number == 3


def test_a_picture_that_is_too_small_is_reported():
    with pytest.raises(ConfigError) as caught:
        plan((200, 74), 4, 1.4, "residual", 75)
    assert str(caught.value) == (
        "the picture has 74 x 200 pixels and the network needs at least 75 on each side; "
        "enlarge the picture or choose another model"
    )


def test_an_octave_that_is_too_small_is_reported_beside_the_picture():
    with pytest.raises(ConfigError) as caught:
        plan((200, 256), 1, 1.4, "residual", 75, first=-3)
    assert str(caught.value) == (
        "the largest octave of this picture of 256 x 200 pixels has 93 x 73 pixels and the network needs at "
        "least 75 on each side; use a larger --first-octave or more --octaves, enlarge the picture, or "
        "choose another model"
    )


@given(sizes, st.integers(1, 12), st.floats(1.01, 4), st.integers(-8, 8))
def test_the_advice_of_a_larger_first_octave_helps(size, octaves, scale, first):
    """At 0, the smallest octave is the picture, which is large enough."""
    if min(scaled(size, scale ** (first + octaves - 1))) < 75:
        with pytest.raises(ConfigError, match="use a larger --first-octave"):
            plan(size, octaves, scale, "residual", 75, first=first)
        assert first < 0
    assert plan(size, octaves, scale, "residual", 75, first=max(first, 0))


def test_scaled_never_vanishes():
    assert scaled((1, 3), 0.1) == (1, 1)
