"""Terms: the layers, channels, neurons and classes that a dream maximises, each with a weight.

These are pure functions of names. No network runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dreamkit.direction_text import decoded
from dreamkit.errors import LayerError, shown

DEPTHS = {"low": 0.25, "mid": 0.5, "high": 0.75}  # of a network's depth

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%")
_PLACE = re.compile(r"(.*)@(\d{1,6})x(\d{1,6})")
_CHANNELS = re.compile(r"(.*):(\d{1,6}(?:\+\d{1,6})*)")
_CHOICE = re.compile(r"(.*):(top|bottom)(\d{1,6})")


@dataclass(frozen=True)
class Term:
    """A layer, or a part of one, to maximise; without its weight.

    Attributes:
        layer: the exact name of the layer.
        channels: the numbers of its channels, from 0; empty for all.
        place: column and row, from 0, of one neuron on the layer's map of the whole picture; None for all.
        direction: one weight for each channel of the layer, instead of `channels`; empty for none.
        objective: `mean` or `mean-square`; empty for that of the dream.
        mask: the name of its mask; empty for that of the dream.
        guided: whether the dream's guide applies to it.
        choice: as it is written, `top8`, where the photograph still chooses the channels; else empty.
    """

    layer: str
    channels: tuple[int, ...] = ()
    place: tuple[int, int] | None = None
    direction: tuple[float, ...] = ()
    objective: str = ""
    mask: str = ""
    guided: bool = True
    choice: str = ""

    def __str__(self) -> str:
        """The term as it is written on the command line, without attributes that cannot be written there."""
        channels = ":" + (self.choice or "+".join(map(str, self.channels)))
        channels = channels if len(channels) > 1 else ""
        place = "@{}x{}".format(*self.place) if self.place is not None else ""
        return f"{self.layer}{channels}{place}"

    def channel_weights(self, channels: int) -> NDArray[np.float32] | None:
        """One weight for each of the layer's `channels` channels; None if all have the same weight."""
        if self.direction:
            return np.asarray(self.direction, np.float32)
        if not self.channels:
            return None
        weights = np.zeros(channels, np.float32)
        weights[list(self.channels)] = 1.0 / len(self.channels)
        return weights


Terms = dict[Term, float]


@dataclass(frozen=True)
class Choice:
    """Channels of a layer that the photograph chooses, as in `mixed4c:top8`.

    Attributes:
        layer: as it is written.
        strongest: whether those with the largest mean are meant, and not the smallest.
        count: how many, from 1.
    """

    layer: str
    strongest: bool
    count: int


class LayerNames(Protocol):
    """The layers, channels and classes of a network, for the parser of terms."""

    @property
    def layers(self) -> Sequence[str]:
        """All layers, from the picture inwards."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""

    def channels(self, layer: str) -> int:
        """How many channels a layer has."""

    def at_depth(self, depth: float) -> str:
        """The layer at a share of the network's depth, 0 to 1."""

    def class_term(self, label: str | int) -> tuple[str, int]:
        """The layer and channel of a class."""

    def unknown_layer(self, name: str) -> LayerError:
        """The error for a layer that the network does not have, with layers to choose from."""


def parse_terms(given: Iterable[str | Mapping[str, Any]] | Mapping[str, float], names: LayerNames) -> Terms:
    """Parses terms such as `mixed3,mixed4:128+200=0.5,mixed5@12x7`; the weights of equal terms are added.

    From the right, a term has `=` and a weight, `@COLUMNxROW`, and `:CHANNEL+CHANNEL`; the rest is a layer,
    `low`, `mid`, `high` or a share of the depth such as `60%`. Exact names of layers go first, so that names
    with commas, colons or equals signs work. Terms of weight zero are left out.

    Args:
        given: texts of terms between commas, tables of a recipe, or a mapping from terms to weights.
        names: the layers of the network.

    Raises:
        LayerError: a layer, channel or class does not exist, a weight is not a number, or all weights are
            zero.
    """
    known = set(names.layers)
    terms: Terms = {}
    pairs = (
        ((_read(text, known, names), weight) for text, weight in given.items())
        if isinstance(given, Mapping)
        else (pair for each in given for pair in _pairs(each, known, names))
    )
    for term, weight in pairs:
        _check(term, names)
        terms[term] = terms.get(term, 0.0) + weight
    if not any(terms.values()):
        raise LayerError(
            f"every weight of {', '.join(map(str, terms))} is zero; give at least one layer a non-zero weight"
        )
    return {term: weight for term, weight in terms.items() if weight}


def has_choice(layers: Any) -> bool:
    """Whether the photograph chooses channels in `layers`, in any form that `DreamConfig.layers` takes."""
    found: list[Choice] = []

    def note(choice: Choice) -> tuple[int, ...]:
        found.append(choice)
        return (0,)

    with_channels(layers, (), note)
    return bool(found)


def with_channels(layers: Any, known: Iterable[str], choose: Callable[[Choice], Iterable[int]]) -> Any:
    """`layers` with the channels that `choose` returns in place of choices such as `top8`.

    `known` are the exact names of layers, which go first.
    """
    names = set(known)

    def changed(name: str) -> str:
        head, at, place = name.rpartition("@") if _PLACE.fullmatch(name) else (name, "", "")
        match = None if name in names or head in names else _CHOICE.fullmatch(head)
        if match is None:
            return name
        choice = Choice(match[1], match[2] == "top", int(match[3]))
        return f"{choice.layer}:{'+'.join(map(str, choose(choice)))}{at}{place}"

    def in_text(text: str) -> str:
        if text in names:
            return text
        return ",".join("".join(_on_name(changed, each, names)) for each in text.split(","))

    if isinstance(layers, str):
        return in_text(layers)
    if isinstance(layers, Mapping) and isinstance(layers.get("layer"), str):
        return {**layers, "layer": changed(layers["layer"])}
    if isinstance(layers, Mapping):  # from terms to weights, or the table of a class, concept or text
        found: dict[str, Any] = {}
        for term, weight in layers.items():
            name = changed(term)
            found[name] = found[name] + weight if name in found else weight
        return found
    if isinstance(layers, list | tuple):
        return tuple(with_channels(each, names, choose) for each in layers)
    return layers


def _on_name(change: Callable[[str], str], text: str, known: set[str]) -> tuple[str, str, str]:
    """A term's text with `change` of all but its weight: the name, the equals sign and the weight."""
    name, equals, weight = text.strip(), "", ""
    if name not in known and "=" in name:
        name, equals, weight = name.rpartition("=")
    return change(name.strip()), equals, weight


def _pairs(
    given: str | Mapping[str, Any], known: set[str], names: LayerNames
) -> Iterable[tuple[Term, float]]:
    if isinstance(given, Mapping):
        weight = given.get("weight", 1.0)
        if "concept" in given or "text" in given:
            yield from ((term, weight) for term in _with_directions(given, names))
        else:
            yield _from_table(given, known, names), weight
        return
    for text in [given] if given in known else given.split(","):
        name, weight = text.strip(), 1.0
        if name not in known and "=" in name:
            name, _, number = name.rpartition("=")
            weight = _weight(number, text)
        yield _read(name.strip(), known, names), weight


def _from_table(table: Mapping[str, Any], known: set[str], names: LayerNames) -> Term:
    """A term from a recipe's table, which `DreamConfig` has checked."""
    if "class" in table:
        layer, channel = names.class_term(table["class"])
        term = Term(layer, (channel,), objective="mean", guided=False)
    else:
        term = _read(table["layer"], known, names)
    changes: dict[str, Any] = {
        key: tuple(table[key]) for key in ("channels", "place", "direction") if key in table
    }
    changes |= {key: table[key] for key in ("objective", "mask") if key in table}
    if "direction" in table:
        changes.setdefault("objective", "mean")
    if changes.keys() & {"channels", "place", "direction"}:
        changes["guided"] = False
    if "guide" in table:
        changes["guided"] = table["guide"]
    return replace(term, **changes)


def _with_directions(table: Mapping[str, Any], names: LayerNames) -> Iterable[Term]:
    """The terms of a concept or a text, one for each layer in which it has a direction.

    Raises:
        LayerError: its directions are those of other networks.
    """
    directions = table.get("directions", {}).get(names.digest)
    if not directions and "text" in table:
        raise LayerError(
            f"the text {shown(table['text'])!r} comes with the embedding of another network; give the text "
            "alone, to a network that understands texts"
        )
    if not directions:
        raise LayerError(
            f"the concept {table['concept']} was learned with other weights than those that dream it; learn "
            f"it again: dreamkit concept learn {table['concept']} PICTURES"
        )
    for layer, text in directions.items():
        yield Term(
            layer_named(layer, names),
            direction=tuple(map(float, decoded(text))),
            objective=table.get("objective", "cosine" if "text" in table else "mean"),
            mask=table.get("mask", ""),
            guided=table.get("guide", False),
        )


def _read(text: str, known: set[str], names: LayerNames) -> Term:
    """A term without its weight."""
    name = text
    place: tuple[int, int] | None = None
    channels: tuple[int, ...] = ()
    if name not in known and (match := _PLACE.fullmatch(name)):
        name, place = match[1], (int(match[2]), int(match[3]))
    if name not in known and (match := _CHANNELS.fullmatch(name)):
        name, channels = match[1], tuple(sorted({int(channel) for channel in match[2].split("+")}))
    choice = ""
    if name not in known and (match := _CHOICE.fullmatch(name)):
        name, choice = match[1], f"{match[2]}{match[3]}"
        check_choice(Choice(name, match[2] == "top", int(match[3])), names)
    is_whole = not channels and not choice and place is None
    return Term(layer_named(name, names), channels, place, guided=is_whole, choice=choice)


def check_choice(choice: Choice, names: LayerNames) -> None:
    """Checks that a layer has as many channels as the photograph is to choose.

    Raises:
        LayerError: it does not exist or has fewer.
    """
    count = names.channels(layer_named(choice.layer, names))
    if not 1 <= choice.count <= count:
        raise LayerError(
            f"{choice.layer} has {count} channels and {choice.count} are asked for; write "
            f"{choice.layer}:top8, from 1 to {count}"
        )


def layer_named(name: str, names: LayerNames) -> str:
    """The layer with the exact name `name`, or at a depth: `low`, `mid`, `high` or a share such as `60%`.

    Raises:
        LayerError: there is no such layer; the message has layers to choose from.
    """
    known = set(names.layers)
    if name in known:
        return name
    if name in DEPTHS:
        return names.at_depth(DEPTHS[name])
    percent = _PERCENT.fullmatch(name)
    if percent and float(percent[1]) > 100:
        raise LayerError(f"{name!r} is not a depth of a network; write 0% to 100%")
    if percent:
        return names.at_depth(float(percent[1]) / 100)
    layer, _, rest = name.rpartition(":")
    if layer in known and (_CHANNELS.fullmatch(name) or _CHOICE.fullmatch(name)):
        raise LayerError(f"{name!r} is a part of a layer, and a whole one is needed; write {layer}")
    if layer in known:
        what = "a channel is a whole number from 0"
        if _is_number(rest):
            what += f"; for a weight write {layer}={rest}"
        raise LayerError(f"{rest!r} in {name!r} is not a channel of {layer}; {what}")
    raise names.unknown_layer(name)


def _check(term: Term, names: LayerNames) -> None:
    count = names.channels(term.layer)
    for channel in term.channels:
        if channel >= count:
            raise LayerError(f"{term.layer} has no channel {channel}; its channels are 0 to {count - 1}")
    if term.direction and len(term.direction) != count:
        raise LayerError(
            f"the direction for {term.layer} has {len(term.direction)} numbers and the layer has {count} "
            "channels; give one number for each channel"
        )
    if term.direction and not any(term.direction):
        raise LayerError(
            f"the direction for {term.layer} is zero; give at least one channel a non-zero number"
        )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _weight(text: str, term: str) -> float:
    if not _is_number(text):
        raise LayerError(f"{text!r} in {term.strip()!r} is not a weight; write a number, such as mixed4d=0.5")
    return float(text)
