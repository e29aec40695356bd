"""What is shown of the options: on the command line, in the docs, on the page."""

from __future__ import annotations

from typing import Any

from dreamkit import option
from dreamkit.config import DreamConfig, default


def default_text(name: str) -> str:
    """The default of option `name` in words, for command lines and docs."""
    about = DreamConfig.__dataclass_fields__[name].metadata["cli"]
    return about["default_text"] or str(default(name))


def limits(name: str) -> dict[str, Any]:
    """Help and range of option `name`, as plain data."""
    metadata = DreamConfig.__dataclass_fields__[name].metadata
    return {key: value for key, value in metadata.items() if key != "cli"}


def describe(name: str) -> str:
    """The help of option `name` with its range, for command lines and docs."""
    return option.describe(limits(name))
