"""Folders written whole or not at all: whatever kills the process, the former one or the new one is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dreamkit.media import locks, moves, partial

_FORMER = ".dreamkit-former-"  # followed by the name of the folder that is being replaced
_LOCK = ".dreamkit-lock-"


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder` at the end of the block, in place of one that exists. If the
    block fails, it is removed, and `folder` is as before.

    Raises:
        LockedError: another process is making the same folder.
        OSError: it cannot be written.
    """
    folder = folder.absolute()
    with locks.exclusive(_lock_of(folder)):
        _complete(folder)
        with partial.folder_for(folder) as new:
            yield new
            _replace(new, folder)


def complete(parent: Path) -> None:
    """Completes what killed processes have begun in `parent`: a folder that was being replaced gets its name
    back, unless a new one has it already."""
    for former in list(parent.glob(f"{_FORMER}*")):
        folder = parent / former.name.removeprefix(_FORMER)
        # Who holds the lock is alive, and replaces it now.
        with suppress(locks.LockedError, OSError), locks.exclusive(_lock_of(folder)):
            _complete(folder)


def _complete(folder: Path) -> None:
    former = _former(folder)
    if not former.is_dir():
        return
    if os.path.lexists(folder):
        shutil.rmtree(former)
    else:
        moves.rename(former, folder)


def _former(folder: Path) -> Path:
    return folder.with_name(f"{_FORMER}{folder.name}")


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{_LOCK}{folder.name}")


def _replace(new: Path, folder: Path) -> None:
    """Renames `new` to `folder`; what was there is removed."""
    former = _former(folder)
    try:
        if os.path.lexists(folder):
            moves.rename(folder, former)
        moves.rename(new, folder)
    except BaseException:  # Ctrl-C too
        if former.exists() and not os.path.lexists(folder):
            moves.rename(former, folder)
        raise
    if former.exists():
        shutil.rmtree(former, ignore_errors=True)
