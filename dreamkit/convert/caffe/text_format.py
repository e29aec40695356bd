"""A reader of protobuf's text format, in which a prototxt is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from dreamkit.convert.caffe import protobuf
from dreamkit.convert.caffe.protobuf import (
    ANYTHING,
    FLOAT_KINDS,
    INTEGER_RANGES,
    Enum,
    Field,
    Message,
    Record,
)
from dreamkit.errors import ConvertError, did_you_mean, shown

# The quantifiers are possessive (++): the pattern never backtracks into a long number.
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
_ESCAPED_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_CLOSING_BRACKETS = {"{": "}", "<": ">"}
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_MAX_DIGITS = 80  # of a whole number; int() takes quadratic time


def parse_text(text: str, message: Message, source: str) -> Record:
    """Reads `text` as a `message`. `source` names the text in error messages.

    Raises:
        ConvertError: the text does not follow `message`; the error names the line.
    """
    return _parse_record(_Tokens(text, source), message, "", 0, 1)


class _Tokens:
    """The tokens of a text. `kind`, `text`, `start` and `line` describe the next one."""

    def __init__(self, text: str, source: str) -> None:
        self._input, self._source, self._position, self._value_count = text, source, 0, 0
        self.line, self.start, self.kind, self.text = 1, 0, "", ""
        self.advance()

    def advance(self) -> str:
        """Moves on by one token and returns the text of the one before."""
        previous = self.text
        while self._position < len(self._input):
            found = _TOKEN.match(self._input, self._position)
            if found is None:
                rest = self._input[self._position : self._position + 20]
                self.fail(f"cannot read {shown(rest.split(chr(10))[0])!r}")
            self._position = found.end()
            if found.lastgroup != "space":
                self.start, self.kind, self.text = found.start(), str(found.lastgroup), found.group()
                return previous
            self.line += self._input.count("\n", found.start(), found.end())
        self.start, self.kind, self.text = self._position, "end", ""
        return previous

    def accept(self, *signs: str) -> bool:
        """Moves on if the next token is one of `signs`, and returns whether it was."""
        accepted = self.kind == "sign" and self.text in signs
        if accepted:
            self.advance()
        return accepted

    def count_value(self) -> None:
        """Counts one more value and fails beyond the limit."""
        self._value_count += 1
        if self._value_count > protobuf.MAX_VALUES:
            self.fail(f"there are more than {protobuf.MAX_VALUES} values; this does not describe a network")

    def fail(self, problem: str) -> NoReturn:
        raise ConvertError(f"{self._source}, line {self.line}: {problem}")

    def describe(self) -> str:
        """The next token for an error message."""
        return shown(self.text) if self.kind != "end" else "the end of the file"


def _parse_record(tokens: _Tokens, message: Message, close: str, depth: int, line: int) -> Record:
    """Reads fields up to and including the sign `close`, or to the end of the text if it is empty."""
    if depth > protobuf.MAX_DEPTH:
        tokens.fail(
            f"messages are nested more than {protobuf.MAX_DEPTH} deep; this does not describe a network"
        )
    tokens.count_value()
    record = Record()
    record.line, begin = line, tokens.start
    while True:
        record.span = begin, tokens.start
        if tokens.accept(close) if close else tokens.kind == "end":
            return record
        if tokens.kind == "end":
            tokens.fail(f"{close!r} is missing at the end of what began in line {record.line}")
        name, field = _parse_name(tokens, message)
        if name in record and not field.repeated and field.kind != "skip":
            tokens.fail(f"{name} is given twice; it takes one value")
        values = _parse_values(tokens, name, field, depth)
        if field.kind == "skip":
            record.skipped |= {name} if name in message else set()
        elif field.repeated:
            record.setdefault(name, []).extend(values)
        else:
            record[name] = values[0]


def _parse_name(tokens: _Tokens, message: Message) -> tuple[str, Field]:
    """Reads the name of a field; returns it with its description in `message`."""
    if tokens.accept("["):
        return _parse_extension(tokens)
    if tokens.kind != "word":
        tokens.fail(f"expected the name of a field instead of {tokens.describe()}")
    name = tokens.text
    field = message.get(name) or message.get("*_param" if name.endswith("_param") else "*")
    field = field or message.get("*")
    if field is None:
        known = [each for each in message if "*" not in each]
        tokens.fail(f"unknown field {shown(name)}; {did_you_mean(shown(name), known)}")
    tokens.advance()
    return name, field


def _parse_extension(tokens: _Tokens) -> tuple[str, Field]:
    """Reads the rest of an extension's name, `[package.name]`. Its value is skipped."""
    while tokens.kind == "word" or tokens.accept(".", "/"):
        if tokens.kind == "word":
            tokens.advance()
    if not tokens.accept("]"):
        tokens.fail(f"expected ] instead of {tokens.describe()}")
    return "[]", ANYTHING["*"]


def _parse_values(tokens: _Tokens, name: str, field: Field, depth: int) -> list[Any]:
    """Reads what a field is given: one value, or several in brackets."""
    colon = tokens.accept(":")
    if not (tokens.kind == "sign" and tokens.text == "["):
        values = [_parse_value(tokens, name, field.kind, colon, depth)]
    else:
        tokens.advance()
        values = []
        while not tokens.accept("]"):
            if values and not tokens.accept(","):
                tokens.fail(f"expected , or ] instead of {tokens.describe()}")
            values.append(_parse_value(tokens, name, field.kind, colon, depth))
        if not field.repeated and field.kind != "skip" and len(values) != 1:
            tokens.fail(f"{name} takes one value, not {len(values)}")
    tokens.accept(",", ";")
    return values


def _parse_value(tokens: _Tokens, name: str, kind: Any, colon: bool, depth: int) -> Any:
    """Reads one value: a message, a string or a scalar."""
    if (
        tokens.kind == "sign"
        and tokens.text in _CLOSING_BRACKETS
        and (isinstance(kind, Mapping) or kind == "skip")
    ):
        line, close = tokens.line, _CLOSING_BRACKETS[tokens.advance()]
        return _parse_record(tokens, kind if isinstance(kind, Mapping) else ANYTHING, close, depth + 1, line)
    if isinstance(kind, Mapping):
        tokens.fail(f"{name} takes fields in {{ }}; found {tokens.describe()}")
    if not colon:
        tokens.fail(f"expected : after {name} instead of {tokens.describe()}")
    tokens.count_value()
    if kind == "string" or (kind == "skip" and tokens.kind == "string"):
        return _parse_string(tokens, name)
    return _parse_scalar(tokens, name, kind)


def _parse_string(tokens: _Tokens, name: str) -> str:
    """Reads one or more strings side by side, which are one value."""
    if tokens.kind != "string":
        tokens.fail(f"{name} takes a string in quotes; found {tokens.describe()}")
    pieces = []
    while tokens.kind == "string":
        pieces.append(_ESCAPE.sub(_unescape, tokens.advance()[1:-1]))
    # Escapes are bytes of UTF-8: \303\251 is é.
    return "".join(pieces).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unescape(found: re.Match[str]) -> str:
    hexadecimal, octal, letter = found.groups()
    if letter is not None:
        return _ESCAPED_LETTERS.get(letter, letter)
    byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 255
    return chr(byte) if byte < 128 else chr(0xDC00 + byte)


def _parse_scalar(tokens: _Tokens, name: str, kind: Any) -> Any:
    minus = "-" if tokens.accept("-") else ""
    if tokens.kind not in ("number", "word"):
        tokens.fail(f"{name} has no value; found {tokens.describe()}")
    text = minus + tokens.text
    value = _scalar(text, kind)
    if value is None:
        tokens.fail(f"{name}: {shown(text)} is not {_describe_kind(kind)}")
    tokens.advance()
    return value


def _describe_kind(kind: Any) -> str:
    if isinstance(kind, Enum):
        return f"one of {', '.join(kind.values)}"
    if kind == "bool":
        return "true or false"
    return "a number" if kind in FLOAT_KINDS else "a whole number from {} to {}".format(*INTEGER_RANGES[kind])


def _scalar(text: str, kind: Any) -> Any:
    """The value of a token, or None if it is not of this kind."""
    if kind == "skip":
        return text
    if kind in FLOAT_KINDS:
        return _float(text)
    if kind == "bool":
        return _BOOLEANS.get(text.lower())
    if isinstance(kind, Enum) and text in kind.values:
        return text
    number = _integer(text)
    if isinstance(kind, Enum):
        return None if number is None else kind.name(number)
    low, high = INTEGER_RANGES[kind]
    return number if number is not None and low <= number <= high else None


def _integer(text: str) -> int | None:
    digits = text.removeprefix("-")
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" and len(digits) > 1 else 10
    try:
        return int(text, base) if len(text) < _MAX_DIGITS else None
    except ValueError:
        return None


def _float(text: str) -> float | None:
    number = _integer(text) if text.removeprefix("-")[:2].lower() == "0x" else None
    if number is not None:
        return float(number)
    try:
        # The f of 1.5f is a suffix; that of inf is not.
        return float(text.lower().removesuffix("f") if "in" not in text.lower() else text)
    except ValueError:
        return None
