"""Recipes: what a dream is made of, as plain data. In a file as TOML, in a picture as JSON.

A recipe names files and says their hashes; no path in one is ever followed. A TOML file is the user's own,
so a guide or a mask that it names is looked for in its own folder, by a plain file name.
"""

from __future__ import annotations

import base64
import binascii
import os
import platform
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from dreamkit.config import DreamConfig, number, option_names, quoted
from dreamkit.config import plain as plain_value
from dreamkit.errors import ConfigError, DreamkitWarning, RecipeError, did_you_mean, first_line, shown
from dreamkit.media import image_metadata
from dreamkit.version import __version__

_VERSIONS_OF = ("tensorflow", "keras", "numpy", "pillow")
_MOST_BYTES = 1 << 20  # of a recipe's file
_DEEP = re.compile(r"""(?<![\w-])(?:(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*){16}""")
_KEYS = ("description", "model", "models", "guide", "mask", "timeline")  # beside the options
_EARLIER: Mapping[str, Any] = {"clouds": 0.0}  # of pictures that were dreamed before there was such an option
_FOLDERS = (".", "moods", "published")  # of the recipes that come with dreamkit, in the order they are listed
_MODEL_KEYS = ("name", "weight", "layers")
_RENAMED = {
    ("pocket", "1948ca40543fc78de2587c6e6c7c7616cd7af4d57a84425164a5a054c999f8f1"): (
        "pocket1",
        "7417de541aeaae86606b81fda119c217672eb0ad6f7b3021459bff43825ce032",
    ),
}
"""Networks that have another name now: name and SHA-256 in a picture's recipe, and those of today."""


@dataclass(frozen=True)
class File:
    """A file that a dream is made of: its plain name, its SHA-256 where it is known, or itself."""

    name: str
    sha256: str = ""
    data: bytes = b""


@dataclass(frozen=True)
class Share:
    """One network's share in a dream.

    Attributes:
        model: its name; in the library also a provider, a Keras model or a loaded network.
        weight: relative to the other networks'; negative, it sees less.
        layers: what it dreams, as `DreamConfig.layers`; None for the dream's own, or else the network's.
        sha256: of its weights, in the recipe of a finished dream.
    """

    model: Any
    weight: float = 1.0
    layers: Any = None
    sha256: str = ""

    def __post_init__(self) -> None:
        weight = number(self.weight, whole=False)
        if weight is None:
            whose = shown(self.model) if isinstance(self.model, str) else "a network"
            raise ConfigError(f"the weight of {whose} is {quoted(self.weight)}; it takes a number")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "layers", DreamConfig.of(None, layers=self.layers).layers)


@dataclass(frozen=True)
class Recipe:
    """A recipe that was read.

    Attributes:
        name: what it was asked for as.
        options: the fields of `DreamConfig` that it sets, in their own types.
        shares: its networks; empty for whichever one is chosen.
        description: one line.
        guide: the guide, or None.
        masks: by name, the one without a name being the dream's own.
        photograph: what the dream was made from, or None.
        folder: where files that it names lie; None where they are not to be looked for.
        versions: what the dream was made with.
        built_in: whether it came with dreamkit.
        timeline: of a film: tables with `at`, a share of it from 0 to 1, and options of `schedule`.
    """

    name: str
    options: Mapping[str, Any]
    shares: tuple[Share, ...] = ()
    description: str = ""
    guide: File | None = None
    masks: Mapping[str, File] = field(default_factory=dict)
    photograph: File | None = None
    folder: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    built_in: bool = False
    timeline: tuple[Mapping[str, Any], ...] = ()

    def config(self, **options: Any) -> DreamConfig:
        """The recipe's options with `options` put over them, and over those of its schedule's octaves."""
        merged = {**self.options, **options}
        if "schedule" not in options and "schedule" in merged:
            merged["schedule"] = tuple(
                {name: value for name, value in octave.items() if name not in options}
                for octave in merged["schedule"]
            )
        return DreamConfig.of(None, **merged)

    def to_toml(self) -> str:
        """The recipe as a TOML file, without hashes. A comment tells of what came from memory."""
        import tomli_w

        named = {"guide": self.guide, "mask": self.masks.get("")}
        lost = [what for what, file in named.items() if file is not None and not file.name]

        table: dict[str, Any] = {"description": self.description} if self.description else {}
        if len(self.shares) == 1 and self.shares[0].layers is None and self.shares[0].weight == 1:
            table["model"] = self.shares[0].model
        table |= {what: file.name for what, file in named.items() if file is not None and file.name}
        usual, plain = DreamConfig().to_dict(), DreamConfig.of(None, **self.options).to_dict()
        for name in self.options:
            # A picture's recipe has all options; those that nobody chose would only be noise.
            if plain[name] is not None and not (self.versions and plain[name] == usual[name]):
                table[name] = _short(plain[name])
        if self.shares and "model" not in table:
            table["models"] = [
                {"name": share.model, "weight": share.weight}
                | ({} if share.layers is None else {"layers": share.layers})
                for share in self.shares
            ]
        if self.timeline:
            table["timeline"] = [plain_value(dict(entry)) for entry in self.timeline]
        comments = [f"# The {what} came from memory; give it with --{what} FILE.\n" for what in lost]
        # A file's name may hold what no text can.
        return "".join([*comments, tomli_w.dumps(table)]).encode("utf-8", "replace").decode()


def built_in() -> list[str]:
    """The names of the recipes that come with dreamkit: its own, the moods, the published loops."""
    return list(_built_in())


def _built_in() -> dict[str, Traversable]:
    """Their files by name."""
    suffix = ".toml"
    folders = [resources.files(__name__).joinpath(folder) for folder in _FOLDERS]
    return {
        file.name.removesuffix(suffix): file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(suffix)
    }


def find(text: str) -> Recipe:
    """The recipe called `text`, in the TOML file at that path, or in the picture at it.

    Raises:
        RecipeError: there is none, or it cannot be read.
        ConfigError: it says what no recipe can; the message names the key and near misses.
    """
    known = _built_in()
    if text in known:
        return replace(_of_toml(known[text].read_text(encoding="utf-8"), text), built_in=True)
    if not os.path.isfile(text):
        what = "is a folder, no recipe" if os.path.isdir(text) else "is neither a recipe nor a file"
        raise RecipeError(f"{shown(text)} {what}; {did_you_mean(text, known)}")
    path = Path(text)
    if path.suffix.lower() == ".toml":
        return replace(_of_toml(_text(path), text), folder=path.parent)
    return of_picture(path)


def of_picture(path: str | os.PathLike[str]) -> Recipe:
    """The recipe that a dream carries. Only data: nothing in it is followed or run.

    Raises:
        RecipeError: the picture carries none, or one that is damaged.
        ImageError: the file is no readable picture.
    """
    found = image_metadata.read_recipe(path)
    if found is None:
        raise RecipeError(f"{path} carries no recipe; it was not dreamed by dreamkit, or was edited since")
    try:
        shares = tuple(
            _under_todays_name(_share_of_picture(model, found), Path(path).name) for model in found["models"]
        )
        if not shares:
            raise ValueError("it names no network")
        return Recipe(
            name=Path(path).name,
            options={**_EARLIER, **_options(found["options"]), **_effective(found.get("effective", {}))},
            shares=shares,
            guide=None if found.get("guide") is None else _file(found["guide"]),
            masks={name: _file(mask) for name, mask in found.get("masks", {}).items()},
            photograph=None if found["photograph"] is None else _file(found["photograph"]),
            versions={"dreamkit": _string(found["dreamkit"])}
            | {_string(name): _string(each) for name, each in found["versions"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, ConfigError) as error:
        raise RecipeError(
            f"the recipe in {path} cannot be used ({type(error).__name__}: {first_line(error)[:120]})"
        ) from error


def _share_of_picture(model: Mapping[str, Any], found: Mapping[str, Any]) -> Share:
    """A network's share in a finished dream."""
    share = replace(_share(model), sha256=_string(model["sha256"]))
    options = found["options"]
    open_ = share.layers is None and options.get("layers") is None
    if found.get("guide") is not None and open_ and not _EARLIER.keys() <= options.keys():
        # A guide had other layers by default then: what was dreamed is dreamed again.
        share = replace(share, layers=model.get("dreamed") or None)
    return share


def metadata(
    config: DreamConfig,
    *,
    models: Sequence[Mapping[str, Any]],
    photograph: File | None,
    guide: File | None,
    masks: Mapping[str, File],
    size: tuple[int, int],
    octaves: Sequence[tuple[int, int]],
    tile_size: int,
) -> dict[str, Any]:
    """What a picture carries: the options, what they came to, and hashes of what went in. No time, no path.

    `models` have `name`, `sha256`, `weight`, `layers` as they were asked for and `dreamed`, the terms with
    their weights. `size` and `octaves` are heights and widths in pixels, `tile_size` what the tiles were in
    the end. A mask that came from no file is in it itself.
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
        "versions": {name: each for name, each in versions().items() if name != "dreamkit"},
    }
    if guide is not None:
        written["guide"] = _written(guide)
    if masks:
        written["masks"] = {name: _written(mask) for name, mask in masks.items()}
    return written


def versions() -> dict[str, str]:
    """What a dream is made with here."""
    return {
        "dreamkit": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _VERSIONS_OF},
    }


def _short(value: Any) -> Any:
    """A list of one thing, or of one number several times, as that thing, which options take as well."""
    same = isinstance(value, list) and value and all(each == value[0] for each in value)
    if not same or isinstance(value[0], dict) or (isinstance(value[0], str) and len(value) > 1):
        return value  # a layer that is named twice counts twice
    return value[0]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RecipeError(f"{path} is larger than any recipe; it is refused")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path} ({first_line(error)})") from error


def _of_toml(text: str, name: str) -> Recipe:
    import tomllib

    if _DEEP.search(text):  # which takes tomllib the square of its length
        raise RecipeError(f"{name} has a key of many parts between dots; a recipe has none such")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of too many digits is no TOMLDecodeError
        raise RecipeError(f"{name} is no TOML file ({first_line(error)[:120]})") from error
    known = [*_KEYS, *option_names()]
    for key in table:
        if key not in known:
            raise ConfigError(f"{name}: there is no key {shown(key)!r}; {did_you_mean(key, known)}")
    try:
        masks: dict[str, File] = {"": File(_plain_name(table["mask"], "mask"))} if "mask" in table else {}
        options = _options({key: value for key, value in table.items() if key not in _KEYS})
        shares = _shares(table)
        for mask in masks_named(options, shares):
            masks[mask] = File(_plain_name(mask, "mask"))
        return Recipe(
            name=name,
            options=options,
            shares=shares,
            description=_description(table),
            guide=File(_plain_name(table["guide"], "guide")) if "guide" in table else None,
            masks=masks,
            timeline=_timeline(table.get("timeline", [])),
        )
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _timeline(given: Any) -> tuple[dict[str, Any], ...]:
    """Entries of a timeline, checked, in the order of their places."""
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        raise ConfigError("timeline is no list of tables; write [[timeline]] and at = 0.5 below it")
    entries = []
    for entry in given:
        share = number(entry.get("at"), whole=False)
        if share is None or not 0 <= share <= 1:
            raise ConfigError(
                f"timeline has at = {quoted(entry.get('at'))}; it takes a share of the film, 0 to 1"
            )
        options = {key: value for key, value in entry.items() if key != "at"}
        (checked,) = DreamConfig.of(None, schedule=[options]).schedule
        entries.append({"at": share, **checked})
    return tuple(sorted(entries, key=lambda entry: entry["at"]))


def _description(table: Mapping[str, Any]) -> str:
    text = table.get("description", "")
    if not isinstance(text, str):
        raise ConfigError(f"description is {quoted(text)}; it takes a text")
    return text


def _shares(table: Mapping[str, Any]) -> tuple[Share, ...]:
    if "model" in table and "models" in table:
        raise ConfigError("model and models exclude each other; give one model, or a list of [[models]]")
    if "model" in table:
        if not isinstance(table["model"], str):
            raise ConfigError(f"model is {quoted(table['model'])}; it takes a model's name")
        return (Share(table["model"]),)
    models = table.get("models", [])
    if not isinstance(models, list) or not all(isinstance(model, Mapping) for model in models):
        raise ConfigError('models is no list of tables; write [[models]] and name = "..." below it')
    for key in (key for model in models for key in model):
        if key not in _MODEL_KEYS:
            raise ConfigError(f"models has {shown(key)!r}; {did_you_mean(key, _MODEL_KEYS)}")
    return tuple(map(_share, models))


def _share(model: Mapping[str, Any]) -> Share:
    """A network's share from its table."""
    name = model.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError('models has a table without a name; give each a name, such as name = "pocket"')
    return Share(name, model.get("weight", 1.0), model.get("layers"))


def _under_todays_name(share: Share, picture: str) -> Share:
    """The share of a picture's recipe, its network called as it is called now."""
    name, sha256 = _RENAMED.get((share.model, share.sha256), (share.model, share.sha256))
    if name != share.model:
        warnings.warn(
            f"{picture} was dreamed by the first edition of {share.model}, which is called {name} now",
            DreamkitWarning,
            stacklevel=4,
        )
    return replace(share, model=name, sha256=sha256)


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options in their own types, checked."""
    config = DreamConfig.of(None, **given)
    return {name: getattr(config, name) for name in given}


def _effective(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a dream came to that it is to come to again: the tiles that memory left it."""
    return _options({"tile_size": found["tile_size"]}) | {"max_memory": None} if "tile_size" in found else {}


def masks_named(options: Mapping[str, Any], shares: Sequence[Share]) -> list[str]:
    """The masks that terms are under."""
    schedule = options.get("schedule", ())
    lists = [each.get("layers") for each in (options, *schedule)] + [share.layers for share in shares]
    terms = [term for each in lists if isinstance(each, tuple) for term in each]
    return list(dict.fromkeys(term["mask"] for term in terms if isinstance(term, Mapping) and "mask" in term))


def _plain_name(value: Any, what: str) -> str:
    """A file name without any folder."""
    plain = isinstance(value, str) and value.isprintable() and "\\" not in value
    if not plain or value in ("", ".", "..") or Path(value).name != value:
        raise ConfigError(
            f"{what} is {quoted(value)}; a recipe names a file beside it, without a folder; else use --{what}"
        )
    return str(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
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
