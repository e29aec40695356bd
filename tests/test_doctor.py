"""`dreamkit doctor`: what it finds, in whole installations and in damaged ones."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from dreamkit.installation import extra_command, gpu_command
from dreamkit.jobs.doctor import networks, trial
from dreamkit.jobs.doctor.finding import BROKEN, MISSING, OK, UNKNOWN, Finding, examined, hindrances
from dreamkit.media import free_memory
from dreamkit.models.providers import Weights
from dreamkit.models.registry import installed
from dreamkit.version import __version__

PLAN = {"model": "pocket", "size": [512, 512], "seconds": 9.5, "bytes": 730_000_000, "tile_size": 512}
MACHINE = {"processor": "a processor", "threads": 2, "onednn": "1"}
WHOLE = {"tensorflow": "2.19.0", "machine": MACHINE, "gpus": [], "plan": PLAN}


@pytest.fixture
def report(run):
    """Runs `dreamkit doctor --json`; gives the exit code and the findings by name."""

    def report(*arguments):
        code, out, err = run("doctor", "--json", *arguments)
        assert err == ""
        found = json.loads(out)
        assert found["works"] == (code == 0)
        return code, {each["what"]: each for each in found["findings"]}

    return report


@pytest.fixture
def metadata(tmp_path_factory, monkeypatch):
    """Puts other metadata of deepdreamkit before that of the installed one."""

    def write(*lines):
        folder = tmp_path_factory.mktemp("metadata")
        written = folder / "deepdreamkit-0.1.0.dist-info" / "METADATA"
        written.parent.mkdir()
        written.write_text(
            "\n".join(["Metadata-Version: 2.4", "Name: deepdreamkit", "Version: 0.1.0", *lines])
        )
        monkeypatch.syspath_prepend(str(folder))

    return write


def state(findings):
    return {each.what: each.state for each in findings}


# Through the program


def test_a_whole_installation_works_and_nothing_is_changed(report, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("DREAMKIT_HOME", str(home))
    code, found = report()
    assert code == 0
    assert not home.exists()
    assert found["Python"]["facts"]["version"] == platform.python_version()
    assert found["dreamkit"]["facts"] == {"version": __version__, "folder": str(ROOT / "dreamkit")}
    assert found["packages"]["facts"]["numpy"] == version("numpy")
    assert found["TensorFlow"]["facts"]["version"] == version("tensorflow")
    assert found["GPU"]["state"] in (OK, MISSING)
    plan = found["default dream"]["facts"]
    assert (plan["model"], plan["size"]) == ("pocket", [512, 512])
    assert found["memory"]["facts"]["needed_bytes"] == plan["bytes"] > 100_000_000
    assert found["network pocket"]["needed"]
    assert found["network tiny"]["facts"]["package"] == "dreamkit-tiny"
    assert found["plugin tiny"]["state"] == OK
    assert found["cache folder"]["facts"]["bytes"] == 0
    assert "does not exist yet" in found["cache folder"]["about"]


def test_it_is_a_table_with_commands_and_a_verdict(run):
    code, out, err = run("doctor", "--quick")
    assert (code, err) == (0, "")
    header, *rows, verdict = out.splitlines()
    assert header.split() == ["WHAT", "STATE"]
    lines = {row.partition("  ")[0]: row.partition("  ")[2] for row in rows}
    for what in ("TensorFlow", "GPU", "default dream"):
        assert lines[what].split(maxsplit=1) == ["unknown", "not asked; leave out --quick"]
    assert "what a dream takes is unknown" in lines["memory"]
    assert (
        "downloads 49 MB from storage.googleapis.com; run: dreamkit dream PHOTO --model inception5h"
        in (lines["network inception5h"])
    )
    assert verdict == "nothing is known to hinder a dream by pocket; TensorFlow was not asked"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise ImportError('this processor has no AVX')", "ImportError: this processor has no AVX"),
        ("import os; os.abort()", "its process ended with signal 6 (SIGABRT)"),
        (
            "import sys; sys.stderr.write('a line\\nthe last one\\n'); sys.exit(3)",
            "its process ended with exit code 3: the last one",
        ),
    ],
)
def test_a_tensorflow_that_does_not_start_is_one_line(report, tmp_path_factory, monkeypatch, code, why):
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "tensorflow.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))
    code, found = report()
    assert code == 1
    assert found["TensorFlow"]["state"] == found["default dream"]["state"] == BROKEN
    assert found["TensorFlow"]["about"] == f"does not start: {why}"
    assert found["GPU"]["state"] == UNKNOWN


def test_the_verdict_names_what_hinders_a_dream(run, metadata):
    metadata("Requires-Python: >=3.99", "Requires-Dist: a-package-that-nobody-has>=1")
    code, out, _ = run("doctor", "--quick")
    assert code == 1
    assert out.splitlines()[-1] == "a dream by pocket does not work here: see Python, packages"
    assert f"{platform.python_version()} on" in out
    assert "dreamkit needs >=3.99" in out
    assert f"a-package-that-nobody-has is not installed; run: pip install -e . (in {ROOT})" in out


def test_packages_of_the_wrong_version_are_named(report, metadata):
    metadata("Requires-Dist: numpy<1,>=0.5", "Requires-Dist: pillow>=1")
    code, found = report("--quick")
    assert code == 1
    assert found["packages"]["about"] == f"numpy is {version('numpy')}, and <1,>=0.5 is needed"


def test_extras_are_those_of_the_metadata(report, metadata):
    metadata(
        "Provides-Extra: fine",
        "Requires-Dist: numpy>=1; extra == 'fine'",
        "Requires-Dist: a-package-that-nobody-has; python_version < '3' and extra == 'fine'",
        "Provides-Extra: more",
        "Requires-Dist: a-package-that-nobody-has; extra == 'more'",
    )
    code, found = report("--quick")
    assert code == 0
    assert {each for each in found if each.startswith("extra ")} == {"extra fine", "extra more"}
    assert found["extra fine"]["about"] == f"numpy {version('numpy')}"
    assert found["extra more"]["state"] == MISSING
    assert found["extra more"]["command"] == extra_command("more")


def test_a_broken_plugin_is_one_line(report, install, monkeypatch):
    monkeypatch.syspath_prepend(str(install(ROOT / "tests" / "data" / "dreamkit-broken")))
    code, found = report("--quick")
    assert code == 0
    assert found["plugin broken"]["state"] == BROKEN
    assert "a_package_that_nobody_has" in found["plugin broken"]["about"]
    assert found["plugin broken"]["command"] == "pip uninstall dreamkit-broken"
    assert found["plugin tiny"]["state"] == OK


def test_a_cache_that_cannot_be_written_is_named(report, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DREAMKIT_HOME", str(tmp_path / "file" / "below"))
    code, found = report("--quick")
    assert code == 0  # a dream works without
    assert found["cache folder"]["state"] == BROKEN
    assert "set DREAMKIT_HOME to a folder of yours" in found["cache folder"]["about"]


def test_a_built_page_and_damaged_weights_are_found(report, built):
    weights = Path(os.environ["DREAMKIT_HOME"], "weights", "inception5h.zip")
    weights.parent.mkdir()
    weights.write_bytes(b"damaged")
    code, found = report("--quick")
    assert code == 0
    assert found["page"]["facts"] == {"folder": str(built)}
    assert found["network inception5h"]["state"] == BROKEN
    assert "is damaged; the next dream downloads 49 MB again" in found["network inception5h"]["about"]
    assert found["cache folder"]["facts"]["bytes"] >= len(b"damaged")


def test_encoders_are_those_of_films(report):
    pytest.importorskip("av")
    _, found = report("--quick")
    assert set(found["films"]["facts"]["encoders"]) == {"h264", "hevc", "vp9", "av1", ".gif", ".webp"}


# Its parts


def test_weights_that_are_whole_are_found():
    provider = installed().provider("pocket")
    content = b"weights"
    own = Weights(url="https://example.org/w", hash=f"sha256:{sha256(content).hexdigest()}", file_name="w.h5")
    found = replace(provider, weights=own)
    assert networks._weights(found)[:2] == (
        MISSING,
        "the first dream downloads its weights, of unknown size, from example.org",
    )
    path = Path(os.environ["DREAMKIT_HOME"], "weights", "w.h5")
    path.parent.mkdir()
    path.write_bytes(content)
    assert networks._weights(found) == (OK, f"its weights are in {path}", "")
    assert networks._weights(replace(provider, setup="a command")) == (
        MISSING,
        "must be set up first",
        "a command",
    )
    assert networks._weights(replace(provider, weights=Path("none")))[0] == BROKEN


def test_a_check_that_fails_is_named_and_stops_no_other():
    def fails():
        raise OSError("no disk")

    (found,) = examined("the disk", fails)
    assert (found.what, found.state, found.about) == (
        "the disk",
        UNKNOWN,
        "cannot be checked (OSError: no disk)",
    )


@pytest.mark.parametrize(
    ("meminfo", "expected", "about"),
    [
        ({"MemAvailable": 4 << 30}, OK, "4.3 GB are free; a default dream takes about 0.73 GB"),
        (
            {"MemAvailable": 1 << 28},
            BROKEN,
            "a default dream takes about 0.7 GB of memory, and 0.3 GB are free",
        ),
        ({"MemAvailable": 1 << 28, "SwapFree": 1 << 32}, OK, "0.3 GB are free"),
        ({}, UNKNOWN, "this system does not say how much is free; a default dream takes about 0.73 GB"),
    ],
)
def test_free_memory_is_compared_with_the_plan(monkeypatch, meminfo, expected, about):
    monkeypatch.setattr(free_memory, "_meminfo", lambda: meminfo)
    *_, memory = trial.findings(WHOLE)
    assert memory.state == expected
    assert about in memory.about
    assert bool(hindrances([memory])) == (expected == BROKEN)


def test_gpus_are_named(monkeypatch, tmp_path):
    assert [
        each.about for each in trial.findings({**WHOLE, "gpus": ["NVIDIA H200"]}) if each.what == "GPU"
    ] == ["NVIDIA H200"]
    monkeypatch.setattr(trial, "_DRIVER", str(tmp_path))
    (gpu,) = (each for each in trial.findings(WHOLE) if each.what == "GPU")
    assert (gpu.state, gpu.command) == (MISSING, gpu_command())


@given(st.lists(st.sampled_from(["tensorflow", "plan"]), unique=True), st.text(max_size=20))
def test_a_trial_that_broke_off_is_never_a_dream_that_works(told, error):
    found = {name: WHOLE[name] for name in told}
    if "tensorflow" in told:
        found |= {"machine": MACHINE, "gpus": []}
    if "plan" not in told:
        found["error"] = error
    found = list(trial.findings(found))
    assert state(found)["default dream"] == (OK if "plan" in told else BROKEN)
    whole = set(told) == {"tensorflow", "plan"}
    hindering = {each.what for each in hindrances(found)} - {"memory"}
    assert bool(hindering) != whole


@given(
    st.lists(
        st.builds(
            Finding,
            what=st.text(max_size=3),
            state=st.sampled_from([OK, MISSING, BROKEN, UNKNOWN]),
            about=st.just(""),
            needed=st.booleans(),
        )
    )
)
def test_only_what_a_dream_needs_hinders_it(findings):
    found = hindrances(findings)
    assert all(each.needed and each.state in (MISSING, BROKEN) for each in found)
    rest = [each for each in findings if each not in found]
    assert not any(each.needed and each.state in (MISSING, BROKEN) for each in rest)
