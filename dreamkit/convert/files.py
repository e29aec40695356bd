"""Input files: small ones read with a limit, and files of another kind refused by name."""

from __future__ import annotations

import os
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
