"""Whatever ends a run, at whichever operation on a file: nothing is lost, and the same command ends well."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
from pathlib import Path

import crashes
import http_server
import numpy as np
import pytest
from command_lines import SMALL, WRITING
from faults import run_in_this_process
from PIL import Image

from dreamkit.errors import DreamkitError
from dreamkit.executors import executor
from dreamkit.media import downloads, folders
from dreamkit.web import site

WHOLE = os.environ.get("CRASHES") == "whole"
FAULTS = ["ENOSPC", "SIGINT", *(["EIO"] if WHOLE else [])]
THEIRS = {"notes.txt": b"notes", ".dreamkit-notes.txt": b"more", "out.work.txt": b"work"}
"""Files of the user's beside the output, some with names like ours."""
KEPT_TIMES = (".json", ".jsonl", ".html")  # files that hold times
COMMANDS = {
    **WRITING,
    "a dream with all its files": (*WRITING["dream"], "--record", "steps.gif", "--checkpoint", "0"),
    "learn": (
        *("concept", "learn", "mine", "photo.png", "more", "clip", "-m", "tiny", "-q"),
        *("--against", "against", "--overwrite"),
    ),
}
SAMPLED = [name for name in COMMANDS if name == "dream" or WHOLE]


@pytest.fixture
def place(tmp_path, monkeypatch, photo, compiled):
    """A folder with all that the commands read, in `work`, and a home beside it."""
    root = tmp_path / "root"
    (root / "work" / "more").mkdir(parents=True)
    (root / "home").mkdir()
    (root / "home" / "networks").symlink_to(compiled)
    monkeypatch.setenv("DREAMKIT_HOME", str(root / "home"))
    monkeypatch.chdir(root / "work")
    for name, data in THEIRS.items():
        Path(name).write_bytes(data)
    Image.fromarray(photo).save("photo.png")
    Image.fromarray(photo[::-1].copy()).save("more/other.png")
    Path("clip").mkdir()
    draw = np.random.default_rng(0)
    Path("against").mkdir()
    for number in range(20):
        Image.fromarray(draw.integers(0, 256, (16, 16, 3), np.uint8)).save(f"against/{number}.png")
    for number in range(3):
        Image.fromarray(np.roll(photo, number, 1)).save(f"clip/{number:03}.png")
    return root


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Batches run in this process, and the built page, which needs npm, has a stand-in."""
    (tmp_path / "bundle" / "assets").mkdir(parents=True)
    (tmp_path / "bundle" / "index.html").write_text("<title>dreamkit</title>")
    (tmp_path / "bundle" / "service-worker.js").write_text("")
    (tmp_path / "bundle" / "assets" / "a.wasm").write_bytes(b"\0asm")
    monkeypatch.setattr(site, "bundle", lambda: tmp_path / "bundle")

    monkeypatch.setattr(executor.Executor, "run", run_in_this_process)


def restored(copy, place):
    """Brings back what a copy holds, and enters it anew."""
    crashes.restored(copy, place)
    os.chdir(place / "work")


def files(root):
    """All files of the user's and the outputs, and the contents of those that hold no times."""
    found = {
        re.sub(r"-\d{20}", "", name): b"" if name.endswith(KEPT_TIMES) else data
        for name, data in crashes.tree(root).items()
        if not name.startswith(("home/networks", "home/logs")) and not name.endswith(".lock")
    }
    assert all(found[f"work/{name}"] == data for name, data in THEIRS.items())
    return found


def prepared(run, place, command, tmp_path):
    """Makes the place ready for a command; gives a copy of it, and the files that are there afterwards."""
    run("dream", "photo.png", *SMALL, "-o", "dreamed.png")  # which also compiles the network
    before = tmp_path / "before"
    shutil.copytree(place, before, symlinks=True)
    code, _, err = run(*command)
    assert code == 0, err
    return before, files(place)


@pytest.mark.usefixtures("loaded_once", "here")
@pytest.mark.parametrize("name", SAMPLED)
def test_a_kill_at_any_point(run, place, tmp_path, name):
    command = COMMANDS[name]
    before, expected = prepared(run, place, command, tmp_path)
    restored(before, place)
    copies = tmp_path / "copies"
    copies.mkdir()
    points = crashes.snapshots(place, copies, lambda: run(*command))
    assert len(points) > 3
    print(name, len(points), "points")
    for point, copy in points:
        restored(copy, place)
        ends_well(run, place, command, expected, f"killed before {point}")
        shutil.rmtree(copy)


def ends_well(run, place, command, expected, what):
    """The same command ends with the same files, or says that it had ended."""
    code, _, err = run(*command)
    if " exists; " in err:  # as it was finished
        output = f"work/{command[command.index('-o') + 1]}"
        assert files(place)[output] == expected[output], what
        code, _, err = run(*command, "--overwrite")
    found = files(place)
    assert code == 0, (what, err)
    assert found.keys() == expected.keys(), (what, set(found) ^ set(expected))
    assert [key for key in found if found[key] != expected[key]] == [], what


@pytest.mark.heavy
@pytest.mark.usefixtures("loaded_once", "here")
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", SAMPLED)
def test_a_fault_at_any_point(run, place, tmp_path, name, kind):
    command = COMMANDS[name]
    before, expected = prepared(run, place, command, tmp_path)
    for point in itertools.count():
        restored(before, place)
        with crashes.watched(place, crashes.fault(kind, point)) as watch:
            code, _, err = run(*command)
        if len(watch.names) <= point:
            break
        what = f"{kind} at {watch.names[point]}: {code} {err}"
        assert code in (0, 1, 130), what
        assert "Traceback" not in err, what
        files(place)
        ends_well(run, place, command, expected, what)
    assert point > 3


# Functions that write in ways of their own.


def replace_a_folder(place):
    with folders.written(place / "work" / "folder") as new:
        (new / "a").write_text("new")
        (new / "b").mkdir()
        (new / "b" / "c").write_text("new")


@pytest.mark.parametrize("kind", ["kill", "ENOSPC", "EIO", "SIGINT"])
def test_a_folder_is_the_old_or_the_new(place, tmp_path, kind):
    folder = place / "work" / "folder"
    folder.mkdir()
    (folder / "a").write_text("old")
    old = crashes.tree(folder)
    before = tmp_path / "before"
    shutil.copytree(place, before, symlinks=True)
    replace_a_folder(place)
    expected, new = files(place), crashes.tree(folder)

    def is_whole(what):
        folders.complete(place / "work")
        assert crashes.tree(folder) in (old, new), what
        replace_a_folder(place)
        assert files(place) == expected, what

    restored(before, place)
    for point in range(len(crashes.points(place, lambda: replace_a_folder(place)))):
        restored(before, place)
        at_point, what = crashes.fault(kind, point), f"{kind} at {point}"
        if kind == "kill":
            copies = tmp_path / f"copies{point}"
            copies.mkdir()
            found = crashes.snapshots(place, copies, lambda: replace_a_folder(place))
            restored(found[point][1], place)
        else:
            with crashes.watched(place, at_point), contextlib.suppress(OSError, KeyboardInterrupt):
                replace_a_folder(place)
        is_whole(what)


@pytest.mark.parametrize("kind", ["kill", "ENOSPC", "EIO", "SIGINT"])
def test_a_download_is_whole_or_is_continued(place, tmp_path, server, kind):
    server.answer = http_server.with_ranges
    path = place / "work" / "weights.h5"

    def fetch():
        downloads.download(f"http://127.0.0.1:{server.server_port}/w", path)

    points = crashes.points(place, fetch)
    expected = files(place)
    for point in range(len(points)):
        path.unlink(missing_ok=True)
        if kind == "kill":
            copies = tmp_path / f"copies{point}"
            copies.mkdir()
            found = crashes.snapshots(place, copies, fetch)
            restored(found[point][1], place)
        else:
            with (
                crashes.watched(place, crashes.fault(kind, point)),
                contextlib.suppress(OSError, KeyboardInterrupt, DreamkitError),
            ):
                fetch()
        fetch()
        assert files(place) == expected, f"{kind} at {points[point]}"
