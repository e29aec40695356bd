"""Commands that are made when they are asked for. Typer takes as long to make all as some of them run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommands(MutableMapping[str, Any]):
    """The commands of a group by name, each made by its function when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._makers[name] = lambda: command
        self._made.pop(name, None)

    def __delitem__(self, name: str) -> None:
        del self._makers[name]
        self._made.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def command_of(name: str, function: Callable[..., None], kind: type[TyperCommand] = TyperCommand) -> Any:
    """The command of this `kind` that calls a function."""
    app = typer.Typer(add_completion=False)
    app.command(name, cls=kind)(function)
    return typer.main.get_command(app)


def parameters_of(function: Callable[..., None]) -> list[Any]:
    """A function's parameters as those of a command."""
    return list(command_of("", function).params)
