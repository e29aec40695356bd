"""A sheet of variants: what it plans, that its commands make what it shows, and what it refuses."""

from __future__ import annotations

import os
import shlex
import signal

import numpy as np
import pytest
import tiny
from command_lines import changed
from PIL import Image

from dreamkit import Session, make_request
from dreamkit.engine.tf import network
from dreamkit.jobs import variants
from dreamkit.media import images

OWN = ("-m", "tiny", "--steps", "1", "-q")


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def session_of(net, **options):
    return Session(make_request(None, net, **options))


def commands(out):
    """Names and command lines, as they are printed."""
    lines = out.splitlines()
    return {name: shlex.split(line) for name, line in zip(lines[::2], lines[1::2], strict=True)}


def is_part(one, sheet):
    """Whether a picture is somewhere on a sheet, unscaled."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, one.shape)[..., 0, :, :, :]
    return any((row == one).all((1, 2, 3)).any() for row in windows)


def test_three_layers_down_and_three_strengths_across(net):
    planned = variants.plan("a photo.jpg", session_of(net, steps=2, seed=3, strength=1.5), 100)
    assert len(planned) == 9
    assert [each.config.layers for each in planned[::3]] == [("low",), None, ("high",)]
    assert [each.config.strength for each in planned[:3]] == [0.75, 1.5, 3.0]
    assert [each.config.seed for each in planned] == list(range(3, 12))
    assert {(each.config.steps, each.config.max_size) for each in planned} == {(2, 100)}
    assert [each.name for each in planned[3:6]] == ["second, subtle", "second, normal", "second, wild"]
    assert len({each.command for each in planned}) == 9
    for each in planned:
        assert each.command.startswith("dreamkit dream 'a photo.jpg' --model tiny")
        assert "--max-size" not in each.command  # it makes the whole picture


def test_the_most_of_everything_is_still_planned(net):
    planned = variants.plan("a.jpg", session_of(net, seed=2**64 - 1, strength=10.0), 64)
    assert [each.config.strength for each in planned[:3]] == [5.0, 10.0, 10.0]
    assert [each.config.seed for each in planned[:2]] == [2**64 - 1, 0]


def test_each_variant_is_a_dream_of_its_own(net, photo):
    heard = []
    planned = variants.plan("a.jpg", session_of(net, steps=1, octaves=1, clouds=1.0), 64)
    dreamed = list(variants.dreams(images.from_memory(photo), session_of(net), planned, heard.append))
    assert [each.name for each in dreamed] == [each.name for each in planned]
    assert {each.pixels.shape for each in dreamed} == {photo.shape}
    assert len({each.pixels.tobytes() for each in dreamed}) == 9
    changes = [np.abs(each.pixels.astype(int) - photo).mean() for each in dreamed]
    assert sum(changes[::3]) < sum(changes[2::3])  # of the subtle ones and of the wild
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    sheet = variants.sheet(dreamed, 3, "photo")
    assert sheet.shape[0] > 3 * photo.shape[0]
    assert sheet.shape[1] > 3 * photo.shape[1]
    assert is_part(dreamed[4].pixels, sheet)


@pytest.mark.usefixtures("loaded_once")
def test_its_commands_make_what_it_shows(run, picture, tmp_path):
    code, out, err = run("variants", picture, *OWN, "--cell", "64")
    assert (code, err) == (0, "")
    found = commands(out)
    assert len(found) == 9
    assert next(iter(found)) == "1  low, subtle"
    assert list(found)[-1] == "9  high, wild"
    with Image.open(tmp_path / "photo.variants.png") as sheet:
        shown = np.asarray(sheet.convert("RGB"))
    # The photograph is smaller than a cell, so that its dream is what the sheet shows.
    for number in (0, 4, 8):
        program, *arguments = list(found.values())[number]
        assert program == "dreamkit"
        assert run(*arguments, "-o", f"{number}.png", "-q") == (0, "", "")
        with Image.open(tmp_path / f"{number}.png") as dream:
            one = np.asarray(dream.convert("RGB"))
        assert is_part(one, shown), number


@pytest.mark.usefixtures("loaded_once")
def test_a_command_names_the_file_of_a_direction(run, picture, tmp_path):
    np.save(tmp_path / "d.npy", np.linspace(-1, 1, 6, dtype=np.float32))
    code, out, err = run("variants", picture, *OWN, "--cell", "64", "--direction", "d.npy@high=2")
    assert (code, err) == (0, "")
    found = commands(out)
    assert "5  d.npy@high=2, normal" in found
    for name, words in found.items():
        assert ("--direction d.npy@high=2" in " ".join(words)) == ("d.npy" in name)
    _, *arguments = found["5  d.npy@high=2, normal"]
    assert run(*arguments, "-o", "large.png", "-q")[0] == 0
    with Image.open(tmp_path / "photo.variants.png") as sheet, Image.open(tmp_path / "large.png") as large:
        shown, one = np.asarray(sheet.convert("RGB")), np.asarray(large.convert("RGB"))
    assert is_part(one, shown)


@pytest.mark.usefixtures("loaded_once")
def test_a_sheet_that_is_there_is_kept(run, picture, tmp_path):
    arguments = ("variants", picture, *OWN, "--cell", "64")
    (tmp_path / "mine.png").write_bytes(b"mine")
    code, _, err = run(*arguments, "-o", "mine.png")
    assert (code, err.count("\n")) == (1, 1)
    assert "mine.png" in err
    assert (tmp_path / "mine.png").read_bytes() == b"mine"
    assert run(*arguments, "-o", "mine.png", "--overwrite")[0] == 0
    assert (tmp_path / "mine.png").read_bytes() != b"mine"
    before = picture.read_bytes()
    code, _, err = run(*arguments, "-o", picture, "--overwrite")
    assert (code, err.count("\n")) == (1, 1)
    assert "is the photograph itself; write somewhere else" in err
    assert picture.read_bytes() == before


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-l", "hihg"], "no layer 'hihg'; did you mean high"),
        (["--cell", "63"], "cell is 63; it takes a whole number, 64 to 1024"),
        (["--strength", "strong"], "strength is 'strong'; it takes subtle, normal, wild or a number"),
        (["--color", "2"], "color is 2.0; it takes free, natural, keep or a number, 0 to 1"),
        (["-m", "tinny"], "no model 'tinny'"),
        (["-w", "a=b.h5"], "variants are of one network"),
        (["-o", "sheet.doc"], "sheet.doc"),
    ],
)
def test_what_is_wrong_is_one_line(run, picture, tmp_path, arguments, said):
    code, out, err = run("variants", picture, *changed(OWN, *arguments))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".jpg"] == []


def test_a_photograph_that_is_not_there(run):
    code, _, err = run("variants", "none.jpg", *OWN)
    assert (code, err.count("\n")) == (1, 1)
    assert "none.jpg does not exist" in err


@pytest.mark.usefixtures("loaded_once")
def test_ctrl_c_writes_nothing(run, picture, tmp_path, monkeypatch):
    dreams = variants.dreams

    def interrupted(*given):
        for number, each in enumerate(dreams(*given)):
            if number == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield each

    monkeypatch.setattr(variants, "dreams", interrupted)
    code, out, err = run("variants", picture, *OWN)
    assert (code, out, err) == (130, "", "error: interrupted; nothing was written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.usefixtures("loaded_once")
def test_ctrl_c_within_a_dream_says_the_same(run, picture, tmp_path, monkeypatch):
    from dreamkit.engine.ascent import Ascent

    report = Ascent._report

    def interrupted(self, *given):
        report(self, *given)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Ascent, "_report", interrupted)
    code, out, err = run("variants", picture, *OWN)
    assert (code, out, err) == (130, "", "error: interrupted; nothing was written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
