"""Terms with a direction in a file get its numbers: then no file is needed to dream them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dreamkit.errors import ConfigError, shown
from dreamkit.media import direction_files
from dreamkit.recipes import Recipe

_DIGITS = 7  # of a number that a recipe holds; float32 has no more
_Place = Callable[[str], str]  # from the path of a file that a term names to where it is


def in_options(options: Mapping[str, Any], place: _Place = str) -> dict[str, Any]:
    """`options` of a dream, with numbers for the files that directions in its layers name.

    Raises:
        ConfigError: a file does not exist or holds no such direction.
    """
    found = dict(options)
    if "layers" in found:
        found["layers"] = in_layers(found["layers"], place)
    if "schedule" in found:
        found["schedule"] = tuple(in_options(each, place) for each in found["schedule"])
    return found


def in_layers(layers: Any, place: _Place = str) -> Any:
    """As `in_options`, for `layers` in any form that `DreamConfig.layers` takes."""
    if isinstance(layers, Mapping) and isinstance(layers.get("direction"), str):
        return _found(layers, place)
    if not isinstance(layers, list | tuple):
        return layers
    return tuple(in_layers(each, place) if isinstance(each, Mapping) else each for each in layers)


def in_recipe(recipe: Recipe) -> Recipe:
    """`recipe` with numbers for the files that its directions name, which lie beside it.

    Raises:
        ConfigError: as `in_options`; or it names a file that is not beside it.
    """
    place = partial(_beside, recipe.folder)
    return replace(
        recipe,
        options=in_options(recipe.options, place),
        models=tuple(replace(spec, layers=in_layers(spec.layers, place)) for spec in recipe.models),
        timeline=tuple(in_options(each, place) for each in recipe.timeline),
    )


def _found(table: Mapping[str, Any], place: _Place) -> Mapping[str, Any]:
    text = str(table["direction"])
    numbers = direction_files.read(text, place(direction_files.path_of(text)))
    return {**table, "direction": tuple(float(f"{each:.{_DIGITS}g}") for each in numbers)}


def _beside(folder: Path | None, path: str) -> str:
    """Where the file at `path` of a recipe in `folder` is; None for a recipe that lies nowhere."""
    if folder is None or Path(path).name != path or "\\" in path:
        raise ConfigError(
            f"the recipe names the direction {shown(path, 200)}; it can name a file beside it, without a "
            "folder"
        )
    return str(folder / path)
