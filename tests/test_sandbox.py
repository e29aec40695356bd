"""Child processes: their results, errors and limits, and that nothing is left of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from faults import children

from dreamkit.convert import sandbox
from dreamkit.errors import ConvertError

# The children run functions of this module.
HERE = Path(__file__)
MORE_MEMORY = "close other programs, or convert on a machine with more memory"


@pytest.fixture(autouse=True)
def _children_find_this_module(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent), str(ROOT)]))
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(tmp_path))


def call(function, on_stage=lambda _: None, **arguments):
    return sandbox.call(f"{HERE.stem}:{function}", on_stage, **arguments)


def kept_log(message):
    """The path of the log that an error message names."""
    return Path(re.search(r"; its log is (\S+)$", message)[1])


def logs(tmp_path):
    return sorted(path.name for path in tmp_path.glob("*.log"))


def echo(on_stage, text, path):
    print("noise on stdout")
    os.write(1, b"native noise on stdout\n")
    on_stage("first")
    on_stage("second")
    return {"text": text, "path": path, "parent": os.getppid()}


def raise_convert_error(on_stage):
    raise ConvertError("a wrong input, in one line")


def raise_runtime_error(on_stage):
    print("output of the library")
    on_stage("building something")
    raise RuntimeError("a library's own\nlong complaint")


def crash(on_stage):
    on_stage("reading a hostile file")
    os.kill(os.getpid(), signal.SIGSEGV)


def end_for_want_of_memory(on_stage):
    os.kill(os.getpid(), signal.SIGKILL)


def abort_for_want_of_memory(on_stage):
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def leave_with_a_note(on_stage):
    error = SystemExit(1)
    error.add_note("do something else")
    raise error


def exit_early(on_stage):
    os._exit(3)


def use_memory(on_stage):
    return len(bytearray(8 << 30))


def run_forever(on_stage):
    on_stage("running")
    while True:
        pass


def hold(on_stage, pipe):
    """Runs for ever, with `pipe` open for as long as its process lives."""
    os.open(pipe, os.O_WRONLY)
    on_stage("running")
    while True:
        pass


def download(on_stage):
    import requests

    try:
        requests.get("http://example.invalid/picture.npy", timeout=5)
    except requests.RequestException as error:
        return type(error).__name__


def test_arguments_and_the_result_are_passed(tmp_path, capfd):
    stages = []
    result = call("echo", stages.append, text="é\n", path=tmp_path / "x")
    assert result == {"text": "é\n", "path": str(tmp_path / "x"), "parent": os.getpid()}
    assert stages == ["first", "second"]
    assert capfd.readouterr() == ("", "")
    assert logs(tmp_path) == []


def test_the_error_of_a_wrong_input_is_passed_on(tmp_path):
    with pytest.raises(ConvertError, match=r"^a wrong input, in one line$"):
        call("raise_convert_error")
    assert logs(tmp_path) == []


def test_a_failing_library_is_an_error_that_names_the_log():
    with pytest.raises(
        ConvertError, match=r"^building something failed: RuntimeError: a library's own; its log is"
    ) as failed:
        call("raise_runtime_error")
    text = kept_log(str(failed.value)).read_text()
    assert "output of the library" in text
    assert "long complaint" in text


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("crash", r"^reading a hostile file failed: its process was ended by signal 11 \(SIGSEGV\)"),
        ("exit_early", r"^the child process failed: its process ended with exit code 3"),
    ],
)
def test_a_crashing_child_is_an_error_that_names_the_log(function, message):
    with pytest.raises(ConvertError, match=message) as failed:
        call(function)
    assert kept_log(str(failed.value)).exists()


def test_memory_is_limited(monkeypatch):
    pytest.importorskip("resource")
    monkeypatch.setattr(sandbox, "BASE_MEMORY", 1 << 30)
    with pytest.raises(ConvertError, match=f"MemoryError.*; {MORE_MEMORY}; its log is"):
        call("use_memory")


@pytest.mark.parametrize("function", ["end_for_want_of_memory", "abort_for_want_of_memory"])
def test_a_child_without_memory_says_what_to_try(function):
    with pytest.raises(ConvertError, match=rf"signal \d+ \(SIG\w+\); {MORE_MEMORY}; its log is") as failed:
        call(function)
    assert kept_log(str(failed.value)).exists()


def test_the_notes_of_an_exception_say_what_to_do():
    with pytest.raises(ConvertError, match=r" failed: SystemExit: 1; do something else; its log is"):
        call("leave_with_a_note")


def test_time_is_limited(monkeypatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 1)
    with pytest.raises(ConvertError, match="failed: its process was ended after 1 seconds"):
        call("run_forever")


def test_ctrl_c_ends_the_child(tmp_path):
    def interrupt(stage):
        raise KeyboardInterrupt

    before = children(os.getpid())
    with pytest.raises(KeyboardInterrupt):
        call("run_forever", interrupt)
    assert logs(tmp_path) == []
    assert children(os.getpid()) == before


def test_a_child_ends_with_its_parent_and_leaves_nothing(tmp_path):
    pipe, temporary = tmp_path / "pipe", tmp_path / "temporary"
    os.mkfifo(pipe)
    temporary.mkdir()
    code = f"""
import os, signal
from dreamkit.convert import sandbox
sandbox.call("{HERE.stem}:hold", lambda stage: os.kill(os.getpid(), signal.SIGKILL), pipe={str(pipe)!r})
"""
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(temporary)})
    assert pipe.read_bytes() == b""  # until the child has opened it and is gone
    assert parent.wait() == -signal.SIGKILL
    assert list(temporary.iterdir()) == []


def test_a_child_has_no_network():
    assert call("download") == "ProxyError"
