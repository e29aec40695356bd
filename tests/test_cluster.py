"""Batches on a real Ray cluster, whose workers and driver are killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from faults import signal_when
from test_batch import count, dreams, ended, picture, start

pytestmark = pytest.mark.heavy
if find_spec("ray") is None:
    pytest.skip("ray is not installed; install deepdreamkit[scale]", allow_module_level=True)

KILLS = int(os.environ.get("KILLS", "2"))
ARGUMENTS = ("batch", "photos", "--steps", "6", "--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def no_tokens():
    """A token that an earlier cluster left in the user's home keeps drivers out of another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of one node with two CPUs, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = Path(sys.executable).with_name("ray")
    options = ["--disable-usage-stats", "--include-dashboard=false", "--num-cpus", "2", "--block"]
    process = subprocess.Popen(
        [ray, "start", "--head", f"--port={port}", "--node-ip-address=127.0.0.1", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    while process.poll() is None:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                break
    yield f"127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


@pytest.fixture
def folder(tmp_path):
    for number in range(10):
        picture(tmp_path / "photos" / f"{number:02}.png", number, (96, 128))
    (tmp_path / "photos" / "bad.jpg").write_text("none")
    return tmp_path


def actors():
    """The processes of Ray in which our workers run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::_Actor"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def hurt(draw):
    """Kills a worker; returns whether there was one."""
    found = actors()
    if found:
        with suppress(ProcessLookupError):
            os.kill(draw.choice(found), signal.SIGKILL)
    return bool(found)


def test_workers_and_driver_are_killed_and_nothing_is_lost(cluster, folder):
    """KILLS=20 kills twenty workers and the driver once."""
    draw = random.Random(1)
    assert ended(folder, *ARGUMENTS, "-o", "local", "--jobs", "2")[0] == 1  # because of bad.jpg
    out = folder / "out"
    arguments = (*ARGUMENTS, "-o", f"file://{out}", "--engine", "ray", "--address", cluster)
    process = start(folder, *arguments)
    for killed in range(KILLS):
        signal_when(process, lambda later=killed + 1: count(out) >= later and hurt(draw), 0)
    signal_when(process, lambda: count(out) >= 2 + KILLS, signal.SIGKILL)
    _, err = process.communicate(timeout=100)
    assert process.returncode == -signal.SIGKILL, err
    before = count(out)
    assert 2 <= before < 10
    code, _, err = ended(folder, *arguments)
    assert (code, err.count("Traceback")) == (1, 0), err
    assert "error: 1 of" in err
    found = dreams(out)
    assert {name: data for name, data in found.items() if ".dreamkit-" not in name} == dreams(
        folder / "local"
    )


def test_a_cluster_that_is_not_there_is_one_line(folder):
    code, _, err = ended(folder, *ARGUMENTS, "-o", "out", "--engine", "ray", "--address", "127.0.0.1:1")
    assert code == 1
    assert err.splitlines()[-1].startswith("error: there is no Ray cluster at 127.0.0.1:1")
    assert "Traceback" not in err
