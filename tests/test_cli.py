"""The command line through its real entry point: what it does, and what it says to wrong input."""

# ruff: noqa: E501 - a table reads best with a line for each case
from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_lines import changed
from conftest import ROOT
from PIL import Image

from dreamkit import Session, config
from dreamkit.media.image_metadata import read_recipe
from dreamkit.media.images import read

QUICK = ["--model", "tiny", "--octaves", "2", "--steps", "2", "--tile-size", "64"]


def size(path):
    with Image.open(path) as image:
        return image.size


def started(tiny_plugin, cwd, *arguments, **options):
    """The real program in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tiny_plugin), str(ROOT)])}
    command = [sys.executable, "-m", "dreamkit", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_a_dream_is_written_with_its_recipe(run, picture, tmp_path):
    code, out, err = run("dream", picture, *QUICK, "--seed", "7")
    assert code == 0
    assert re.fullmatch(r"wrote photo\.dream\.png \(56 x 40\) in \d+\.\d s\n", out)
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        "octave 1/2 (40 x 29)",
        "octave 2/2 (56 x 40)",
    ]
    assert size(tmp_path / "photo.dream.png") == (56, 40)
    recipe = read_recipe(tmp_path / "photo.dream.png")
    assert recipe["options"]["seed"] == 7
    assert recipe["models"][0]["name"] == "tiny"
    assert recipe["photograph"]["name"] == "photo.jpg"
    assert recipe["effective"] == {
        "octaves": [[29, 40], [40, 56]],
        "size": [40, 56],
        "tile_size": recipe["options"]["tile_size"],
    }
    assert recipe["models"][0]["dreamed"] == {"low": 1.0, "high": 0.5}
    assert str(tmp_path) not in json.dumps(recipe)


def test_names_are_found_without_writing_over_anything(run, picture, tmp_path):
    assert run("dream", picture, *QUICK)[0] == 0
    first = (tmp_path / "photo.dream.png").read_bytes()
    assert "wrote photo.dream-2.png" in run("dream", "-i", picture, *QUICK)[1]
    assert "wrote dream.png" in run("dream", *QUICK, "--size", "20")[1]
    assert "wrote dream-2.png" in run("dream", *QUICK, "--size", "30x20")[1]
    assert size(tmp_path / "dream-2.png") == (30, 20)
    assert (tmp_path / "photo.dream.png").read_bytes() == first
    assert (tmp_path / "photo.dream-2.png").read_bytes() == first  # the same seed, the same bytes


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "webp", "tif", "tiff"])
def test_the_ending_chooses_the_format(run, picture, tmp_path, ending):
    code, out, _ = run("dream", picture, *QUICK, "--output-filepath", f"out.{ending}")
    assert code == 0
    assert f"wrote out.{ending}" in out
    assert read_recipe(tmp_path / f"out.{ending}")["models"][0]["name"] == "tiny"


def test_overwrite_replaces(run, picture, tmp_path):
    (tmp_path / "out.png").write_bytes(b"old")
    assert run("dream", picture, *QUICK, "-o", "out.png", "--overwrite")[0] == 0
    assert size(tmp_path / "out.png") == (56, 40)


def test_overwrite_alone_replaces_the_usual_name(run, picture, tmp_path):
    for _ in range(2):
        assert "wrote photo.dream.png" in run("dream", picture, *QUICK, "--overwrite")[1]
    assert not (tmp_path / "photo.dream-2.png").exists()


def test_a_bare_dreamkit_shows_its_help(run):
    _, out, err = run()
    assert "Usage: dreamkit" in out + err
    assert "error" not in err


def test_quiet_says_nothing(run, picture):
    assert run("dream", picture, *QUICK, "-q") == (0, "", "")


def test_the_network_carried_along_is_the_default_and_says_so(run, tmp_path):
    quick = ["dream", "--size", "64", "--octaves", "1", "--steps", "1"]
    code, _, err = run(*quick)
    assert code == 0
    assert re.search(r"^dreamed by pocket,.*--model inception5h.*$", err, re.M)
    assert read_recipe(tmp_path / "dream.png")["models"][0]["name"] == "pocket"
    assert "inception_v3" not in run(*quick, "--model", "pocket")[2]
    assert run(*quick, "--quiet") == (0, "", "")


def test_weights_of_another_network_say_to_name_it(run, tmp_path):
    (tmp_path / "other.h5").write_bytes(b"not an npz")
    code, out, err = run("dream", "--size", "64", "-w", "other.h5")
    assert (code, out) == (1, "")
    assert re.fullmatch(
        r"error: other.h5 does not hold weights of pocket \(.*\);.*name its network with --model\n", err
    )


def test_max_size_shrinks(run, picture, tmp_path):
    assert run("dream", picture, *QUICK, "--max-size", "28", "-o", "s.png")[0] == 0
    assert size(tmp_path / "s.png") == (28, 20)


def test_alpha_goes_through(run, photo, tmp_path):
    alpha = np.arange(40 * 56, dtype=np.uint16).reshape(40, 56).astype(np.uint8)
    Image.fromarray(np.dstack([photo, alpha])).save(tmp_path / "a.png")
    assert run("dream", "a.png", *QUICK, "-o", "b.png")[0] == 0
    assert np.array_equal(read(tmp_path / "b.png", 10**6).alpha, alpha)


def test_layers_repeat_and_take_commas(run, picture, tmp_path):
    run("dream", picture, *QUICK, "-l", "low=0.25,high", "-l", "low=0.5", "-o", "a.png")
    assert read_recipe(tmp_path / "a.png")["models"][0]["dreamed"] == {"low": 0.75, "high": 1.0}


def test_a_given_weights_file_is_used(run, picture, tmp_path, tiny_plugin):
    import dreamkit_tiny

    model = dreamkit_tiny.plan()
    model.get_layer("low").bias.assign([1.0, 2.0, 3.0, 4.0])
    model.save_weights(tmp_path / "mine.weights.h5")
    run("dream", picture, *QUICK, "-o", "plain.png")
    assert run("dream", picture, *QUICK, "-w", "mine.weights.h5", "-o", "mine.png")[0] == 0
    plain, mine = (read_recipe(tmp_path / name)["models"][0]["sha256"] for name in ("plain.png", "mine.png"))
    assert plain != mine


def test_models_layers_and_plugins_as_tables_and_json(run):
    code, out, err = run("models")
    assert (code, err) == (0, "")
    assert re.search(r"^inception_v3 +mixed4 +75 +to download +deepdreamkit ", out, re.M)
    assert re.search(r"^inception5h +mixed4c +1 +to download +deepdreamkit ", out, re.M)
    assert re.search(r"^pocket +mixed4c +1 +ready +deepdreamkit ", out, re.M)
    assert re.search(r"^pocket1 +mixed4 +43 +ready +deepdreamkit +the first edition of pocket", out, re.M)
    assert re.search(r"^tiny +low,high=0.5 +8 +ready +dreamkit-tiny", out, re.M)
    models = {model["name"]: model for model in json.loads(run("models", "--json")[1])}
    assert models["tiny"]["layers"] == {"low": 1.0, "high": 0.5}
    code, out, _ = run("layers", "tiny")
    assert out.splitlines()[1:] == [
        "low    4         1       1      default",
        "high   6         2       2      default",
    ]
    layer = json.loads(run("layers", "tiny", "--json")[1])[1]
    assert layer == {"name": "high", "channels": 6, "stride": 2, "depth": 2, "default": True}
    plugins = json.loads(run("plugins", "--json")[1])
    assert [plugin["distribution"] for plugin in plugins] == ["deepdreamkit", "dreamkit-tiny"]
    assert "dreamkit-tiny" in run("plugins")[1]


def test_options_as_a_table_and_json(run):
    code, out, err = run("options")
    assert (code, err) == (0, "")
    assert re.search(r"^--octaves +by size +Number of sizes .*\(1 to 32\)$", out, re.M)
    options = {option["name"]: option for option in json.loads(run("options", "--json")[1])}
    assert options["blend"] == {
        "name": "blend",
        "type": "float",
        "default": 0.0,
        "default_text": "0.0",
        "panel": "Look",
        "help": config.DreamConfig.__dataclass_fields__["blend"].metadata["help"],
        "least": 0.0,
        "most": 1.0,
    }
    types = {name: options[name]["type"] for name in ("seed", "balance", "layers", "octaves")}
    assert types == {"seed": "int", "balance": "bool", "layers": "text", "octaves": "int"}
    assert options["guide_style"]["choices"] == ["match", "texture", "channels"]
    assert set(config.option_names()) - set(options) == {"plugin_options", "schedule"}


def test_version_and_help(run):
    assert re.fullmatch(r"dreamkit \d+\.\d+\.\d+\n", run("--version")[1])
    assert "dream" in run("--help")[1]
    help_text = run("dream", "--help")[1]
    for option in ("--octave-scale", "--layers", "--seed", "--overwrite"):
        assert option in help_text


DREAM = ["dream", "photo.jpg", *QUICK]
BAD_INPUT = {
    # what is wrong: (arguments, exit code, what the message says)
    "missing file": (["dream", "nope.jpg"], 1, "nope.jpg does not exist"),
    "a folder": (["dream", "folder"], 1, "folder is a folder"),
    "an address": (["dream", "https://example.org/a.jpg"], 1, "https://example.org/a.jpg is an address; download"),
    "over the photograph": ([*DREAM, "-o", "photo.jpg", "--overwrite"], 1, "photo.jpg is the photograph itself"),
    "noise with max size": (["dream", *QUICK, "--max-size", "9"], 2, "use --size"),
    "empty": (["dream", "empty.png"], 1, "empty.png is empty"),
    "truncated": (["dream", "cut.png"], 1, "cut.png is damaged or cut off"),
    "no picture": (["dream", "text.jpg"], 1, "text.jpg cannot be read as a picture"),
    "1x1": (["dream", "dot.png", *QUICK], 1, r"1 x 1 pixels and the network needs at least 8"),
    "a small octave": (["dream", "-m", "tiny", "--size", "20", "--octaves", "1", "--first-octave", "-3"], 1, "largest octave of this picture of 20 x 20 pixels has 7 x 7 pixels and the network needs at least 8"),
    "over the limit": ([*DREAM, "--max-pixels", "100"], 1, r"photo.jpg has 56 x 40 pixels, more than the 100"),
    "missing folder": ([*DREAM, "-o", "none/x.png"], 1, "the folder none does not exist"),
    "unknown ending": ([*DREAM, "-o", "x.bmp"], 1, r"x.bmp ends in .bmp; use one of .png"),
    "a name too long": ([*DREAM, "-o", "x" * 300 + ".png"], 1, r"x\.\.\. cannot be a file name"),
    "no ending": ([*DREAM, "-o", "x"], 1, "x ends in nothing"),
    "existing output": ([*DREAM, "-o", "kept.png"], 1, "kept.png exists; choose another name or give --overwrite"),
    "output is a folder": ([*DREAM, "-o", "folder.png", "--overwrite"], 1, "folder.png is a folder"),
    "output too wide": (["dream", *QUICK, "--size", "16384x10", "-o", "x.webp"], 1, "x.webp cannot hold 16384 x 10"),
    "unknown model": (["dream", "photo.jpg", "-m", "tinny"], 1, "no model 'tinny'; did you mean tiny"),
    "unknown model of layers": (["layers", "inception"], 1, "did you mean inception5h or inception_v3"),
    "unknown layer": ([*DREAM, "-l", "hihg"], 1, "no layer 'hihg'; did you mean high"),
    "layer weight": ([*DREAM, "-l", "high=x"], 1, "'x' in 'high=x' is not a weight"),
    "zero weights": ([*DREAM, "-l", "high=0"], 1, "every weight of high is zero"),
    "empty layer": ([*DREAM, "-l", ""], 1, "name at least one layer"),
    "missing weights": ([*DREAM, "-w", "none.h5"], 1, "weights file none.h5 does not exist"),
    "damaged weights": ([*DREAM, "-w", "bad.weights.h5"], 1, "bad.weights.h5 does not hold weights of tiny"),
    "weights of another network": ([*DREAM, "-w", "other.weights.h5"], 1, "other.weights.h5 does not hold weights of tiny"),
    "octaves": (changed(DREAM, "--octaves", "0"), 1, "octaves is 0; it takes a whole number, 1 to 32"),
    "octaves no number": (changed(DREAM, "--octaves", "many"), 2, "--octaves.*see dreamkit dream --help"),
    "octave scale": ([*DREAM, "--octave-scale", "1"], 1, "octave_scale is 1.0; it takes a number, above 1"),
    "octave scale nan": ([*DREAM, "--octave-scale", "nan"], 1, "octave_scale is nan"),
    "octave scheme": ([*DREAM, "--octave-scheme", "none"], 1, "octave_scheme is 'none'; choose residual or whole"),
    "steps": (changed(DREAM, "--steps", "-1"), 1, "steps is -1"),
    "step size": ([*DREAM, "--step-size", "0"], 1, "step_size is 0.0"),
    "step size inf": ([*DREAM, "--step-size", "inf"], 1, "step_size is inf"),
    "objective": ([*DREAM, "--objective", "max"], 1, "objective is 'max'; choose caricature or cosine or direction or distance or mean or mean-square"),
    "jitter": ([*DREAM, "--jitter", "-5"], 1, "jitter is -5"),
    "tile size": (changed(DREAM, "--tile-size", "8"), 1, "tile_size is 8; it takes a whole number, 32 to 8192"),
    "seed": ([*DREAM, "--seed", "-1"], 1, "seed is -1"),
    "max size": ([*DREAM, "--max-size", "0"], 1, "max_size is 0"),
    "size": (["dream", *QUICK, "--size", "wide"], 1, "--size is 'wide'; write one side or width x height"),
    "size zero": (["dream", *QUICK, "--size", "0x5"], 1, "size is"),
    "size with a picture": ([*DREAM, "--size", "9"], 2, "use --max-size"),
    "not a number": (["dream", "photo.jpg", *QUICK[2:], "-m", "tiny_nan"], 1, "the gradient is not a number"),
    "unknown option": ([*DREAM, "--octavs", "3"], 2, "No such option: --octavs.*see dreamkit dream --help"),
    "unknown command": (["draem"], 2, "No such command 'draem'"),
    "two pictures": (["dream", "photo.jpg", "cut.png"], 2, "2 pictures are given"),
    "picture twice": (["dream", "photo.jpg", "-i", "cut.png"], 2, "given twice, photo.jpg and -i cut.png"),
    "layers apart": (["dream", "photo.jpg", "--output-layers", "low", "high"], 2, "commas: --layers low,high"),
    "layers apart, noise": (["dream", "--output-layers", "low", "high"], 2, "separate layers with commas"),
    "missing argument": (["layers"], 2, "(?i)missing argument 'model'"),
    "interrupted": (["dream", "photo.jpg", "-m", "tiny_interrupted"], 130, "interrupted before the first step"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "exit_code", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gets_one_clear_line_and_loses_nothing(
    run, picture, tmp_path, arguments, exit_code, message
):
    import keras

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no picture\n" * 50)
    (tmp_path / "bad.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    (tmp_path / "kept.png").write_bytes(b"a user's file")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.effect_noise((99, 99), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:4000])
    other = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    code, out, err = run(*arguments)
    assert code == exit_code
    assert out == ""
    assert err.startswith("error: ")
    assert re.search(message, err)
    assert len(err.splitlines()) <= 2
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_the_seeds_option_names_work(run, picture, tmp_path):
    options = [
        "--image-filepath",
        picture,
        "--output-filepath",
        "seed.png",
        "--octaves",
        "2",
        "--octave-scale",
        "1.3",
    ]
    more = ["--steps", "2", "--step-size", "0.01", "--output-layers", "low", "--tile-size", "64"]
    assert run("dream", "-m", "tiny", *options, *more)[0] == 0
    assert (tmp_path / "seed.png").is_file()


def test_a_file_that_comes_meanwhile_is_kept(run, picture, tmp_path, monkeypatch):
    """As when two dreams of one name run side by side."""
    run_session = Session.run

    def slow(*arguments, **options):
        dreamed = run_session(*arguments, **options)
        (tmp_path / "out.png").write_bytes(b"from elsewhere")
        return dreamed

    monkeypatch.setattr(Session, "run", slow)
    assert "wrote out-2.png" in run("dream", picture, *QUICK, "-o", "out.png")[1]
    assert (tmp_path / "out.png").read_bytes() == b"from elsewhere"
    assert size(tmp_path / "out-2.png") == (56, 40)


def test_stderr_holds_our_own_lines_only(tiny_plugin, picture, tmp_path):
    program = started(tiny_plugin, tmp_path, "dream", "photo.jpg", *QUICK)
    out, err = program.communicate()
    assert program.returncode == 0
    assert re.fullmatch(r"wrote photo\.dream\.png .*\n", out)
    assert re.fullmatch(r"(octave \d/2 \(\d+ x \d+\): objective [\d.]+\n){2}", err)


def test_a_bug_keeps_its_traceback(tiny_plugin, picture, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import dreamkit.media.image_writer\n"
        "def bug(*_, **__): raise ZeroDivisionError('a bug')\n"
        "dreamkit.media.image_writer.check_output = bug\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [tmp_path, tiny_plugin, ROOT]))}
    command = [sys.executable, "-m", "dreamkit", "dream", "photo.jpg", "-m", "tiny"]
    program = subprocess.run(
        command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False
    )
    assert program.returncode == 1
    assert "Traceback" in program.stderr
    assert program.stderr.endswith("ZeroDivisionError: a bug\n")


@pytest.mark.heavy
def test_ctrl_c_writes_the_picture_so_far(tiny_plugin, picture, tmp_path):
    program = started(
        tiny_plugin, tmp_path, "dream", "photo.jpg", "-m", "tiny", "--octaves", "2", "--steps", "2000"
    )
    first = program.stderr.readline()
    assert first.startswith("octave 1/2")
    program.send_signal(signal.SIGINT)
    out, err = program.communicate()
    assert program.returncode == 130
    said = "error: interrupted; the picture so far is in photo.dream.png; --resume continues from there\n"
    assert (out, err) == ("", said)
    dreamed = read(tmp_path / "photo.dream.png", 10**6).pixels
    assert dreamed.shape == (40, 56, 3)
    assert not np.array_equal(dreamed, read(picture, 10**6).pixels)


def test_no_room_left_is_said_and_leaves_nothing(tiny_plugin, picture, tmp_path):
    program = started(
        tiny_plugin, tmp_path, "dream", "photo.jpg", *QUICK,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    _, err = program.communicate()
    assert program.returncode == 1
    assert err.splitlines()[-1].startswith("error: cannot write photo.dream.png (")
    assert err.endswith("nothing was written\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.jpg"]
