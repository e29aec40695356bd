"""`dreamkit recipes`."""

from __future__ import annotations

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
        terminal.say(recipes.find(recipe).to_toml(), nl=False)
        return
    found = [recipes.find(name) for name in [*recipes.built_in(), *recipes.of_plugins()]]
    rows = [(each.name, ",".join(spec.name for spec in each.models), each.description) for each in found]
    terminal.table(rows, ("RECIPE", "MADE WITH", ""))
