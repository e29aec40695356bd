"""What native code writes is hidden, and shown if the process crashes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="needs a POSIX shell")

CHILD = """
import ctypes, os, signal, sys
from dreamkit.cli import terminal

terminal.log_as_json({as_json})
with terminal.own_lines_only(verbose={verbose}):
    print("a line of ours", file=sys.stderr)
    os.write(2, b'native \\\\ "words" \\033[1m\\n')
    {end}
print("and then", file=sys.stderr)
"""


def child(end, *, as_json=False, verbose=False, **options):
    code = CHILD.format(end=end, as_json=as_json, verbose=verbose)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    ("end", "number"),
    [
        ("os.abort()", signal.SIGABRT),
        ("ctypes.string_at(0)", signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL),  # as the kernel does without memory
    ],
)
def test_a_crash_shows_what_native_code_wrote_last(end, number):
    run = child(end)
    assert run.returncode == -number
    ours, error, native, *trace = run.stderr.splitlines()
    assert ours == "a line of ours"
    assert error.startswith("error: dreamkit was killed or crashed in native code")
    assert native == '  native \\ "words" [1m'  # no control characters
    assert bool(trace) == (number != signal.SIGKILL)
    if trace:
        assert re.search(r"Fatal Python error: (Aborted|Segmentation fault)", trace[0])
        assert any('File "<string>", line 9' in line for line in trace)


def test_a_crash_is_events_for_programs():
    run = child("os.abort()", as_json=True)
    error, native, *trace = (json.loads(line) for line in run.stderr.splitlines()[1:])
    assert (error["event"], error["exit_code"]) == ("error", 134)
    assert native == {"event": "native", "message": 'native \\ "words" [1m'}
    assert all(event["event"] == "native" for event in trace)


@pytest.mark.parametrize(("end", "code"), [("pass", 0), ("sys.exit(3)", 3)])
def test_a_normal_end_shows_our_own_lines_only(end, code):
    run = child(end)
    wanted = "a line of ours\n" + ("and then\n" if code == 0 else "")
    assert (run.returncode, run.stderr) == (code, wanted)


def test_verbose_shows_it_at_once():
    run = child("os.abort()", verbose=True)
    assert 'native \\ "words"' in run.stderr
    assert "error: dreamkit was killed" not in run.stderr


def test_a_long_output_is_shown_from_its_end():
    run = child("os.write(2, b'x' * 9999 + b'\\nmany' * 500 + b'\\nthe last\\n'); os.kill(os.getpid(), 9)")
    assert len(run.stderr) < 2000
    assert run.stderr.endswith("many\n  the last\n")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lost", ["tempfile.tempdir = '/no/such/folder'", "del os.posix_spawn"])
def test_where_it_cannot_be_kept_it_is_lost(lost):
    run = python(f"""
import os, sys, tempfile
from dreamkit.cli import terminal
{lost}
with terminal.own_lines_only(verbose=False):
    os.write(2, b"native")
    print("ours", file=sys.stderr)
""")
    assert (run.returncode, run.stderr) == (0, "ours\n")


def test_without_a_shell_a_crash_shows_pythons_trace_and_no_file_is_made():
    """As on Windows, which cannot remove a file that is open."""
    run = python("""
import os, tempfile
from dreamkit.cli import terminal
del os.posix_spawn
tempfile.mkstemp = None
with terminal.own_lines_only(verbose=False):
    os.write(2, b"native")
    os.abort()
""")
    assert run.returncode == -signal.SIGABRT
    assert run.stderr.startswith("Fatal Python error: Aborted")
    assert "native" not in run.stderr
    assert 'File "<string>", line 8' in run.stderr


def test_nothing_is_left_open_or_running():
    run = python("""
import os
from dreamkit.cli import terminal

def descriptors():
    return sorted(os.listdir("/dev/fd"))

before = descriptors()
for _ in range(3):
    with terminal.own_lines_only(verbose=False):
        pass
assert descriptors() == before
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
""")
    assert (run.stdout, run.stderr) == ("no child\n", "")
