"""Where dreamkit keeps files of its own: under `DREAMKIT_HOME`, else where the platform wants them."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """For what can be fetched again."""
    return _home("user_cache_dir")


def data() -> Path:
    """For what took work to make."""
    return _home("user_data_dir")


def _home(platforms: str) -> Path:
    given = os.environ.get("DREAMKIT_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs  # costs more than a command that needs no folder should pay

    return Path(getattr(platformdirs, platforms)("dreamkit", appauthor=False))
