"""Values of options that name the parts of a dream. Built-in parts are known without importing them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dreamkit.errors import ConfigError, did_you_mean
from dreamkit.option import number, quoted
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Objective
from dreamkit.plugins.registry import Kind

GUIDED = ("match", "texture")  # built-in objectives that take a guide's features
PYTHON = "python:"  # in a recipe, before the name of a function that only Python can pass
PARAMETRISATIONS: tuple[str, ...] = tuple(sorted(registry.PARAMETRISATIONS.built_in(), reverse=True))


def objectives(*, guided: bool) -> tuple[str, ...]:
    """The built-in objectives: with `guided` those that take a guide's features, else the others."""
    return tuple(name for name in registry.OBJECTIVES.built_in() if (name in GUIDED) == guided)


def objective(value: Any) -> str | Objective:
    """An objective's name; or an `Objective`, which stands for a function.

    Raises:
        ConfigError: there is no such objective, or it needs a guide.
    """
    if isinstance(value, str) and value.startswith(PYTHON):
        return value
    if callable(value):
        name = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9_]", "", getattr(value, "__name__", type(value).__name__))
        value = Objective(name=name or "function", value=value)
    if isinstance(value, Objective):
        name, is_guided = value.name, "guide" in value.takes
    else:
        name = _name_of(registry.OBJECTIVES, "objective", value, objectives(guided=False))
        is_guided = _takes_guide(name)
    if is_guided:
        raise ConfigError(f"objective is {name}, which needs a guide; use guide_style")
    return value if isinstance(value, Objective) else name


def guide_style(value: Any) -> str:
    """The name of a guide's style: `channels`, or an objective that takes a guide's features.

    Raises:
        ConfigError: there is none.
    """
    choices = (*objectives(guided=True), "channels")
    if isinstance(value, str) and (value == "channels" or _takes_guide(value)):
        return value
    raise ConfigError(f"guide_style is {quoted(value)}; choose {' or '.join(choices)}")


def space(value: Any) -> str:
    """The name of a parametrisation.

    Raises:
        ConfigError: there is none.
    """
    return _name_of(registry.PARAMETRISATIONS, "space", value, PARAMETRISATIONS)


def transforms(value: Any) -> dict[str, float] | None:
    """Transforms by name, with their strengths.

    Raises:
        ConfigError: there is none of a name, or a strength is not a number.
    """
    return _weights(
        registry.TRANSFORMS,
        "transforms",
        value,
        {"jitter": "--jitter", "warp": "--rotate or --zoom", "crop": "--crop"},
    )


def regularisers(value: Any) -> dict[str, float] | None:
    """Regularisers of plugins by name, with their weights.

    Raises:
        ConfigError: there is none of a name, or a weight is not a number.
    """
    return _weights(registry.REGULARISERS, "regularisers", value, {"tv": "--tv", "l2": "--l2"})


def plugin_options(value: Any) -> dict[str, dict[str, Any]] | None:
    """Options of plugins' parts, by part, checked.

    Raises:
        ConfigError: there is no such part, it has no such option, or a value makes no sense.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(each, Mapping) for each in value.values()):
        raise ConfigError(
            f"plugin_options is {quoted(value)}; it maps each part to its options, such as "
            '{"part": {"option": 1.0}}'
        )
    checked = {}
    for part, given in value.items():
        known = [registry.installed(kind) for kind in registry.PARTS]
        found = [each.get(part) for each in known if isinstance(part, str) and each.plugin(part)]
        if not found:
            raise ConfigError(
                f"plugin_options has {quoted(part)}, and no installed plugin has a part of this name; "
                "`dreamkit plugins` lists all"
            )
        values = found[0].values(given)
        checked[part] = {name: values[name] for name in given}
    return checked or None


def used(options: Mapping[str, Any], layers: Iterable[Any] = ()) -> dict[str, Kind[Any]]:
    """The plugins' parts that `options` of a dream name, with their kinds; `layers` are further terms."""
    schedule = options.get("schedule") or ()
    lists = [options.get("layers"), *(octave.get("layers") for octave in schedule), *layers]
    tables = [term for terms in lists if isinstance(terms, tuple | list) for term in terms]
    objectives = [options.get("objective"), options.get("guide_style")]
    objectives += [term.get("objective") for term in tables if isinstance(term, Mapping)]
    named: dict[str, Kind[Any]] = {}
    for kind, names in (
        (registry.OBJECTIVES, objectives),
        (registry.PARAMETRISATIONS, [options.get("space")]),
        (registry.REGULARISERS, options.get("regularisers") or ()),
        (registry.TRANSFORMS, options.get("transforms") or ()),
    ):
        built_in = {*kind.built_in(), "channels"}
        named |= {
            name: kind
            for name in names
            if isinstance(name, str) and name not in built_in and registry.installed(kind).plugin(name)
        }
    return named


def _weights(kind: Kind[Any], name: str, value: Any, own: Mapping[str, str]) -> dict[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} is {quoted(value)}; it maps names to numbers")
    found: dict[str, float] = {}
    for part, given in value.items():
        if part in own:
            raise ConfigError(f"{name} has {part}, which has an option of its own: {own[part]}")
        weight = number(given, whole=False)
        if weight is None:
            raise ConfigError(f"{name} has {quoted(part)}: {quoted(given)}; it maps names to numbers")
        found[_name_of(kind, name, part, ())] = float(weight)
    return found or None


def is_objective(value: Any) -> bool:
    """Whether `value` names an objective that needs no guide, a plugin's included."""
    return (
        isinstance(value, str)
        and registry.installed(registry.OBJECTIVES).has(value)
        and not _takes_guide(value)
    )


def _takes_guide(name: str) -> bool:
    """Whether there is an objective `name` that takes a guide's features. No built-in one is imported."""
    known = registry.installed(registry.OBJECTIVES)
    if name in registry.OBJECTIVES.built_in():
        return name in GUIDED
    return known.has(name) and "guide" in known.get(name).takes


def _name_of(kind: Kind[Any], name: str, value: Any, built_in: tuple[str, ...]) -> str:
    """`value` if it is the name of a part.

    Raises:
        ConfigError: it is not; the message names the option `name` and near misses.
    """
    if isinstance(value, str) and value in built_in:
        return value
    known = registry.installed(kind)
    if isinstance(value, str) and known.has(value):
        return value
    of_plugins = [part for part in known.names() if part not in kind.built_in()]
    if isinstance(value, str) and of_plugins:
        raise ConfigError(f"{name} is {quoted(value)}; {did_you_mean(value, [*built_in, *of_plugins])}")
    if not built_in:
        raise ConfigError(f"{name} has {quoted(value)}; no installed plugin provides one")
    raise ConfigError(f"{name} is {quoted(value)}; choose {' or '.join(built_in)} (plugins provide more)")
