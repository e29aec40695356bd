"""Recipes in TOML files: read and checked.

A TOML file is the user's own, so a guide or a mask that it names is looked for in its own folder, by a plain
file name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamkit.config import DreamConfig, option_names, quoted
from dreamkit.errors import ConfigError, RecipeError, did_you_mean, first_line, shown
from dreamkit.media import files
from dreamkit.models.spec import ModelSpec
from dreamkit.recipes.recipe import File, Recipe, masks_named
from dreamkit.recipes.timeline import key_frames

_MOST_BYTES = 1 << 20  # of a recipe's file
_DEEP = re.compile(r"""(?<![\w-])(?:(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){16}""")
_KEYS = ("description", "model", "models", "guide", "mask", "timeline")  # beside the options
_MODEL_KEYS = ("name", "weight", "layers")


def read(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        RecipeError: it cannot be read.
        ConfigError: it has a key or a value that no recipe takes.
    """
    return replace(parse(_text(path), str(path)), folder=path.parent)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RecipeError(f"{path} is larger than any recipe; it is refused")
        return files.text(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path} ({first_line(error)})") from error


def parse(text: str, name: str) -> Recipe:
    """The recipe that `text` is; `name` is for messages.

    Raises:
        RecipeError, ConfigError: as `read`.
    """
    import tomllib

    if _DEEP.search(text):  # which takes tomllib the square of its length
        raise RecipeError(f"{name} has a key of many parts between dots; a recipe has none such")
    try:
        table = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # of a number of too many digits
        raise RecipeError(f"{name} is not a TOML file ({first_line(error)[:120]})") from error
    known = [*_KEYS, *option_names()]
    for key in table:
        if key not in known:
            raise ConfigError(f"{name}: there is no key {shown(key)!r}; {did_you_mean(key, known)}")
    try:
        masks: dict[str, File] = {"": File(_plain_name(table["mask"], "mask"))} if "mask" in table else {}
        chosen = options({key: value for key, value in table.items() if key not in _KEYS})
        models = _models(table)
        timeline = key_frames(table.get("timeline", []), chosen.get("schedule", ()))
        for mask in masks_named(chosen, models, timeline):
            masks[mask] = File(_plain_name(mask, "mask"))
        return Recipe(
            name=name,
            options=chosen,
            models=models,
            description=_description(table),
            guide=File(_plain_name(table["guide"], "guide")) if "guide" in table else None,
            masks=masks,
            timeline=timeline,
        )
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _description(table: Mapping[str, Any]) -> str:
    text = table.get("description", "")
    if not isinstance(text, str):
        raise ConfigError(f"description is {quoted(text)}; it takes a text")
    return text


def _models(table: Mapping[str, Any]) -> tuple[ModelSpec, ...]:
    if "model" in table and "models" in table:
        raise ConfigError("model and models exclude each other; give one model, or a list of [[models]]")
    if "model" in table:
        if not isinstance(table["model"], str):
            raise ConfigError(f"model is {quoted(table['model'])}; it takes a model's name")
        return (ModelSpec(table["model"]),)
    models = table.get("models", [])
    if not isinstance(models, list) or not all(isinstance(model, Mapping) for model in models):
        raise ConfigError('models is not a list of tables; write [[models]] and name = "..." below it')
    for key in (key for model in models for key in model):
        if key not in _MODEL_KEYS:
            raise ConfigError(f"models has {shown(key)!r}; {did_you_mean(key, _MODEL_KEYS)}")
    return tuple(map(model_spec, models))


def model_spec(model: Mapping[str, Any]) -> ModelSpec:
    """A model from its table.

    Raises:
        ConfigError: it has no name, or a weight or layers that make no sense.
    """
    name = model.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError('models has a table without a name; give each a name, such as name = "pocket"')
    return ModelSpec(name, model.get("weight", 1.0), model.get("layers"))


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options in their own types, checked."""
    config = DreamConfig.of(None, **given)
    return {name: getattr(config, name) for name in given}


def _plain_name(value: Any, what: str) -> str:
    """A file name without any folder."""
    plain = isinstance(value, str) and value.isprintable() and "\\" not in value
    if not plain or value in ("", ".", "..") or Path(value).name != value:
        raise ConfigError(
            f"{what} is {quoted(value)}; a recipe names a file beside it, without a folder; else use --{what}"
        )
    return str(value)
