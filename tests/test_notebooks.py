"""The notebooks: they run as they are, and are stored without what one machine made of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NEEDS = {"activation-atlas": "umap", "film": "av"}
LONG = ("what-a-channel-sees",)  # which take a minute of two cores
COLAB = "https://colab.research.google.com/github/dreamkit/dreamkit/blob/main/docs/notebooks"

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@notebooks
def test_a_notebook_is_stored_as_it_was_written(path):
    data = json.loads(path.read_text())
    assert set(data["metadata"]) == {"kernelspec", "language_info"}
    assert data["metadata"]["language_info"] == {"name": "python"}
    head, install, *rest = data["cells"]
    assert f"{COLAB}/{path.name})" in "".join(head["source"])
    assert re.fullmatch(r"%pip .* '?deepdreamkit(\[\w+\]')?", "".join(install["source"]))
    for cell in data["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert not any("%" in line[:1] for cell in rest for line in cell["source"])


@notebooks
def test_a_notebook_is_in_the_docs(path):
    assert f"notebooks/{path.name}" in (ROOT / "docs" / "python.md").read_text()


@pytest.mark.heavy
@pytest.mark.timeout(1500)  # numba compiles UMAP, for minutes where the machine is busy
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.long] * (path.stem in LONG)) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs(path, tmp_path):
    needed = NEEDS.get(path.stem)
    if needed and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    shutil.copytree(ROOT / "docs" / "pictures", tmp_path / "pictures")
    for other in (tmp_path / "pictures").iterdir():  # a notebook has the photographs that it fetches
        if other.name not in path.read_text():
            other.unlink()
    runner = Path(__file__).with_name("notebook.py")
    done = subprocess.run(
        [sys.executable, runner, path, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("cell-*")), "the notebook shows nothing"
