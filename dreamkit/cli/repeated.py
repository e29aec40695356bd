"""Options that are given twice on one command line. Typer would keep the last value and say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, TypeGuard

from typer.core import TyperCommand, TyperOption

from dreamkit.errors import UsageError, shown


def refuse_repeated(command: TyperCommand, context: Any, arguments: Sequence[str]) -> None:
    """Refuses options that take one value and are given several, under any of their names.

    Raises:
        UsageError: an option is given twice.
    """
    single = {option.name: option for option in command.params if _takes_one_value(option)}
    twin = copy(command)
    twin.params = [_repeatable(each) if _takes_one_value(each) else each for each in command.params]
    values, _, _ = twin.make_parser(context).parse_args(list(arguments))
    for name, option in single.items():
        given = values.get(name) or ()
        if len(given) > 1:
            names = "/".join(option.opts)
            listed = " and ".join(shown(str(value)) for value in given)
            raise UsageError(f"{names} takes one value and {listed} are given; give one")


def _takes_one_value(parameter: Any) -> TypeGuard[TyperOption]:
    return isinstance(parameter, TyperOption) and not (
        parameter.multiple or parameter.is_flag or parameter.count
    )


def _repeatable(option: TyperOption) -> TyperOption:
    """The same option, with all its values instead of the last one."""
    option = copy(option)
    option.multiple = True
    return option
