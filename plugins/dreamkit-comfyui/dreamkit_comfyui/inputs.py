"""What the nodes offer: the options, networks and recipes of the installed dreamkit, as ComfyUI's inputs.

The names and the order of the inputs are fixed here, because a saved workflow names them. Defaults, ranges
and help are dreamkit's own. Where dreamkit is missing, the inputs are there without them, and the node says
what to do when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import process
from .process import DreamkitError

Inputs = dict[str, tuple[Any, ...]]

NETWORK = "network"
BY_DEFAULT = "default"  # in a list of names: what dreamkit chooses by itself

# ComfyUI's type of each option that a node can offer; a list of choices is COMBO.
_TYPES = {
    "layers": "STRING",
    "strength": "FLOAT",
    "blend": "FLOAT",
    "color": "FLOAT",
    "octaves": "INT",
    "steps": "INT",
    "wrap": "COMBO",
    "guide_style": "COMBO",
    "seed": "INT",
}
_STEP = 0.05  # of a number with a fraction, where a click changes it


@dataclass(frozen=True)
class Offered:
    """What the installed dreamkit has.

    Attributes:
        options: what `dreamkit options --json` says of each, by name.
        networks: their names.
        recipes: the names of those that are built in or come from plugins.
        problem: why there is nothing, empty where there is something.
    """

    options: Mapping[str, Mapping[str, Any]]
    networks: tuple[str, ...]
    recipes: tuple[str, ...]
    problem: str = ""


@cache
def _asked() -> Offered:
    """What the installed dreamkit has, asked once. After an error it is asked again."""
    options, models, plugins = (
        json.loads(process.answer(what, "--json")) for what in ("options", "models", "plugins")
    )
    return Offered(
        {option["name"]: option for option in options},
        tuple(model["name"] for model in models),
        tuple(name for plugin in plugins for name in plugin.get("recipes", ())),
    )


def offered() -> Offered:
    """What the installed dreamkit has; nothing where there is none."""
    try:
        return _asked()
    except DreamkitError as error:
        return Offered({}, (), (), str(error))


def networks() -> Inputs:
    """The input for the network."""
    about = "The network. default: the recipe's, or else the one that dreamkit carries."
    return {NETWORK: ([BY_DEFAULT, *offered().networks], {"default": BY_DEFAULT, "tooltip": about})}


def options(names: Iterable[str]) -> Inputs:
    """The inputs for options of a dream. At its default, an input leaves the recipe's own value."""
    found = offered()
    return {
        name: _input(_TYPES[name], found.options[name])
        if name in found.options
        else ([""] if _TYPES[name] == "COMBO" else _TYPES[name], {"tooltip": found.problem})
        for name in names
    }


def _input(kind: str, option: Mapping[str, Any]) -> tuple[Any, ...]:
    about: dict[str, Any] = {"default": _default(option), "tooltip": option["help"]}
    if option["default"] is None:
        unchosen = "Empty" if about["default"] == "" else about["default"]
        about["tooltip"] += f" {unchosen}: {option['default_text']}."
    if kind == "COMBO":
        return list(option["choices"]), about
    if kind == "FLOAT":
        about |= {"step": _STEP, "round": 0.001}
    if kind in ("INT", "FLOAT"):
        least = option["above"] + _STEP if "above" in option else option.get("least")
        limits = {"min": 0 if option["default"] is None else least, "max": option.get("most")}
        about |= {name: limit for name, limit in limits.items() if limit is not None}
    return kind, about


def _default(option: Mapping[str, Any]) -> Any:
    """What an input shows where nothing is chosen: nothing, or 0, where the default is no value."""
    if option["default"] is None:
        return "" if option["type"] == "text" else 0
    return option["default"]


def arguments(given: Mapping[str, Any]) -> list[str]:
    """The options of `given` on a command line, without those at their defaults."""
    known = offered().options
    words = []
    for name, value in given.items():
        unchosen = BY_DEFAULT if name == NETWORK else _default(known[name]) if name in known else None
        if value != unchosen:
            flag = "model" if name == NETWORK else name.replace("_", "-")
            words.append(f"--{flag}={value}")
    return words
