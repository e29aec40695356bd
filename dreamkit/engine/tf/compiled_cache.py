"""A cache on disk for compiled steps and other data that takes seconds to compute: files, by key.

A compiled step is a program for TensorFlow. So a file is read only if it is signed with a key that no other
user can read or replace (HMAC, RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from dreamkit.media import files, partial, signing_key

MOST_BYTES = 1 << 30  # in all; the files that were unused for longest are removed first
Read = TypeVar("Read")
_SIGNATURE = 32  # bytes
_SUFFIX = ".kept"


class CompiledCache:
    """The data of one owner, by key. If it cannot be written or read, it is missing, without a message."""

    def __init__(self, folder: Path, owner: str, most_bytes: int = MOST_BYTES) -> None:
        """`most_bytes` limits the files of all owners together."""
        self._folder = folder
        self._owner = owner
        self._most_bytes = most_bytes

    @cached_property
    def _key(self) -> bytes | None:
        return signing_key.of_folder(self._folder)

    def get(self, key: str) -> bytes | None:
        """The data under `key`; None if it is missing, damaged or signed by another user."""
        path = self._path(key)
        if self._key is None:
            return None
        try:
            read = files.read(path, self._most_bytes)
            os.utime(path)
        except OSError:
            return None
        content = read[_SIGNATURE:]
        is_ours = hmac.compare_digest(_signature(self._key, path.name, content), read[:_SIGNATURE])
        return content if is_ours else None

    def put(self, key: str, content: bytes) -> None:
        """Writes `content` under `key`, whole or not at all."""
        path = self._path(key)
        # One of a quarter would displace most of the other files.
        if self._key is None or len(content) > self._most_bytes // 4:
            return
        try:
            # Not `atomic.write`, which waits for the disk: what is lost is made again.
            with partial.file_for(path) as written:
                with written.open("wb") as file:
                    file.write(_signature(self._key, path.name, content))
                    file.write(content)
                written.replace(path)
            self._make_room()
        except OSError:  # the disk is full or read-only
            return

    def get_plain(self, key: str, check: Callable[[Any], Read]) -> Read | None:
        """What `check` makes of the plain data under `key`; None if it is missing, or `check` finds it wrong
        (a KeyError, TypeError or ValueError)."""
        content = self.get(key)
        if content is None:
            return None
        try:
            return check(json.loads(content))
        except (KeyError, TypeError, ValueError, RecursionError):
            return None

    def put_plain(self, key: str, value: Any) -> None:
        """Writes plain data, as `put`."""
        self.put(key, json.dumps(value).encode())

    def _path(self, key: str) -> Path:
        name = hashlib.sha256("\n".join([self._owner, key]).encode()).hexdigest()
        return self._folder / f"{name}{_SUFFIX}"

    def _make_room(self) -> None:
        """Removes the files that were unused for longest."""
        found = [(path.stat(), path) for path in self._folder.iterdir() if path.suffix == _SUFFIX]
        room = self._most_bytes
        for state, path in sorted(found, key=lambda each: -each[0].st_mtime):
            room -= state.st_size
            if room < 0:
                path.unlink(missing_ok=True)


def _signature(key: bytes, name: str, content: bytes) -> bytes:
    """Of a file's content under its name, so that no file takes the place of another."""
    signature = hmac.new(key, name.encode(), "sha256")
    signature.update(content)
    return signature.digest()
