"""Whose a file is: dreamkit removes what it made itself, and writes over nothing that it reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dreamkit.config import DreamConfig
from dreamkit.errors import ConfigError, DreamkitWarning, ImageError, OutputExistsError
from dreamkit.jobs import batch, result_folder
from dreamkit.jobs.batch import source
from dreamkit.jobs.batch.manifest import Entry, Manifest
from dreamkit.jobs.frame_store import FrameStore, FrameStoreError
from dreamkit.media import atomic, files, folders, locks, partial, storage
from dreamkit.models import converted
from dreamkit.request import DreamRequest

SMALL = "--octaves", 1, "--steps", 1, "-q"
HOLDING = """
import os, sys
from pathlib import Path
from dreamkit.media import partial
where = Path(sys.argv[1])
with partial.file_for(where / "a.png") as file, partial.folder_for(where / "b") as folder:
    file.write_bytes(b"half")
    (folder / "000000.png").write_bytes(b"half")
    print(file.name, folder.name, flush=True)
    sys.stdin.read()
"""


# Partial files.


def test_only_what_no_process_holds_is_abandoned(tmp_path):
    """A process that is killed leaves its files behind; while it lived, they were its own."""
    mine = [".dreamkit-notes.txt", ".dreamkit-12", ".dreamkit-1-0123456789abcde.png", "a.png.part"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        names = process.stdout.readline().split()
        partial.remove_abandoned(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([*mine, *names])
        process.kill()
        process.communicate()
    assert sorted(os.listdir(tmp_path)) == sorted([*mine, *names])
    partial.remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(mine)
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


def test_a_link_with_such_a_name_is_no_partial_file(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a.txt").write_text("mine")
    (tmp_path / ".dreamkit-1-0123456789abcdef").symlink_to(tmp_path / "kept")
    (tmp_path / ".dreamkit-2-0123456789abcdef.txt").symlink_to(tmp_path / "kept" / "a.txt")
    partial.remove_abandoned(tmp_path)
    assert (tmp_path / "kept" / "a.txt").read_text() == "mine"


def test_a_partial_file_keeps_a_short_suffix_alone(tmp_path):
    for name, suffix in (("a.png", ".png"), ("a." + "x" * 200, ""), ("a.ä b", "")):
        with partial.file_for(tmp_path / name) as written:
            assert written.suffix == suffix
            assert partial.is_partial(written.name)
    assert list(tmp_path.iterdir()) == []


def test_the_next_write_clears_what_a_killed_one_left(tmp_path):
    (tmp_path / ".dreamkit-7-0123456789abcdef.png").write_bytes(b"half")
    atomic.check_path(tmp_path / "a.png", overwrite=False)
    assert list(tmp_path.iterdir()) == []


# Work folders.


def test_a_folder_with_a_manifest_of_another_program_is_not_ours(tmp_path, run, picture):
    pytest.importorskip("av")
    work = tmp_path / "m.gif.work"
    work.mkdir()
    (work / "manifest.json").write_text('{"name": "app"}')
    (work / "thesis.txt").write_text("mine")
    for options in ((), ("--overwrite",)):
        code, _, err = run("zoom", picture, "-m", "tiny", "-o", "m.gif", "--frames", 2, *SMALL, *options)
        assert (code, err.count("\n")) == (1, 1)
        assert "m.gif.work exists and is not a work folder; move it away" in err
    assert (work / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[1]", "5", "[" * 100_000, '{"what": "a"}', "\0"])
def test_a_damaged_manifest_is_one_line(tmp_path, text):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "manifest.json").write_text(text)
    with (
        pytest.raises(FrameStoreError, match="is not a work folder; move it away"),
        FrameStore(tmp_path / "work", {"what": "a"}, (4, 4)),
    ):
        pass


@pytest.mark.parametrize("damage", ["cut", "other size", "no picture", "folder", "too long"])
def test_a_damaged_frame_is_one_line(tmp_path, damage):
    with FrameStore(tmp_path / "work", {"what": "a"}, (4, 5)) as store:
        store.write(0, np.zeros((4, 5, 3), np.uint8))
        path = store.path(0)
        match damage:
            case "cut":
                path.write_bytes(path.read_bytes()[:40])
            case "other size":
                Image.new("RGB", (4, 5)).save(path)
            case "no picture":
                path.write_bytes(b"text")
            case "folder":
                path.unlink()
                path.mkdir()
            case "too long":
                path.write_bytes(path.read_bytes() + bytes(2 << 20))
        with pytest.raises(FrameStoreError, match=r"the frame .*000000\.png is damaged \(.*; delete it"):
            store.read(0)


def test_frames_of_another_machine_are_warned_of(tmp_path):
    here = {"processor": "one", "threads": 2, "onednn": "1"}
    for machine, message in (
        (here, None),
        (here, None),
        ({**here, "threads": 1}, r"were begun with threads 2 \(now 1\); bytes may differ"),
        ({**here, "threads": 1}, r"were begun with threads 2 \(now 1\); bytes may differ"),
    ):
        with FrameStore(tmp_path / "work", {"what": "a"}, (4, 5)) as store:
            if message is None:
                store.begin_on(machine)
            else:
                with pytest.warns(DreamkitWarning, match=message):
                    store.begin_on(machine)


def test_only_frames_are_deleted(tmp_path):
    folder = tmp_path / "work"
    pixels = np.zeros((2, 3, 3), np.uint8)
    with FrameStore(folder, {"what": "a"}, (4, 4)) as store:
        store.write(0, pixels)
        (folder / "thesis.txt").write_text("mine")
        (folder / "more").mkdir()
    with FrameStore(folder, {"what": "b"}, (4, 4), overwrite=True) as store:
        assert len(store) == 0
        store.write(0, pixels)
        store.delete()
    assert sorted(path.name for path in folder.iterdir()) == ["more", "thesis.txt"]


def test_a_run_that_was_killed_while_it_removed_its_folder_goes_on(tmp_path):
    folder = tmp_path / "work"
    with FrameStore(folder, {"what": "a"}, (4, 4)) as store:
        store.write(0, np.zeros((2, 3, 3), np.uint8))
    (folder / "000000.png").unlink()
    with FrameStore(folder, {"what": "a"}, (4, 4)):
        pass
    (folder / "manifest.json").unlink()
    with FrameStore(folder, {"what": "b"}, (4, 4)) as store:
        store.delete()
    assert not folder.exists()


# What systems leave in folders.

LEFT = [".DS_Store", "._a.png", "desktop.ini", "Desktop.ini", "Thumbs.db"]


def leave_in(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in LEFT:
        (folder / name).write_text("the system's")


def test_a_result_is_brought_up_to_date_in_spite_of_files_of_the_system(tmp_path):
    leave_in(tmp_path / "sheet")
    result_folder.check(tmp_path / "sheet", "a sheet", ["sheet.png"])
    leave_in(tmp_path / "sheet" / "cells")
    result_folder.check(tmp_path / "sheet", "a sheet", ["sheet.png"])


def test_files_of_the_system_are_not_part_of_a_converted_network(tmp_path):
    make(tmp_path / "saved_model", "weights")
    before = converted.hashes(tmp_path)
    leave_in(tmp_path / "saved_model" / "variables")
    assert converted.hashes(tmp_path) == before
    assert list(before) == ["saved_model/a.txt"]


def test_a_work_folder_comes_and_goes_in_spite_of_files_of_the_system(tmp_path):
    leave_in(tmp_path / "work")
    with FrameStore(tmp_path / "work", {"what": "a"}, (4, 4)) as store:
        store.write(0, np.zeros((4, 4, 3), np.uint8))
        store.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_keeps_files_of_the_system(tmp_path):
    leave_in(tmp_path)
    (tmp_path / "mine").touch()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="not empty"):
        atomic.remove_empty(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


# Folders that replace others.


def make(path, text):
    path.mkdir()
    (path / "a.txt").write_text(text)


def test_a_folder_is_replaced_whole(tmp_path):
    make(tmp_path / "x", "old")
    with folders.written(tmp_path / "x") as new:
        (new / "b.txt").write_text("new")
        with pytest.raises(locks.LockedError), folders.written(tmp_path / "x"):
            pass
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "b.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_what_fails_keeps_the_former_folder(tmp_path, error):
    make(tmp_path / "x", "old")
    with pytest.raises(error), folders.written(tmp_path / "x"):
        raise error
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "a.txt"]


@pytest.mark.parametrize("number", [1, 2])
def test_an_interruption_between_two_renames_keeps_the_former_folder(tmp_path, monkeypatch, number):
    make(tmp_path / "x", "old")
    rename, calls = type(tmp_path).rename, []

    def interrupted(path, target):
        calls.append(path)
        if len(calls) == number:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(type(tmp_path), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), folders.written(tmp_path / "x") as new:
        (new / "b.txt").write_text("new")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "a.txt"]


def test_a_kill_between_two_renames_is_completed(tmp_path):
    make(tmp_path / ".dreamkit-former-x", "old")  # killed before the new one had its name
    make(tmp_path / ".dreamkit-former-y", "old")  # killed after it
    make(tmp_path / "y", "new")
    make(tmp_path / ".dreamkit-former-z", "old")  # not killed
    with locks.exclusive(tmp_path / ".dreamkit-lock-z"):
        folders.complete(tmp_path)
        assert (tmp_path / ".dreamkit-former-z").is_dir()
    assert (tmp_path / "x" / "a.txt").read_text() == "old"
    assert (tmp_path / "y" / "a.txt").read_text() == "new"
    assert not (tmp_path / ".dreamkit-former-y").exists()


# Inputs.


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
def test_no_input_is_written_over_whatever_links_lead_to_it(tmp_path, link):
    (tmp_path / "in.png").write_bytes(b"mine")
    path = tmp_path / "out.png"
    if link == "same":
        path = tmp_path / "." / "in.png"
    elif link == "symbolic":
        path.symlink_to("in.png")
    else:
        path.hardlink_to(tmp_path / "in.png")
    with pytest.raises(ConfigError, match=r"is the mask itself; write somewhere else"):
        atomic.refuse_inputs(path, {"the guide itself": None, "the mask itself": tmp_path / "in.png"})
    atomic.refuse_inputs(tmp_path / "other.png", {"the mask itself": tmp_path / "in.png", "x": "no\0ne"})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("zoom", "z.webp", "-o", "z.webp", "--frames", 2), "z.webp is the photograph itself"),
        (("dream", "photo.jpg", "-o", "c.png", "--record", "z.webp"), "z.webp exists"),
        (("dream", "z.webp", "-o", "c.png", "--record", "z.webp"), "z.webp is the photograph itself"),
        (("dream", "photo.jpg", "-o", "c.webp", "--record", "c.webp"), "--record and -o are both c.webp"),
        (("film", "frames", "-o", "frames/0.webp"), "frames/0.webp is the film itself"),
        (("dream", "photo.jpg", "-r", "d.png", "-o", "d.png"), "d.png is the recipe itself"),
    ],
)
def test_commands_refuse_to_write_over_their_inputs(run, picture, tmp_path, command, says):
    pytest.importorskip("av")
    with Image.open(picture) as image:
        image.save(tmp_path / "z.webp")
        (tmp_path / "frames").mkdir()
        for number in range(2):
            image.save(tmp_path / "frames" / f"{number}.webp")
    assert run("dream", picture, "-m", "tiny", "-o", "d.png", *SMALL)[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    options = () if "exists" in says else ("--overwrite",)
    code, _, err = run(*command, "-m", "tiny", *SMALL, *options)
    assert code in (1, 2)
    assert err.count("\n") == 1
    assert says in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_batch_never_writes_over_its_photographs(run, picture, tmp_path):
    (tmp_path / "photos").mkdir()
    picture.rename(tmp_path / "photos" / "a.png")
    (tmp_path / "dreams").symlink_to("photos")
    before = (tmp_path / "photos" / "a.png").read_bytes()
    for given in ("photos", "photos/a.png"):
        code, _, err = run("batch", given, "-o", "dreams", "-m", "tiny", "--overwrite", *SMALL)
        assert (code, err.count("\n")) == (1, 1)
        assert "choose another -o" in err
    assert (tmp_path / "photos" / "a.png").read_bytes() == before


@pytest.mark.heavy
def test_one_batch_at_a_time_writes_to_a_folder(run, picture, tmp_path):
    (tmp_path / "out" / "_dreamkit").mkdir(parents=True)
    with locks.exclusive(tmp_path / "out" / "_dreamkit" / ".lock"):
        code, _, err = run("batch", picture, "-o", "out", "-m", "tiny", *SMALL)
    assert (code, err.count("\n")) == (1, 1)
    assert "another dreamkit is writing to out; wait until it ends" in err
    assert run("batch", picture, "-o", "out", "-m", "tiny", *SMALL)[0] == 0


# Names of a batch.


def names_of(names, **options):
    inputs = [batch.Input(f"in/{name}", name) for name in names]
    request = type("Request", (), {"name": ""})()
    return [job.output for job in batch.list_jobs(inputs, [request], ".png", **options)]


def test_no_two_dreams_have_the_same_name():
    assert names_of(["a.png", "b.jpg"]) == ["a.png", "b.png"]
    assert names_of(["a.png", "a.jpg", "a.jpg.png"]) == ["a.png.png", "a.jpg.png", "a.jpg.png.png"]
    assert names_of(["a.png", "A.jpg"]) == ["a.png", "A.png"]
    assert names_of(["a.png", "A.jpg"], folds_names=True) == ["a.png.png", "A.jpg.png"]
    assert names_of(["ä.png", "a\u0308.jpg"], folds_names=True) == ["ä.png.png", "a\u0308.jpg.png"]
    with pytest.raises(ImageError, match=r"in/a.png and in/A.png would both become a.png"):
        names_of(["a.png", "A.png"], folds_names=True)


def test_a_store_knows_whether_names_are_folded(tmp_path):
    (tmp_path / "x").touch()
    (tmp_path / "\xe4").touch()
    folds = (tmp_path / "X").exists() or (tmp_path / "a\u0308").exists()
    before = sorted(tmp_path.iterdir())
    assert storage.FolderStore(tmp_path).folds_names() == folds
    assert sorted(tmp_path.iterdir()) == before


def batch_of(photo, output, store):
    """A batch of one job, for a store whose names fold."""
    request = batch.BatchRequest("", DreamRequest((), DreamConfig()), digest="a digest")
    job = batch.Job(batch.Input(str(photo), photo.name), 0, output)
    return batch.Batch([job], [request], store, folds_names=True)


NAMES_OF_ONE_FILE = [("IMG.png", "img.png"), ("\xe9.png", "e\u0301.png"), ("e\u0301.png", "\xc9.png")]


@pytest.mark.parametrize(("found", "output"), NAMES_OF_ONE_FILE)
def test_no_file_is_overwritten_under_another_form_of_its_name(tmp_path, found, output):
    (tmp_path / "photo.jpg").write_text("a photograph")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / found).write_text("mine")
    with pytest.raises(OutputExistsError, match="no batch made "):
        batch_of(tmp_path / "photo.jpg", output, storage.FolderStore(tmp_path / "out"))


@pytest.mark.parametrize(("found", "output"), NAMES_OF_ONE_FILE)
def test_a_dream_is_known_under_another_form_of_its_name(tmp_path, found, output):
    photo, store = tmp_path / "photo.jpg", storage.FolderStore(tmp_path / "out")
    photo.write_text("a photograph")
    store.write(found, b"a dream")
    manifest = Manifest(store, {})
    manifest.add(found, Entry(source.sha256(str(photo)), "a digest", 7, None, None, str(photo)))
    manifest.write()
    assert len(batch_of(photo, output, store).kept) == 1
    photo.write_text("a changed photograph")
    assert batch_of(photo, output, store).total == 1
    photo.rename(tmp_path / "other.jpg")
    with pytest.raises(OutputExistsError, match="is the dream of "):
        batch_of(tmp_path / "other.jpg", output, store)


def test_dreams_are_no_pictures_whatever_their_folder_is_called(tmp_path, monkeypatch):
    """A link stands for another name of a folder; `realpath` of macOS keeps the capitals that it is given."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "photos/dreams"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    (tmp_path / "photos" / "second").symlink_to("dreams")
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)
    assert [each.name for each in batch.expand(["photos"], "photos/second")] == ["a.png"]


def test_a_pattern_ends_in_a_loop_of_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "in/sub", "in/.hidden"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"")
        (tmp_path / folder / "loop").symlink_to("../.." if folder != "in" else "..")
    assert [each.name for each in batch.expand(["in/**/*.png"])] == ["a.png", "sub/a.png"]


# Reading.


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="not a file but a pipe or a device"):
        files.read(tmp_path / "pipe.png", 10)
    with pytest.raises(OSError, match="not a file but a pipe or a device"):
        files.read("/dev/zero", 10)
    with pytest.raises(ImageError, match="pipe"):
        batch.source.read(str(tmp_path / "pipe.png"))
    (tmp_path / "work").mkdir()
    os.mkfifo(tmp_path / "work" / "manifest.json")
    with pytest.raises(FrameStoreError), FrameStore(tmp_path / "work", {}, (4, 4)):
        pass


def test_a_file_is_read_up_to_its_bound(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        files.read(tmp_path / "a", 4)
    with pytest.raises(IsADirectoryError):
        files.read(tmp_path, 4)
    assert json.loads(files.read(tmp_path / "a", 10)) == 12345
