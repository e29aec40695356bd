"""What the tests share: a stand-in for the parts of ComfyUI that the nodes use, and the command beside them.

Where PyTorch is installed, tensors are PyTorch's; elsewhere NumPy's arrays stand in for them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from dreamkit_comfyui import pictures, process
from PIL import Image

HAS_TORCH = find_spec("torch") is not None


class InterruptProcessingException(Exception):  # noqa: N818 - ComfyUI's name
    pass


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def comfyui(monkeypatch, tmp_path, home):
    """The parts of ComfyUI that the nodes import: its progress bar, interruption and folder of inputs."""
    state = SimpleNamespace(shown=[], interrupt_at=None, inputs=tmp_path / "input")
    state.inputs.mkdir()

    class ProgressBar:
        def __init__(self, total):
            self.total = total

        def update_absolute(self, value, preview=None):
            state.shown.append((value / self.total, preview))

    def throw_exception_if_processing_interrupted():
        if state.interrupt_at is not None and len(state.shown) >= state.interrupt_at:
            raise InterruptProcessingException

    parts = {
        "comfy": {},
        "comfy.utils": {"ProgressBar": ProgressBar},
        "comfy.model_management": {
            "throw_exception_if_processing_interrupted": throw_exception_if_processing_interrupted
        },
        "folder_paths": {
            "get_input_directory": lambda: str(state.inputs),
            "get_annotated_filepath": lambda name: str(state.inputs / name),
            "exists_annotated_filepath": lambda name: (state.inputs / name).is_file(),
        },
    }
    for name, has in parts.items():
        module = ModuleType(name)
        vars(module).update(has)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv(process.PYTHON, os.environ.get(process.PYTHON, sys.executable))
    monkeypatch.setenv("DREAMKIT_HOME", str(home))
    if not HAS_TORCH:
        monkeypatch.setattr(pictures, "to_array", np.asarray)
        monkeypatch.setattr(pictures, "to_tensor", np.asarray)
    return state


@pytest.fixture
def photo():
    """A small picture with something in it: soft waves and an edge, uint8 (48, 64, 3)."""
    rows, columns = np.mgrid[0:48, 0:64].astype(np.float64)
    waves = [np.sin(rows / 5 + k) * np.cos(columns / 7 - k) for k in range(3)]
    picture = 128 + 60 * np.stack(waves, -1)
    picture[10:20, 30:45] = [200, 90, 40]
    return picture.astype(np.uint8)


@pytest.fixture
def dreamkit(tmp_path):
    """Runs the command on a command line of its own, and returns what it prints."""

    def run(*arguments):
        words = [*process.command(), *map(str, arguments)]
        ended = subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def tensor(*pixels):
    """An IMAGE or a MASK of uint8 pictures, as ComfyUI's Load Image makes it."""
    return pictures.to_tensor(np.stack([each.astype(np.float32) / np.float32(255) for each in pixels]))


def saved(image):
    """The uint8 pictures of an IMAGE, as ComfyUI's Save Image writes them."""
    return [np.clip(255.0 * each, 0, 255).astype(np.uint8) for each in pictures.to_array(image)]


def pixels_of(path: Path):
    with Image.open(path) as image:
        return np.asarray(image)
