"""Renames that wait for a virus scanner, which on Windows holds a new file for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

_HELD = (5, 32)  # Windows' errors: access is denied; another process uses the file
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between two tries
_wait = time.sleep


def rename(path: Path, target: Path) -> None:
    """Renames a file or a folder as `Path.rename` does.

    Raises:
        OSError: it cannot be renamed.
    """
    _patiently(path.rename, target)


def replace(path: Path, target: Path) -> None:
    """Renames a file as `Path.replace` does: `target` may exist.

    Raises:
        OSError: it cannot be renamed.
    """
    _patiently(path.replace, target)


def _patiently(move: Callable[[Path], object], target: Path) -> None:
    for pause in _PAUSES:
        try:
            move(target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD:
                raise
        _wait(pause)
    move(target)
