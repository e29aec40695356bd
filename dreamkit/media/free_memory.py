"""The memory that is free, to refuse what cannot fit before any is taken."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

_GIGABYTE = 1e9


def available() -> int:
    """Bytes that programs can still take without swapping; unlimited where the system does not say."""
    return _meminfo().get("MemAvailable", sys.maxsize)


def too_little_for(needed: int) -> str:
    """Why `needed` bytes cannot be had, swapping included, for a message; empty where they can."""
    found = _meminfo()
    free = found["MemAvailable"] + found.get("SwapFree", 0) if "MemAvailable" in found else sys.maxsize
    if needed <= free:
        return ""
    return f"takes about {needed / _GIGABYTE:.1f} GB of memory, and {free / _GIGABYTE:.1f} GB are free"


def _meminfo() -> dict[str, int]:
    """What Linux tells of its memory, in bytes."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return {name: int(value.split()[0]) << 10 for name, value in lines}
    return {}
