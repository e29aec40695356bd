"""Signals that end a process, and wait until a step is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")  # no system has all of them


def ending() -> list[signal.Signals]:
    """The signals other than Ctrl-C that end a process: SIGTERM comes from schedulers and shutdowns, SIGHUP
    from a closed terminal, and SIGBREAK from Ctrl-Break on Windows."""
    return [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]


@contextmanager
def deferred() -> Iterator[None]:
    """Delays Ctrl-C and `ending` signals to the end of the block, so that pixels changed in place are never
    half done.

    Python handles signals in the main thread alone; in another thread the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before: dict[int, Any] = {
        number: handler
        for number in (signal.SIGINT, *ending())
        if (handler := signal.getsignal(number)) is not None
    }
    for number in before:
        signal.signal(number, lambda which, _: caught.append(which))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in caught[:1]:
            signal.raise_signal(number)
