"""The folders for dreamkit's own files (`DREAMKIT_HOME` or the platform's), and names and hashes of files."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from dreamkit.names import no_device

_LONGEST = 255  # bytes of a file's name
_OF_THE_SYSTEM = frozenset({".ds_store", "desktop.ini", "thumbs.db"})


def cache() -> Path:
    """The folder for files that can be fetched or computed again."""
    return _home("user_cache_dir")


def data() -> Path:
    """The folder for files that the user made, such as converted models."""
    return _home("user_data_dir")


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def companion(path: Path, suffix: str) -> Path:
    """`NAME` + `suffix` beside `path`; of its hash where that name is longer than file systems take."""
    if len(os.fsencode(path.name + suffix)) <= _LONGEST:
        return path.with_name(path.name + suffix)
    return path.with_name(hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32] + suffix)


def safe_name(name: str) -> str:
    """`name` as a file name that every system takes."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).strip("._-")[:100].rstrip(".")
    return no_device(safe) or "_"


def is_of_the_system(name: str) -> bool:
    """Whether a file of this name is one that macOS or Windows leaves in any folder that somebody opens."""
    return name.casefold() in _OF_THE_SYSTEM or name.startswith("._")


def _home(function: str) -> Path:
    given = os.environ.get("DREAMKIT_HOME")
    if given:
        return Path(os.path.expanduser(given))  # which leaves a user that does not exist
    import platformdirs  # slow to import, and most commands need no folder

    return Path(getattr(platformdirs, function)("dreamkit", appauthor=False))
