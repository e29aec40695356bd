"""Recipes: what a dream is made of, as plain data. In a file as TOML, in a picture as JSON."""

from dreamkit.recipes.library import built_in, find, of_plugins
from dreamkit.recipes.metadata import from_picture, versions
from dreamkit.recipes.recipe import File, Recipe, Stroke, masks_named

__all__ = [
    "File",
    "Recipe",
    "Stroke",
    "built_in",
    "find",
    "from_picture",
    "masks_named",
    "of_plugins",
    "versions",
]
