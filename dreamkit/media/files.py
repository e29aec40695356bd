"""Reading files: regular ones alone, and none that is larger than its reader expects."""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

# Else a pipe would wait for somebody to write to it.
_HOW = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a file, of which there may be `most`.

    Raises:
        OSError: it cannot be read, is a pipe or a device, or is larger.
    """
    with opened(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:  # which grew meanwhile
        raise _too_large(path, most)
    return data


def text(data: bytes) -> str:
    r"""What a user's text file says, with lines that end in `\n`. It is in UTF-8, or in UTF-16 with its mark,
    as PowerShell 5 writes what a command prints.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    found = data.decode("utf-16" if is_utf_16 else "utf-8-sig")
    return found.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def opened(path: str | os.PathLike[str], most: int) -> Iterator[IO[bytes]]:
    """A file that is open for reading, of at most `most` bytes.

    Raises:
        OSError: as `read`.
    """
    descriptor = os.open(path, _HOW)
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a file but a pipe or a device", str(path))
        if about.st_size > most:
            raise _too_large(path, most)
        yield file


def _too_large(path: str | os.PathLike[str], most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
