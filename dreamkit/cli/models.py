"""`dreamkit models`, `layers`, `plugins`, `options`: what there is to dream with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from dreamkit.cli import terminal

_FEW = 5  # names that are listed in a row

_Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def models(as_json: _Json = False) -> None:
    """List the networks that can be dreamed with."""
    from dreamkit.models import weights
    from dreamkit.models.registry import installed

    found: list[dict[str, Any]] = [
        {
            "name": provider.name,
            "layers": dict(provider.layers),
            "min_size": provider.min_size,
            "weights": weights.state(provider),
            "setup": provider.setup,
            "package": plugin.distribution,
            "description": provider.description,
            "licence": provider.licence,
        }
        for provider, plugin in installed().providers()
    ]
    if as_json:
        _echo_json(found)
        return
    rows = [
        (m["name"], _terms(m["layers"]), m["min_size"], m["weights"], m["package"], _about(m)) for m in found
    ]
    terminal.table(rows, ("MODEL", "DEFAULT LAYERS", "MIN SIZE", "WEIGHTS", "PACKAGE", ""))


def layers(
    model: Annotated[str, typer.Argument(help="The network; `dreamkit models` lists them.")],
    as_json: _Json = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Keep TensorFlow's own messages.")] = False,
) -> None:
    """List a network's layers. Its weights are not needed."""
    from dreamkit.models.registry import installed

    provider = installed().provider(model)
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.engine.tf import network

        found = network.load(provider, None).probe.describe()
    if as_json:
        _echo_json([{**layer._asdict(), "default": layer.name in provider.layers} for layer in found])
        return
    rows = [(*layer, "default" if layer.name in provider.layers else "") for layer in found]
    terminal.table(rows, ("LAYER", "CHANNELS", "STRIDE", "DEPTH", ""))


def plugins(as_json: _Json = False) -> None:
    """List the packages that extend dreamkit, what each adds, and what fails."""
    from dreamkit.jobs.doctor.plugins import loaded
    from dreamkit.plugins import registry
    from dreamkit.recipes.library import built_in

    found = [asdict(plugin) for plugin in loaded()]
    for kind in (*registry.PARTS, registry.CONVERTERS):  # dreamkit's own need not be imported to be listed
        found[0][f"{kind.what}s"] = list(kind.built_in())
    found[0]["recipes"] = built_in()
    if as_json:
        _echo_json(found)
        return
    rows = [(p["name"], p["distribution"], p["version"], _adds(p), p["failure"] or "ok") for p in found]
    terminal.table(rows, ("PLUGIN", "PACKAGE", "VERSION", "ADDS", "STATE"))


def options(as_json: _Json = False) -> None:
    """List the options of a dream, with their defaults.

    dreamkit options --json
    """
    from dreamkit.option_table import describe, table

    found = table()
    if as_json:
        _echo_json(found)
        return
    rows = [
        (f"--{option['name'].replace('_', '-')}", option["default_text"], describe(option["name"]))
        for option in found
    ]
    terminal.table(rows, ("OPTION", "DEFAULT", ""))


def _adds(plugin: dict[str, Any]) -> str:
    """What a plugin adds: the names, or how many where they are more than a few."""
    return "; ".join(
        f"{len(names)} {kind}" if len(names) > _FEW else f"{kind} {', '.join(names)}"
        for kind, names in plugin.items()
        if isinstance(names, list) and names
    )


def _echo_json(value: object) -> None:
    import json

    terminal.say(json.dumps(value, indent=2))


def _about(model: dict[str, Any]) -> str:
    return (
        f"{model['description']} (first: {model['setup']})" if model["setup"] else str(model["description"])
    )


def _terms(layers: dict[str, float]) -> str:
    return ",".join(name if weight == 1 else f"{name}={weight:g}" for name, weight in layers.items())
