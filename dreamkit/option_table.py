"""What is shown of the options: on the command line, in the docs, on the page."""

from __future__ import annotations

from typing import Any

from dreamkit import option
from dreamkit.config import DreamConfig, default, option_names, plain


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


def table() -> list[dict[str, Any]]:
    """All options that a command line has, in order, as plain data.

    `default` is None where it depends on something else, which `default_text` says in words. `type` is that
    of the value: bool, int, float, or text for all that is written as a text.
    """
    known = DreamConfig.__dataclass_fields__
    return [
        {
            "name": name,
            "type": _type(str(known[name].type)),
            "default": plain(default(name)),
            "default_text": default_text(name),
            "panel": known[name].metadata["cli"]["panel"],
            **limits(name),
        }
        for name in option_names()
        if not known[name].metadata["cli"]["in_recipes_only"]
    ]


def _type(annotation: str) -> str:
    first = annotation.split(" ")[0]
    return first if first in ("bool", "int", "float") else "text"
