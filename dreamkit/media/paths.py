"""Where dreamkit keeps files of its own, `DREAMKIT_HOME` or the platform's folders, and a file's hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def cache() -> Path:
    """For what can be fetched again."""
    return _home("user_cache_dir")


def data() -> Path:
    """For what took work to make."""
    return _home("user_data_dir")


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file, in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _home(platforms: str) -> Path:
    given = os.environ.get("DREAMKIT_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs  # costs more than a command that needs no folder should pay

    return Path(getattr(platformdirs, platforms)("dreamkit", appauthor=False))
