"""The standard streams, made so that what cannot be written to them does not stop the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dreamkit.errors import DreamkitError, first_line

_NAMES = ("stdin", "stdout", "stderr")


class StreamError(DreamkitError):
    """What was asked for cannot be written to stdout."""


@contextmanager
def safe() -> Iterator[None]:
    """Makes stderr one that never fails, because what cannot be written is given up, and stdout one that
    fails in one line. Characters that a terminal lacks are escaped on both."""
    _open_closed()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):  # a test's replacement
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Failing(sys.stdout), forgiving(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def forgiving(stream: Any) -> Any:
    """`stream`, whose `write` and `flush` do nothing where they would fail."""
    return _Forgiving(stream)


class _Forgiving:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:
            self._fail(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._fail(error)

    def _fail(self, _: Exception) -> None:
        self._give_up()

    def _give_up(self) -> None:
        """Lets the rest go nowhere; else Python would fail again at its end, with what is still buffered."""
        with suppress(OSError, ValueError, AttributeError):
            number = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


class _Failing(_Forgiving):
    _error: Exception | None = None

    def write(self, text: str) -> int:
        if self._error is not None:  # who asked first may have kept it to himself
            self._fail(self._error)
        return super().write(text)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._give_up()
        if isinstance(error, BrokenPipeError):  # who reads it has left, as `head` does
            raise error
        raise StreamError(f"cannot write to the standard output ({first_line(error)})") from error


def _open_closed() -> None:
    """Opens standard streams that the process began without: the next file would get their numbers."""
    for number, name in enumerate(_NAMES):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            how = "r" if name == "stdin" else "w"
            stream = os.fdopen(number, how, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)
