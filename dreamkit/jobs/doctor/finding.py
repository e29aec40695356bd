"""A finding: what was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamkit.errors import first_line, shown

OK, MISSING, BROKEN, UNKNOWN = "ok", "missing", "broken", "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is known of one thing.

    Attributes:
        what: its name.
        state: `ok`, `missing` (it can be added), `broken` (it is there and does not work) or `unknown`.
        about: in words, versions and sizes included.
        command: what brings it; empty where it is there, or no command does.
        needed: whether a dream with dreamkit's defaults needs it.
        facts: the same as numbers and names, for programs.
    """

    what: str
    state: str
    about: str
    command: str = ""
    needed: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[], Iterable[Finding]]


def examined(what: str, check: Check) -> list[Finding]:
    """What `check` finds. If it fails itself, `what` cannot be checked, and the others still can."""
    try:
        return list(check())
    except Exception as error:  # of a package that is damaged, whatever it raises
        why = f"{type(error).__name__}: {shown(first_line(error), 200)}"
        return [Finding(what=what, state=UNKNOWN, about=f"cannot be checked ({why})")]


def hindrances(findings: Iterable[Finding]) -> list[Finding]:
    """What a dream with dreamkit's defaults needs, and is missing or broken."""
    return [each for each in findings if each.needed and each.state in (MISSING, BROKEN)]
