"""An option that takes one value is given once."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guide", "a.jpg", "--guide", "b.jpg"], "--guide takes one value and a.jpg and b.jpg are given"),
        (["--steps", "3", "--steps=3"], "--steps takes one value and 3 and 3 are given"),
        (["--seed", "1", "--seed", "2", "--seed", "3"], "--seed takes one value and 1 and 2 and 3 are given"),
        (["-r", "a.toml", "--recipe=b.toml"], "-r/--recipe takes one value and a.toml and b.toml are given"),
        (["-ra.toml", "-r", "b.toml"], "-r/--recipe takes one value and a.toml and b.toml are given"),
        (
            ["-o", "a.png", "--output-filepath", "b.png"],
            "-o/--output/--output-filepath takes one value and a.png and b.png are given",
        ),
        (
            ["--color", "keep", "--colour", "free"],
            "--color/--colour takes one value and keep and free are given",
        ),
        (["--log-format", "text", "--log-format=text"], "--log-format takes one value and text and text are"),
    ],
)
def test_an_option_that_is_given_twice_is_one_line(run, picture, tmp_path, arguments, message):
    code, out, err = run("dream", picture, "-m", "tiny", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert err.endswith("; give one\n")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [picture.name]


@pytest.mark.parametrize(
    "arguments",
    [
        ["redo", "x.png", "-o", "a.png", "-o", "b.png"],
        ["batch", "x.png", "--output", "a", "-o", "b"],
        ["zoom", "-o", "a.mp4", "-o", "b.mp4"],
        ["sheet", "-o", "a", "-o", "b"],
        ["convert", "onnx", "a.onnx", "--name", "a", "--name", "b"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_refuses_it(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "takes one value and a" in err


def test_options_that_may_be_repeated_stay_so(run, picture):
    quick = ["--octaves", "1", "--steps", "1", "--tile-size", "64", "-q", "-q"]
    code, _, err = run("dream", picture, *quick, "-m", "tiny", "-l", "low", "--layers", "high")
    assert (code, err) == (0, "")


def test_values_that_look_like_options_and_arguments_after_dashes_do_not_count(run, tmp_path):
    code, _, err = run("dream", "--first-octave", "-1", "--", "--steps")
    assert code == 1
    assert "--steps does not exist" in err


def test_a_wrong_command_line_is_reported_as_before(run):
    code, _, err = run("dream", "--nothing", "--steps", "1", "--steps", "2")
    assert code == 2
    assert "No such option: --nothing" in err
