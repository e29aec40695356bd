"""Protocol buffers, as much of them as Caffe's files need: the text format and the wire format.

What a message may hold is given as data: field name -> `Field`. No protobuf runtime is involved, so
none can be of the wrong version. Both readers take time and memory in proportion to what they are
given: nesting, the number of messages and every length are bounded before anything is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConvertError, did_you_mean, shown

MOST_DEPTH = 64  # messages inside messages; Caffe's own reach 5
MOST_PARTS = 200_000  # messages, strings and whole numbers in one file; ResNet-152 has 10,000

_RANGES = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "uint32": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
}
_FLOATS = {"float": "<f4", "double": "<f8"}
_FLOAT_KINDS, _WHOLE_KINDS = tuple(_FLOATS), tuple(_RANGES)  # `in` a tuple takes a message for a kind too


@dataclass(frozen=True, eq=False)
class Enum:
    """The names an enumeration has, and their numbers. A value is read as its name."""

    values: Mapping[str, int]

    def name(self, number: int) -> str | None:
        """The name of `number`, None where it has none."""
        return next((name for name, value in self.values.items() if value == number), None)


class Field(NamedTuple):
    """One field: its number on the wire and what it holds.

    `kind` is `string`, `bool`, `int32`, `uint32`, `int64`, `uint64`, `float`, `double`, an `Enum`, a
    mapping of fields for a message, or `skip` for what is parsed and dropped.
    """

    number: int
    kind: Any
    repeated: bool = False
    default: Any = None


# A field called `*` describes every field not named; `*_param`, every such one that ends in `_param`.
Message = Mapping[str, Field]
ANYTHING: Message = {"*": Field(0, "skip")}


class Record(dict[str, Any]):
    """A message's fields by name: what was given, no defaults. A repeated field is a list.

    On the wire, a repeated `float` or `double` is one array, in place in the file where that can be.
    """

    line = 0  # where its text begins, from 1
    span = (0, 0)  # where the text of its fields begins and ends
    skipped: frozenset[str] = frozenset()  # the names of the text's fields that were dropped


def with_defaults(record: Mapping[str, Any], message: Message) -> dict[str, Any]:
    """A plain dict of `record` with every default of `message`: `[]` for a repeated field, None for none."""
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


# ---------------------------------------------------------------------------------------------- text

# Possessive (++), so that a long number cannot be tried in many ways.
_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t\r\n\f\v]++|\#[^\n]*+)++)
      | (?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
      | (?P<number>(?:0[xX][0-9a-fA-F]++
                     |(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+[fF]?+)(?![\w.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*+)
      | (?P<sign>[-{}<>\[\]:,;./])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSES = {"{": "}", "<": ">"}


def parse_text(text: str, message: Message, source: str) -> Record:
    """`text` in protobuf's text format, read as a `message`. `source` names it in messages.

    Raises:
        ConvertError: with the line, where the text is not what `message` describes.
    """
    return _record(_Tokens(text, source), message, "", 0, 1)


class _Tokens:
    """A text, token by token: `kind` and `text` are of the one that comes next, at `start` in `line`."""

    def __init__(self, text: str, source: str) -> None:
        self._all, self._source, self._at, self._parts = text, source, 0, 0
        self.line, self.start, self.kind, self.text = 1, 0, "", ""
        self.advance()

    def advance(self) -> str:
        """Goes one token on; returns the one left behind."""
        before = self.text
        while self._at < len(self._all):
            found = _TOKEN.match(self._all, self._at)
            if found is None:
                self.fail(f"cannot read {shown(self._all[self._at : self._at + 20].split(chr(10))[0])!r}")
            self._at = found.end()
            if found.lastgroup != "space":
                self.start, self.kind, self.text = found.start(), str(found.lastgroup), found.group()
                return before
            self.line += self._all.count("\n", found.start(), found.end())
        self.start, self.kind, self.text = self._at, "end", ""
        return before

    def take(self, *signs: str) -> bool:
        """Whether one of `signs` comes next; it is passed if so."""
        taken = self.kind == "sign" and self.text in signs
        if taken:
            self.advance()
        return taken

    def count(self) -> None:
        """Notes one more part, of which a file may only have so many."""
        self._parts += 1
        if self._parts > MOST_PARTS:
            self.fail(f"more than {MOST_PARTS} values; this is no network's description")

    def fail(self, problem: str) -> NoReturn:
        raise ConvertError(f"{self._source}, line {self.line}: {problem}")

    def here(self) -> str:
        return shown(self.text) if self.kind != "end" else "the end of the file"


def _record(tokens: _Tokens, message: Message, close: str, depth: int, line: int) -> Record:
    """The fields up to `close`, which is passed; up to the end of the text where it is empty."""
    if depth > MOST_DEPTH:
        tokens.fail(f"more than {MOST_DEPTH} messages inside each other; this is no network's description")
    tokens.count()
    record = Record()
    record.line, begin = line, tokens.start
    while True:
        record.span = begin, tokens.start
        if tokens.take(close) if close else tokens.kind == "end":
            return record
        if tokens.kind == "end":
            tokens.fail(f"the {close!r} is missing that ends what line {record.line} began")
        name, field = _field(tokens, message)
        if name in record and not field.repeated and field.kind != "skip":
            tokens.fail(f"{name} is given twice; it has one value")
        values = _values(tokens, name, field, depth)
        if field.kind == "skip":
            record.skipped |= {name} if name in message else set()
            continue
        if field.repeated:
            record.setdefault(name, []).extend(values)
        else:
            record[name] = values[0]


def _field(tokens: _Tokens, message: Message) -> tuple[str, Field]:
    """The name of the field that comes next, which is passed, and what `message` says of it."""
    if tokens.take("["):  # an extension's name, [package.name]
        while tokens.kind == "word" or tokens.take(".", "/"):
            if tokens.kind == "word":
                tokens.advance()
        if not tokens.take("]"):
            tokens.fail(f"expected ] instead of {tokens.here()}")
        return "[]", ANYTHING["*"]
    if tokens.kind != "word":
        tokens.fail(f"expected the name of a field instead of {tokens.here()}")
    name = tokens.text
    field = message.get(name) or message.get("*_param" if name.endswith("_param") else "*")
    field = field or message.get("*")
    if field is None:
        known = [each for each in message if "*" not in each]
        tokens.fail(f"no field {shown(name)} is known here; {did_you_mean(shown(name), known)}")
    tokens.advance()
    return name, field


def _values(tokens: _Tokens, name: str, field: Field, depth: int) -> list[Any]:
    """What a field is given: one value, or several in brackets."""
    colon = tokens.take(":")
    if not (tokens.kind == "sign" and tokens.text == "["):
        values = [_value(tokens, name, field.kind, colon, depth)]
    else:
        tokens.advance()
        values = []
        while not tokens.take("]"):
            if values and not tokens.take(","):
                tokens.fail(f"expected , or ] instead of {tokens.here()}")
            values.append(_value(tokens, name, field.kind, colon, depth))
        if not field.repeated and field.kind != "skip" and len(values) != 1:
            tokens.fail(f"{name} has one value, not {len(values)}")
    tokens.take(",", ";")
    return values


def _value(tokens: _Tokens, name: str, kind: Any, colon: bool, depth: int) -> Any:
    if tokens.kind == "sign" and tokens.text in _CLOSES and (isinstance(kind, Mapping) or kind == "skip"):
        line, close = tokens.line, _CLOSES[tokens.advance()]
        return _record(tokens, kind if isinstance(kind, Mapping) else ANYTHING, close, depth + 1, line)
    if isinstance(kind, Mapping):
        tokens.fail(f"{name} holds fields, in {{ }}; found {tokens.here()}")
    if not colon:
        tokens.fail(f"expected : after {name} instead of {tokens.here()}")
    tokens.count()
    if kind == "string":
        return _string(tokens, name)
    if kind == "skip" and tokens.kind == "string":
        return _string(tokens, name)
    minus = "-" if tokens.take("-") else ""
    if tokens.kind not in ("number", "word"):
        tokens.fail(f"{name} has no value; found {tokens.here()}")
    given = minus + tokens.text
    value = _scalar(given, kind)
    if value is None:
        tokens.fail(f"{name}: {shown(given)} is not {_wanted(kind)}")
    tokens.advance()
    return value


def _wanted(kind: Any) -> str:
    if isinstance(kind, Enum):
        return f"one of {', '.join(kind.values)}"
    if kind == "bool":
        return "true or false"
    return "a number" if kind in _FLOAT_KINDS else "a whole number from {} to {}".format(*_RANGES[kind])


def _string(tokens: _Tokens, name: str) -> str:
    """One string of all that stand side by side."""
    if tokens.kind != "string":
        tokens.fail(f"{name} is a text in quotes; found {tokens.here()}")
    pieces = []
    while tokens.kind == "string":
        pieces.append(_ESCAPE.sub(_unescaped, tokens.advance()[1:-1]))
    # Escapes are bytes, which together are UTF-8: \303\251 is é.
    return "".join(pieces).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unescaped(found: re.Match[str]) -> str:
    hexadecimal, octal, letter = found.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 255
    return chr(byte) if byte < 128 else chr(0xDC00 + byte)


def _scalar(given: str, kind: Any) -> Any:
    """A token's value, None where it has none of this kind."""
    if kind == "skip":
        return given
    if kind in _FLOAT_KINDS:
        return _float(given)
    if kind == "bool":
        return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(given.lower())
    if isinstance(kind, Enum) and given in kind.values:
        return given
    number = _integer(given)
    if isinstance(kind, Enum):
        return None if number is None else kind.name(number)
    low, high = _RANGES[kind]
    return number if number is not None and low <= number <= high else None


def _integer(given: str) -> int | None:
    digits = given.removeprefix("-")
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" and len(digits) > 1 else 10
    try:
        return int(given, base) if len(given) < 80 else None
    except ValueError:
        return None


def _float(given: str) -> float | None:
    number = _integer(given) if given.removeprefix("-")[:2].lower() == "0x" else None
    if number is not None:
        return float(number)
    try:
        return float(given.lower().removesuffix("f") if "in" not in given.lower() else given)
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------- wire


def parse_wire(data: memoryview, message: Message, source: str) -> Record:
    """`data` in protobuf's wire format, read as a `message`; fields it does not know are passed over.

    Raises:
        ConvertError: with the byte, where the data cannot be a message.
    """
    return _Wire(data, source).record(0, len(data), message)


class _Wire:
    def __init__(self, data: memoryview, source: str) -> None:
        self._data, self._source, self._parts = data, source, 0
        self._numbered: dict[int, dict[int, tuple[str, Field]]] = {}  # by the message's id

    def record(self, at: int, end: int, message: Message) -> Record:
        """The message between two bytes."""
        self._count(at)
        fields = self._numbered.get(id(message))
        if fields is None:
            fields = {field.number: (name, field) for name, field in message.items()}
            self._numbered[id(message)] = fields
        record = Record()
        groups: list[int] = []  # a group is an old way to nest; all we know of one is where it ends
        while at < end:
            start = at
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            name, field = fields.get(number, ("", ANYTHING["*"])) if not groups else ("", ANYTHING["*"])
            if wire == 0:
                value, at = self._varint(at, end)
                self._add_number(record, name, field, value, start)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                run, at = self._fixed(start, at, end, size)
                if field.kind in _FLOAT_KINDS and np.dtype(_FLOATS[field.kind]).itemsize == size:
                    self._add(record, name, field, run.view(_FLOATS[field.kind]), start)
            elif wire == 2:
                length, at = self._varint(at, end)
                if length > end - at:
                    self._fail(start, f"{length} bytes are announced where {end - at} are left")
                self._add_bytes(record, name, field, at, at + length)
                at += length
            elif wire == 3 and len(groups) < MOST_DEPTH:
                groups.append(number)
            elif wire == 4 and groups and groups.pop() == number:
                pass
            else:
                self._fail(start, "no field begins here")
        if groups:
            self._fail(end, "a group has no end")
        for name, field in message.items():
            if field.repeated and field.kind in _FLOAT_KINDS and name in record:
                pieces = record[name]
                record[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return record

    def _add(self, record: Record, name: str, field: Field, value: Any, at: int) -> None:
        self._count(at)
        if field.repeated:
            record.setdefault(name, []).append(value)
        else:
            record[name] = value

    def _add_number(self, record: Record, name: str, field: Field, value: int, at: int) -> None:
        if field.kind == "bool":
            self._add(record, name, field, value != 0, at)
        elif isinstance(field.kind, Enum):
            self._add(record, name, field, field.kind.name(value) or str(value), at)
        elif field.kind in _WHOLE_KINDS:
            # A negative number is its two's complement of 64 bits, also in a field of 32.
            signed = value - (1 << 64) if field.kind in ("int32", "int64") and value >> 63 else value
            self._add(record, name, field, signed, at)

    def _add_bytes(self, record: Record, name: str, field: Field, at: int, end: int) -> None:
        """Notes what has a length: a text, a message, or numbers packed together."""
        if isinstance(field.kind, Mapping):
            self._add(record, name, field, self.record(at, end, field.kind), at)
        elif field.kind == "string":
            self._add(record, name, field, bytes(self._data[at:end]).decode("utf-8", "replace"), at)
        elif field.kind in _FLOAT_KINDS and field.repeated:
            dtype = np.dtype(_FLOATS[field.kind])
            if (end - at) % dtype.itemsize:
                self._fail(at, f"{end - at} bytes are no whole number of {field.kind}s")
            count = (end - at) // dtype.itemsize
            self._add(
                record, name, field, np.frombuffer(self._data, dtype, count, at) if count else _NONE, at
            )
        elif field.kind in _WHOLE_KINDS and field.repeated:
            while at < end:
                start = at
                value, at = self._varint(at, end)
                self._add_number(record, name, field, value, start)

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """The number that begins at byte `at`, seven bits to a byte, and where it ends."""
        value = 0
        for place in range(at, min(end, at + 10)):
            byte = self._data[place]
            value |= (byte & 127) << 7 * (place - at)
            if byte < 128:
                return value & ((1 << 64) - 1), place + 1
        raise self._damaged(at, "a number has no end")

    def _fixed(self, start: int, at: int, end: int, size: int) -> tuple[NDArray[Any], int]:
        """Fields of `size` bytes with the tag at `start`, as many as follow each other, and where they end.

        Old files write each weight as a field of its own: millions, which Python cannot take one by one.
        """
        if end - at < size:
            self._fail(start, f"{size} bytes are announced where {end - at} are left")
        if at - start != 1:  # a longer tag: no field of ours
            return np.frombuffer(self._data, f"V{size}", 1, at), at + size
        layout = np.dtype([("tag", "u1"), ("value", f"V{size}")])
        tag, count, reach, most = self._data[start], 0, 8, (end - start) // (size + 1)
        # Looks ahead in steps that double, so that a short run costs little and a long one is quick.
        while count < most:
            reach = min(reach, most - count)
            ahead = np.frombuffer(self._data, layout, reach, start + count * (size + 1))["tag"]
            other = np.flatnonzero(ahead != tag)
            if len(other):
                count += int(other[0])
                break
            count, reach = count + reach, reach * 2
        return np.frombuffer(self._data, layout, count, start)["value"], start + count * (size + 1)

    def _count(self, at: int) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            self._fail(at, f"it holds more than {MOST_PARTS} values besides its weights")

    def _fail(self, at: int, problem: str) -> NoReturn:
        raise self._damaged(at, problem)

    def _damaged(self, at: int, problem: str) -> ConvertError:
        return ConvertError(
            f"{self._source} is damaged or no file of Caffe's: at byte {at}, {problem}; fetch it again"
        )


_NONE = np.empty(0, np.float32)
