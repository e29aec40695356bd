"""What the tests share: a tiny seeded network, pictures made here, and where real weights lie."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import http_server
import numpy as np
import pytest
from chromium import browser, exported, open_page, page, served  # noqa: F401, fixtures
from hypothesis import settings
from PIL import Image

from dreamkit.engine import process
from dreamkit.models import registry as models
from dreamkit.plugins import packages
from dreamkit.plugins import registry as parts

ROOT = Path(__file__).parents[1]
# Absolute, because tests change the working directory and still have to find it.
DATA = Path(os.environ.get("DREAMKIT_TEST_DATA", ROOT.parent / "shared" / "data")).absolute()
WEIGHTS = DATA / "inception_v3" / "inception_v3_2015_notop.weights.h5"

process.own()  # as a process of the command line is, so that both compute the same bytes

# A shell without job control lets its background jobs ignore SIGINT, and their children inherit that. Tests
# send SIGINT to themselves and to children, so all of them get what Python does by default.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dreamkit", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("dreamkit")


def skip_without_converter():
    """Skips a module where the extra `convert` is not installed. onnx2tf itself must not be imported here:
    it turns Keras into another one, and lifts Python's guard against deep recursion."""
    for needed in ("onnx", "onnx2tf", "onnxruntime", "cv2"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed; install deepdreamkit[convert]", allow_module_level=True)


@pytest.fixture(params=[["symlink"], ["symlink", "link"]])
def without_links(request, monkeypatch):
    """A system that refuses symbolic links, as Windows does, or hard ones as well."""

    def refused(*_, **__):
        raise PermissionError(errno.EPERM, "A required privilege is not held by the client")

    for kind in request.param:
        monkeypatch.setattr(os, kind, refused)


@contextmanager
def files_no_larger_than(size):
    """A disk that is full after `size` bytes of a file."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def _guard_against_deep_recursion():
    """No test leaves Python without its guard, or damaged JSON ends the process of a later one."""
    before = sys.getrecursionlimit()
    yield
    now = sys.getrecursionlimit()
    sys.setrecursionlimit(before)
    assert now < 1_000_000, "an import lifted the guard against deep recursion; onnx2tf does"


@pytest.fixture(autouse=True)
def fresh_registry():
    """Every test finds the plugins that are there while it runs."""
    found = packages.installed, models.installed, parts.installed
    for each in found:
        each.cache_clear()
    yield
    for each in found:
        each.cache_clear()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch, compiled):
    """No test reads or writes the user's cache. What is compiled once serves all tests, as it does users."""
    home = tmp_path_factory.mktemp("home")
    (home / "networks").symlink_to(compiled)
    monkeypatch.setenv("DREAMKIT_HOME", str(home))


@pytest.fixture(scope="session")
def inception_weights():
    if not WEIGHTS.is_file():
        pytest.skip(f"no test data: {WEIGHTS} is absent (set DREAMKIT_TEST_DATA)")
    return WEIGHTS


@pytest.fixture(scope="session")
def photographs():
    folder = DATA / "photos"
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is absent (set DREAMKIT_TEST_DATA)")
    return folder


@pytest.fixture
def photo():
    """A small picture with something in it: soft waves and an edge, uint8 (40, 56, 3)."""
    rows, columns = np.mgrid[0:40, 0:56].astype(np.float64)
    waves = [np.sin(rows / 5 + k) * np.cos(columns / 7 - k) for k in range(3)]
    picture = 128 + 60 * np.stack(waves, -1)
    picture[10:20, 30:45] = [200, 90, 40]
    return picture.astype(np.uint8)


@pytest.fixture
def server():
    with http_server.Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()
    gc.collect()  # a connection that was left open is a warning now, and so an error


@pytest.fixture(scope="session")
def install(tmp_path_factory):
    """Really installs packages into a folder for sys.path, with pip, or uv where there is no pip."""

    def installed(*packages: Path) -> Path:
        target = tmp_path_factory.mktemp("site")
        pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["uv", "pip"]
        python = [] if find_spec("pip") else ["--python", sys.executable]
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
        subprocess.run([*pip, "install", *python, *options, *map(str, packages)], check=True)
        return target

    return installed


@pytest.fixture(scope="session")
def tiny_plugin(install):
    return install(ROOT / "tests" / "data" / "dreamkit-tiny")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, tiny_plugin):
    """Runs `dreamkit ARGUMENTS` in a folder of its own; gives exit code, stdout and stderr."""
    from dreamkit.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tiny_plugin))

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


@pytest.fixture
def second(monkeypatch):
    """More networks beside `tiny`: `other`, and `sorter` with class scores and labels, `counter` without."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "data" / "dreamkit-second"))


_loaded = {}


@pytest.fixture
def loaded_once(monkeypatch):
    """Networks that need no file are loaded and compiled once for all tests that ask for this."""
    from dreamkit.engine.tf import network

    load = network.load

    def kept(provider, weights, *profile):
        if weights is not None:
            return load(provider, weights, *profile)
        key = provider.name, provider.load.__module__  # tests have models of one name
        if key not in _loaded:
            _loaded[key] = load(provider, None, *profile)
        return _loaded[key]

    monkeypatch.setattr(network, "load", kept)


@pytest.fixture
def picture(tmp_path, photo):
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(path)
    return path


@pytest.fixture
def make_pictures(tmp_path):
    """Writes so many seeded pictures into the folder `photos`; gives their paths."""

    def make(count):
        draw = np.random.default_rng(1)
        folder = tmp_path / "photos"
        folder.mkdir()
        for number in range(count):
            coarse = draw.integers(0, 256, (4, 5, 3), np.uint8)
            pixels = np.kron(coarse, np.ones((20, 20, 1), np.uint8))
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
        return sorted(map(str, folder.iterdir()))

    return make


@pytest.fixture
def built(tmp_path_factory, monkeypatch):
    """A stand-in for the built page, which needs npm."""
    from dreamkit.web import site

    folder = tmp_path_factory.mktemp("bundle")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text('<title>dreamkit</title><meta name="build" content="" />')
    worker = ROOT / "dreamkit" / "web" / "app" / "public" / "service-worker.js"
    (folder / "service-worker.js").write_text(worker.read_text())
    (folder / "assets" / "a.wasm").write_bytes(b"\0asm")
    monkeypatch.setattr(site, "bundle", lambda: folder)
    return folder
