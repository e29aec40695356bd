"""The command `dreamkit` as a process: where it is, what it answers, what it says while it runs."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

PYTHON = "DREAMKIT_PYTHON"  # the environment variable that names the Python in which dreamkit is installed

_INSTALL = 'pip install ".[video]"'
_WAIT = 0.1  # seconds between two looks at whether ComfyUI was told to stop
_END = 10.0  # seconds that a process has to end by itself
_ERROR = "error: "  # before what is wrong, where no JSON is asked for


class DreamkitError(Exception):
    """dreamkit is not there, or refuses what it was given: one line, which ComfyUI shows at the node."""

    __module__ = "dreamkit_comfyui"  # ComfyUI shows it, and imports this package by a path


def command() -> tuple[str, ...]:
    """The words that start dreamkit.

    Raises:
        DreamkitError: it is not installed where it is looked for.
    """
    python = os.environ.get(PYTHON)
    if python:
        found = shutil.which(os.path.expanduser(python))
        if found is None:
            raise DreamkitError(f"{PYTHON} is {python}, which is not a program; give the path of a Python")
        return os.path.abspath(found), "-m", "dreamkit"
    folders = [os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")]
    found = shutil.which("dreamkit", path=os.pathsep.join(folders))
    if found is None:
        raise DreamkitError(
            f"dreamkit is not installed; run {_INSTALL} in a copy of its repository, with the pip of an "
            f"environment of its own, and give the path of that environment's Python in the environment "
            f"variable {PYTHON} before you start ComfyUI"
        )
    return (os.path.abspath(found),)


def answer(*arguments: str, folder: Path | None = None) -> str:
    """What dreamkit prints for `arguments`; `folder` is where it runs.

    Raises:
        DreamkitError: it is not there, or has an error instead.
    """
    words = [*command(), *arguments]
    with _start_errors(words):
        ended = subprocess.run(words, stdout=subprocess.PIPE, check=False, **_how(folder))
    _check(ended.returncode, ended.stderr.splitlines())
    return str(ended.stdout)


def run(
    arguments: Sequence[str],
    folder: Path,
    on_event: Callable[[dict[str, Any]], None],
    check_interrupted: Callable[[], None],
) -> None:
    """Runs a command of dreamkit that takes time, and ends it when the caller raises something.

    Args:
        arguments: those of the command, without --log-format.
        folder: where it runs.
        on_event: called with each event: `docs/batch.md` lists them.
        check_interrupted: called often, and raises when the process must end.

    Raises:
        DreamkitError: dreamkit is not there, or has an error.
        Exception: whatever `on_event` and `check_interrupted` raise.
    """
    words = [*command(), *arguments, "--log-format", "json"]
    with _start_errors(words):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, **_how(folder))
    said = []
    with process, _lines_of(process, check_interrupted) as lines:
        for line in lines:
            event = _event(line)
            if event is None or event["event"] == "error":
                said.append(line if event is None else _ERROR + event["message"])
            elif event["event"] == "warning":
                logging.warning("dreamkit: %s", event["message"])
            else:
                on_event(event)
    _check(process.returncode, said)


def _how(folder: Path | None) -> dict[str, Any]:
    """How a process is started. TensorFlow takes all memory of a GPU unless it is told, and ComfyUI needs
    some."""
    defaults = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "PYTHONIOENCODING": "utf-8"}
    return {
        "cwd": folder,
        "env": {**defaults, **os.environ},
        "stdin": subprocess.DEVNULL,
        "stderr": subprocess.PIPE,
        "text": True,
        "encoding": "utf-8",
        "errors": "replace",
    }


@contextmanager
def _start_errors(words: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DreamkitError(f"cannot start {words[0]} ({error.strerror})") from None


@contextmanager
def _lines_of(
    process: subprocess.Popen[str], check_interrupted: Callable[[], None]
) -> Iterator[Iterator[str]]:
    """The lines that a process writes to stderr, as they come. At an error, the process is ended.

    A thread reads them, because ComfyUI's interruption must be seen while none comes.
    """
    lines: Queue[str | None] = Queue()

    def read() -> None:
        for line in process.stderr or ():
            lines.put(line)
        lines.put(None)

    def arriving() -> Iterator[str]:
        while True:
            check_interrupted()
            try:
                line = lines.get(timeout=_WAIT)
            except Empty:
                continue
            if line is None:
                return
            yield line.strip()

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        yield arriving()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        reader.join()


def _event(line: str) -> dict[str, Any] | None:
    """An event of dreamkit; None for a line that is something else's."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _check(code: int, said: Sequence[str]) -> None:
    """Raises what is wrong where a process failed that wrote the lines `said`."""
    if code == 0:
        return
    last = next((line.strip() for line in reversed(said) if line.strip()), f"it ended with code {code}")
    if last.startswith(_ERROR):
        raise DreamkitError(last.removeprefix(_ERROR))
    logging.error("dreamkit failed:\n%s", "\n".join(said))
    raise DreamkitError(f"dreamkit failed, and ComfyUI's log says more: {last}")
