"""Child processes: what comes back from them, and what is left of them."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from faults import children

from dreamkit.convert import sandbox
from dreamkit.errors import ConvertError

# The functions that children run here are below, in this module.
HERE = Path(__file__)


@pytest.fixture(autouse=True)
def _children_find_this_module(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE.parent))
    monkeypatch.setattr(sandbox.tempfile, "tempdir", str(tmp_path))


def call(function, *heard, **arguments):
    return sandbox.call(f"{HERE.stem}:{function}", heard[0] if heard else lambda _: None, **arguments)


def kept_log(message):
    """The log that a message names."""
    return Path(re.search(r"; its log is (\S+)$", message)[1])


def logs(tmp_path):
    return sorted(path.name for path in tmp_path.glob("*.log"))


def echo(tell, text, path):
    print("noise on stdout")
    os.write(1, b"native noise on stdout\n")
    tell("first")
    tell("second")
    return {"text": text, "path": path, "parent": os.getppid()}


def complain(tell):
    raise ConvertError("a wrong input, in one line")


def fail(tell):
    print("what the library said")
    tell("building something")
    raise RuntimeError("a library's own\nlong complaint")


def die(tell):
    tell("reading a hostile file")
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(tell):
    os._exit(3)


def fill(tell):
    return len(bytearray(8 << 30))


def spin(tell):
    tell("spinning")
    while True:
        pass


def reach_out(tell):
    import requests

    try:
        requests.get("http://example.invalid/picture.npy", timeout=5)
    except requests.RequestException as error:
        return type(error).__name__


def test_arguments_go_in_and_the_result_comes_out(tmp_path, capfd):
    heard = []
    result = call("echo", heard.append, text="é\n", path=tmp_path / "x")
    assert result == {"text": "é\n", "path": str(tmp_path / "x"), "parent": os.getpid()}
    assert heard == ["first", "second"]
    assert capfd.readouterr() == ("", "")
    assert logs(tmp_path) == []


def test_a_wrong_input_is_its_own_line(tmp_path):
    with pytest.raises(ConvertError, match=r"^a wrong input, in one line$"):
        call("complain")
    assert logs(tmp_path) == []


def test_a_library_that_fails_is_one_line_with_its_log():
    with pytest.raises(
        ConvertError, match=r"^building something failed: RuntimeError: a library's own; its log is"
    ) as failed:
        call("fail")
    text = kept_log(str(failed.value)).read_text()
    assert "what the library said" in text
    assert "long complaint" in text


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("die", r"^reading a hostile file failed: its process was ended by signal 11 \(SIGSEGV\)"),
        ("leave", r"^the child process failed: its process was ended with exit code 3"),
    ],
)
def test_a_child_that_dies_is_one_line(function, said):
    with pytest.raises(ConvertError, match=said) as failed:
        call(function)
    assert kept_log(str(failed.value)).exists()


def test_memory_is_limited(monkeypatch):
    pytest.importorskip("resource")
    monkeypatch.setattr(sandbox, "MEMORY", 1 << 30)
    with pytest.raises(ConvertError, match="MemoryError"):
        call("fill")


def test_time_is_limited(monkeypatch):
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    with pytest.raises(ConvertError, match="spinning failed: its process was ended after 1 seconds"):
        call("spin")


def test_ctrl_c_ends_the_child(tmp_path):
    def interrupt(doing):
        raise KeyboardInterrupt

    before = children(os.getpid())
    with pytest.raises(KeyboardInterrupt):
        call("spin", interrupt)
    assert logs(tmp_path) == []
    assert children(os.getpid()) == before


def test_nothing_is_fetched():
    assert call("reach_out") == "ProxyError"
