"""Where a batch writes: a folder, or any place that fsspec knows, such as s3://bucket/dreams."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from dreamkit.errors import DreamkitError, ImageError, OutputExistsError, first_line
from dreamkit.media import atomic

# Of which a written object is seen whole or not at all.
_OBJECTS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory")


class StoreError(DreamkitError):
    """A place cannot be written to or read from."""


class Store(Protocol):
    """Files by their names, which have `/` between folders. `str` says where they are."""

    def check(self) -> None:
        """Makes sure that it can be written to, and raises a `DreamkitError` if not."""

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Writes a file, whole or not at all, over what is there."""

    def get(self, name: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""

    def remove(self, name: str) -> None:
        """Takes a file away, if it is there."""

    def sizes(self) -> dict[str, int]:
        """All files, with how many bytes they have."""


def is_url(where: str) -> bool:
    """Whether it is fsspec's affair."""
    return "://" in where


def at(where: str) -> Store:
    """The store at a folder or URL.

    Raises:
        StoreError: fsspec, or what it needs for such a URL, is not installed.
    """
    return Remote(where) if is_url(where) else Folder(Path(where))


class Folder:
    """A folder of this machine, or of all machines that share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def check(self) -> None:
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise OutputExistsError(f"{self.path} is no folder; give one with -o")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(
                f"cannot make the folder {self.path} ({first_line(error)}); choose another"
            ) from error
        if not os.access(self.path, os.W_OK):
            raise ImageError(f"the folder {self.path} may not be written to; choose another")

    def put(self, name: str, data: bytes | memoryview) -> None:
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"cannot make the folder {path.parent} ({first_line(error)})") from error
        atomic.write(path, data, overwrite=True)

    def get(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def sizes(self) -> dict[str, int]:
        return {
            os.path.relpath(os.path.join(folder, name), self.path).replace(os.sep, "/"): size
            for folder, _, names in os.walk(self.path)
            for name in names
            if (size := _size(os.path.join(folder, name))) is not None
        }

    def clear(self, before: float) -> None:
        """Takes away what runs that were killed had begun to write, before a time in seconds."""
        for folder, _, names in os.walk(self.path):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):
                    if name.startswith(atomic.PARTIAL) and path.stat().st_mtime < before:
                        path.unlink()


class Remote:
    """A place that fsspec knows. It is opened anew in every process that it is sent to."""

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
                    f"{self.url} needs fsspec, which is not installed; pip install 'dreamkit[scale]'"
                ) from error
            try:
                self._opened = url_to_fs(self.url)
            except (ImportError, ValueError) as error:
                raise StoreError(f"{self.url} cannot be reached ({first_line(error)[:160]})") from error
        return self._opened

    def check(self) -> None:
        name = f"_dreamkit/check-{secrets.token_hex(8)}"
        self.put(name, b"")
        self.remove(name)

    def put(self, name: str, data: bytes | memoryview) -> None:
        fs, root = self._fs()
        path, whole = f"{root}/{name}", self.url.partition(":")[0] in _OBJECTS
        partial = path if whole else f"{path.rpartition('/')[0]}/{atomic.PARTIAL}{secrets.token_hex(8)}"
        try:
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.pipe_file(partial, bytes(data))
            if not whole:
                fs.mv(partial, path)
        except Exception as error:  # every kind of place has its own
            raise StoreError(f"cannot write {self.url}/{name} ({first_line(error)[:160]})") from error

    def get(self, name: str) -> bytes:
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
        except Exception as error:  # as in `put`
            raise StoreError(f"{self.url} cannot be read ({first_line(error)[:160]})") from error
        return {name[len(root) :].lstrip("/"): int(about["size"]) for name, about in found.items()}


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:  # gone meanwhile
        return None
