"""Input files: small ones read with a limit, files of another kind refused by name, and links."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dreamkit.errors import ConvertError, first_line
from dreamkit.media import file_kinds


def read_file(path: Path, kind: str, max_bytes: int) -> bytes:
    """The contents of a small file. `kind` says in error messages what the file should be.

    Raises:
        ConvertError: the file cannot be read, is not a regular file or has more than `max_bytes`.
    """
    try:
        check_regular(path, kind)
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise ConvertError(f"cannot read {kind} {path} ({first_line(error)})") from error
    if len(data) > max_bytes:
        raise ConvertError(f"{path} is too large for a {kind}; is it the caffemodel?")
    return data


def check_regular(path: Path, kind: str) -> None:
    """Refuses pipes and devices, which may never end.

    Raises:
        ConvertError: something other than a regular file is at `path`.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        found = "a folder" if os.path.isdir(path) else "not a regular file"
        raise ConvertError(f"cannot read {kind} {path}: it is {found}; give the path of a file")


def refuse_other_kinds(path: Path, kind: str | Sequence[str], wanted: str) -> None:
    """Refuses a file that is certainly of another kind than `kind`, one or more keys of `file_kinds.KINDS`.

    `wanted` says in the error message what to give instead.

    Raises:
        ConvertError: it is of another kind; the error names it.
    """
    found = file_kinds.describe(path, [kind] if isinstance(kind, str) else kind, wanted)
    if found is not None:
        raise ConvertError(f"{path} {found}")


def link_or_copy(path: str, name: str) -> None:
    """Makes `name` a link to a file or a folder. Windows lets only administrators make symbolic links; there
    it makes hard ones, or copies from another disk.

    Raises:
        OSError: it cannot be done.
    """
    try:
        os.symlink(os.path.abspath(path), name, target_is_directory=os.path.isdir(path))
    except OSError:
        if os.path.isdir(path):
            shutil.copytree(path, name, copy_function=_hard_link_or_copy)
        else:
            _hard_link_or_copy(path, name)


def _hard_link_or_copy(path: str, name: str) -> None:
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)
