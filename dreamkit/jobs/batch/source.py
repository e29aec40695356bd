"""A picture to dream, as a path or a URL: its bytes, and by what it is known again."""

from __future__ import annotations

import hashlib
import os

from dreamkit.errors import ImageError, StoreError, first_line
from dreamkit.media import files, remote
from dreamkit.media.remote import is_url

_MOST_BYTES = 1 << 30  # of a picture file


def read(source: str) -> bytes:
    """The bytes of a picture file.

    Raises:
        ImageError: it does not exist or cannot be read.
    """
    try:
        return remote.read(source) if is_url(source) else files.read(source, _MOST_BYTES)
    except FileNotFoundError as error:
        raise ImageError(f"{source} does not exist") from error
    except StoreError as error:
        raise ImageError(str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in a path
        raise ImageError(f"{source} cannot be read ({first_line(error)[:120]})") from error


def sha256(source: str) -> str:
    """The hash of a picture file.

    Raises:
        ImageError: it does not exist or cannot be read.
    """
    return hashlib.sha256(read(source)).hexdigest()


def location(source: str) -> str:
    """Where a picture is: the same for all ways to write its path."""
    return source if is_url(source) else os.path.abspath(source)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What a file or folder is known by, whatever path leads to it; None where there is none."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_dev, about.st_ino


def stamp(source: str) -> tuple[int | None, int | None]:
    """The size of a file in bytes, and its time of change in nanoseconds; None for URLs and missing files."""
    try:
        about = os.stat(source)
    except OSError:
        return None, None
    return about.st_size, about.st_mtime_ns
