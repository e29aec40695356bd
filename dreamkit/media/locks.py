"""Lock files: one process at a time works on a folder or fetches a file. A killed process frees its locks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class LockedError(Exception):
    """Another process, or another lock of this one, holds the lock."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file `path` and removes it afterwards; waits for nobody.

    Raises:
        LockedError: somebody else holds it.
        OSError: it cannot be created.
    """
    from filelock import FileLock, Timeout  # few commands need it, and start-up counts

    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise LockedError(path) from error
    try:
        yield
    finally:
        if os.name == "posix":  # Windows cannot remove an open file; there filelock does it itself
            with suppress(OSError):
                path.unlink()
        lock.release()
