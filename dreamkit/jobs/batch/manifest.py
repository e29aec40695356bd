"""The manifest of a batch: what each finished dream was made from."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from dreamkit.media.storage import Store

FOLDER = "_dreamkit"  # of the manifest and the report, in the folder of the dreams
_EVERY = 10.0  # seconds between two parts
_MOST_PARTS = 100  # then they become one


class Entry(NamedTuple):
    """What a dream was made from.

    Attributes:
        sha256: of the picture.
        digest: of the request.
        size: of the dream, in bytes.
        source_size, source_mtime: of the picture, in bytes and nanoseconds, or None. While they are the same,
            the picture need not be read again.
        location: of the picture, an absolute path or a URL.
    """

    sha256: str
    digest: str
    size: int
    source_size: int | None
    source_mtime: int | None
    location: str


class Manifest:
    """The entries of all dreams, by the dreams' names, the newest last.

    It is kept in parts, `_dreamkit/manifest-TIME.jsonl`: a line is a JSON list of a dream's name and the
    values of its entry. A part is written every ten seconds, whole or not at all.
    """

    def __init__(self, store: Store, sizes: Mapping[str, int]) -> None:
        """Reads the parts among the files of `store`, which are those of `sizes`."""
        self._store = store
        self._parts = sorted(name for name in sizes if name.startswith(f"{FOLDER}/manifest-"))
        self.entries: dict[str, Entry] = {}
        self._new: dict[str, Entry] = {}
        self._written = time.monotonic()
        for name in self._parts:
            for line in store.read(name).decode("utf-8", "replace").splitlines():
                # A line that was edited is passed over, however deep its brackets go.
                with suppress(ValueError, TypeError, RecursionError):
                    output, *values = json.loads(line)
                    if len(values) == len(Entry._fields) and isinstance(output, str):
                        self._note(output, Entry(*values))

    def add(self, output: str, entry: Entry) -> None:
        """Adds a dream. Writes a part if the last one is old."""
        self._note(output, entry)
        self._new[output] = entry
        if time.monotonic() - self._written > _EVERY:
            self.write(merged=len(self._parts) >= _MOST_PARTS)

    def _note(self, output: str, entry: Entry) -> None:
        self.entries.pop(output, None)
        self.entries[output] = entry

    def write(self, *, merged: bool = False) -> None:
        """Writes what is new as a part; or, if `merged`, everything as one part in place of all others."""
        self._written = time.monotonic()
        if not self._new and not (merged and len(self._parts) > 1):
            return
        entries = self.entries if merged else self._new
        text = "".join(json.dumps([output, *entry]) + "\n" for output, entry in entries.items())
        name = f"{FOLDER}/manifest-{time.time_ns():020}.jsonl"
        self._store.write(name, text.encode())
        self._new = {}
        if merged:
            for part in self._parts:
                self._store.remove(part)
            self._parts = []
        self._parts.append(name)
