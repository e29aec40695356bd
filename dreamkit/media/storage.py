"""Stores that a batch writes to: a folder, or any place that fsspec knows, such as s3://bucket/dreams."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from dreamkit.errors import DreamkitError, ImageError, OutputExistsError, first_line
from dreamkit.installation import extra_command
from dreamkit.media import atomic, files, locks, partial

_LOCK = "_dreamkit/.lock"  # in a folder
_MOST_BYTES = 1 << 30  # of a file that is read
# Protocols of object stores, where a written object appears whole or not at all.
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")


class StoreError(DreamkitError):
    """A store cannot be written to or read from."""


class Store(Protocol):
    """Files by name, with `/` between folders. `str` gives the place."""

    def check(self) -> None:
        """Checks that the store can be written to; raises a `DreamkitError` if not."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Writes a file, whole or not at all, and replaces an existing one."""

    def read(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""

    def remove(self, name: str) -> None:
        """Deletes a file if it exists."""

    def sizes(self) -> dict[str, int]:
        """The sizes of all files, in bytes, by name."""


def is_url(where: str) -> bool:
    """Whether `where` is a URL, and not a folder."""
    return "://" in where


def open_store(where: str) -> Store:
    """The store at a folder or URL.

    Raises:
        StoreError: fsspec, or what it needs for such a URL, is not installed.
    """
    return RemoteStore(where) if is_url(where) else FolderStore(Path(where))


@contextmanager
def held(store: Store) -> Iterator[bool]:
    """A store that can be written to, for this process alone if it is a folder. Gives whether its names are
    the same that differ in capitals alone.

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
        yield store.folds_case()


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

    def folds_case(self) -> bool:
        """Whether names are the same that differ in capitals alone.

        Raises:
            ImageError: no file can be written to the folder.
        """
        with atomic.write_errors(self.path), partial.file_for(self.path / "x") as written:
            return written.with_name(written.name.upper()).exists()

    def remove_abandoned(self) -> None:
        """Removes what killed runs have left half-written, in all folders."""
        for folder, _, _ in os.walk(self.path):
            partial.remove_abandoned(Path(folder))


class RemoteStore:
    """A place that fsspec knows. Every process that receives a copy opens it again."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opened: tuple[Any, str] | None = None
        self._fs()

    def __str__(self) -> str:
        return self.url

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_opened": None}

    def _fs(self) -> tuple[Any, str]:
        if self._opened is None:
            try:
                from fsspec.core import url_to_fs
            except ImportError as error:
                raise StoreError(
                    f"{self.url} needs fsspec, which is not installed; run: {extra_command('scale')}"
                ) from error
            try:
                self._opened = url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise StoreError(f"{self.url} cannot be reached ({first_line(error)[:160]})") from error
        return self._opened

    def check(self) -> None:
        name = f"_dreamkit/check-{secrets.token_hex(8)}"
        self.write(name, b"")
        self.remove(name)

    def write(self, name: str, data: bytes | memoryview) -> None:
        fs, root = self._fs()
        path, whole = f"{root}/{name}", self.url.partition(":")[0] in _OBJECT_STORES
        written = path if whole else f"{path.rpartition('/')[0]}/{partial.name_for(Path(name))}"
        try:
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.pipe_file(written, bytes(data))
            if not whole:
                fs.mv(written, path)
        except Exception as error:  # every file system has its own errors
            raise StoreError(f"cannot write {self.url}/{name} ({first_line(error)[:160]})") from error

    def read(self, name: str) -> bytes:
        fs, root = self._fs()
        return bytes(fs.cat_file(f"{root}/{name}"))

    def remove(self, name: str) -> None:
        fs, root = self._fs()
        with suppress(FileNotFoundError):
            fs.rm_file(f"{root}/{name}")

    def sizes(self) -> dict[str, int]:
        fs, root = self._fs()
        try:
            fs.invalidate_cache()
            found = fs.find(root, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # as in `write`
            raise StoreError(f"{self.url} cannot be read ({first_line(error)[:160]})") from error
        return {name[len(root) :].lstrip("/"): int(about["size"]) for name, about in found.items()}


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # deleted meanwhile
        return None
