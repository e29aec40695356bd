"""How far a rendering is, in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def line() -> Iterator[Callable[[float], None]]:
    """What to call with the share that is done: in a notebook it writes over one line; elsewhere, nothing."""
    ipython = sys.modules.get("IPython")
    if not hasattr(ipython and ipython.get_ipython(), "kernel"):
        yield lambda _share: None
        return
    before = ""

    def tell(share: float) -> None:
        nonlocal before
        line = f"dreaming: {share:.0%}"
        if line != before:
            sys.stdout.write(f"\r{line}")
            sys.stdout.flush()
            before = line

    try:
        yield tell
    finally:
        sys.stdout.write("\r" + " " * len(before) + "\r")
        sys.stdout.flush()
