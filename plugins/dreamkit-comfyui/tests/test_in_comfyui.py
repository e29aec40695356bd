"""The example workflow in ComfyUI itself, where there is one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pytest
from conftest import pixels_of
from PIL import Image

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def base(tmp_path):
    """A folder for all that ComfyUI reads and writes, with the nodes in it."""
    for name in ("custom_nodes", "input", "output", "models", "user", "temp"):
        (tmp_path / "base" / name).mkdir(parents=True)
    (tmp_path / "base" / "custom_nodes" / "dreamkit-comfyui").symlink_to(FOLDER)
    return tmp_path / "base"


@pytest.fixture
def comfyui_itself(base, tmp_path):
    """A running ComfyUI: its address and the lines that it writes."""
    for variable in ("COMFYUI", "COMFYUI_PYTHON"):
        if variable not in os.environ:
            pytest.skip(f"no {variable}; set COMFYUI to ComfyUI's folder and COMFYUI_PYTHON to its Python")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").touch()
    words = [os.environ["COMFYUI_PYTHON"], "-u", "main.py", "--cpu", "--disable-api-nodes"]
    words += ["--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base)]
    words += ["--front-end-root", str(tmp_path / "page"), "--database-url", "sqlite:///:memory:"]
    with subprocess.Popen(
        words, cwd=os.environ["COMFYUI"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}", process.stdout
        finally:
            process.terminate()
            process.communicate()


def until(lines, what):
    """Reads lines up to one that has `what` in it."""
    read = []
    for line in lines:
        read.append(line)
        if what in line:
            return
    raise AssertionError(f"no {what!r} in:\n{''.join(read)}")


def test_the_workflow_gives_the_pixels_of_the_command(comfyui_itself, base, photo, dreamkit, tmp_path):
    address, lines = comfyui_itself
    Image.fromarray(photo).save(base / "input" / "example.png")
    until(lines, "To see the GUI")
    workflow = json.loads((FOLDER / "workflows" / "api" / "dream.json").read_text())
    request = Request(f"{address}/prompt", json.dumps({"prompt": workflow}).encode())
    with urlopen(request) as answer:
        assert json.load(answer)["node_errors"] == {}
    until(lines, "Prompt executed")
    options = ("--recipe", "shells", "--blend", "0.2", "--steps", "10", "--seed", "7")
    dreamkit("dream", base / "input" / "example.png", "-o", "dream.png", *options)
    (written,) = (base / "output").glob("*.png")
    np.testing.assert_array_equal(pixels_of(written), pixels_of(tmp_path / "dream.png"))
