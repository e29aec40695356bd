"""The page of the built-in recipes, as the files that they are."""

from __future__ import annotations

from dreamkit import recipes

_INTRODUCTION = """# The files of the recipes

Each built-in recipe as `dreamkit recipes NAME` prints it. [Recipes](recipes.md) says what they do and
how to write your own; to change one, save it as a file and dream with `--recipe mine.toml`.
"""


def page() -> str:
    """Each built-in recipe with its description and its TOML."""
    sections = [_INTRODUCTION]
    for name in recipes.built_in():
        recipe = recipes.find(name)
        sections.append(f"## {name}\n\n{recipe.description}\n\n```toml\n{recipe.to_toml().strip()}\n```\n")
    return "\n".join(sections)
