"""What users install: a wheel and a source archive, built from this repository, and the wheel as it runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

from dreamkit.errors import DreamkitError
from dreamkit.installation import DISTRIBUTION
from dreamkit.media.image_metadata import read_recipe
from dreamkit.version import __version__
from dreamkit.web import site

pytestmark = pytest.mark.heavy
MOST_BYTES = 12_000_000


def build(kind, target, source=ROOT, **environment):
    """Builds a `wheel` or an `sdist` as `make dist` does; gives its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    clean = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(command, cwd=source, env={**clean, **environment}, check=True)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return build("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs the `dreamkit` of an environment that has the wheel alone, and packages from this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    if not find_spec("pip"):
        pip = ["uv", "pip", "install", "--python", str(python)]
    subprocess.run([*pip, "--quiet", "--no-deps", str(wheel)], check=True)
    # In a folder that is named so, no .pth file is read: not that which makes this repository importable.
    own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(own, "packages.pth").write_text(sysconfig.get_path("purelib"))
    home = tmp_path_factory.mktemp("user")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["DREAMKIT_HOME"] = str(home / "dreamkit")

    def run(*arguments):
        command = [str(python.with_name("dreamkit")), *map(str, arguments)]
        return subprocess.run(command, cwd=home, env=environment, text=True, capture_output=True, check=False)

    return run


def names(archive):
    return set(zipfile.ZipFile(archive).namelist())


def test_the_wheel_has_the_built_page_and_pocket_and_stays_small(wheel):
    found = names(wheel)
    assert {"dreamkit/models/pocket.npz", "dreamkit/py.typed"} <= found
    assert not [name for name in found if "/app/" in name or "node_modules" in name]
    assert wheel.stat().st_size < MOST_BYTES
    try:
        built = site.bundle()
    except DreamkitError as error:
        pytest.skip(str(error))
    files = {f"dreamkit/web/bundle/{path.relative_to(built)}" for path in built.rglob("*") if path.is_file()}
    assert files <= found


def test_a_second_build_has_the_same_bytes(wheel, source, tmp_path):
    copy = tmp_path / "copy"  # with times of its own, in a folder of another name
    with tarfile.open(source) as archive:
        archive.extractall(copy, filter="data")
    (folder,) = copy.iterdir()
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))
    again = build("wheel", tmp_path / "again", folder)
    assert again.name == wheel.name == f"deepdreamkit-{__version__}-py3-none-any.whl"
    assert again.read_bytes() == wheel.read_bytes()


def test_the_source_has_the_same_bytes_too_and_the_date_that_is_asked_for(source, tmp_path):
    assert build("sdist", tmp_path / "same").read_bytes() == source.read_bytes()
    dated = build("wheel", tmp_path / "dated", SOURCE_DATE_EPOCH="1700000000")
    times = {each.date_time for each in zipfile.ZipFile(dated).infolist()}
    assert times == {(2023, 11, 14, 22, 13, 20)}


def test_the_installed_wheel_dreams(installed, tmp_path):
    shutil.copy(ROOT / "docs" / "pictures" / "chelsea.jpg", tmp_path / "photo.jpg")
    output = tmp_path / "dream.png"
    run = installed("dream", tmp_path / "photo.jpg", "-o", output, "--octaves", "2", "--steps", "2", "-q")
    assert (run.returncode, run.stderr) == (0, "")
    assert read_recipe(output)["models"][0]["name"] == "pocket"
    with Image.open(output) as dreamed, Image.open(tmp_path / "photo.jpg") as photo:
        assert dreamed.size == photo.size
        assert dreamed.tobytes() != photo.tobytes()


def test_the_doctor_finds_the_installed_wheel_well(installed):
    run = installed("doctor", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    found = {each["what"]: each for each in json.loads(run.stdout)["findings"]}
    folder = Path(found["dreamkit"]["facts"]["folder"])
    assert ROOT not in folder.parents
    assert found["packages"]["state"] == found["default dream"]["state"] == "ok"
    assert found["page"]["state"] == ("ok" if (folder / "web" / "bundle").is_dir() else "missing")
    assert "Node.js" not in found  # the page is not built there
    lacking = [
        each for name, each in found.items() if name.startswith("extra ") and each["state"] == "missing"
    ]
    for each in lacking:
        extra = each["what"].removeprefix("extra ")
        assert each["command"].endswith(f' "{DISTRIBUTION}[{extra}]"')
