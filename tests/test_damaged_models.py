"""A damaged converted model costs one warning, in every command and however many processes there are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image


@pytest.fixture(autouse=True)
def _damaged():
    folder = f"{os.environ['DREAMKIT_HOME']}/models/damaged"
    os.makedirs(folder)
    with open(f"{folder}/model.json", "w") as file:
        file.write("{")


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["plugins"],
        ["layers", "tiny"],
        ["dream", "photo.jpg", "-m", "tiny", "-m", "pocket", "--octaves", "1", "--steps", "1", "-q"],
        ["dream", "photo.jpg", "-r", "lucid", "-m", "tiny", "-l", "low", "--octaves", "1", "--steps", "1"],
        ["dream", "photo.jpg", "-m", "tiny", "-l", "mixed4"],
    ],
    ids=" ".join,
)
def test_a_command_warns_of_a_damaged_model_once(run, picture, arguments):
    _, _, err = run(*arguments)
    assert err.count("warning: converted model damaged is skipped: cannot read") == 1


@pytest.mark.heavy
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_warns_of_a_damaged_model_once(tmp_path, jobs):
    (tmp_path / "photos").mkdir()
    for name in "abc":
        Image.new("RGB", (32, 32), (90, 120, ord(name))).save(tmp_path / "photos" / f"{name}.png")
    command = [sys.executable, "-m", "dreamkit", "batch", "photos", "-o", "out", "--jobs", str(jobs)]
    run = subprocess.run(
        [*command, "--octaves", "1", "--steps", "1", "--tile-size", "64"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stderr.count("is skipped")) == (0, 1), run.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 3
