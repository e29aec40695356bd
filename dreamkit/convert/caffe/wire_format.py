"""A reader of protobuf's wire format, in which a caffemodel is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.caffe import protobuf
from dreamkit.convert.caffe.protobuf import (
    ANYTHING,
    FLOAT_DTYPES,
    FLOAT_KINDS,
    INTEGER_KINDS,
    Enum,
    Field,
    Message,
    Record,
)
from dreamkit.errors import ConvertError

# What follows the field's number in a tag.
_VARINT, _FIXED_64, _LENGTH, _GROUP_START, _GROUP_END, _FIXED_32 = range(6)
_VARINT_BYTES = 10  # of the longest number
_EMPTY = np.empty(0, np.float32)


def parse_wire(data: memoryview, message: Message, source: str) -> Record:
    """Reads `data` as a `message`, and skips the fields that `message` does not name.

    `source` names the data in error messages.

    Raises:
        ConvertError: the data is not such a message; the error names the byte.
    """
    return _WireReader(data, source).read(0, len(data), message)


class _WireReader:
    def __init__(self, data: memoryview, source: str) -> None:
        self._data, self._source, self._value_count = data, source, 0
        self._by_number: dict[int, dict[int, tuple[str, Field]]] = {}  # fields, by the message's id

    def read(self, position: int, end: int, message: Message) -> Record:
        """The message between two bytes."""
        self._count_value(position)
        fields = self._numbered_fields(message)
        record = Record()
        groups: list[int] = []  # open groups, an old form of nesting; their contents are skipped
        while position < end:
            start = position
            tag, position = self._varint(position, end)
            number, wire_type = tag >> 3, tag & 7
            name, field = ("", ANYTHING["*"]) if groups else fields.get(number, ("", ANYTHING["*"]))
            if wire_type == _VARINT:
                value, position = self._varint(position, end)
                self._add_number(record, name, field, value, start)
            elif wire_type in (_FIXED_64, _FIXED_32):
                size = 8 if wire_type == _FIXED_64 else 4
                run, position = self._fixed(start, position, end, size)
                if field.kind in FLOAT_KINDS and np.dtype(FLOAT_DTYPES[field.kind]).itemsize == size:
                    self._add(record, name, field, run.view(FLOAT_DTYPES[field.kind]), start)
            elif wire_type == _LENGTH:
                length, position = self._varint(position, end)
                if length > end - position:
                    self._fail(start, f"a field of {length} bytes has {end - position} bytes left")
                self._add_bytes(record, name, field, position, position + length)
                position += length
            elif wire_type == _GROUP_START and len(groups) < protobuf.MAX_DEPTH:
                groups.append(number)
            elif wire_type == _GROUP_END and groups and groups.pop() == number:
                pass
            else:
                self._fail(start, "there is no field")
        if groups:
            self._fail(end, "a group has no end")
        _join_arrays(record, message)
        return record

    def _numbered_fields(self, message: Message) -> dict[int, tuple[str, Field]]:
        """Each field of `message` by its number, with its name."""
        fields = self._by_number.get(id(message))
        if fields is None:
            fields = {field.number: (name, field) for name, field in message.items()}
            self._by_number[id(message)] = fields
        return fields

    def _add(self, record: Record, name: str, field: Field, value: Any, position: int) -> None:
        self._count_value(position)
        if field.repeated:
            record.setdefault(name, []).append(value)
        else:
            record[name] = value

    def _add_number(self, record: Record, name: str, field: Field, value: int, position: int) -> None:
        if field.kind == "bool":
            self._add(record, name, field, value != 0, position)
        elif isinstance(field.kind, Enum):
            self._add(record, name, field, field.kind.name(value) or str(value), position)
        elif field.kind in INTEGER_KINDS:
            # A negative number is its two's complement of 64 bits, even in a field of 32.
            signed = value - (1 << 64) if field.kind in ("int32", "int64") and value >> 63 else value
            self._add(record, name, field, signed, position)

    def _add_bytes(self, record: Record, name: str, field: Field, position: int, end: int) -> None:
        """Adds a value that has a length: a message, a string or packed numbers."""
        if isinstance(field.kind, Mapping):
            self._add(record, name, field, self.read(position, end, field.kind), position)
        elif field.kind == "string":
            text = bytes(self._data[position:end]).decode("utf-8", "replace")
            self._add(record, name, field, text, position)
        elif field.kind in FLOAT_KINDS and field.repeated:
            self._add(record, name, field, self._packed_floats(field.kind, position, end), position)
        elif field.kind in INTEGER_KINDS and field.repeated:
            while position < end:
                start = position
                value, position = self._varint(position, end)
                self._add_number(record, name, field, value, start)

    def _packed_floats(self, kind: str, position: int, end: int) -> NDArray[Any]:
        dtype = np.dtype(FLOAT_DTYPES[kind])
        count, rest = divmod(end - position, dtype.itemsize)
        if rest:
            self._fail(position, f"{end - position} bytes are not a whole number of {kind}s")
        return np.frombuffer(self._data, dtype, count, position) if count else _EMPTY

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """The number that begins at `position`, seven bits in each byte, and where it ends."""
        value = 0
        for place in range(position, min(end, position + _VARINT_BYTES)):
            byte = self._data[place]
            value |= (byte & 127) << 7 * (place - position)
            if byte < 128:
                return value & ((1 << 64) - 1), place + 1
        raise self._damaged(position, "a number has no end")

    def _fixed(self, start: int, position: int, end: int, size: int) -> tuple[NDArray[Any], int]:
        """All consecutive fields of `size` bytes with the tag at `start`, and where they end.

        Old files write each weight as a field of its own: too many to read one by one in Python.
        """
        if end - position < size:
            self._fail(start, f"a field of {size} bytes has {end - position} bytes left")
        if position - start != 1:  # none of our fields has such a long tag
            return np.frombuffer(self._data, f"V{size}", 1, position), position + size
        layout = np.dtype([("tag", "u1"), ("value", f"V{size}")])
        tag, count, ahead, limit = self._data[start], 0, 8, (end - start) // (size + 1)
        # Looks ahead in steps that double, so that a short run is cheap and a long one fast.
        while count < limit:
            ahead = min(ahead, limit - count)
            tags = np.frombuffer(self._data, layout, ahead, start + count * (size + 1))["tag"]
            others = np.flatnonzero(tags != tag)
            if len(others):
                count += int(others[0])
                break
            count, ahead = count + ahead, ahead * 2
        return np.frombuffer(self._data, layout, count, start)["value"], start + count * (size + 1)

    def _count_value(self, position: int) -> None:
        self._value_count += 1
        if self._value_count > protobuf.MAX_VALUES:
            self._fail(position, f"there are more than {protobuf.MAX_VALUES} values besides the weights")

    def _fail(self, position: int, problem: str) -> NoReturn:
        raise self._damaged(position, problem)

    def _damaged(self, position: int, problem: str) -> ConvertError:
        return ConvertError(
            f"{self._source} is damaged or not a Caffe file: at byte {position}, {problem}; download it again"
        )


def _join_arrays(record: Record, message: Message) -> None:
    """Joins the pieces of each repeated float or double into one array."""
    for name, field in message.items():
        if field.repeated and field.kind in FLOAT_KINDS and name in record:
            pieces = record[name]
            record[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
