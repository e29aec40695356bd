"""Standard streams: what cannot be written to them stops no work."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from dreamkit.cli import streams, terminal

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is full")


def shell(line, folder):
    """Runs a line of a shell in which `$D` is dreamkit."""
    program = f"{sys.executable} -m dreamkit"
    return subprocess.run(
        ["bash", "-c", line.replace("$D", program)], cwd=folder, capture_output=True, text=True, check=False
    )


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):  # noqa: ARG002
        raise self.error


def test_stderr_never_fails():
    for error in (
        OSError(5, "Input/output error"),
        BrokenPipeError(),
        ValueError("I/O operation on closed file"),
    ):
        stream = streams.forgiving(Broken(error))
        assert stream.write("text") == 4
        stream.writelines(["a", "b"])
        stream.flush()
        assert stream.getvalue() == ""  # all else is the stream's own


def test_stdout_fails_in_one_line_however_often_it_is_asked():
    stream = streams._Failing(Broken(OSError(28, "No space left on device")))
    for _ in range(2):
        with pytest.raises(streams.StreamError, match=r"standard output \(No space left on device\)"):
            stream.write("text")
    with pytest.raises(BrokenPipeError):
        streams._Failing(Broken(BrokenPipeError())).write("text")


@FULL
def test_a_full_stdout_is_one_line(tmp_path):
    ended = shell("$D models > /dev/full", tmp_path)
    assert (ended.returncode, ended.stderr) == (
        1,
        "error: cannot write to the standard output (No space left on device)\n",
    )


@pytest.mark.heavy
@pytest.mark.parametrize("redirection", ["2>&-", "2>&1 | head -n 1", "<&- >&- 2>&-"])
def test_the_work_goes_on_whoever_listens(tmp_path, picture, redirection):
    command = f"$D dream {picture} -o out.png --octaves 1 --steps 1 --max-size 64"
    shell(f"{command} {redirection}", tmp_path)
    assert (tmp_path / "out.png").is_file()


def test_characters_that_a_terminal_lacks_are_escaped(tmp_path):
    ended = shell("PYTHONIOENCODING=latin-1 $D dream no-ж.png", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: no-\\u0436.png does not exist")


def test_stderr_keeps_its_encoding_while_native_code_is_hidden():
    """A screen of Windows, or PYTHONIOENCODING, may have another one than files have."""
    code = """if True:
        import sys
        from dreamkit.cli import terminal
        with terminal.own_lines_only(verbose=False):
            terminal.warning("caf\\xe9 \\u0436")
    """
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr.rstrip(b"\r\n")) == (0, b"warning: caf\xe9 \\u0436")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\tb\nc", "a\tb\nc"),
        ("\u202eright to left", "\\u202eright to left"),
        ("ж é 猫", "ж é 猫"),
        ("\udcff", "\\udcff"),
    ],
)
def test_characters_that_a_terminal_would_obey_are_escaped(capsys, text, seen):
    terminal.say(text)
    terminal.say(text, err=True)
    assert capsys.readouterr() == (f"{seen}\n", f"{seen}\n")


@pytest.mark.skipif(os.name != "posix", reason="no such file names here")
def test_a_file_name_does_not_command_the_terminal(run, tmp_path):
    (tmp_path / "\x1b[2Jx.jpg").write_text("no picture")
    code, out, err = run("dream", "\x1b[2Jx.jpg")
    assert (code, out) == (1, "")
    assert "\x1b" not in err
    assert "\\x1b[2Jx.jpg cannot be read as a picture" in err
