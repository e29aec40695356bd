"""A key of the user's own, by which files in a folder of dreamkit's are told from files of anybody else."""

from __future__ import annotations

import os
import secrets
import stat
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from dreamkit.errors import DreamkitWarning, OutputExistsError
from dreamkit.media import atomic, partial

_NAME = "key"
_LENGTH = 32  # bytes
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_HOW = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_has_owners = hasattr(os, "geteuid")  # else Windows, whose folders of a user are closed to others


@cache
def of_folder(folder: Path) -> bytes | None:
    """The key for the files in `folder`, both made if they are missing; None where there can be none.

    Warns where the folder or the key could be another user's: what is signed there proves nothing.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wrong = _wrong_folder(folder)
        if not wrong:
            _make(folder / _NAME)
            key = _read(folder / _NAME)
            if key is not None:
                return key
            wrong = f"{folder / _NAME} may be known to others; delete it"
    except OSError:  # the disk is full or read-only
        return None
    warnings.warn(f"compiled steps are neither read nor kept: {wrong}", DreamkitWarning, stacklevel=2)
    return None


def _wrong_folder(folder: Path) -> str:
    """Why others may write to a folder; empty where only this user may. A mode that allows it is changed."""
    elsewhere = "set DREAMKIT_HOME to a folder of your own"
    if not _has_owners:
        return ""
    about = folder.stat()
    if about.st_uid != os.geteuid():
        return f"{folder} belongs to another user; {elsewhere}"
    if about.st_mode & _OTHERS_WRITE:
        with suppress(OSError):
            folder.chmod(stat.S_IMODE(about.st_mode) & ~_OTHERS_WRITE)
        if folder.stat().st_mode & _OTHERS_WRITE:
            return f"others may write to {folder}; {elsewhere}"
    return ""


def _make(path: Path) -> None:
    if os.path.lexists(path):
        return
    with partial.file_for(path) as written:
        written.chmod(0o600)
        written.write_bytes(secrets.token_bytes(_LENGTH))
        with suppress(OutputExistsError):  # another process made one
            atomic.move_into_place(written, path, overwrite=False)


def _read(path: Path) -> bytes | None:
    """The key in a file; None where others may have read or made it."""
    try:
        descriptor = os.open(path, _HOW)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        own = not _has_owners or (about.st_uid == os.geteuid() and not about.st_mode & 0o077)
        if not own or not stat.S_ISREG(about.st_mode):
            return None
        key = file.read(_LENGTH + 1)
        return key if len(key) == _LENGTH else None
