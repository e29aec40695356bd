"""The recipe of a page: what a page leaves out is refused, and terms are written as the page reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dreamkit.config import DreamConfig
from dreamkit.errors import ConfigError
from dreamkit.terms import Term, has_choice, parse_terms
from dreamkit.web import network_files

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.request import DreamRequest

Written: TypeAlias = list[str | dict[str, Any]]  # terms as a page reads them

_MAX_SEED = 2**53 - 1  # the largest whole number that JavaScript counts exactly
# What a page supports: of options with parts, which; and options that it leaves out, each with the value that
# switches it off, or null where leaving it out does. The page reads it as well.
_SUPPORTED: dict[str, Any] = json.loads(Path(__file__).with_name("supported.json").read_text("utf-8"))
_OFF: dict[str, Any] = _SUPPORTED["off"]
_CHOICES: dict[str, list[str]] = _SUPPORTED["choices"]


def check(request: DreamRequest) -> None:
    """Refuses a request that a page cannot dream.

    Raises:
        ConfigError: it has a timeline, channels that the photograph chooses, or a config that
            `check_config` refuses; the message names it.
    """
    request.refuse("a page", "timeline", "choices", "strokes")
    check_config(request.config)


def check_config(config: DreamConfig) -> None:
    """Refuses options and terms that a page does not support.

    Raises:
        ConfigError: the config has one; the message names it.
    """
    options = config.to_dict()
    for name, value in _OFF.items():
        given = options.get(name)
        if given is not None and given != value:
            change = "leave it out" if value is None else f"set it to {value}"
            raise ConfigError(f"{name} is {given}, which a page cannot do; {change}")
    unknown = [name for name in config.transforms or () if name not in _CHOICES["transforms"]]
    if unknown:
        raise ConfigError(
            f"transforms is {config.transforms}, which a page cannot do; leave {unknown[0]} out"
        )
    for name in ("objective", "guide_style", "space"):
        _check_choice(name, options[name], _CHOICES[name])
    for each in (config, *map(config.at, range(len(config.schedule)))):
        if has_choice(each.layers):
            raise ConfigError(
                "layers has a choice of channels by the photograph, which a page cannot do; name channels"
            )
        for term in each.layers or ():
            if isinstance(term, Mapping) and "objective" in term:
                _check_choice("objective", term["objective"], _CHOICES["objective"])
    if config.seed > _MAX_SEED:
        raise ConfigError(f"seed is {config.seed}; a page takes 0 to {_MAX_SEED}")


def _check_choice(option: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise ConfigError(f"{option} is {given}, which a page cannot do; set it to {' or '.join(choices)}")


def with_exact_layers(
    config: DreamConfig, network: Network, *, weight: float = 1.0, own: Any = None, guided: bool = False
) -> DreamConfig:
    """`config` with exact layer names in its terms.

    `weight` and `own` are the network's weight and own layers in a recipe; they become those of the terms.
    `guided` says whether there is a guide, with which other layers are the default.
    """
    sign = -1 if weight < 0 else 1
    if own is not None:  # they also go before those of the schedule
        schedule = [
            {name: value for name, value in entry.items() if name != "layers"} for entry in config.schedule
        ]
        return DreamConfig.of(config, layers=exact(own, network, sign), schedule=schedule)
    layers = config.layers
    if layers is None and (guided or sign < 0):
        layers = default_layers(network, guided=guided)
    schedule = [
        {name: exact(value, network, sign) if name == "layers" else value for name, value in entry.items()}
        for entry in config.schedule
    ]
    return DreamConfig.of(
        config, layers=None if layers is None else exact(layers, network, sign), schedule=schedule
    )


def layers_of_several(
    config: DreamConfig, models: Sequence[tuple[Network, Any]], *, guided: bool = False
) -> list[Written]:
    """The layers of networks that dream together; `models` are networks with their own layers, None for none.

    Raises:
        ConfigError: the schedule has layers, and a network has none of its own.
    """
    if any("layers" in entry for entry in config.schedule) and any(own is None for _, own in models):
        raise ConfigError(
            "the schedule has layers of several networks, which a page cannot do; give each network layers "
            "of its own"
        )
    found = []
    for network, own in models:
        given = config.layers if own is None else own
        found.append(exact(default_layers(network, guided=guided) if given is None else given, network))
    return found


def dreamed_layers(config: DreamConfig, network: Network) -> list[str]:
    """The layers of `network` that the terms of `config` name."""
    lists = [config.layers, *(entry.get("layers") for entry in config.schedule)]
    return [term.layer for layers in lists if layers is not None for term in parse_terms(layers, network)]


def default_layers(network: Network, *, guided: bool) -> Mapping[str, float]:
    """The layers that are dreamed where none are named."""
    return network_files.guide_layers(network) if guided else network.provider.layers


def exact(layers: Any, network: Network, sign: int = 1) -> Written:
    """Terms with exact layer names, and their weights times `sign`."""
    return [_written(term, sign * weight) for term, weight in parse_terms(layers, network).items()]


def _written(term: Term, weight: float) -> str | dict[str, Any]:
    """A term as a text, or as a table where no text says all of it."""
    is_part = bool(term.channels or term.place or term.direction)
    if not (term.direction or term.objective or term.mask or term.guided == is_part):
        return f"{term}" if weight == 1 else f"{term}={weight!r}"
    table: dict[str, Any] = {"layer": term.layer, "weight": weight}
    parts = {"channels": term.channels, "place": term.place, "direction": term.direction}
    table |= {name: list(part) for name, part in parts.items() if part}
    table |= {name: text for name, text in (("objective", term.objective), ("mask", term.mask)) if text}
    return table if term.guided != is_part else {**table, "guide": term.guided}
