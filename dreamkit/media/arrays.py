"""Reading NumPy's archives of arrays (npz): bounded before memory is taken, and never as pickle."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Container
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.media import files

_CHUNK = 1 << 20  # bytes that are read at once
_FORMAT: Any = np.lib.format  # which has no types
_HEADERS = {(1, 0): _FORMAT.read_array_header_1_0, (2, 0): _FORMAT.read_array_header_2_0}


def read(
    path: str | os.PathLike[str], most: int, names: Container[str] | None = None
) -> dict[str, NDArray[Any]]:
    """The arrays of an archive by name, or those of `names` alone.

    `most` limits the bytes of the file, and those of the arrays.

    Raises:
        OSError: the file cannot be read, is a pipe or a device, or is larger.
        ValueError: it is no such archive, is damaged, or unpacks to more.
    """
    with files.opened(path, most) as file:
        return read_from(file, most, names)


def read_from(file: IO[bytes], most: int, names: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """As `read`, from an open file.

    Raises:
        ValueError: as `read`.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            wanted = {name: each for name, each in members.items() if names is None or name in names}
            if sum(each.file_size for each in wanted.values()) > most:
                raise ValueError(f"its arrays have more than {most:,} bytes")
            return {name: _array(archive, each) for name, each in wanted.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it is not an npz file, or is damaged ({error})") from error


def header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """The shape, whether columns come first, and the type of an array (npy), whose data is read next.

    Raises:
        ValueError: it is no such array, or one of an unknown version.
    """
    version = _FORMAT.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"{name} is an array of an unknown version")
    found: tuple[tuple[int, ...], bool, np.dtype[Any]] = _HEADERS[version](file)
    return found


def _array(archive: zipfile.ZipFile, about: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(about) as member:
        shape, by_columns, dtype = header(member, about.filename)
        # NumPy would take the memory that a header asks for before it looks for as many bytes.
        if dtype.hasobject or math.prod(shape) * dtype.itemsize != about.file_size - member.tell():
            raise ValueError(f"{about.filename} does not hold the array that it describes")
        flat = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
        for start in range(0, len(flat), _CHUNK):
            part = member.read(_CHUNK)  # which looks at the checksum at the end
            flat[start : start + _CHUNK] = np.frombuffer(part, np.uint8)  # a ValueError if it is shorter
        found: NDArray[Any] = flat.view(dtype).reshape(shape, order="F" if by_columns else "C")
        return found
