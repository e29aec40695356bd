"""The command line that makes a dream: shown beside small pictures, to make them large."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from dreamkit.config import DreamConfig
from dreamkit.inputs import PathLike
from dreamkit.request import DreamRequest


def command(image: PathLike | None, request: DreamRequest) -> str:
    """The command line that dreams `request` of the photograph at `image`, quoted for a shell."""
    options, recipe = request.config, request.recipe
    (spec,) = request.models
    usual = recipe.config() if recipe else DreamConfig()
    words = ["dreamkit", "dream"]
    if image is not None:
        path = os.fspath(image)
        words.append(f"./{path}" if path.startswith("-") else path)  # else it reads as an option
    words += ["--recipe", recipe.name] if recipe else []
    words += ["--model", spec.name]
    if spec.weights is not None:
        words += ["--weights", spec.weights]
    if options.layers != usual.layers:
        for term in options.layers or ():
            words += _term(term)
    words += _pictures(request)
    left_out = ("layers", "schedule", "plugin_options", *(("size", "noise") if image is not None else ()))
    for name, value in options.to_dict().items():
        if name in left_out or value is None or getattr(options, name) == getattr(usual, name):
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, Mapping):
            words += [f"--{flag}", ",".join(f"{key}={each:g}" for key, each in value.items())]
        elif isinstance(value, list):
            sides = f"{value[1]}x{value[0]}"
            words += [f"--{flag}", sides if name == "size" else ",".join(map(str, value))]
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def term_text(term: str | Mapping[str, Any]) -> str:
    """A term as a command line has it: a layer's text, a class, a text, or `CONCEPT@LAYER=WEIGHT`, as a
    direction in a file has it too."""
    if isinstance(term, str):
        return term
    if "text" in term:
        return f"{term['text']}={term['weight']:g}" if "weight" in term else str(term["text"])
    name = term["concept"] if "concept" in term else term.get("direction")
    if not isinstance(name, str):
        return str(term.get("class", term.get("layer")))
    layer = f"@{term['layer']}" if "layer" in term else ""
    weight = f"={term['weight']:g}" if "weight" in term else ""
    return f"{name}{layer}{weight}"


def _term(term: str | Mapping[str, Any]) -> list[str]:
    flag = "--layers"
    if isinstance(term, Mapping):
        flag = next((f"--{key}" for key in ("concept", "class", "text") if key in term), flag)
        if isinstance(term.get("direction"), str):
            flag = "--direction"
    return [flag, term_text(term)]


def _pictures(request: DreamRequest) -> list[str]:
    """The guide and the mask of a command line, where they come from files that the recipe does not name."""
    recipe = request.recipe
    words = []
    for flag, picture, named in (
        ("--guide", request.guide, recipe and recipe.guide),
        ("--mask", request.masks.get(""), recipe and recipe.masks.get("")),
    ):
        if picture is not None and picture.path and named is None:
            words += [flag, os.fspath(picture.path)]
    return words
