"""Names of models, of parts and of files."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DEVICE = re.compile(r"^(con|prn|aux|nul|com[1-9]|lpt[1-9])(?=\.|$)", re.IGNORECASE)
RULE = (
    "letters, digits, '.', '_' and '-', no sign first, no '.' last, and no device of Windows, such as 'nul'"
)


def is_name(text: object) -> bool:
    """Whether `text` can be a name, and a file's on every system: see `RULE`."""
    return (
        isinstance(text, str)
        and _NAME.fullmatch(text) is not None
        and not text.endswith(".")
        and not _DEVICE.match(text)
    )


def no_device(name: str) -> str:
    """A file's name that Windows takes for no device: `nul_.png` for `nul.png`, any other as it is."""
    return _DEVICE.sub(r"\1_", name)
