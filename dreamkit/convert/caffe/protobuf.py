"""Protocol buffer messages as data: the fields a message can have, and the values read from one.

A message is a mapping from field name to `Field`. No protobuf runtime is needed, so there is no version
to match. The readers, `text_format` and `wire_format`, check nesting, the number of values and every
length before they allocate: their time and memory are proportional to the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MAX_DEPTH = 64  # messages inside messages; Caffe's own reach 5
MAX_VALUES = 200_000  # messages, strings and whole numbers in one file; ResNet-152 has 10,000

INTEGER_RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
}
FLOAT_DTYPES = {"float": "<f4", "double": "<f8"}
# Tuples, because a kind can be a mapping: `in` a tuple accepts an unhashable value.
FLOAT_KINDS, INTEGER_KINDS = tuple(FLOAT_DTYPES), tuple(INTEGER_RANGES)


@dataclass(frozen=True, eq=False)
class Enum:
    """The names of an enumeration and their numbers. A value is read as its name."""

    values: Mapping[str, int]

    def name(self, number: int) -> str | None:
        """The name of `number`, or None if it has none."""
        return next((name for name, value in self.values.items() if value == number), None)


class Field(NamedTuple):
    """One field: its number on the wire and what it holds.

    `kind` is `string`, `bool`, `int32`, `uint32`, `int64`, `uint64`, `float`, `double`, an `Enum`, a
    mapping of fields for a message, or `skip` for a value that is parsed and dropped.
    """

    number: int
    kind: Any
    repeated: bool = False
    default: Any = None


# The field `*` describes every field that is not named; `*_param`, those among them that end in `_param`.
Message = Mapping[str, Field]
ANYTHING: Message = {"*": Field(0, "skip")}


class Record(dict[str, Any]):
    """The fields of one message by name, as given and without defaults. A repeated field is a list.

    On the wire a repeated `float` or `double` is one array, a view of the file where that is possible.
    """

    line = 0  # where its text begins, counted from 1
    span = (0, 0)  # where the text of its fields begins and ends
    skipped: frozenset[str] = frozenset()  # the names of the text's fields that were dropped


def with_defaults(record: Mapping[str, Any], message: Message) -> dict[str, Any]:
    """A plain dict of `record` with every default of `message`.

    A repeated field defaults to `[]`, and any other without a default to None. Skipped fields are absent.
    """
    filled: dict[str, Any] = {}
    for name, field in message.items():
        value = record.get(name, [] if field.repeated else field.default)
        if isinstance(field.kind, Mapping):
            if field.repeated:
                value = [with_defaults(each, field.kind) for each in value]
            elif value is not None:
                value = with_defaults(value, field.kind)
        if field.kind != "skip":
            filled[name] = value
    return filled
