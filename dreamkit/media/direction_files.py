"""Directions in files: one in an array, or one of many in the rows or columns of a table.

NumPy's arrays (.npy) and .safetensors, such as the decoders of sparse autoencoders. One direction is read and
nothing else; no pickle is ever opened.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError, did_you_mean, first_line, shown
from dreamkit.media import arrays, files

_FILE = re.compile(r"(.+?\.(npy|safetensors))(?::(.*))?", re.IGNORECASE)
_INDEX = re.compile(r"(,?)(\d{1,9})")
_MOST_BYTES = 1 << 42  # of a file, of which one direction is read
_MOST_HEADER = 16 << 20  # bytes of what a .safetensors file says of its tensors
_MOST_CHANNELS = 65_536
_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}  # of .safetensors; bfloat16 as its bits


class _Table(NamedTuple):
    """Where the numbers of an array lie in a file.

    Attributes:
        shape: of the array, of one axis or two.
        strides: bytes from one number to the next along each axis.
        start: byte at which the first number begins.
        dtype: of a number.
        is_bfloat16: whether `dtype` holds the bits of bfloat16.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    dtype: np.dtype[Any]
    is_bfloat16: bool = False


def path_of(text: str) -> str:
    """The path in `FILE`, `FILE:ROW` or `FILE:TENSOR:ROW`.

    Raises:
        ConfigError: the file is of no kind that can hold a direction.
    """
    return _parts(text)[0]


def read(text: str, place: str | None = None) -> NDArray[np.float32]:
    """The direction that `text` names, float32 `(channels,)`.

    `text` is `FILE` where the file holds one direction; `FILE:12` is row 12 of its table, counted from 0, and
    `FILE:,12` column 12, as in NumPy. Where a .safetensors file has several tables, it is `FILE:TENSOR:12`.

    Args:
        text: what names the direction.
        place: the path of the file, where it is not the one in `text`.

    Raises:
        ConfigError: there is none, or the file is damaged or of another kind.
    """
    path, tensor, column, index = _parts(text)
    try:
        with files.opened(place or path, _MOST_BYTES) as file:
            if path.lower().endswith(".npy"):
                table = _of_array(file, tensor)
            else:
                table = _of_safetensors(file, tensor)
            found = _line(file, table, path, column=column, index=index)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ConfigError(f"cannot read a direction from {shown(path, 200)} ({first_line(error)})") from error
    if not np.isfinite(found).all() or not found.any():
        raise ConfigError(
            f"the direction {shown(text, 200)} is zero or has numbers that are not finite; choose another"
        )
    return found


def _parts(text: str) -> tuple[str, str, bool, int | None]:
    """Path, tensor (empty for none), whether a column is meant, and which row or column (None for none)."""
    match = _FILE.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"a direction is {shown(text, 200)!r}; give a .npy or .safetensors file, such as decoder.npy:12"
        )
    path, rest = match[1], match[3] or ""
    tensor, _, last = rest.rpartition(":")
    index = _INDEX.fullmatch(last)
    if index is None:
        return path, rest, False, None
    return path, tensor, bool(index[1]), int(index[2])


def _of_array(file: IO[bytes], tensor: str) -> _Table:
    if tensor:
        raise ValueError(f"it has one array, and none called {shown(tensor)!r}")
    shape, by_columns, dtype = arrays.header(file, "it")
    if dtype.kind != "f" or dtype.itemsize > 8 or len(shape) not in (1, 2):
        raise ValueError(f"its array is {dtype} of shape {shape}; a table of floats is needed")
    return _Table(shape, _strides(shape, dtype.itemsize, by_columns=by_columns), file.tell(), dtype)


def _of_safetensors(file: IO[bytes], name: str) -> _Table:
    length = int.from_bytes(file.read(8), "little")
    if length > _MOST_HEADER:
        raise ValueError("it is no .safetensors file, or describes too many tensors")
    header = json.loads(file.read(length))
    tensors = {key: each for key, each in header.items() if key != "__metadata__"}
    found = tensors.get(name) if name else _only_table(tensors)
    if found is None:
        what = f"it has no tensor {shown(name)!r}" if name else "it has several tensors; name one"
        raise ValueError(f"{what}; {did_you_mean(name, tensors)}")
    shape = tuple(int(each) for each in found["shape"])
    begin, end = (int(each) for each in found["data_offsets"])
    if found["dtype"] not in _TYPES or len(shape) not in (1, 2):
        raise ValueError(f"the tensor is {found['dtype']} of shape {shape}; a table of floats is needed")
    dtype = np.dtype(_TYPES[found["dtype"]])
    if begin < 0 or min(shape) < 0 or math.prod(shape) * dtype.itemsize != end - begin:
        raise ValueError("the tensor does not have the size that it describes")
    strides = _strides(shape, dtype.itemsize)
    return _Table(shape, strides, 8 + length + begin, dtype, found["dtype"] == "BF16")


def _only_table(tensors: Mapping[str, Any]) -> Any:
    """The one table among the tensors, or the one tensor; None where there are several."""
    tables = [each for each in tensors.values() if len(each["shape"]) == 2]
    among = tables or list(tensors.values())
    return among[0] if len(among) == 1 else None


def _strides(shape: tuple[int, ...], size: int, *, by_columns: bool = False) -> tuple[int, ...]:
    if len(shape) == 1:
        return (size,)
    return (size, shape[0] * size) if by_columns else (shape[1] * size, size)


def _line(
    file: IO[bytes], table: _Table, path: str, *, column: bool, index: int | None
) -> NDArray[np.float32]:
    """A row or a column of a table, or the whole of an array of one axis."""
    across = 1 if column else 0
    if len(table.shape) == 1:
        if index is not None:
            raise ValueError(f"it holds one direction; write {shown(path, 200)} alone")
        start, count, stride = table.start, table.shape[0], table.strides[0]
    else:
        what = "column" if column else "row"
        if index is None or index >= table.shape[across]:
            given = "none is chosen" if index is None else f"none is number {index}"
            raise ValueError(
                f"it has {table.shape[across]} {what}s and {given}; write {shown(path, 200)}:NUMBER, from 0 "
                f"to {table.shape[across] - 1}"
            )
        start = table.start + index * table.strides[across]
        count, stride = table.shape[1 - across], table.strides[1 - across]
    if not 0 < count <= _MOST_CHANNELS:
        raise ValueError(f"a direction of it has {count} numbers, and no layer has so many channels")
    size = table.dtype.itemsize
    if stride == size:
        file.seek(start)
        data = file.read(count * size)
    else:
        pieces = []
        for number in range(count):
            file.seek(start + number * stride)
            pieces.append(file.read(size))
        data = b"".join(pieces)
    if len(data) != count * size:
        raise ValueError("it ends before the direction does")
    values = np.frombuffer(data, table.dtype)
    if table.is_bfloat16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        return values.astype(np.float32)
