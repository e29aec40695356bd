"""Values of options that are more than a number or a choice: layers, sizes, units; read from data or text."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from dreamkit.direction_text import checked
from dreamkit.errors import ConfigError, did_you_mean, shown
from dreamkit.option import number, quoted
from dreamkit.part_values import is_objective

Wrapped = tuple[bool, bool]  # whether a picture goes on at its other side: from bottom to top, right to left
Layers = tuple[str | Mapping[str, Any], ...] | Mapping[str, float] | None


def layers(value: Any) -> Layers:
    """Layer terms in canonical types: a tuple of texts and tables, or a mapping to weights.

    Raises:
        ConfigError: they are of another kind.
    """
    if value is None:
        return None
    if isinstance(value, Mapping) and value and not _SUBJECTS.intersection(value):
        weights = {layer: number(weight, whole=False) for layer, weight in value.items()}
        for layer, weight in weights.items():
            if not isinstance(layer, str) or not layer.strip() or weight is None:
                pair = f"{quoted(layer)}: {quoted(value[layer])}"
                raise ConfigError(f"layers has {pair}; it maps layers to numbers")
        return weights  # type: ignore[return-value]
    terms = (value,) if isinstance(value, str | Mapping) else value
    if not isinstance(terms, list | tuple) or not terms:
        raise ConfigError(f"layers is {quoted(value)}; name at least one layer, such as mixed3b,mixed4d=0.5")
    return tuple(_term(each, value) for each in terms)


def _term(value: Any, layers: Any) -> str | dict[str, Any]:
    """One entry of `layers`: a text, or a table in canonical types."""
    if isinstance(value, str) and value.strip():
        return value
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"layers is {quoted(layers)}; name at least one layer, such as mixed3b,mixed4d=0.5")
    term: dict[str, Any] = {}
    for key, given in value.items():
        if key not in _TERM:
            raise ConfigError(f"layers has a table with {quoted(key)}; {did_you_mean(str(key), _TERM)}")
        takes, check = _TERM[key]
        term[key] = check(given)
        if term[key] is None:
            raise ConfigError(f"layers has {key} = {quoted(given)}; it takes {takes}")
    if len(_SUBJECTS.intersection(term)) != 1 and term.keys() & _SUBJECTS != {"layer", "concept"}:
        raise ConfigError(f"layers has {quoted(value)}; a table names a layer, a class, a concept or a text")
    if "directions" in term and not term.keys() & {"concept", "text"}:
        raise ConfigError(f"layers has {quoted(value)}; directions belong to a concept or a text")
    for one, other in (
        ("concept", "channels"),
        ("concept", "place"),
        ("concept", "direction"),
        ("text", "channels"),
        ("text", "place"),
        ("text", "direction"),
        ("class", "channels"),
        ("class", "place"),
        ("class", "direction"),
        ("channels", "direction"),
    ):
        if one in term and other in term:
            raise ConfigError(f"layers has {quoted(value)}; {one} and {other} exclude each other")
    return term


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _text(value: Any) -> str | None:
    is_text = isinstance(value, str) and value.strip() and len(value) <= _MOST_LETTERS and value.isprintable()
    return value.strip() if is_text else None


def _class(value: Any) -> str | int | None:
    whole = number(value, whole=True)
    return _name(value) if whole is None else int(whole) if 0 <= whole < _MOST_WHOLE else None


def _directions(value: Any) -> dict[str, dict[str, str]] | None:
    """Directions by the SHA-256 of a network's weights and by layer, each as text."""
    try:
        found = {
            _require_name(sha256): {_require_name(layer): checked(text) for layer, text in layers.items()}
            for sha256, layers in value.items()
        }
    except (AttributeError, TypeError, ValueError):
        return None
    return found or None


def _require_name(value: Any) -> str:
    if _name(value) is None:
        raise ValueError("it is not a name")
    return str(value)


def _list_of(least: int, most: int, *, whole: bool) -> Callable[[Any], tuple[int | float, ...] | None]:
    """A check for a list of numbers, not negative where they are whole."""

    def check(value: Any) -> tuple[int | float, ...] | None:
        found = tuple(number(each, whole=whole) for each in value) if isinstance(value, list | tuple) else ()
        if not least <= len(found) <= most or not all(
            each is not None and (not whole or 0 <= each < _MOST_WHOLE) for each in found
        ):
            return None
        return found  # type: ignore[return-value]

    return check


def _direction(value: Any) -> tuple[int | float, ...] | str | None:
    """The numbers of a direction, or the file that they are in."""
    return _name(value) if isinstance(value, str) else _list_of(1, _MOST_CHANNELS, whole=False)(value)


_SUBJECTS = frozenset({"layer", "class", "concept", "text"})  # what a table can be about
_MOST_LETTERS = 2000  # of a text; CLIP takes 77 words
_A_TEXT = f"a text of one line, at most {_MOST_LETTERS} letters, without control characters"
_MOST_WHOLE = 1 << 31  # no network has as many channels, places or classes
_MOST_CHANNELS = 65_536  # in one list; no network that we know has a tenth of it in a layer
_TERM: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "layer": ("a layer's name", _name),
    "class": ("a label or a number from 0", _class),
    "concept": ("a concept's name", _name),
    "text": (_A_TEXT, _text),
    "directions": ("directions by network and layer, as a dream's recipe has them", _directions),
    "weight": ("a number", lambda value: number(value, whole=False)),
    "channels": ("a list of numbers from 0", _list_of(1, _MOST_CHANNELS, whole=True)),
    "place": ("column and row, such as [12, 7]", _list_of(2, 2, whole=True)),
    "direction": ("a list of numbers, one for each channel, or FILE:ROW", _direction),
    "objective": ("an objective's name", lambda value: value if is_objective(value) else None),
    "mask": ("a mask's name", _name),
    "guide": ("true or false", lambda value: value if isinstance(value, bool) else None),
}


_SCHEDULED = ("layers", "steps", "step_size", "jitter")


def schedule(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Tables of options, one for each octave, whose values are not checked here.

    Raises:
        ConfigError: there are too many, or one has an option that cannot change between octaves.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise ConfigError(f"schedule is {quoted(value)}; it takes a list of tables, one for each octave")
    if len(value) > 32:
        raise ConfigError(f"schedule has {len(value)} octaves; it takes at most 32")
    for name in (name for octave in value for name in octave):
        if name not in _SCHEDULED:
            raise ConfigError(f"schedule has {quoted(name)}; {did_you_mean(str(name), _SCHEDULED)}")
    return tuple(value)


def size(value: Any) -> tuple[int, int]:
    """Height and width in pixels, from one side or two.

    Raises:
        ConfigError: they are not whole numbers from 1 to 65536.
    """
    sides = value if isinstance(value, list | tuple) else (value, value)
    lengths = [number(side, whole=True) for side in sides]
    if len(lengths) != 2 or not all(length is not None and 1 <= length <= 65_536 for length in lengths):
        raise ConfigError(
            f"size is {quoted(value)}; it takes one side or height and width, each 1 to 65536 pixels"
        )
    return lengths[0], lengths[1]  # type: ignore[return-value]


def unit(value: Any) -> tuple[float, float, float]:
    """Pixel values of R, G and B, from one number or three.

    Raises:
        ConfigError: they are not above 0 and at most 255.
    """
    units = value if isinstance(value, list | tuple) else (value,) * 3
    found = [number(each, whole=False) for each in units]
    if len(found) != 3 or not all(each is not None and 0 < each <= 255 for each in found):
        raise ConfigError(
            f"unit is {quoted(value)}; it takes one number or three, each above 0, at most 255 pixel values"
        )
    return tuple(found)  # type: ignore[return-value]


def hold(value: Any) -> dict[str, float] | None:
    """Layers by name, with their weights, above 0 and at most 100.

    Raises:
        ConfigError: a name is no text, or a weight makes no sense.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigError(f"hold is {quoted(value)}; it maps layers to numbers")
    found: dict[str, float] = {}
    for layer, given in value.items():
        weight = number(given, whole=False)
        if _name(layer) is None or weight is None or not 0 < weight <= 100:
            raise ConfigError(
                f"hold has {quoted(layer)}: {quoted(given)}; it maps layers to numbers above 0, at most 100"
            )
        found[layer] = float(weight)
    return found or None


def crop(value: Any) -> tuple[float, float]:
    """The least and the most side of a crop, from one number or two.

    Raises:
        ConfigError: they are not above 0 and at most 1, the least first.
    """
    shares = value if isinstance(value, list | tuple) else (value, value)
    found = [number(each, whole=False) for each in shares]
    if len(found) != 2 or not all(each is not None and 0 < each <= 1 for each in found):
        raise ConfigError(
            f"crop is {quoted(value)}; it takes one number or two, such as [0.2, 0.6], above 0, at most 1"
        )
    least, most = (float(each) for each in found)  # type: ignore[arg-type]
    if least > most:
        raise ConfigError(f"crop is {quoted(value)}; give the smaller number first")
    return least, most


def wrapped_axes(wrap: Any) -> Wrapped:
    """Whether the vertical axis and the horizontal one wrap, for a value of `wrap`."""
    return wrap == "both", wrap in ("both", "horizontal")


# From the command line's text.


def read_megabytes(text: str) -> int | None:
    """`4000`, `800MB` or `4GB` as megabytes."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*(|M|G|MB|GB)", text.strip().upper())
    if found is None:
        raise ConfigError(f"max_memory is {quoted(text)}; it takes megabytes, such as 4000, 800MB or 4GB")
    number, unit = found.groups()
    return round(float(number) * (1000 if unit.startswith("G") else 1))


def read_size(text: str) -> tuple[int, int]:
    """`N` or `WxH` as height and width."""
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.strip().isdecimal() and len(side) < 20 for side in sides):
        raise ConfigError(
            f"--size is {shown(text)!r}; write one side or width x height, such as 512 or 640x480"
        )
    return int(sides[-1]), int(sides[0])


def read_number_or_name(text: str) -> float | str:
    """A number, or else the text, which may be a name for one."""
    try:
        return float(text)
    except ValueError:
        return text


def read_weights(text: str) -> dict[str, float]:
    """`NAME` or `NAME=NUMBER`, several between commas, as numbers by name."""
    found: dict[str, float] = {}
    for each in text.split(","):
        name, equals, weight = (part.strip() for part in each.partition("="))
        try:
            found[name] = float(weight) if equals else 1.0
        except ValueError:
            raise ConfigError(f"{quoted(each.strip())} has no number after =; write NAME=0.5") from None
    return found


def read_concepts(text: str) -> list[dict[str, Any]]:
    """`NAME[@LAYER][=WEIGHT]`, several separated by commas, as tables of terms. The path of a file may
    have these signs in it."""
    if text.endswith(".json") and os.path.isfile(text):
        return [{"concept": text}]
    found: list[dict[str, Any]] = []
    for each in text.split(","):
        name, equals, number = each.strip().rpartition("=")
        name, at, layer = (name if equals else each.strip()).partition("@")
        if not name or (at and not layer):
            raise _no_concept(text)
        table: dict[str, Any] = {"concept": name}
        if at:
            table["layer"] = layer
        if equals:
            try:
                table["weight"] = float(number)
            except ValueError:
                raise _no_concept(text) from None
            if not math.isfinite(table["weight"]) or not table["weight"]:
                raise ConfigError(
                    f"--concept is {quoted(text)}; a weight is a number, and not zero, such as {name}=0.5"
                )
        found.append(table)
    return found


def read_direction(text: str) -> dict[str, Any]:
    """`FILE[:ROW]@LAYER[=WEIGHT]` as a table of a term; what follows `=` is a weight if it is a number."""
    table: dict[str, Any] = {"objective": "direction"}
    rest, equals, number = text.rpartition("=")
    if equals:
        with contextlib.suppress(ValueError):
            table["weight"] = float(number)
    file, _, layer = (rest if "weight" in table else text).rpartition("@")
    if not file.strip() or not layer.strip():
        raise ConfigError(f"--direction is {quoted(text)}; write FILE:ROW@LAYER or FILE:ROW@LAYER=0.5")
    if not math.isfinite(table.get("weight", 1.0)) or not table.get("weight", 1.0):
        raise ConfigError(f"--direction is {quoted(text)}; a weight is a number, and not zero")
    return {"layer": layer.strip(), "direction": file.strip(), **table}


def read_text(text: str) -> dict[str, Any]:
    """`TEXT[=WEIGHT]` as a table of a term; what follows `=` is a weight if it is a number."""
    table: dict[str, Any] = {"text": text}
    name, equals, number = text.rpartition("=")
    if equals:
        with contextlib.suppress(ValueError):
            table = {"text": name, "weight": float(number)}
    if not math.isfinite(table.get("weight", 1.0)) or not table.get("weight", 1.0):
        raise ConfigError(f"--text is {quoted(text)}; a weight is a number, and not zero, such as {name}=0.5")
    table["text"] = _text(table["text"])
    if table["text"] is None:
        raise ConfigError(f"--text is {quoted(text)}; it takes {_A_TEXT}")
    return table


def _no_concept(text: str) -> ConfigError:
    return ConfigError(f"--concept is {quoted(text)}; write NAME, NAME@LAYER, NAME=0.5 or NAME@LAYER=0.5")


def read_crop(text: str) -> Any:
    """One number, or two between commas."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--crop is {quoted(text)}; write shares, such as 0.3 or 0.2,0.6") from None
    return found[0] if len(found) == 1 else found


def read_unit(text: str) -> Any:
    """One number, or three between commas."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--unit is {text!r}; write pixel values, such as 127.5 or 58.4,57.1,57.4"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers
