"""`dreamkit recipes`."""

from __future__ import annotations

import codecs
import sys
from typing import Annotated

import typer

from dreamkit.cli import terminal


def recipes(
    recipe: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE|DREAM", help="The recipe to show, as a TOML file.")
    ] = None,
) -> None:
    """List the recipes, or show one: of a name, a file or a dream.

    dreamkit recipes photo.dream.png > mine.toml
    """
    from dreamkit import recipes

    if recipe is not None:
        terminal.say(_escaped(recipes.find(recipe).to_toml()), nl=False)
        return
    found = [recipes.find(name) for name in [*recipes.built_in(), *recipes.of_plugins()]]
    rows = [(each.name, ",".join(spec.name for spec in each.models), each.description) for each in found]
    terminal.table(rows, ("RECIPE", "MADE WITH", ""))


def _escaped(toml: str) -> str:
    """The same TOML; its strings escape what a terminal would obey and, because a recipe's file is in UTF-8,
    all but ASCII where stdout is not."""
    in_utf_8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    return "".join(
        each
        if each in "\n\t" or (each.isprintable() and (in_utf_8 or each.isascii()))
        else (f"\\u{ord(each):04x}" if each <= "\uffff" else f"\\U{ord(each):08x}")
        for each in toml
    )
