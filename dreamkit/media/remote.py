"""Files and stores at URLs that fsspec knows, such as s3://bucket/photos."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

from dreamkit.errors import StoreError, first_line, shown
from dreamkit.installation import extra_command
from dreamkit.media import files, partial

_MOST_BYTES = 1 << 30  # of a file that is read
# Protocols of object stores, where a written object appears whole or not at all.
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss")


def is_url(where: str) -> bool:
    """Whether `where` is a URL, and not a path."""
    return "://" in where


def name_of(where: str, flavour: type[PurePath] = PurePath) -> str:
    """The last part of a URL or of a path, whose `flavour` is by default this system's."""
    return where.rpartition("/")[2] if is_url(where) else flavour(where).name


def read(url: str) -> bytes:
    """The bytes of the file at `url`.

    Raises:
        FileNotFoundError: there is none.
        StoreError: it cannot be read, or is larger than a gigabyte.
    """
    fs, path = _opened(url)
    return _read(fs, path, url)


class RemoteStore:
    """A place that fsspec knows. Every process that receives a copy opens it again."""

    def __init__(self, url: str) -> None:
        """Raises a `StoreError` if fsspec cannot open such a URL here."""
        self.url = url.rstrip("/")
        self._place: tuple[Any, str] | None = None
        self._fs()

    def __str__(self) -> str:
        return self.url

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_place": None}

    def _fs(self) -> tuple[Any, str]:
        if self._place is None:
            self._place = _opened(self.url)
        return self._place

    def check(self) -> None:
        name = f"_dreamkit/check-{secrets.token_hex(8)}"
        self.write(name, b"")
        self.remove(name)

    def write(self, name: str, data: bytes | memoryview) -> None:
        fs, root = self._fs()
        path, whole = f"{root}/{name}", self.url.partition(":")[0] in _OBJECT_STORES
        folder = path.rpartition("/")[0]
        written = path if whole else f"{folder}/{partial.name_for(Path(name))}"
        with _errors(f"cannot write {self.url}/{name}"):
            fs.makedirs(folder, exist_ok=True)
            fs.pipe_file(written, bytes(data))
            if not whole:
                fs.mv(written, path)

    def read(self, name: str) -> bytes:
        fs, root = self._fs()
        return _read(fs, f"{root}/{name}", f"{self.url}/{name}")

    def remove(self, name: str) -> None:
        fs, root = self._fs()
        with suppress(FileNotFoundError), _errors(f"cannot remove {self.url}/{name}"):
            fs.rm_file(f"{root}/{name}")

    def sizes(self) -> dict[str, int]:
        fs, root = self._fs()
        try:
            with _errors(f"{self.url} cannot be read"):
                fs.invalidate_cache()
                found = fs.find(root, detail=True)
                return {name[len(root) :].lstrip("/"): int(about["size"]) for name, about in found.items()}
        except FileNotFoundError:
            return {}


def _opened(url: str) -> tuple[Any, str]:
    """The file system of `url`, and the path in it."""
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import available_protocols
    except ImportError as error:
        raise StoreError(
            f"{url} needs fsspec, which is not installed; run: {extra_command('scale')}"
        ) from error
    for part in url.split("::"):
        protocol = part.partition("://")[0]
        if protocol not in available_protocols():  # fsspec would take some of these for files
            raise StoreError(f"{url} cannot be reached (fsspec knows no protocol '{shown(protocol)}')")
    try:
        with _errors(f"{url} cannot be reached"):
            fs, path = url_to_fs(url)
    except FileNotFoundError as error:  # of a file that the protocol needs
        raise StoreError(f"{url} cannot be reached ({first_line(error)[:160]})") from error
    if "memory" in _protocols(fs):
        raise StoreError(f"{url} is gone when this process ends; give a folder or a store that lasts")
    return fs, str(path)


def _protocols(fs: Any) -> set[str]:
    """The protocols of a file system, and of those that it passes files on to."""
    found: set[str] = set()
    while fs is not None:
        protocol = getattr(fs, "protocol", ())
        found.update((protocol,) if isinstance(protocol, str) else protocol)
        fs = getattr(fs, "fs", None)
    return found


def _read(fs: Any, path: str, name: str) -> bytes:
    with _errors(f"{name} cannot be read"):
        if "file" in _protocols(fs):
            return files.read(path, _MOST_BYTES)
        with fs.open(path, "rb") as file:
            data = bytes(file.read(_MOST_BYTES + 1))
    if len(data) > _MOST_BYTES:
        raise StoreError(f"{name} is larger than {_MOST_BYTES:,} bytes")
    return data


@contextmanager
def _errors(what: str) -> Iterator[None]:
    """Turns whatever a file system raises into a `StoreError`, except FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # every file system has its own errors
        raise StoreError(f"{what} ({first_line(error)[:160]})") from error
