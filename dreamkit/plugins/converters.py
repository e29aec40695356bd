"""The record of a command that converts networks of another framework: `dreamkit convert NAME`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dreamkit.names import RULE, is_name

_PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Converter:
    """A command `dreamkit convert NAME`.

    Attributes:
        name: of the command: letters, digits, `.`, `_` and `-`.
        help: one line for `dreamkit convert --help`.
        command: the function that Typer makes the command of, or where it is, as in
            `package.module:function`. The module is imported only for the command itself.

    Raises:
        ValueError: a field is wrong; the message names the converter and the field.
    """

    name: str
    help: str
    command: Callable[..., None] | str

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"converter name {self.name!r}: {RULE}")
        if not isinstance(self.help, str) or len(self.help.splitlines()) != 1:
            raise ValueError(f"converter {self.name}: help is {self.help!r:.80}; it is one line")
        is_place = isinstance(self.command, str) and _PLACE.fullmatch(self.command)
        if not is_place and not callable(self.command):
            raise ValueError(
                f"converter {self.name}: command is {self.command!r:.80}; it is a function, or "
                "'module:function'"
            )

    def function(self) -> Callable[..., None]:
        """The function. Raises whatever the import of its module raises."""
        if not isinstance(self.command, str):
            return self.command
        module, _, name = self.command.partition(":")
        found: Any = getattr(import_module(module), name)
        return found  # type: ignore[no-any-return]
