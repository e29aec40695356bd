"""Partial files and folders: what is being written, under a name of its own, until it takes its place.

The process that writes one holds a lock on it, which ends with the process. So what a killed process left
behind is told from what is still being written, and from the files of others, whose names differ.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted
    fcntl = None  # type: ignore[assignment]

_swept: set[Path] = set()
_NAME = re.compile(r"\.dreamkit-\d{1,10}-[0-9a-f]{16}(?:\.[A-Za-z0-9]{1,10})?")


def is_partial(name: str) -> bool:
    """Whether a file or a folder of this name is one that dreamkit is writing, or has left half-written."""
    return _NAME.fullmatch(name) is not None


def name_for(path: Path) -> str:
    """A new name for the partial file of `path`, with its suffix, and the number of this process in it."""
    name = f".dreamkit-{os.getpid()}-{secrets.token_hex(8)}"
    return f"{name}{path.suffix}" if is_partial(f"{name}{path.suffix}") else name


@contextmanager
def file_for(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """An empty file beside `path`, or in `folder`, to write and to move to `path`; otherwise it is removed.

    Raises:
        OSError: it cannot be created.
    """
    _sweep(folder or path.parent)
    partial, held = _created(path, folder or path.parent)
    try:
        if fcntl is None:  # there, an open file cannot be moved
            os.close(held)
        yield partial
    finally:
        if fcntl is not None:
            os.close(held)
        with suppress(OSError):  # else it is swept later
            partial.unlink()


@contextmanager
def folder_for(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """As `file_for`, for an empty folder."""
    _sweep(folder or path.parent)
    partial, held = _created_folder(path, folder or path.parent)
    try:
        yield partial
    finally:
        if held is not None:
            os.close(held)
        shutil.rmtree(partial, ignore_errors=True)


def remove_abandoned(folder: Path) -> None:
    """Removes what killed processes have left half-written in `folder`, and nothing else."""
    try:
        found = [entry for entry in os.scandir(folder) if is_partial(entry.name)]
    except OSError:
        return
    for entry in found:
        with suppress(OSError):
            _remove_if_abandoned(Path(entry.path), is_folder=entry.is_dir(follow_symlinks=False))


def _sweep(folder: Path) -> None:
    """`remove_abandoned`, once in a process: a folder may be written to ten thousand times."""
    if folder.absolute() not in _swept:
        _swept.add(folder.absolute())
        remove_abandoned(folder)


def _created(path: Path, folder: Path) -> tuple[Path, int]:
    """A new file and a descriptor that holds it."""
    while True:
        partial = folder / name_for(path)
        # Not only for writing: a lock on some network file systems needs both.
        descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        _lock(descriptor)
        if os.fstat(descriptor).st_nlink or fcntl is None:
            return partial, descriptor
        os.close(descriptor)  # another process took it for abandoned before it was locked


def _created_folder(path: Path, folder: Path) -> tuple[Path, int | None]:
    """A new folder and a descriptor that holds it, where the system has such."""
    while True:
        partial = folder / name_for(path)
        partial.mkdir()
        if fcntl is None:
            return partial, None
        with suppress(FileNotFoundError):  # another process took it for abandoned before it was locked
            descriptor = os.open(partial, os.O_RDONLY)
            _lock(descriptor)
            if partial.is_dir():
                return partial, descriptor
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks, on which nothing is ever taken for abandoned
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_if_abandoned(path: Path, *, is_folder: bool) -> None:
    """Removes a partial file or folder that no process holds.

    Raises:
        OSError: one does, or it cannot be known.
    """
    if fcntl is None:
        if not is_folder:
            path.unlink()
        return
    how = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR | os.O_NONBLOCK
    descriptor = os.open(path, how | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_folder:
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)
