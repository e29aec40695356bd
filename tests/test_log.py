"""What programs read: events as lines of JSON, and exit codes."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace

import numpy as np
from PIL import Image

from dreamkit.cli import recording


def test_every_step_is_an_event(picture, run):
    code, out, err = run(
        "dream", "photo.jpg", "-m", "tiny", "--octaves", "2", "--steps", "3", "--log-format", "json"
    )
    events = [json.loads(line) for line in err.splitlines()]
    assert (code, out.count("wrote")) == (0, 1)
    steps = [event for event in events if event["event"] == "step"]
    assert [(step["octave"], step["step"]) for step in steps] == [(o, s) for o in (1, 2) for s in (1, 2, 3)]
    assert all(isinstance(step["objective"], float) for step in steps)
    times = [datetime.fromisoformat(event["time"]) for event in events]
    assert times == sorted(times)
    assert times[0].tzinfo is not None


def test_errors_and_warnings_are_events(picture, run):
    code, _, err = run("dream", "gone.png", "--log-format", "json")
    (event,) = map(json.loads, err.splitlines())
    assert (code, event["event"], event["exit_code"]) == (1, "error", 1)
    assert "gone.png does not exist" in event["message"]
    code, _, err = run(
        "dream", "photo.jpg", "-m", "tiny", "--octaves", "30", "--steps", "1", "--log-format", "json"
    )
    events = [json.loads(line) for line in err.splitlines()]
    assert any(event["event"] == "warning" and "octaves skipped" in event["message"] for event in events)


def test_a_wrong_command_line_is_an_event(run):
    for arguments in (("--log-format", "json", "--nothing"), ("--nothing", "--log-format=json")):
        code, _, err = run("dream", *arguments)
        (event,) = map(json.loads, err.splitlines())
        assert (code, event["event"], event["exit_code"]) == (2, "error", 2)
    code, _, err = run("--log-format", "text", "dream")
    assert (code, "it goes after a command" in err) == (2, True)


def test_the_next_command_says_it_for_people_again(picture, run):
    run("dream", "gone.png", "--log-format", "json")
    assert run("dream", "gone.png")[2].startswith("error: gone.png")
    code, _, err = run("recipes", "--log-format", "xml")
    assert (code, err) == (2, "error: --log-format is 'xml'; choose text or json\n")


def test_the_picture_so_far_is_in_a_file_at_each_step(run, picture, tmp_path):
    given = ("dream", picture, "-m", "tiny", "--octaves", "2", "--steps", "2", "--so-far", "now.png")
    assert run(*given, "-o", "dream.png")[0] == 0
    with Image.open(tmp_path / "now.png") as now, Image.open(tmp_path / "dream.png") as dream:
        np.testing.assert_array_equal(np.asarray(now), np.asarray(dream))
    code, _, err = run(*given, "-o", "other.png")
    assert (code, err) == (1, "error: now.png exists; choose another name or give --overwrite\n")
    code, _, err = run("dream", picture, "-m", "tiny", "--so-far", "new.png", "-o", "new.png")
    assert (code, err) == (2, "error: --so-far and -o are both new.png; give two names\n")

    pixels = np.full((100, 1024, 3), 300.0, np.float32)
    seen = []
    step = SimpleNamespace(size=(100, 1024), pixels=pixels)
    show = recording.shown_so_far(tmp_path / "wide.png", seen.append)
    show(step)
    with Image.open(tmp_path / "wide.png") as wide:
        assert (wide.size, wide.getpixel((9, 9))) == ((512, 50), (255, 255, 255))
    (tmp_path / "wide.png").unlink()
    (tmp_path / "wide.png").mkdir()  # what cannot be written ends no dream
    show(step)
    assert seen == [step, step]
