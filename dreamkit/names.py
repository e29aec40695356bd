"""Names of models and of parts."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_name(text: object) -> bool:
    """Whether `text` can be a name: letters, digits, `.`, `_` and `-`, no sign first."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None
