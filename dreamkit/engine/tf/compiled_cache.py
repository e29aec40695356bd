"""A cache on disk for compiled steps and other data that takes seconds to compute: files, by key."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from dreamkit.media import files

MOST_BYTES = 1 << 30  # in all; the files that were unused for longest are removed first
_HASH = hashlib.sha256
_LENGTH = _HASH().digest_size


class CompiledCache:
    """The data of one owner, by key. If it cannot be written or read, it is missing, without a message."""

    def __init__(self, folder: Path, owner: str, most_bytes: int = MOST_BYTES) -> None:
        """`most_bytes` limits the files of all owners together."""
        self._folder = folder
        self._owner = owner
        self._most_bytes = most_bytes

    def get(self, key: str) -> bytes | None:
        """The data under `key`; None if it is missing or damaged."""
        path = self._path(key)
        try:
            read = files.read(path, self._most_bytes)
            os.utime(path)
        except OSError:
            return None
        content = read[_LENGTH:]
        return content if _HASH(content).digest() == read[:_LENGTH] else None

    def put(self, key: str, content: bytes) -> None:
        """Writes `content` under `key`, whole or not at all."""
        if len(content) > self._most_bytes // 4:
            return  # it would displace most of the other files
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_HASH(content).digest())
                    file.write(content)
                os.replace(partial, self._path(key))
            except BaseException:
                os.unlink(partial)
                raise
            self._make_room()
        except OSError:  # the disk is full or read-only
            return

    def _path(self, key: str) -> Path:
        name = _HASH("\n".join([self._owner, key]).encode()).hexdigest()
        return self._folder / f"{name}.kept"

    def _make_room(self) -> None:
        """Removes the files that were unused for longest, and those that a killed process left behind."""
        found = [(path.stat(), path) for path in self._folder.iterdir() if path.suffix in (".kept", ".part")]
        room = self._most_bytes
        for state, path in sorted(found, key=lambda each: -each[0].st_mtime):
            room -= state.st_size
            if room < 0:
                path.unlink(missing_ok=True)
