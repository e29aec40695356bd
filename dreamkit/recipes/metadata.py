"""The recipe that a picture carries, as JSON: options, what they came to, and hashes of all files.

It names files and gives their hashes; no path in it is ever followed.
"""

from __future__ import annotations

import base64
import binascii
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dreamkit.config import DreamConfig, plain
from dreamkit.errors import ConfigError, DreamkitWarning, RecipeError, first_line, shown
from dreamkit.models.spec import ModelSpec
from dreamkit.plugins import registry
from dreamkit.plugins.registry import Kind
from dreamkit.recipes.recipe import File, Recipe, Stroke
from dreamkit.recipes.toml_file import model_spec, options
from dreamkit.version import __version__

_VERSIONS_OF = ("tensorflow", "keras", "numpy", "pillow")
_MOST_TURNS = 65_535  # of a stroke
_EARLIER: Mapping[str, Any] = {"clouds": 0.0}  # of pictures that were dreamed before there was such an option
_RENAMED = {
    ("pocket", "1948ca40543fc78de2587c6e6c7c7616cd7af4d57a84425164a5a054c999f8f1"): (
        "pocket1",
        "7417de541aeaae86606b81fda119c217672eb0ad6f7b3021459bff43825ce032",
    ),
}
"""Networks that have another name now: name and SHA-256 in a picture's recipe, and those of today."""


def from_picture(path: str | os.PathLike[str]) -> Recipe:
    """The recipe that a dream carries. Only data: nothing in it is followed or run.

    Raises:
        RecipeError: the picture carries none, or one that is damaged, or it says that no recipe repeats it.
        ImageError: the file cannot be read as a picture.
    """
    from dreamkit.media import image_metadata  # which imports Pillow

    found = image_metadata.read_recipe(path)
    if found is None:
        raise RecipeError(
            f"{path} carries no recipe; it was not dreamed by dreamkit, was interrupted, or was edited since"
        )
    why = found.get("unrepeatable")
    if isinstance(why, str):
        raise RecipeError(f"{path} {shown(why, 200)}, so it carries no recipe and cannot be dreamed again")
    try:
        models = tuple(_renamed(_model(model, found), Path(path).name) for model in found["models"])
        if not models:
            raise ValueError("it names no network")
        return Recipe(
            name=Path(path).name,
            options={**_EARLIER, **options(found["options"]), **_effective(found.get("effective", {}))},
            models=models,
            guide=None if found.get("guide") is None else _file(found["guide"]),
            masks={name: _file(mask) for name, mask in found.get("masks", {}).items()},
            photograph=None if found["photograph"] is None else _file(found["photograph"]),
            versions={"dreamkit": _string(found["dreamkit"])}
            | {_string(name): _string(each) for name, each in found["versions"].items()},
            machine={
                name: each if isinstance(each, int) else _string(each)
                for name, each in found.get("machine", {}).items()
            },
            stopped=_stopped(found["stopped"]) if "stopped" in found else "",
            strokes=tuple(map(_stroke, found.get("strokes", []))),
            paints_photograph=found.get("painted_on") == "photograph",
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, ConfigError) as error:
        raise RecipeError(
            f"the recipe in {path} cannot be used ({type(error).__name__}: {first_line(error)[:120]})"
        ) from error


def _model(model: Mapping[str, Any], found: Mapping[str, Any]) -> ModelSpec:
    """A network of a finished dream."""
    spec = replace(model_spec(model), sha256=_string(model["sha256"]))
    chosen = found["options"]
    by_default = spec.layers is None and chosen.get("layers") is None
    if found.get("guide") is not None and by_default and not _EARLIER.keys() <= chosen.keys():
        # With a guide, other layers were the default then: those that were dreamed are dreamed again.
        spec = replace(spec, layers=model.get("dreamed") or None)
    return spec


def _renamed(spec: ModelSpec, picture: str) -> ModelSpec:
    """The model of a picture's recipe under the name that it has now."""
    name, sha256 = _RENAMED.get((spec.model, spec.sha256), (spec.model, spec.sha256))
    if name != spec.model:
        warnings.warn(
            f"{picture} was dreamed by the first edition of {spec.model}, which is called {name} now",
            DreamkitWarning,
            stacklevel=4,
        )
    return replace(spec, model=name, sha256=sha256)


def _stroke(found: Mapping[str, Any]) -> Stroke:
    """A stroke of the page's brush."""
    if "erased" in found:
        return Stroke(_file(found["erased"]))
    turns, lasts, least = (int(found[key]) for key in ("turns", "lasts", "least"))
    if not (0 <= turns <= _MOST_TURNS and 0 < lasts <= _MOST_TURNS and least >= 0):
        raise ValueError("a stroke in it has turns that make no sense")
    return Stroke(_file(found["times"]), options(found["options"]), turns, lasts, least)


def _stopped(found: Mapping[str, Any]) -> str:
    """Where a dream was stopped, in words."""
    octave, octaves, step, steps = (int(found[key]) for key in ("octave", "octaves", "step", "steps"))
    return f"octave {octave} of {octaves}, step {step} of {steps}"


def _effective(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a dream came to that it is to come to again: the tiles that memory left it."""
    return options({"tile_size": found["tile_size"]}) | {"max_memory": None} if "tile_size" in found else {}


def describe(
    config: DreamConfig,
    *,
    models: Sequence[Mapping[str, Any]],
    photograph: File | None,
    guide: File | None,
    masks: Mapping[str, File],
    size: tuple[int, int],
    octaves: Sequence[tuple[int, int]],
    tile_size: int,
    machine: Mapping[str, Any],
    uses: Mapping[str, Kind[Any]] = MappingProxyType({}),
) -> dict[str, Any]:
    """What a picture carries: the options, what they came to, and hashes of what went in. No time, no path.

    `models` have `name`, `sha256`, `weight`, `layers` as they were given and `dreamed`, the terms with
    their weights. `size` and `octaves` are heights and widths in pixels, `tile_size` what the tiles were in
    the end, `machine` what `engine.tf.machine.describe` says. A mask that came from no file is in it itself.
    `uses` are the plugins' parts that are used.
    """
    written: dict[str, Any] = {
        "dreamkit": __version__,
        "options": config.to_dict(),
        "effective": {
            "size": list(size),
            "octaves": [list(octave) for octave in octaves],
            "tile_size": tile_size,
        },
        "models": [dict(model) for model in models],
        "photograph": photograph and _written(photograph),
        "versions": {name: each for name, each in versions(uses).items() if name != "dreamkit"},
        "machine": dict(machine),
    }
    if guide is not None:
        written["guide"] = _written(guide)
    if masks:
        written["masks"] = {name: _written(mask) for name, mask in masks.items()}
    return written


def painted(recipe: Recipe | None) -> dict[str, Any]:
    """What a picture carries of the strokes of the page's brush, which came from the recipe of another."""
    if recipe is None or not recipe.strokes:
        return {}
    written = [
        {"erased": _written(stroke.mask)}
        if stroke.options is None
        else {
            "options": DreamConfig.of(None, **stroke.options).to_dict(),
            "turns": stroke.turns,
            "lasts": stroke.lasts,
            "least": stroke.least,
            "times": _written(stroke.mask),
        }
        for stroke in recipe.strokes
    ]
    return {"strokes": written, "painted_on": "photograph" if recipe.paints_photograph else "dream"}


def asked(config: DreamConfig, layers: Sequence[Any]) -> dict[str, Any]:
    """What a picture carries of terms that its photograph made plain: those of the options and, in `layers`,
    those of each network, as they were given. Where one is dreamed again, nobody needs them; a batch knows by
    them which of its pictures are finished."""
    options = config.to_dict()
    return {
        "layers": options["layers"],
        "schedule": options["schedule"],
        "models": [plain(each) for each in layers],
    }


def versions(uses: Mapping[str, Kind[Any]] = MappingProxyType({})) -> dict[str, str]:
    """What a dream is made with here, with the packages of the plugins' parts that it uses."""
    plugins = [registry.installed(kind).plugin(name) for name, kind in uses.items()]
    return {
        "dreamkit": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _VERSIONS_OF},
        **{plugin.distribution: plugin.version for plugin in plugins if plugin is not None},
    }


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _file(value: Any) -> File:
    try:
        data = base64.b64decode(_string(value.get("data", "")), validate=True)
    except binascii.Error as error:
        raise ValueError("a mask in it is damaged") from error
    return File(_string(value["name"]), _string(value["sha256"]), data)


def _written(file: File) -> dict[str, str]:
    data = {"data": base64.b64encode(file.data).decode()} if file.data else {}
    return {"name": file.name, "sha256": file.sha256, **data}
