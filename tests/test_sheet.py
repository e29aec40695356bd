"""`dreamkit sheet`: a dream for each layer, kept where it is finished, on a sheet and a page."""

from __future__ import annotations

import html
import re
import shlex

import numpy as np
import pytest
from command_lines import changed
from PIL import Image

import dreamkit
from dreamkit import Session
from dreamkit.errors import ConfigError, ImageError, Interrupted, LayerError, NumericError, OutputExistsError
from dreamkit.jobs import cells, command_line, sheet
from dreamkit.media import atomic, contact_sheet, image_metadata
from dreamkit.request import without_image

QUICK = ["-m", "tiny", "--octaves", "1", "--steps", "2", "--cell", "40"]
OPTIONS = {"octaves": 1, "steps": 1}
ODD = ["plain", "a/b:c", "a_b_c", "A_b_C", "../..", "<b>&'", "low,high", "x" * 300, "-l", "ü\nü", "=1"]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def commands(folder):
    """The command lines that a page shows."""
    page = (folder / "sheet.html").read_text(encoding="utf-8")
    return [html.unescape(found) for found in re.findall(r"<code>(.*?)</code>", page, re.S)]


@pytest.fixture
def tiny(run):
    """The tiny network, loaded."""
    return dreamkit.load("tiny")


@pytest.fixture
def odd(tiny):
    """The tiny network's first layer under odd names."""
    from dreamkit.engine.tf.model_info import LoadedNetwork, ModelInfo
    from dreamkit.engine.tf.network import Network

    def forward(names, *, constant=False):
        return tiny.forward(["low"] * len(names), constant=constant)

    info = ModelInfo(dict.fromkeys(ODD, 4), tiny.digest)
    return Network(tiny.provider, info, lambda: LoadedNetwork(info, forward))


def test_a_sheet_has_a_dream_for_each_layer(run, picture, tmp_path):
    code, out, err = run("sheet", picture, *QUICK)
    assert code == 0
    assert re.fullmatch(r"wrote photo\.tiny\.sheet/sheet\.html \(2 dreamed, 0 kept\) in \d+\.\d s\n", out)
    assert err == "cell 1/2: low\ncell 2/2: high\n"
    folder = tmp_path / "photo.tiny.sheet"
    assert sorted(files(folder)) == ["cells/high.png", "cells/low.png", "sheet.html", "sheet.png"]
    for layer in ("low", "high"):
        recipe = image_metadata.read_recipe(folder / "cells" / f"{layer}.png")
        assert recipe["models"][0]["dreamed"] == {layer: 1.0}
        assert recipe["effective"]["size"] == [29, 40]
        assert recipe["photograph"]["name"] == "photo.jpg"
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > 2 * 40
    page = (folder / "sheet.html").read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["low", "high"]
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)


@pytest.mark.parametrize(
    "source", [["photo.jpg", "--seed", "3", "--objective", "mean"], []], ids=["photo", "noise"]
)
def test_the_commands_give_the_same_pictures(run, picture, tmp_path, source):
    assert run("sheet", *source, *QUICK, "-o", "a b")[0] == 0
    found = commands(tmp_path / "a b")
    assert len(found) == 2
    for command, layer in zip(found, ("low", "high"), strict=True):
        program, *arguments = shlex.split(command)
        assert program == "dreamkit"
        assert run(*arguments, "-o", "single.png", "--overwrite")[0] == 0
        assert (tmp_path / "single.png").read_bytes() == (
            tmp_path / "a b" / "cells" / f"{layer}.png"
        ).read_bytes()


def test_commands_are_quoted_for_a_shell(tiny):
    options = {"layers": ("it's; rm",), "balance": False, "step_size": 0.5, "octaves": 3}
    request = without_image(tiny, weights="w $x.h5", **options)
    words = shlex.split(command_line.command("-my photo.jpg", request))
    assert words == [
        *["dreamkit", "dream", "./-my photo.jpg", "--model", "tiny", "--weights", "w $x.h5"],
        *["--layers", "it's; rm", "--no-balance", "--octaves", "3", "--step-size", "0.5"],
    ]


def test_layers_are_chosen_and_come_in_that_order(run, tmp_path):
    assert run("sheet", *QUICK, "-l", "high,low", "-l", "high", "-q") == (0, "", "")
    assert [re.search("--layers (.*?) ", command)[1] for command in commands(tmp_path / "tiny.sheet")] == [
        "high",
        "low",
    ]


def test_finished_cells_are_kept(run, picture, tmp_path):
    folder = tmp_path / "photo.tiny.sheet"
    assert run("sheet", picture, *QUICK, "-l", "low")[0] == 0
    low = (folder / "cells" / "low.png").stat()
    assert "(1 dreamed, 1 kept)" in run("sheet", picture, *QUICK)[1]
    before = files(folder)
    code, out, err = run("sheet", picture, *QUICK)
    assert (code, err) == (0, "")
    assert "(0 dreamed, 2 kept)" in out
    assert files(folder) == before
    assert (folder / "cells" / "low.png").stat().st_ino == low.st_ino


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"no picture"]
)
def test_a_damaged_cell_is_dreamed_again(run, picture, tmp_path, damage):
    folder = tmp_path / "photo.tiny.sheet"
    assert run("sheet", picture, *QUICK)[0] == 0
    before = files(folder)
    low = folder / "cells" / "low.png"
    low.write_bytes(damage(low.read_bytes()))
    code, out, err = run("sheet", picture, *QUICK)
    assert (code, err) == (0, "cell 1/1: low\n")
    assert "(1 dreamed, 1 kept)" in out
    assert files(folder) == before


@pytest.mark.heavy
def test_what_would_be_another_dream_now_is_dreamed_again(run, photo, picture, tmp_path):
    import dreamkit_tiny

    Image.fromarray(photo[::-1]).save(tmp_path / "other.jpg")
    model = dreamkit_tiny.plan()
    model.get_layer("low").bias.assign([1.0, 2.0, 3.0, 4.0])
    model.save_weights(tmp_path / "mine.weights.h5")
    assert run("sheet", picture, *QUICK)[0] == 0
    for change in (["--seed", "1"], ["--cell", "50"], ["--steps", "3"], ["-w", "mine.weights.h5"]):
        assert "(2 dreamed, 0 kept)" in run("sheet", picture, *changed(QUICK, *change))[1]
        assert "(0 dreamed, 2 kept" in run("sheet", picture, *changed(QUICK, *change))[1]
    for source in (["other.jpg"], [], [picture]):
        assert "(2 dreamed, 0 kept)" in run("sheet", *source, *QUICK)[1]


def test_ctrl_c_keeps_what_is_done(odd, tmp_path):
    folder = tmp_path / "it"
    heard = []

    def interrupt(progress):
        heard.append(progress)
        if progress.number == 3 and not progress.finished:
            raise KeyboardInterrupt

    def make(on_cell=None):
        return sheet.make(without_image(odd, **OPTIONS), folder, cell=16, on_cell=on_cell)

    with pytest.raises(Interrupted, match=rf"2 of {len(ODD)} missing cells .* continues from there"):
        make(interrupt)
    assert [each.name for each in heard if each.finished] == ODD[:2]
    done = files(folder)
    assert sorted(done) == ["cells/a_b_c.png", "cells/plain.png"]
    made = make()
    assert (made.dreamed, made.kept) == (len(ODD) - 2, 2)
    assert {name: content for name, content in files(folder).items() if name in done} == done


def test_ctrl_c_on_the_command_line(run):
    code, out, err = run("sheet", "-m", "tiny_interrupted")
    assert (code, out, err) == (130, "", "error: interrupted; the same command continues from here\n")


def test_odd_names_get_files_of_their_own(odd, picture, tmp_path):
    made = sheet.make(without_image(odd, **OPTIONS), tmp_path / "it", image=picture, cell=16)
    assert (made.dreamed, made.left_out) == (len(ODD), {})
    names = [path.name for path in (tmp_path / "it" / "cells").iterdir()]
    assert len({name.casefold() for name in names}) == len(ODD)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,110}\.png", name) for name in names)
    page = made.page.read_text(encoding="utf-8")
    assert "<b>" not in page
    assert [shlex.split(command)[6] for command in commands(tmp_path / "it")] == ODD
    assert sheet.make(without_image(odd, **OPTIONS), tmp_path / "it", image=picture, cell=16).kept == len(ODD)


def test_an_exact_name_wins_over_its_commas(odd):
    assert sheet._layers(odd, ["low,high", "plain, a_b_c"]) == ["low,high", "plain", "a_b_c"]


@pytest.mark.parametrize("error", [LayerError, ConfigError, NumericError])
def test_a_layer_that_cannot_be_dreamed_stops_nothing(run, picture, tmp_path, monkeypatch, error):
    run_session = Session.run

    def failing(self, request, **more):
        if request.config.layers == ("low",):
            raise error("it is silent")
        return run_session(self, request, **more)

    monkeypatch.setattr(Session, "run", failing)
    code, out, err = run("sheet", picture, *QUICK)
    assert code == 0
    assert "(1 dreamed, 0 kept)" in out
    assert err.splitlines()[-1] == "left out low: it is silent"
    assert "low" not in (tmp_path / "photo.tiny.sheet" / "sheet.html").read_text().partition("<main>")[2]


def test_nothing_that_can_be_dreamed_is_one_line(run, picture, tmp_path):
    code, out, err = run("sheet", picture, "-m", "tiny_nan", "-q")
    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: nothing can be dreamed: the gradient is not a number.*\n", err)
    assert not (tmp_path / "photo.tiny_nan.sheet").exists()


def test_a_warning_is_said_once(run, picture):
    code, _, err = run("sheet", picture, *changed(QUICK, "--octaves", "9"), "-q")
    assert code == 0
    assert err.count("octaves skipped") == 1


def test_transparency_and_columns(run, photo, tmp_path):
    Image.fromarray(photo).convert("RGBA").save(tmp_path / "a.png")
    assert run("sheet", "a.png", *QUICK, "--columns", "1", "-q")[0] == 0
    with Image.open(tmp_path / "a.tiny.sheet" / "sheet.png") as sheet:
        assert sheet.width < 2 * 40
    assert "data:image/webp;base64" in (tmp_path / "a.tiny.sheet" / "sheet.html").read_text()


BAD_INPUT = {
    "missing file": (["nope.jpg"], 1, "nope.jpg does not exist"),
    "model": (["-m", "tinny"], 1, "tinny"),
    "layer": (["-m", "tiny", "-l", "lo"], 1, "there is no layer 'lo'; did you mean low"),
    "channels alone": (["-m", "tiny", "--channels", "0"], 1, "channels are given without a layer"),
    "channels": (["-m", "tiny", "-l", "low", "--channels", "a"], 1, "channels is 'a'; write numbers"),
    "no channel": (["-m", "tiny", "-l", "low", "--channels", "0-4"], 1, "low has the channels 0 to 3; 4 is"),
    "cell": (["-m", "tiny", "--cell", "8"], 1, "cell is 8; it takes a whole number, 16 to 1024"),
    "columns": (["-m", "tiny", "--columns", "-1"], 1, "columns is -1; it takes a whole number, 1 to 1000"),
    "steps": (["-m", "tiny", "--steps", "0"], 1, "steps is 0"),
    "a file": (["-m", "tiny", "-o", "kept.png"], 1, "kept.png is not a folder; give a new folder"),
    "a folder of others": (["-m", "tiny", "-o", "folder"], 1, "folder holds mine.txt, not part of a sheet"),
    "cells of others": (["-m", "tiny", "-o", "other"], 1, "other holds mine.txt, not part of a sheet"),
    "a sheet of others": (["-m", "tiny", "-o", "maps"], 1, "maps holds sheet.png, not part of a sheet"),
    "a folder beside": (["-m", "tiny", "-o", "near"], 1, "near holds mycells, not part of a sheet"),
    "a picture of others": (["-m", "tiny", "-o", "mine"], 1, "low.png is not a dream and would be replaced"),
    "no parent": (["-m", "tiny", "-o", "none/x"], 1, "the folder none does not exist"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "exit_code", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gets_one_clear_line_and_loses_nothing(run, tmp_path, arguments, exit_code, message):
    for folder in ("folder", "other/cells", "mine/cells", "maps", "near/cells", "near/mycells"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    (tmp_path / "other" / "cells" / "mine.txt").write_text("mine")
    for place in ("mine/cells/low.png", "maps/sheet.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / place)
    (tmp_path / "kept.png").write_bytes(b"a user's file")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    code, out, err = run("sheet", *arguments)
    assert (code, out) == (exit_code, "")
    assert err.startswith("error: ")
    assert re.search(message, err)
    assert len(err.splitlines()) == 1
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_more_than_a_sheet_holds_is_refused(odd, tmp_path, monkeypatch):
    monkeypatch.setattr(contact_sheet, "MOST_PIXELS", 2000)
    with pytest.raises(ConfigError, match=r"8 cells of 16 pixels are more than a sheet can hold"):
        sheet.make(
            without_image(odd),
            tmp_path / "it",
            layers=["plain", "a_b_c"],
            channels=[0, 1, 2, 3, 0, 1],
            cell=16,
        )


@pytest.mark.parametrize("options", [{"channels": []}, {"columns": 0}, {"cell": 0}])
def test_nothing_is_no_number_of_anything(tiny, tmp_path, options):
    with pytest.raises(ConfigError, match="channels is empty|it takes a whole number"):
        sheet.make(without_image(tiny), tmp_path / "it", layers=["low"], **options)


def test_a_folder_that_cannot_be_made_is_one_line(tiny, tmp_path):
    with pytest.raises(ImageError, match="cannot make the folder"):
        cells.make_folder(tmp_path / ("x" * 300))
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="is not a folder"):
        sheet.make(without_image(tiny), tmp_path / "file")


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    from conftest import files_no_larger_than

    path = tmp_path / "sheet.html"
    path.write_text("before")
    with files_no_larger_than(100), pytest.raises(ImageError, match="cannot write .*; nothing was written"):
        atomic.write(path, b"x" * 1000, overwrite=True)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize(
    ("text", "channels"),
    [("0-3", (0, 1, 2, 3)), ("0,5,7-9", (0, 5, 7, 8, 9)), (" 3 , 1 - 2,3", (3, 1, 2)), ("00012", (12,))],
)
def test_channels_are_numbers_and_ranges(text, channels):
    assert sheet.parse_channels(text) == channels


@pytest.mark.parametrize(
    "text", ["", ",", "-1", "1-", "2-1", "1:2", "0x3", "1.5", "٣", "9" * 5000, "0-999999999999"]
)
def test_other_channels_are_refused(text):
    with pytest.raises(
        ConfigError, match=r"^channels is '.*'; write numbers and ranges, such as 0-63 or 0,5,7-9$"
    ):
        sheet.parse_channels(text)


# Channels as terms of a dream: these need the term grammar `layer:channel`.


def test_channels_have_cells_of_their_own(run, picture, tmp_path):
    code, _, err = run("sheet", picture, *QUICK, "-l", "high", "--channels", "0,4-5")
    assert (code, err) == (0, "cell 1/3: high:0\ncell 2/3: high:4\ncell 3/3: high:5\n")
    folder = tmp_path / "photo.tiny.high.sheet"
    assert sorted(path.name for path in (folder / "cells").iterdir()) == [
        "high_0.png",
        "high_4.png",
        "high_5.png",
    ]
    assert len({(folder / "cells" / f"high_{channel}.png").read_bytes() for channel in (0, 4, 5)}) == 3
    program, *arguments = shlex.split(commands(folder)[1])
    assert program == "dreamkit"
    assert run(*arguments, "-o", "single.png")[0] == 0
    assert (tmp_path / "single.png").read_bytes() == (folder / "cells" / "high_4.png").read_bytes()
    assert "3 kept" in run("sheet", picture, *QUICK, "-l", "high", "--channels", "0,4-5")[1]


def test_channels_of_two_layers(run, tmp_path):
    assert run("sheet", *QUICK, "-l", "low,high", "--channels", "0-1", "-q", "-o", "it")[0] == 0
    names = sorted(path.name for path in (tmp_path / "it" / "cells").iterdir())
    assert names == ["high_0.png", "high_1.png", "low_0.png", "low_1.png"]


def test_examples_stand_beside_each_channel(run, make_pictures, tmp_path):
    make_pictures(12)
    channels = ["-l", "high", "--channels", "0,3", "-q"]
    assert run("sheet", *QUICK, *channels, "-o", "plain") == (0, "", "")
    assert run("sheet", *QUICK, *channels, "-o", "both", "--examples", "photos") == (0, "", "")
    assert files(tmp_path / "plain" / "cells") == files(tmp_path / "both" / "cells")
    with (
        Image.open(tmp_path / "plain" / "sheet.png") as plain,
        Image.open(tmp_path / "both" / "sheet.png") as both,
    ):
        assert both.height == plain.height
        assert both.width == plain.width + 2 * (40 + 4)  # as wide as the dream, with a gap before
        dreams = [np.asarray(plain)[-80:, 16:56], np.asarray(both)[-80:, 16:56]]
        np.testing.assert_array_equal(*[each[:40] for each in dreams])
        examples = np.asarray(both)[-80:-40, 60:100]
    assert len(np.unique(examples.reshape(-1, 3), axis=0)) > 100
    code, _, err = run("sheet", *QUICK, "-l", "high", "--examples", "photos", "-o", "none")
    assert (code, err) == (
        1,
        "error: examples are of channels; name them with --channels, such as --channels 0-23\n",
    )
    assert not (tmp_path / "none").exists()
