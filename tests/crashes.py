"""Crashes for tests: every operation on a file is a point at which a run can be killed or can fail.

Python announces operations on files to audit hooks before it does them (PEP 578); `os.fsync`, which ends
what is written to a file, is announced here. At each point, a copy of the folder is what the disk would hold
if the process were killed there: its locks end with it, and what it had not yet written is lost.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dreamkit.media import partial

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    "open": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.utime": 1,
}
"""The operations that change a disk, and how many of their arguments are paths."""


class _Watch:
    def __init__(self, folder: Path, at_point: Callable[[int, str], None]) -> None:
        self.folder = f"{folder}{os.sep}"
        self.at_point = at_point
        self.names: list[str] = []
        self.busy = False

    def see(self, event: str, paths: tuple[object, ...]) -> None:
        named = [os.path.abspath(os.fspath(each)) for each in paths if isinstance(each, str | bytes | Path)]
        if self.busy or not any(os.fsdecode(each).startswith(self.folder) for each in named):
            return
        self.busy = True
        try:
            self.names.append(f"{event} {' '.join(map(os.fsdecode, named))}")
            self.at_point(len(self.names) - 1, self.names[-1])
        finally:
            self.busy = False


_watch: _Watch | None = None
_hooked = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watch is None or event not in _EVENTS:
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
        return
    _watch.see(event, arguments[: _EVENTS[event]])


@contextmanager
def watched(folder: Path, at_point: Callable[[int, str], None]) -> Iterator[_Watch]:
    """Calls `at_point` with number and name of each operation that is going to change files in `folder`."""
    global _watch, _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    synced = os.fsync

    def fsync(descriptor: int) -> None:
        if _watch is not None:
            _watch.see("fsync", (os.readlink(f"/proc/self/fd/{descriptor}"),))
        synced(descriptor)

    _watch, os.fsync = _Watch(folder, at_point), fsync
    try:
        yield _watch
    finally:
        _watch, os.fsync = None, synced


def fault(kind: str, point: int) -> Callable[[int, str], None]:
    """What makes the operation of this number fail: `ENOSPC`, `EIO`, or `SIGINT` for Ctrl-C before it."""

    def fail(number: int, _: str) -> None:
        if number != point:
            return
        if kind == "SIGINT":
            signal.raise_signal(signal.SIGINT)
        else:
            code = getattr(errno, kind)
            raise OSError(code, os.strerror(code))

    return fail


def points(folder: Path, run: Callable[[], object]) -> list[str]:
    """Runs `run`, and gives the names of its points."""
    with watched(folder, lambda *_: None) as watch:
        run()
    return watch.names


def snapshots(folder: Path, copies: Path, run: Callable[[], object]) -> list[tuple[str, Path]]:
    """Runs `run`, and gives for each point its name and a copy of `folder` before it: a kill there."""
    found: list[tuple[str, Path]] = []

    def copy(number: int, name: str) -> None:
        # Most points follow reads and computations that change no file.
        shutil.copytree(folder, copies / f"{number:04}", symlinks=True)
        found.append((name, copies / f"{number:04}"))

    with watched(folder, copy):
        run()
    return found


def restored(copy: Path, folder: Path) -> None:
    """Makes `folder` what it was in a copy."""
    partial._swept.clear()  # as in another process
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(copy, folder, symlinks=True, dirs_exist_ok=True)


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
