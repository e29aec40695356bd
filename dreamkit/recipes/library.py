"""Recipes found by name, by file, or in a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from dreamkit.errors import ConfigError, PluginError, RecipeError, did_you_mean, first_line, shown
from dreamkit.names import is_name
from dreamkit.plugins import registry
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.registry import Kind
from dreamkit.recipes import metadata, toml_file
from dreamkit.recipes.recipe import Recipe

_SUFFIX = ".toml"
_FOLDERS = (".", "moods", "published")  # of the recipes that come with dreamkit, in the order they are listed


def _name(file: object) -> str:
    """The name of the recipe in a file."""
    name = getattr(file, "name", "")
    if not isinstance(name, str) or not is_name(name) or not name.endswith(_SUFFIX):
        raise TypeError(f"its hook returned {file!r}, not a TOML file")
    return name.removesuffix(_SUFFIX)


RECIPES: Kind[Any] = Kind(
    "recipe", "dreamkit_recipes", Traversable, lambda: {"dreamkit": __name__}, RecipeError, _name
)


@hookimpl
def dreamkit_recipes() -> Iterator[Traversable]:
    """The files of the recipes that come with dreamkit: its own, the moods, the published loops."""
    for folder in _FOLDERS:
        inside = resources.files(__package__).joinpath(folder)
        for file in sorted(inside.iterdir(), key=lambda file: file.name) if inside.is_dir() else ():
            if file.name.endswith(_SUFFIX):
                yield file


def built_in() -> list[str]:
    """The names of the recipes that come with dreamkit, in the order they are listed."""
    return [_name(file) for file in registry.installed(RECIPES).built_in()]


def of_plugins() -> list[str]:
    """The names of the recipes that plugins add."""
    return [_name(file) for file, _ in registry.installed(RECIPES).third_party()]


def find(text: str) -> Recipe:
    """The recipe called `text`, in the TOML file at that path, or in the picture at it.

    Raises:
        RecipeError: there is none, or it cannot be read.
        ConfigError: it says what no recipe can; the message names the key and near misses.
    """
    known = registry.installed(RECIPES)
    if text in built_in():
        return replace(toml_file.parse(known.get(text).read_text(encoding="utf-8"), text), built_in=True)
    if not os.path.isfile(text):
        if known.has(text):
            return _of_plugin(text)
        what = "is a folder, no recipe" if os.path.isdir(text) else "is neither a recipe nor a file"
        raise RecipeError(f"{shown(text)} {what}; {did_you_mean(text, known.names())}")
    path = Path(text)
    if path.suffix.lower() == ".toml":
        return toml_file.read(path)
    return metadata.from_picture(path)


def _of_plugin(name: str) -> Recipe:
    """The recipe that a plugin adds under `name`; a guide or a mask lies beside its file.

    Raises:
        PluginError: it cannot be read.
        ConfigError: it has a key or a value that no recipe takes.
    """
    known = registry.installed(RECIPES)
    file = known.get(name)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(
            f"the recipe {name} of {known.owner(name)} cannot be read ({first_line(error)})"
        ) from error
    try:
        recipe = toml_file.parse(text, name)
    except (ConfigError, RecipeError) as error:
        raise type(error)(f"{error}; {known.owner(name)} provides it") from error
    return replace(recipe, built_in=True, folder=file.parent if isinstance(file, Path) else None)
