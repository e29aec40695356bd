"""A recipe: what a dream is made of, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamkit.config import DreamConfig, default, option_names
from dreamkit.config import plain as plain_value
from dreamkit.models.spec import ModelSpec


@dataclass(frozen=True)
class File:
    """A file that a dream is made of: its plain name, its SHA-256 where it is known, or itself."""

    name: str
    sha256: str = ""
    data: bytes = b""


@dataclass(frozen=True)
class Stroke:
    """A stroke of the page's brush on a finished dream: what grew, or what was erased.

    Attributes:
        mask: when each pixel was painted (red times 256 and green, in turns from 1), or what is erased, in
            grey levels.
        options: the fields of `DreamConfig` of its turns; None where it erases.
        turns: how many there were.
        lasts: for how many of them a pixel grows.
        least: pixels on each side of what the network sees, at least.
    """

    mask: File
    options: Mapping[str, Any] | None = None
    turns: int = 0
    lasts: int = 0
    least: int = 0


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read.

    Attributes:
        name: as the user named it.
        options: the fields of `DreamConfig` that it sets, in their own types.
        models: its networks; empty for whichever one is chosen.
        description: one line.
        guide: the guide, or None.
        masks: by name, the one without a name being the dream's own.
        photograph: what the dream was made from, or None.
        folder: where files that it names are looked for; None for nowhere.
        versions: of dreamkit and of what computed the dream, in a finished dream.
        machine: which a finished dream was made on, as `engine.tf.machine.describe` gives it.
        built_in: whether it came with dreamkit.
        stopped: where a finished dream was stopped before its end; empty for one that is whole.
        strokes: of the page's brush, on the finished dream.
        paints_photograph: whether the strokes are on the photograph, and the options dream nothing else.
        timeline: of a film: its key frames, as `timeline.key_frames` returns them.
    """

    name: str
    options: Mapping[str, Any]
    models: tuple[ModelSpec, ...] = ()
    description: str = ""
    guide: File | None = None
    masks: Mapping[str, File] = field(default_factory=dict)
    photograph: File | None = None
    folder: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str | int] = field(default_factory=dict)
    built_in: bool = False
    timeline: tuple[Mapping[str, Any], ...] = ()
    stopped: str = ""
    strokes: tuple[Stroke, ...] = ()
    paints_photograph: bool = False

    def config(self, **options: Any) -> DreamConfig:
        """The recipe's options; `options` go before them, and before those of its schedule's octaves.

        A recipe may lower the limit of pixels, but only the user raises it.
        """
        merged = {**self.options, **options}
        if "max_pixels" in self.options and "max_pixels" not in options:
            merged["max_pixels"] = min(self.options["max_pixels"], default("max_pixels"))
        if options.get("plugin_options") and self.options.get("plugin_options"):
            ours, theirs = options["plugin_options"], self.options["plugin_options"]
            merged["plugin_options"] = {
                part: {**theirs.get(part, {}), **ours.get(part, {})} for part in {**theirs, **ours}
            }
        if "schedule" not in options and "schedule" in merged:
            merged["schedule"] = tuple(
                {name: value for name, value in octave.items() if name not in options}
                for octave in merged["schedule"]
            )
        return DreamConfig.of(None, **merged)

    def to_toml(self) -> str:
        """The recipe as a TOML file, without hashes. A comment names what came from memory."""
        import tomli_w

        named = {"guide": self.guide, "mask": self.masks.get("")}
        from_memory = [what for what, file in named.items() if file is not None and not file.name]

        table: dict[str, Any] = {"description": self.description} if self.description else {}
        if len(self.models) == 1 and self.models[0].layers is None and self.models[0].weight == 1:
            table["model"] = self.models[0].model
        table |= {what: file.name for what, file in named.items() if file is not None and file.name}
        usual, plain = (_values(DreamConfig.of(None, **each)) for each in ({}, self.options))
        for name in self.options:
            # A picture's recipe has all options; those at their defaults would only be noise.
            if plain[name] is not None and not (self.versions and plain[name] == usual[name]):
                table[name] = _short(plain[name])
        if self.models and "model" not in table:
            table["models"] = [
                {"name": spec.model, "weight": spec.weight}
                | ({} if spec.layers is None else {"layers": spec.layers})
                for spec in self.models
            ]
        if self.timeline:
            table["timeline"] = [plain_value(dict(entry)) for entry in self.timeline]
        comments = [f"# The {what} came from memory; give it with --{what} FILE.\n" for what in from_memory]
        if self.strokes:
            comments.append("# The strokes of the brush are in the picture alone; redo repeats them.\n")
        # A file name may hold characters that UTF-8 cannot.
        return "".join([*comments, tomli_w.dumps(table)]).encode("utf-8", "replace").decode()


def masks_named(
    options: Mapping[str, Any], models: Sequence[ModelSpec], timeline: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """The names of masks that terms name."""
    tables = (options, *options.get("schedule", ()), *timeline)
    lists = [each.get("layers") for each in tables] + [spec.layers for spec in models]
    terms = [term for each in lists if isinstance(each, tuple) for term in each]
    return list(dict.fromkeys(term["mask"] for term in terms if isinstance(term, Mapping) and "mask" in term))


def _values(config: DreamConfig) -> dict[str, Any]:
    """All options as plain values, also those that `to_dict` leaves out."""
    return {name: plain_value(getattr(config, name)) for name in option_names()} | config.to_dict()


def _short(value: Any) -> Any:
    """A list of one item, or of one number several times, as that item, which options take as well."""
    same = isinstance(value, list) and value and all(each == value[0] for each in value)
    if not same or isinstance(value[0], dict) or (isinstance(value[0], str) and len(value) > 1):
        return value  # a layer that is named twice counts twice
    return value[0]
