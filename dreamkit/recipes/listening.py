"""Key frames at what is heard, as a command line writes them: `strength=beat:2`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from dreamkit.config import DreamConfig, option_names, quoted
from dreamkit.errors import ConfigError, did_you_mean
from dreamkit.recipes.timeline import SIGNALS, key_frames, movable

# The values at a signal of 1, where none is written.
_USUAL, _USUAL_OF_CAMERA = {"strength": "2"}, {"zoom": "1.1", "rotate": "3"}
_DEPTHS = {"middle": "mid", "treble": "low"}  # of layers
_DEPTH = "high"  # for all other signals: large shapes


def read(texts: Iterable[str], camera: Collection[str] = ()) -> tuple[dict[str, Any], ...]:
    """The key frames that texts such as `strength=beat:2` stand for. Of `camera` are the names of a zoom's
    movements, which go before options of the same name.

    Raises:
        ConfigError: one makes no sense.
    """
    return key_frames([_key_frame(text, camera) for text in texts])


def _key_frame(text: str, camera: Collection[str]) -> dict[str, Any]:
    name, equals, rest = text.partition("=")
    signal, _, value = (part.strip() for part in rest.partition(":"))
    name = name.strip().replace("-", "_")
    if not name or not equals:
        raise ConfigError(f"--listen is {quoted(text)}; write OPTION=SIGNAL:VALUE, such as strength=beat:2")
    possible = [*camera, *movable()]
    if name not in possible:
        why = "cannot move with what is heard" if name in option_names() else "is not an option here"
        raise ConfigError(f"--listen has {quoted(name)}, which {why}; {did_you_mean(name, possible)}")
    if signal not in SIGNALS:
        raise ConfigError(f"--listen has {quoted(signal)}; {did_you_mean(signal, SIGNALS)}")
    value = value or _usual(name, signal, camera)
    if not value:
        raise ConfigError(
            f"--listen is {quoted(text)}; write what {name} is when the signal is 1, such as "
            f"{name}={signal}:VALUE"
        )
    if name in camera:
        return {"at": signal, "camera": {name: _numbers(value)}}
    option_read = DreamConfig.__dataclass_fields__[name].metadata["cli"]["read"]
    return {"at": signal, name: value if name == "layers" else (option_read or _numbers)(value)}


def _usual(name: str, signal: str, camera: Collection[str]) -> str:
    """A value as text; empty where none is usual."""
    if name == "layers":
        return _DEPTHS.get(signal, _DEPTH)
    return (_USUAL_OF_CAMERA if name in camera else _USUAL).get(name, "")


def _numbers(text: str) -> Any:
    """A number, several between commas as a list, or else the text, whose own check refuses it."""
    try:
        found = [float(part) if set(part) & set(".eE") else int(part) for part in text.split(",")]
    except ValueError:
        return text
    return found[0] if len(found) == 1 else found
