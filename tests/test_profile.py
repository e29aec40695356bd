"""`dreamkit dream --profile`: every second belongs to one part, and a cold start is told from a warm one."""

from __future__ import annotations

import json

import pytest

from dreamkit.engine import profile
from dreamkit.engine.profile import OFF, Profile

ALWAYS = [
    profile.STARTING,
    profile.READING,
    profile.IMPORT,
    profile.HASHING,
    profile.CACHE,
    profile.RESIZING,
    profile.FIRST_STEP,
    profile.OTHER_STEPS,
    profile.WRITING,
    profile.REST,
]
QUICK = ["dream", "photo.jpg", "--octaves", "2", "--steps", "3", "--max-size", "64"]


def profile_of(run, *arguments):
    """The event of a profile in the log."""
    code, out, err = run(*QUICK, "--profile", "--log-format", "json", *arguments)
    assert (code, out.count("wrote")) == (0, 1), err
    (event,) = [each for each in map(json.loads, err.splitlines()) if each["event"] == "profile"]
    return event


def test_every_part_is_shown_once_and_they_add_up(run, picture, tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "home"))  # in which no step is kept yet
    traced = profile_of(run, "--layers", "conv2d1")
    packaged = profile_of(run)
    warm = profile_of(run)
    events = traced, packaged, warm
    assert [event["start"] for event in events] == ["cold", "cold", "warm"]
    names = [{part["what"] for part in each["parts"]} - {*ALWAYS} for each in events]
    assert names == [{profile.FILLING, profile.BUILDING, profile.TRACING}, {profile.FILLING}, set()]
    for event in events:
        parts = {part["what"]: part for part in event["parts"]}
        assert len(parts) == len(event["parts"])
        assert sum(part["share"] for part in parts.values()) == pytest.approx(1)
        assert all(part["seconds"] >= 0 for part in parts.values())
        assert (parts[profile.FIRST_STEP]["times"], parts[profile.OTHER_STEPS]["times"]) == (1, 5)
        assert parts[profile.RESIZING]["times"] == 2


def test_the_table_is_on_stderr_and_only_where_it_is_asked_for(run, picture):
    _, out, err = run(*QUICK, "-q", "--profile")
    header, *rows, total = err.splitlines()
    assert out == ""
    assert header.split() == [header.split()[0], "start", "times", "median", "s", "s", "share"]
    assert [row[: header.index("times")].strip() for row in rows][-1] == profile.REST
    assert total.split()[:2] == ["in", "all"]
    assert sum(float(row.split()[-2]) for row in rows) == pytest.approx(float(total.split()[-2]), abs=0.01)
    assert run(*QUICK, "-q", "-o", "b.png")[1:] == ("", "")


def test_a_plan_has_no_profile(run, picture):
    code, _, err = run(*QUICK, "--profile", "--dry-run")
    assert (code, "leave one out" in err) == (2, True)


def test_time_inside_a_span_counts_for_the_inner_one(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 8.0, 20.0, 30.0])  # began; outer, inner, inner's end, outer's end; now
    monkeypatch.setattr(profile.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(profile.time, "process_time", lambda: 2.0)
    measured = Profile()
    with measured.span("outer"), measured.span("inner"):
        pass
    seconds = {part.what: part.seconds for part in measured.parts()}
    assert seconds == {profile.STARTING: 2.0, "outer": 14.0, "inner": 5.0, profile.REST: 11.0}


def test_a_loop_that_ends_early_ends_its_last_span():
    measured = Profile()
    for step in measured.steps(range(9)):
        if step == 3:
            break
    with measured.span("after"):
        pass
    counts = {part.what: part.times for part in measured.parts()}
    assert (counts[profile.FIRST_STEP], counts[profile.OTHER_STEPS], counts["after"]) == (1, 3, 1)


def test_what_is_not_measured_is_a_plain_loop():
    steps = range(3)
    assert OFF.steps(steps) is steps
    with OFF.span("anything"):
        pass
