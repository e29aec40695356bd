"""Recipes found by name, by file, or in a picture."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from dreamkit.errors import RecipeError, did_you_mean, shown
from dreamkit.recipes import metadata, toml_file
from dreamkit.recipes.recipe import Recipe

_FOLDERS = (".", "moods", "published")  # of the recipes that come with dreamkit, in the order they are listed


def built_in() -> list[str]:
    """The names of the recipes that come with dreamkit: its own, the moods, the published loops."""
    return list(_built_in())


def _built_in() -> dict[str, Traversable]:
    """Their files by name."""
    suffix = ".toml"
    folders = [resources.files(__package__).joinpath(folder) for folder in _FOLDERS]
    return {
        file.name.removesuffix(suffix): file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(suffix)
    }


def find(text: str) -> Recipe:
    """The recipe called `text`, in the TOML file at that path, or in the picture at it.

    Raises:
        RecipeError: there is none, or it cannot be read.
        ConfigError: it says what no recipe can; the message names the key and near misses.
    """
    known = _built_in()
    if text in known:
        return replace(toml_file.parse(known[text].read_text(encoding="utf-8"), text), built_in=True)
    if not os.path.isfile(text):
        what = "is a folder, no recipe" if os.path.isdir(text) else "is neither a recipe nor a file"
        raise RecipeError(f"{shown(text)} {what}; {did_you_mean(text, known)}")
    path = Path(text)
    if path.suffix.lower() == ".toml":
        return toml_file.read(path)
    return metadata.from_picture(path)
