"""The timeline of a recipe: key frames, each with a moment of the film, or something that is heard in it, and
the values that hold there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from dreamkit.config import DreamConfig, number, option_names, quoted
from dreamkit.errors import ConfigError, did_you_mean

# How far values have come to those of the next key frame, by how far the film has come to it, both 0 to 1.
EASES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "smooth": lambda share: share * share * (3 - 2 * share),
    "hold": lambda _: 0.0,
}
# What is heard in a sound, 0 to 1. The values of such a key frame hold where it is 1, others where it is 0.
SIGNALS = ("beat", "onset", "loudness", "bass", "middle", "treble")
# Each value is another graph to trace, so these stay as they are until the next key frame.
HELD = frozenset({"border", "cosine_power", "plugin_options"})
# What all frames share: how the first one is made, sizes, and what the machine may take.
_SHARED = frozenset(
    {
        "seed",
        "noise",
        "start",
        "clouds",
        "alpha",
        "size",
        "max_size",
        "upscale",
        "wrap",
        "octaves",
        "octave_scheme",
        "first_octave",
        "schedule",
        "tile_size",
        "max_memory",
        "max_pixels",
        "precision",
    }
)
_OWN = ("at", "ease", "camera")
_NUMBERS = ("int", "float", "tuple[float", "Mapping[str, float]")  # how types of numbers begin
_CAMERA = {"zoom": (0.5, 2.0), "rotate": (-180.0, 180.0), "center": (0.0, 1.0)}
MOMENT = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s|(\d{1,9})f")  # seconds, or a frame counted from 0


def key_frames(given: Any, scheduled: Iterable[Mapping[str, Any]] = ()) -> tuple[dict[str, Any], ...]:
    """The key frames of a recipe, checked, in its order; `scheduled` are the entries of its schedule.

    Raises:
        ConfigError: one has a moment, a key or a value that makes no sense.
    """
    if not isinstance(given, list) or not all(isinstance(entry, Mapping) for entry in given):
        raise ConfigError("timeline is not a list of tables; write [[timeline]] and at = 0.5 below it")
    found = tuple(map(_key_frame, given))
    _check_schedule(found, scheduled)
    return found


def _check_schedule(timeline: Iterable[Mapping[str, Any]], scheduled: Iterable[Mapping[str, Any]]) -> None:
    """Checks that no option is in key frames and in a schedule.

    Raises:
        ConfigError: one is.
    """
    both = {name for entry in timeline for name in entry} & {name for octave in scheduled for name in octave}
    if both:
        name = min(both)
        raise ConfigError(f"the timeline and the schedule both set {name}; set it in one of them")


def camera(given: Any) -> dict[str, Any]:
    """How a zoom's camera moves, in canonical types.

    Raises:
        ConfigError: a value makes no sense.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"camera is {quoted(given)}; write a table, such as camera = {{zoom = 1.04}}")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _CAMERA:
            raise ConfigError(f"camera has {quoted(name)}; {did_you_mean(str(name), _CAMERA)}")
        least, most = _CAMERA[name]
        values = value if name == "center" and isinstance(value, list | tuple) else [value]
        numbers = [number(each, whole=False) for each in values]
        right = len(numbers) == (2 if name == "center" else 1)
        if not right or not all(each is not None and least <= each <= most for each in numbers):
            takes = "two shares of the picture, each 0 to 1" if name == "center" else "a number from "
            takes += "" if name == "center" else f"{least:g} to {most:g}"
            raise ConfigError(f"{name} is {quoted(value)}; it takes {takes}")
        found[name] = tuple(numbers) if name == "center" else numbers[0]
    return found


def without(
    entries: Iterable[Mapping[str, Any]], names: Collection[str], camera: Collection[str] = ()
) -> tuple[dict[str, Any], ...]:
    """The key frames without the options `names`, and the movements `camera`, which are given elsewhere and
    go before theirs."""

    def kept(entry: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: each for key, each in entry.items() if key not in names}
        if "camera" in found:
            found["camera"] = {key: each for key, each in found["camera"].items() if key not in camera}
        return found

    return tuple(map(kept, entries))


def is_heard(entry: Mapping[str, Any]) -> bool:
    """Whether a key frame is at something that is heard."""
    return entry["at"] in SIGNALS


def with_heard(
    timeline: Iterable[Mapping[str, Any]],
    heard: Sequence[Mapping[str, Any]],
    scheduled: Iterable[Mapping[str, Any]] = (),
) -> tuple[dict[str, Any], ...]:
    """A timeline with the key frames `heard`, which go before its own of what is heard.

    Raises:
        ConfigError: one of `heard` sets an option that `scheduled` sets.
    """
    _check_schedule(heard, scheduled)
    names = {name for entry in heard for name in entry} - {*_OWN}
    camera = {name for entry in heard for name in entry.get("camera", {})}
    own = [without([entry], names, camera)[0] if is_heard(entry) else dict(entry) for entry in timeline]
    return *own, *map(dict, heard)


def _key_frame(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"at": _moment(entry.get("at"))}
    names = [name for name in option_names() if name not in _SHARED]
    for name, value in entry.items():
        if name == "ease":
            if value not in EASES:
                *others, last = EASES
                raise ConfigError(f"ease is {quoted(value)}; choose {', '.join(others)} or {last}")
            found[name] = value
        elif name == "camera":
            found[name] = camera(value)
        elif name in _SHARED:
            raise ConfigError(
                f"the timeline has {name}, which is the same in all frames; set it above the first "
                "[[timeline]]"
            )
        elif name in names:
            found[name] = getattr(DreamConfig.of(None, **{name: value}), name)
        elif name != "at":
            raise ConfigError(f"the timeline has {quoted(name)}; {did_you_mean(str(name), [*_OWN, *names])}")
    if is_heard(found):
        for name in found.keys() - {*_OWN, *movable()}:
            raise ConfigError(
                f'the timeline has {name} at = "{found["at"]}", which cannot move with what is heard; '
                "set it at a moment"
            )
    return found


def movable() -> list[str]:
    """The options that can take all values between two: numbers, pairs and tables of numbers, and layers."""
    fields = DreamConfig.__dataclass_fields__
    return [
        name
        for name in option_names()
        if name not in _SHARED | HELD and (name == "layers" or str(fields[name].type).startswith(_NUMBERS))
    ]


def _moment(given: Any) -> float | str:
    share = number(given, whole=False)
    if share is not None and 0 <= share <= 1:
        return share
    if isinstance(given, str) and (given in SIGNALS or MOMENT.fullmatch(given)):
        return given
    raise ConfigError(
        f"the timeline has at = {quoted(given)}; it takes a share of the film, 0 to 1, a moment: "
        'seconds, such as "2.5s", or a frame counted from 0, such as "60f"; or what is heard: '
        f"{', '.join(SIGNALS)}"
    )
