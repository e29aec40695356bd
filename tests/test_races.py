"""Commands at the same time on one output, one cache and one home: each ends well or says who works there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import combinations_with_replacement
from pathlib import Path

import crashes
import numpy as np
import pytest
from command_lines import SMALL, WRITING
from conftest import ROOT
from PIL import Image

COMMANDS = {
    **WRITING,
    "another dream": ("dream", "photo.png", *SMALL, "-o", "out.png", "--seed", "7", "--jitter", "3"),
    "another zoom": (*WRITING["zoom"], "--seed", "7"),
    "another batch": (*WRITING["batch"], "--seed", "7"),
}
SAMPLED = [("dream", "another dream")]
WHOLE = os.environ.get("RACES") == "whole"  # every pair, which takes a quarter of an hour

PAIRS = [
    pytest.param(pair, id=" and ".join(pair), marks=() if pair in SAMPLED else pytest.mark.heavy)
    for pair in combinations_with_replacement(COMMANDS, 2)
    if WHOLE or pair in SAMPLED
]
TIMED = (".json", ".jsonl", ".html")  # files that hold times


@pytest.fixture(scope="module")
def races(tiny_plugin):
    """A function that runs commands at once in a folder, with a home; gives exit codes and messages."""
    path = [str(tiny_plugin), str(ROOT), str(ROOT / "tests")]
    program = f"import sys; sys.path[:0] = {path!r}; import races; races.main()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def run(folder, home, *commands):
            race = {"folder": str(folder), "home": str(home), "commands": commands}
            process.stdin.write(json.dumps(race) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield run
        process.stdin.close()


@pytest.fixture(scope="module")
def start(races, tmp_path_factory):
    """A folder with what the commands read."""
    folder = tmp_path_factory.mktemp("start")
    draw = np.random.default_rng(0)
    photo = draw.integers(0, 256, (40, 56, 3), np.uint8)
    Image.fromarray(photo).save(folder / "photo.png")
    for name in ("more", "clip"):
        (folder / name).mkdir()
        for number in range(2):
            Image.fromarray(np.roll(photo, number + 3, 1)).save(folder / name / f"{number}.png")
    (folder / "notes.txt").write_text("notes")
    ((code, err),) = races(folder, folder / "home", ("dream", "photo.png", *SMALL, "-o", "dreamed.png"))
    assert code == 0, err
    shutil.rmtree(folder / "home")
    return folder


@pytest.fixture(scope="module")
def alone(races, start, tmp_path_factory):
    """What each command leaves when it runs alone, made at its first use."""
    found = {}

    def left(name):
        if name not in found:
            folder = tmp_path_factory.mktemp("alone") / "work"
            shutil.copytree(start, folder)
            ((code, err),) = races(folder, folder.parent / "home", COMMANDS[name])
            if not (code == 1 and "npm" in err):  # the page is not built here
                assert code == 0, err
            found[name] = crashes.tree(folder)
        return found[name]

    return left


@pytest.mark.heavy
@pytest.mark.parametrize("pair", PAIRS)
def test_two_and_four_commands_at_once(races, start, alone, tmp_path, pair):
    before = crashes.tree(start)
    expected = [alone(name) for name in pair]
    for times in (1, 2):
        folder, home = tmp_path / f"work{times}", tmp_path / f"home{times}"
        shutil.copytree(start, folder)
        ended = races(folder, home, *[COMMANDS[name] for name in pair * times])
        for (code, err), name in zip(ended, pair * times, strict=True):
            assert "Traceback" not in err, (name, err)
            assert code in (0, 1), (name, err)
        assert any(code == 0 for code, _ in ended) or "npm" in ended[0][1], ended
        # A film that another was faster than keeps its frames, and manifests have the time in their names.
        found = {
            path: data
            for path, data in crashes.tree(folder).items()
            if not re.search(r"manifest-|\.lock$|^out\.gif\.work/", path)
        }
        for path, data in found.items():
            named = re.sub(r"^out-\d\.", "out.", path)  # the slower of two dreams takes a free name
            possible = [each[named] for each in (before, *expected) if named in each]
            assert possible, (path, ended)
            assert path.endswith(TIMED) or data in possible, (path, ended)
        assert {path: found[path] for path in before} == before
        for name in pair:  # nothing that was left stops a later run
            command = COMMANDS[name]
            goes_on = "--overwrite" in command or command[0] in ("batch", "sheet", "groups")
            ((code, err),) = races(folder, home, command if goes_on else (*command, "--overwrite"))
            # A sheet is not made among a batch's dreams.
            assert code == 0 or "npm" in err or "not part of a sheet" in err, (name, err)


@pytest.mark.heavy
def test_the_cache_of_one_home_is_whole_after_a_race(races, start, tmp_path):
    """Four processes compile the same step for the first time; a fifth finds it."""
    folder, home = tmp_path / "work", tmp_path / "home"
    shutil.copytree(start, folder)
    outputs = [f"{number}.png" for number in range(5)]
    dreams = [("dream", "photo.png", *SMALL, "-o", output) for output in outputs]
    assert races(folder, home, *dreams[:4]) == [[0, ""]] * 4
    kept = {path.name: path.read_bytes() for path in (home / "networks").glob("*.kept")}
    assert races(folder, home, dreams[4]) == [[0, ""]]
    assert {path.name: path.read_bytes() for path in (home / "networks").glob("*.kept")} == kept
    assert len({Path(folder, output).read_bytes() for output in outputs}) == 1
    assert not [path for path in folder.iterdir() if path.name.startswith(".dreamkit")]
