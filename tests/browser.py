"""The page's own test suite: cases for it to read, and its npm scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny

from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.engine.tf.network import Network
from dreamkit.web import network_files

APP = Path(__file__).parents[1] / "dreamkit" / "web" / "app"


def skip_without_node():
    """Skips the test where npm or the page's packages are not installed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    if not (APP / "node_modules").is_dir():
        pytest.skip("the page's packages are not installed; run `make web`")


def write_case(
    network: Network, layers: Sequence[str], pixels: np.ndarray, folder: Path, kind: str = "mean-square"
) -> None:
    """Writes a network, a picture `(height, width, 3)` and TensorFlow's gradient for `gradients.test.ts`."""
    folder.mkdir(parents=True)
    network_files.write(network, layers, folder, "float32")
    windows = pixels[None].astype(np.float32)
    step = network.step([ObjectiveSpec(layer, tiny.objective(kind)) for layer in layers])
    squares = step(windows, np.ones(len(layers), np.float32)).mean_squares
    result = step(windows, (1 / np.where(squares > 0, squares, 1)).astype(np.float32))
    windows.tofile(folder / "pixels.f32")
    result.gradient.tofile(folder / "gradient.f32")
    case = {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "specs": [{"layer": layer, "kind": kind} for layer in layers],
        "objectives": list(result.objectives),
        "mean_squares": list(result.mean_squares),
    }
    (folder / "case.json").write_text(json.dumps(case))


def compare(cases: Path, backends: str = "wasm") -> str:
    """Runs the page's tests on the cases in a folder; returns their output."""
    return npm("test", "--", "gradients", CASES=str(cases), BACKENDS=backends)


def npm(*arguments: str, **environment: str) -> str:
    """Runs one of the page's npm scripts; returns its output. The test fails where the script does."""
    completed = subprocess.run(
        ["npm", "run", "--silent", *arguments],
        cwd=APP,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        pytest.fail(f"npm run {' '.join(arguments)}:\n{completed.stdout}\n{completed.stderr}", pytrace=False)
    return completed.stdout
