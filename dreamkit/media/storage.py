"""Stores that a batch writes to: a folder, or any place that fsspec knows, such as s3://bucket/dreams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from unicodedata import normalize

from dreamkit.errors import ImageError, OutputExistsError, StoreError, first_line
from dreamkit.media import atomic, files, locks, partial, remote

_LOCK = "_dreamkit/.lock"  # in a folder
_MOST_BYTES = 1 << 30  # of a file that is read


class Store(Protocol):
    """Files by name, with `/` between folders. `str` gives the place."""

    def check(self) -> None:
        """Checks that the store can be written to; raises a `DreamkitError` if not."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Writes a file, whole or not at all, and replaces an existing one."""

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError, or a `DreamkitError` or OSError if it cannot be read."""

    def remove(self, name: str) -> None:
        """Deletes a file if it exists; raises a `DreamkitError` or OSError if it cannot."""

    def sizes(self) -> dict[str, int]:
        """The sizes of all files, in bytes, by name; raises a `DreamkitError` if the store cannot be read."""


def open_store(where: str) -> Store:
    """The store at a folder or URL.

    Raises:
        StoreError: the URL is not one that fsspec can open here.
    """
    return remote.RemoteStore(where) if remote.is_url(where) else FolderStore(Path(where))


@contextmanager
def held(store: Store) -> Iterator[bool]:
    """A store that can be written to, for this process alone if it is a folder. Gives whether names are the
    same there that differ in capitals or in Unicode's form alone: see `folded`.

    Raises:
        StoreError: another process writes to it.
        DreamkitError: it cannot be written to.
    """
    store.check()
    if not isinstance(store, FolderStore):
        yield False
        return
    lock = store.path / _LOCK
    with ExitStack() as stack:
        try:
            lock.parent.mkdir(exist_ok=True)
            stack.enter_context(locks.exclusive(lock))
        except locks.LockedError as error:
            raise StoreError(
                f"another dreamkit is writing to {store}; wait until it ends, or choose another -o"
            ) from error
        except OSError as error:
            raise ImageError(f"cannot write {lock} ({first_line(error)})") from error
        yield store.folds_names()


class FolderStore:
    """A folder of this machine, or of all machines that share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def check(self) -> None:
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise OutputExistsError(f"{self.path} is not a folder; give one with -o")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(
                f"cannot create the folder {self.path} ({first_line(error)}); choose another"
            ) from error
        if not os.access(self.path, os.W_OK):
            raise ImageError(f"the folder {self.path} may not be written to; choose another")

    def write(self, name: str, data: bytes | memoryview) -> None:
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"cannot create the folder {path.parent} ({first_line(error)})") from error
        atomic.write(path, data, overwrite=True)

    def read(self, name: str) -> bytes:
        return files.read(self.path / name, _MOST_BYTES)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        return {
            os.path.relpath(os.path.join(folder, name), self.path).replace(os.sep, "/"): size
            for folder, _, names in os.walk(self.path)
            for name in names
            if (size := _size(os.path.join(folder, name))) is not None
        }

    def folds_names(self) -> bool:
        """Whether names are the same that differ in capitals or in Unicode's form alone.

        Raises:
            ImageError: the folder cannot be written to.
        """
        with atomic.write_errors(self.path), partial.folder_for(self.path / "x") as empty:
            return _are_one(empty / "x", empty / "X") or _are_one(empty / "\xe4", empty / "a\u0308")

    def remove_abandoned(self) -> None:
        """Removes what killed runs have left half-written, in all folders."""
        for folder, _, _ in os.walk(self.path):
            partial.remove_abandoned(Path(folder))


def folded(name: str) -> str:
    """What all names of one file have in common where names fold, as on macOS and Windows."""
    return normalize("NFC", normalize("NFC", name).casefold())


def _are_one(path: Path, other: Path) -> bool:
    """Whether two paths in an empty folder lead to one file."""
    with suppress(OSError, ValueError):  # a name that there cannot be
        path.touch()
        return other.exists()
    return False


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # deleted meanwhile
        return None
