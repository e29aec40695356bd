"""Many pictures: what is taken, what is kept, what is reported, and that no kill loses anything."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import pytest
from conftest import ROOT, files_no_larger_than
from faults import children, signal_when
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dreamkit import api
from dreamkit.config import DreamConfig
from dreamkit.errors import ImageError, OutputExistsError
from dreamkit.executors.executor import run_here
from dreamkit.jobs import batch
from dreamkit.jobs.batch import inputs
from dreamkit.media import image_metadata, storage
from dreamkit.request import DreamRequest, without_image

KILLS = int(os.environ.get("KILLS", "2"))
OPTIONS = ("--octaves", "1", "--steps", "2")
CONFIG = {"octaves": 1, "steps": 2}


def picture(path, number, size=(64, 80)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)).save(path)


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "dreamkit", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(folder, *arguments):
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def dreams(folder):
    """What is in the folder of a batch, but for its own, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and batch.FOLDER not in path.parts
    }


def names(*given):
    return [each.name for each in batch.expand(given)]


# What is taken.


def test_folders_patterns_lists_and_files_keep_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(["a/one.png", "a/deep/two.JPG", "b.webp"]):
        picture(tmp_path / name, number)
    (tmp_path / "a" / "note.md").write_text("none")
    (tmp_path / "list.txt").write_text(f"# mine\na/one.png\n\n{tmp_path / 'b.webp'}\ngone.png\n")
    assert names("a") == ["deep/two.JPG", "one.png"]
    assert names("a/*.png") == ["one.png"]
    assert names("**/*.*[gG]") == ["a/deep/two.JPG", "a/one.png"]
    assert names("list.txt") == ["a/one.png", "b.webp", "gone.png"]
    assert names("b.webp", "a", "b.webp") == ["b.webp", "deep/two.JPG", "one.png"]


def test_what_names_no_picture_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "wrong.txt").write_text("gone.png\n")
    for name, message in {
        "empty": "empty holds no pictures",
        "gone.png": "gone.png does not exist",
        "*.jpg": "matches no file",
        "none.txt": "names no pictures",
        "wrong.txt": "names gone.png, none of which exists",
    }.items():
        with pytest.raises(ImageError, match=message):
            batch.expand([name])


def test_dreams_are_no_pictures_to_dream(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.png", "photos/dreams/a.png"):
        picture(tmp_path / name, 0)
    assert [each.name for each in batch.expand(["photos"], "photos/dreams")] == ["a.png"]
    with pytest.raises(ImageError, match="where the dreams would go"):
        batch.expand(["photos"], "photos")


@pytest.mark.parametrize(
    ("line", "flavour", "name"),
    [
        ("photos/a.jpg", PurePosixPath, "photos/a.jpg"),
        ("./a.jpg", PurePosixPath, "a.jpg"),
        ("/photos/a.jpg", PurePosixPath, "a.jpg"),
        ("b/../../a.jpg", PurePosixPath, "a.jpg"),
        (r"photos\a.jpg", PurePosixPath, r"photos\a.jpg"),
        (r"photos\a.jpg", PureWindowsPath, "photos/a.jpg"),
        (r"..\a.jpg", PureWindowsPath, "a.jpg"),
        (r"\photos\a.jpg", PureWindowsPath, "a.jpg"),
        ("C:a.jpg", PureWindowsPath, "a.jpg"),
        (r"C:\photos\a.jpg", PureWindowsPath, "a.jpg"),
        (r"\\server\share\a.jpg", PureWindowsPath, "a.jpg"),
        (".", PurePosixPath, "_"),
        ("/", PurePosixPath, "_"),
    ],
)
def test_a_dream_of_a_listed_picture_stays_in_its_folder(line, flavour, name):
    assert inputs.name_in(line, flavour) == name


def test_a_list_may_name_what_has_no_name(tmp_path):
    (tmp_path / "a.txt").write_text("s3://\n.\n")
    assert names(str(tmp_path / "a.txt")) == ["_", "_"]


def jobs_of(*found, requests=("",)):
    inputs = [batch.Input(name, name) for name in found]
    return [
        job.output
        for job in batch.list_jobs(
            inputs, [batch.BatchRequest(each, DreamRequest((), DreamConfig())) for each in requests], ".png"
        )
    ]


def test_outputs_keep_path_and_stem():
    assert jobs_of("a/b.jpg", "c.tar.png") == ["a/b.png", "c.tar.png"]
    assert jobs_of("b.jpg", "b.png", "c.jpg") == ["b.jpg.png", "b.png.png", "c.png"]
    assert jobs_of("b.jpg", requests=("one", "two")) == ["one/b.png", "two/b.png"]


@given(
    st.lists(st.from_regex(r"[ab]{1,2}(/[ab]{1,2})?\.(jpg|png)", fullmatch=True), unique=True, max_size=12)
)
def test_no_two_outputs_are_one(found):
    made = jobs_of(*found)
    assert len(set(made)) == len(made) == len(found)


def test_two_pictures_of_one_name_are_refused():
    inputs = [batch.Input("x/a.png", "a.png"), batch.Input("y/a.png", "a.png")]
    with pytest.raises(ImageError, match=r"x/a.png and y/a.png would both become a.tiff; "):
        batch.list_jobs(inputs, [batch.BatchRequest("", DreamRequest((), DreamConfig()))], ".tiff")


# What is kept. A worker in this process shows the batch itself.


def here(run, request, place):
    """The batch itself, by one worker in this process."""
    run_here(batch.DreamWorker([request], place), run.chains(), run.on_event)
    run.finish()


@pytest.fixture
def photos(tmp_path):
    for number in range(3):
        picture(tmp_path / "photos" / f"{number}.png", number)
    return tmp_path / "photos"


def make(photos, out, *, overwrite=False, only=None, **options):
    request = batch.resolve("", without_image("pocket", **{**CONFIG, **options}))
    place = storage.open_store(str(out))
    place.check()
    jobs = batch.list_jobs(batch.expand([str(photos)]), [request], ".png")
    run = batch.Batch(jobs, [request], place, overwrite=overwrite)
    if run.total:
        run.missing = run.missing[:only]
        here(run, request, place)
    return run


def test_what_is_finished_is_kept_and_what_changed_is_redone(photos, tmp_path):
    out = tmp_path / "out"
    assert make(photos, out).dreamed == 3
    before = dreams(out)
    whole = api.render(photos / "1.png", **CONFIG)
    whole.save(tmp_path / "one.png")
    assert before["1.png"] == (tmp_path / "one.png").read_bytes()  # as `dream` dreams it
    assert (len(make(photos, out).kept), dreams(out)) == (3, before)
    picture(photos / "1.png", 9)  # another picture
    os.utime(photos / "2.png")  # the same one, touched
    (out / "0.png").unlink()  # lost
    run = make(photos, out)
    assert [job.output for job in run.missing] == ["0.png", "1.png"]
    changed = dreams(out)
    assert (changed["0.png"], changed["2.png"]) == (before["0.png"], before["2.png"])
    assert changed["1.png"] != before["1.png"]
    assert len(make(photos, out, steps=1).missing) == 3  # another recipe
    assert len(list((out / batch.FOLDER).iterdir())) == 1  # one manifest in the end


def test_a_dream_that_the_manifest_does_not_know_is_known_by_its_recipe(photos, tmp_path):
    out = tmp_path / "out"
    make(photos, out)
    shutil.rmtree(out / batch.FOLDER)  # as when the run was killed before it wrote one
    run = make(photos, out)
    assert (len(run.kept), run.total) == (3, 0)


def test_files_of_no_batch_are_not_written_over(photos, tmp_path):
    out = tmp_path / "out"
    picture(out / "1.png", 5)
    with pytest.raises(OutputExistsError, match=r"^no batch made .*out/1.png, .* --overwrite"):
        make(photos, out)
    make(photos, out, overwrite=True)
    make(photos, tmp_path / "other", steps=1)
    shutil.rmtree(tmp_path / "other" / batch.FOLDER)
    with pytest.raises(OutputExistsError, match=r"other/0.png and 2 more"):
        make(photos, tmp_path / "other")


def test_the_dream_of_another_picture_is_not_replaced(photos, tmp_path):
    out = tmp_path / "out"
    make(photos, out)
    before = dreams(out)
    shutil.copytree(photos, tmp_path / "moved")
    assert len(make(tmp_path / "moved", out).kept) == 3  # the same pictures, elsewhere
    picture(tmp_path / "moved" / "1.png", 7)
    with pytest.raises(OutputExistsError, match=r"out/1.png is the dream of .*photos/1.png, and .* --over"):
        make(tmp_path / "moved", out)
    assert dreams(out) == before
    assert make(tmp_path / "moved", out, overwrite=True).dreamed == 1


def test_a_damaged_a_vanished_and_an_unwritable_picture_stop_nothing(photos, tmp_path):
    out = tmp_path / "out"
    (photos / "0.png").write_bytes(b"no picture")
    request = batch.resolve("", without_image("pocket", **CONFIG))
    place = storage.open_store(str(out))
    place.check()
    run = batch.Batch(batch.list_jobs(batch.expand([str(photos)]), [request], ".png"), [request], place)
    (photos / "1.png").unlink()
    here(run, request, place)
    assert [each["why"].partition("photos/")[2] for each in run.failed] == [
        "0.png cannot be read as a picture; give a PNG, JPEG, WebP or TIFF",
        "1.png does not exist",
    ]
    assert list(dreams(out)) == ["2.png"]
    (out / "2.png").unlink()
    run = batch.Batch(batch.list_jobs(batch.expand([str(photos)]), [request], ".png"), [request], place)
    with files_no_larger_than(1500):
        here(run, request, place)
    assert "cannot write" in run.failed[-1]["why"]
    assert dreams(out) == {}


def test_a_damaged_manifest_costs_its_lines_alone(photos, tmp_path):
    out = tmp_path / "out"
    make(photos, out)
    (part,) = (out / batch.FOLDER).glob("manifest-*")
    lines = part.read_text().splitlines()
    part.write_text("\n".join(["[1", "{}", "[]", '["x"]', lines[0], lines[1][:20]]))
    run = make(photos, out)
    assert (len(run.kept), run.total) == (3, 0)


def test_what_killed_runs_left_is_cleared_away(photos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".dreamkit-12-0123456789abcdef.png").write_bytes(b"half")
    os.utime(out / ".dreamkit-12-0123456789abcdef.png", (1, 1))
    make(photos, out)
    assert list(dreams(out)) == ["0.png", "1.png", "2.png"]


# On the command line.


@pytest.mark.heavy
def test_a_batch_on_the_command_line(tmp_path, photos):
    (photos / "sub").mkdir()
    (photos / "sub" / "bad.jpg").write_text("none")
    (tmp_path / "rough.toml").write_text('smooth = "none"')
    arguments = ("batch", "photos", "-o", "out", *OPTIONS, "-r", "default", "-r", "rough.toml")
    code, out, err = ended(tmp_path, *arguments, "--dry-run")
    assert (code, out) == (0, "8 to dream, 0 kept; nothing was dreamed or written\n")
    assert ended(tmp_path, *arguments, "--dry-run", "--json")[1] == '{"to_dream": 8, "kept": 0}\n'
    code, out, err = ended(tmp_path, *arguments, "--json")
    assert code == 1
    report = json.loads(out)
    assert (report["dreamed"], report["kept"], len(report["failed"])) == (6, 0, 2)
    assert report == json.loads((tmp_path / "out" / batch.REPORT).read_text())
    assert "error: 2 of 8 could not be dreamed; out/_dreamkit/report.json says why" in err
    assert "failed: photos/sub/bad.jpg cannot be read as a picture" in err
    assert err.count("(and 1 more)") == 1  # by either recipe
    assert "Traceback" not in err
    assert sorted(dreams(tmp_path / "out")) == sorted(
        f"{name}/{n}.png" for name in ("default", "rough") for n in range(3)
    )


WRONG = {
    "engine": (["photos", "-o", "o", "--engine", "slurm"], 1, "choose local or ray"),
    "format": (["photos", "-o", "o", "--format", "gif"], 1, "choose one of"),
    "size": (["photos", "-o", "o", "--size", "9"], 2, "--size is for a dream of noise"),
    "each": (["photos", "-o", "o", "--each-model"], 2, "name the models"),
    "twice": (["photos", "-o", "o", "-r", "default", "-r", "default"], 2, "2 recipes or models are called"),
    "capitals": (["photos", "-o", "o", "-r", "Neon.toml", "-r", "neon"], 2, "2 recipes or models are called"),
    "picture": (["photos", "-o", "o.png"], 2, "name a folder for the dreams"),
    "address": (["photos", "-o", "o", "--address", "auto"], 2, "give --engine ray"),
    "jobs": (["photos", "-o", "o", "--jobs", "0"], 2, "--jobs"),
    "nothing": (["none", "-o", "o"], 1, "none does not exist"),
    "file": (["photos", "-o", "photos/0.png"], 1, "is not a folder"),
    "place": (["photos", "-o", "nowhere://x"], 1, "nowhere://x"),
    "model": (["photos", "-o", "o", "-m", "nobody"], 1, "nobody"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(case, photos, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Neon.toml").touch()
    arguments, expected, message = WRONG[case]
    code, out, err = run("batch", *arguments)
    assert (code, out) == (expected, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.heavy
def test_a_wrong_layer_is_told_of_once(tmp_path, photos):
    code, _, err = ended(tmp_path, "batch", "photos", "-o", "out", "-l", "mixed77")
    assert code == 1
    assert err.startswith("3 to dream\nerror: there is no layer 'mixed77'; did you mean")
    assert err.count("\n") == 2
    assert dreams(tmp_path / "out") == {}


def sealed(folder):
    """What goes before a command for which `folder` is to be one that may not be written to."""
    if os.geteuid():
        folder.chmod(0o500)
        return []
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    before = ["unshare", "--mount", "sh", "-c", mount, str(folder)]
    if subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("root may write anywhere, and cannot mount here")
    return before


@pytest.mark.parametrize("arguments", ["dream photos/0.png -o out/new.png", "batch photos -o out"])
def test_a_folder_that_may_not_be_written_to_is_one_line(arguments, tmp_path, photos):
    out = tmp_path / "out"
    picture(out / "mine.png", 7)
    before = dreams(out)
    found = subprocess.run(
        [*sealed(out), sys.executable, "-m", "dreamkit", *arguments.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    out.chmod(0o700)
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (1, "", 1)
    assert "may not be written to" in found.stderr
    assert dreams(out) == before


@pytest.mark.heavy
def test_ctrl_c_ends_all_and_leaves_nothing_half(tmp_path, photos):
    arguments = ("batch", "photos", "-o", "out", "--octaves", "2", "--steps", "20", "--jobs", "2")
    process = start(tmp_path, *arguments)
    signal_when(process, lambda: count(tmp_path / "out"), signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert re.fullmatch(
        r"error: interrupted after [0-3] of 3; the same command continues", err.splitlines()[-1]
    )
    assert not any(".dreamkit-" in name for name in dreams(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / batch.REPORT).read_text())["interrupted"]


@pytest.mark.heavy
def test_killed_at_random_moments_a_batch_comes_to_the_same_bytes(tmp_path):
    """KILLS=20 for as many: the driver, or one of its workers."""
    draw = random.Random(3)
    for number in range(12):
        picture(tmp_path / "photos" / f"{number:02}.png", number, (96, 128))
    arguments = ("batch", "photos", "--steps", "6", "--jobs", "2", "--threads", "1", "-o")
    assert ended(tmp_path, *arguments, "whole")[0] == 0
    whole = dreams(tmp_path / "whole")
    out, killed, number = tmp_path / "out", 0, 0
    while killed < KILLS:
        if number % 4 == 3:  # before it is finished, begin anew
            shutil.rmtree(out, ignore_errors=True)
        number += 1
        process = start(tmp_path, *arguments, "out")
        later = count(out) + draw.randrange(3)
        signal_when(process, lambda later=later: count(out) >= later, 0)
        try:  # at any moment from then on
            process.wait(timeout=draw.uniform(0, 0.5))
        except subprocess.TimeoutExpired:
            os.kill(draw.choice([process.pid, *children(process.pid, "spawn_main")]), signal.SIGKILL)
            killed += 1
        process.communicate(timeout=200)
    code, _, err = ended(tmp_path, *arguments, "out")
    assert code == 0, err
    assert dreams(out) == whole


def count(folder):
    return sum(not path.name.startswith(".") for path in folder.glob("*.png"))


# Films and sheets.


def cut_film(folder):
    """Two scenes of three frames that move a little."""
    for scene in range(2):
        whole = np.random.default_rng(scene).integers(0, 256, (8, 12, 3), np.uint8)
        whole = np.asarray(Image.fromarray(whole).resize((96, 72), Image.Resampling.BICUBIC))
        for number in range(3):
            folder.mkdir(exist_ok=True)
            Image.fromarray(whole[4:68, 2 * number : 2 * number + 80]).save(
                folder / f"{3 * scene + number}.png"
            )


@pytest.mark.heavy
def test_scenes_of_a_film_go_through_an_executor(tmp_path):
    pytest.importorskip("cv2")
    cut_film(tmp_path / "film")
    arguments = (
        "film",
        "film",
        "--octaves",
        "1",
        "--frame-steps",
        "2",
        "--threads",
        "1",
        "-o",
    )
    for jobs in ("1", "2"):
        code, _, err = ended(tmp_path, *arguments, jobs, "--jobs", jobs)
        assert code == 0, err
    assert len(dreams(tmp_path / "1")) == 6
    assert dreams(tmp_path / "1") == dreams(tmp_path / "2")


@pytest.mark.heavy
def test_cells_of_a_sheet_go_through_an_executor(tmp_path):
    arguments = (
        "sheet",
        "-l",
        "mixed3a,mixed3b",
        "--channels",
        "0-9",
        "--cell",
        "64",
        "--threads",
        "1",
        "--steps",
        "2",
        "-o",
    )
    for jobs in ("1", "2"):
        code, _, err = ended(tmp_path, *arguments, jobs, "--jobs", jobs)
        assert code == 0, err
    assert len(dreams(tmp_path / "1" / "cells")) == 20
    assert dreams(tmp_path / "1") == dreams(tmp_path / "2")


# URLs.


@pytest.mark.heavy
def test_pictures_of_a_url_go_to_a_url(tmp_path, photos):
    pytest.importorskip("fsspec")
    assert names(f"file://{photos}") == ["0.png", "1.png", "2.png"]
    code, out, err = ended(tmp_path, "batch", f"file://{photos}", "-o", f"file://{tmp_path}/out", *OPTIONS)
    assert (code, err.count("Traceback")) == (0, 0), err
    assert ended(tmp_path, "batch", "photos", "-o", "here", *OPTIONS)[0] == 0
    assert dreams(tmp_path / "out") == dreams(tmp_path / "here")
    code, out, _ = ended(tmp_path, "batch", f"file://{photos}", "-o", f"file://{tmp_path}/out", *OPTIONS)
    assert out == f"all 3 are in file://{tmp_path}/out already\n"


def test_the_recipe_in_bytes_is_the_recipe_in_the_file(photos, tmp_path):
    make(photos, tmp_path / "out")
    path = tmp_path / "out" / "0.png"
    assert image_metadata.recipe_in(io.BytesIO(path.read_bytes()), "x") == image_metadata.read_recipe(path)
