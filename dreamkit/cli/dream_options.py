"""The options that every command shares which makes whole dreams, made from `DreamConfig`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit import config
from dreamkit.errors import ConfigError, UsageError
from dreamkit.option import LOOK, PANELS, WHAT
from dreamkit.option_table import default_text, describe
from dreamkit.option_values import read_concepts, read_direction, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from dreamkit.models.spec import ModelSpec
    from dreamkit.request import DreamRequest

Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME[=WEIGHT]",
        help="The network; `dreamkit models` lists them. If you give several, they dream together, each with "
        f"its own weight. Default: the recipe's, or {config.DEFAULT_MODEL}.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "-w",
        "--weights",
        metavar="[NAME=]PATH",
        help="A weights file to use instead of a download; with several models, NAME=PATH for each.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="LABEL",
        help="A class to dream, by label or number, such as `castle`; only for networks that classify.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Concepts = Annotated[
    list[str] | None,
    typer.Option(
        "--concept",
        metavar="NAME[@LAYER][=WEIGHT]",
        help="A concept to dream, such as `butterflies` or `butterflies@mixed4c=0.5`; several with commas. "
        "`dreamkit concepts` lists them, and `dreamkit concept learn` makes one from your own pictures.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="TEXT[=WEIGHT]",
        help="A text to dream, such as `a red circle`, with a network that understands texts, such as a "
        "converted CLIP. With a negative weight, the dream moves away from it.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Directions = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        metavar="FILE[:ROW]@LAYER[=WEIGHT]",
        help="A direction to dream: a .npy or .safetensors file with a number for each channel, or "
        "a row of its table, such as a feature of a sparse autoencoder, `decoder.npy:1203@mixed4c`.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Guide = Annotated[
    str | None,
    typer.Option(
        "--guide",
        metavar="PATH",
        help="A picture that the dream takes its shapes from.",
        rich_help_panel=WHAT,
    ),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar="[NAME=]PATH",
        help="Where to dream: white fully, grey partly, black not at all. NAME=PATH is the file for the mask "
        "NAME of a recipe.",
        show_default=False,
        rich_help_panel=WHAT,
    ),
]
Tileable = Annotated[
    bool | None,
    typer.Option("--tileable", help="The same as --wrap both.", show_default=False, rich_help_panel=LOOK),
]
Panorama = Annotated[
    bool | None,
    typer.Option(
        "--panorama", help="The same as --wrap horizontal.", show_default=False, rich_help_panel=LOOK
    ),
]
# Beside the options of `DreamConfig`, in the order of `--help`.
_OTHERS = {
    "model": Models,
    "weights": Weights,
    "classes": Classes,
    "concepts": Concepts,
    "texts": Texts,
    "directions": Directions,
    "guide": Guide,
    "mask": Masks,
    "tileable": Tileable,
    "panorama": Panorama,
}


# What `plugin_options.taken` finds: not a flag, though Typer wants one for each parameter.
_PLUGIN_OPTIONS = inspect.Parameter(
    "plugin_options",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[str | None, typer.Option("--plugin-options", hidden=True)],
)


def option(name: str) -> Any:
    """The type of a command's parameter for an option of `DreamConfig`, with its flags, help and default."""
    field = config.DreamConfig.__dataclass_fields__[name]
    about = field.metadata["cli"]
    flag = f"--{name.replace('_', '-')}"
    shown = default_text(name)
    if field.type == "bool":
        flags = flag, f"--no-{name.replace('_', '-')}"
        flag, shown = "/".join(flags), flags[0 if config.default(name) else 1]
    short = [each for each in about["flags"] if not each.startswith("--")]
    aliases = [each for each in about["flags"] if each.startswith("--")]
    return Annotated[
        _text_type(name, str(field.type), about),
        typer.Option(
            *short,
            flag,
            *aliases,
            metavar=about["metavar"],
            help=f"{describe(name)} Default: {shown}.",
            show_default=False,
            rich_help_panel=about["panel"],
        ),
    ]


def parameters() -> list[inspect.Parameter]:
    """Of all shared options, in the order of the panels of `--help`."""
    known = config.DreamConfig.__dataclass_fields__
    found = [(WHAT, name, kind) for name, kind in _OTHERS.items() if name not in ("tileable", "panorama")]
    for panel in PANELS:
        found += [
            (panel, name, option(name))
            for name, field in known.items()
            if field.metadata["cli"]["panel"] == panel and not field.metadata["cli"]["in_recipes_only"]
        ]
        if panel == LOOK:
            found += [(LOOK, name, _OTHERS[name]) for name in ("tileable", "panorama")]
    return [
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for _, name, kind in found
        ),
        _PLUGIN_OPTIONS,
    ]


def with_options(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Puts the shared parameters in place of a command's `**options`, all in the order of the panels.

    Those in `left_out`, and those that the command has itself, are not taken.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for each in inspect.signature(function, eval_str=True).parameters.values()
        ][:-1]
        names = {each.name for each in own}.union(left_out)
        shared = [each for each in parameters() if each.name not in names]
        ordered = sorted([*own, *shared], key=_panel_rank)
        function.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
        function.takes_dream_options = True  # type: ignore[attr-defined]
        return function

    return decorate


def _panel_rank(parameter: inspect.Parameter) -> int:
    """Where a parameter comes in `--help`."""
    (about, *_) = getattr(parameter.annotation, "__metadata__", (None,))
    panel = getattr(about, "rich_help_panel", None)
    return PANELS.index(panel) + 1 if panel in PANELS else 0


def values(**given: Any) -> dict[str, Any]:
    """The options of `DreamConfig` that a command line gives, from text where they are written as text.

    Raises:
        ConfigError: a text cannot be read, or a value makes no sense.
    """
    found: dict[str, Any] = {}
    for name, field in config.DreamConfig.__dataclass_fields__.items():
        if given.get(name) is not None:
            read = field.metadata["cli"]["read"]
            found[name] = read(given[name]) if read is not None else given[name]
    config.DreamConfig.of(**found)
    return found


class DreamOptions:
    """The options of a dream on a command line.

    Attributes:
        model, weights, guide, mask, layers: as they are written.
        given: the options of `DreamConfig`.
    """

    def __init__(self, **given: Any) -> None:
        """Raises a ConfigError for a value that makes no sense, before TensorFlow is imported."""
        self.model, self.weights, self.guide, self.mask, self.layers = (
            given.get(name) for name in ("model", "weights", "guide", "mask", "layers")
        )
        terms = [
            *(self.layers or []),
            *({"class": label} for label in given.get("classes") or []),
            *(each for text in given.get("concepts") or [] for each in read_concepts(text)),
            *(read_text(text) for text in given.get("texts") or []),
            *(read_direction(text) for text in given.get("directions") or []),
        ]
        self.given = values(**{**given, "layers": tuple(terms) or None, **_wrap(given)})

    def arguments(self) -> dict[str, Any]:
        """As `make_request` takes them."""
        return {
            "model": specs_of(self.model),
            "weights": weights_by_model(self.weights),
            "guide": self.guide,
            "mask": by_name(self.mask) or None,
            **self.given,
        }

    def check(self, has_photograph: bool) -> None:
        """Refuses what is for noise where there is a photograph, and the other way round."""
        for name in ("size", "noise"):
            starts = name == "noise" and self.given.get("start") == "noise"
            if has_photograph and name in self.given and not starts:
                raise UsageError(f"--{name} is for a dream of noise; use --max-size to shrink a photograph")
        for name, does in (("max_size", "shrinks"), ("upscale", "enlarges")):
            if not has_photograph and name in self.given:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} {does} a photograph; use --size for a dream of noise")


def request_of_own_layers(
    chosen: DreamOptions, model: str | None, weights: Path | None, recipe: str | None, **more: Any
) -> DreamRequest:
    """The request of a command that has layers of its own: those of the recipe are not looked for in another
    network. `more` are options that go before the chosen ones."""
    from dreamkit.models.spec import ModelSpec
    from dreamkit.request import without_image

    named = [ModelSpec(model, layers=("its own",))] if model is not None else None
    return without_image(**(chosen.arguments() | {"model": named, "weights": weights} | more), recipe=recipe)


def _wrap(given: Mapping[str, Any]) -> dict[str, str]:
    """The `wrap` that --tileable and --panorama are short for."""
    flags = {"tileable": "both", "panorama": "horizontal"}
    found = {f"--{flag}": wrap for flag, wrap in flags.items() if given.get(flag)}
    if given.get("wrap") is not None:
        found[f"--wrap {given['wrap']}"] = given["wrap"]
    if len(set(found.values())) > 1:
        raise UsageError(f"{' and '.join(found)} exclude each other; give one")
    return {"wrap": next(iter(found.values()))} if found else {}


def specs_of(models: list[str] | None) -> tuple[ModelSpec, ...]:
    """`NAME` or `NAME=WEIGHT` as models."""
    from dreamkit.models.spec import ModelSpec

    specs = []
    for text in models or []:
        name, equals, number = text.rpartition("=")
        if not equals:
            specs.append(ModelSpec(text))
            continue
        try:
            weight = float(number)
        except ValueError:
            raise ConfigError(f"--model is {text!r}; after = comes a weight, such as vgg16=0.5") from None
        specs.append(ModelSpec(name, weight))
    return tuple(specs)


def weights_by_model(given: list[str] | None) -> str | dict[str, str] | None:
    """One weights file, or several by model."""
    named = by_name(given)
    if len(named) > 1 and "" in named:
        raise UsageError(f"several weights files are given; say whose {named['']} is: NAME={named['']}")
    return named.get("") if set(named) <= {""} else named


def by_name(given: list[str] | None) -> dict[str, str]:
    """`PATH` or `NAME=PATH` by name; a file that is there is no name."""
    named: dict[str, str] = {}
    for text in given or []:
        name, equals, path = text.partition("=")
        if not equals or os.path.exists(text):
            name, path = "", text
        if name in named:
            what = f"{name}; give one" if name else f"the same; name one: NAME={path}"
            raise UsageError(f"{named[name]} and {path} are both given for {what}")
        named[name] = path
    return named


def _text_type(name: str, kind: str, about: Mapping[str, Any]) -> Any:
    """The type that the command line has for an option; None where it is not given."""
    if name == "layers":
        return list[str] | None
    if about["read"] is not None or kind.startswith("str") or "names" in about:
        return str | None
    return {"bool": bool, "int": int, "float": float}[kind.split(" ")[0]] | None
