"""An option: its default, its range, its help, and how a value is checked and described."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from dreamkit.errors import ConfigError

# Panels of `--help`, in order.
WHAT, LOOK, SIZE, OUTPUT, ADVANCED = "What to dream", "Look", "Size and speed", "Output", "Advanced"
PANELS = (WHAT, LOOK, SIZE, OUTPUT, ADVANCED)

_EARLIER_NAMES = {"decorrelated": "natural"}  # in pictures and recipes of earlier versions


def option(
    default: Any,
    help: str,  # noqa: A002
    *,
    panel: str = ADVANCED,
    flags: tuple[str, ...] = (),
    default_text: str = "",
    metavar: str | None = None,
    read: Callable[[str], Any] | None = None,
    in_recipes_only: bool = False,
    shape: Callable[[Any], Any] | None = None,
    **limits: Any,
) -> Any:
    """A field of `DreamConfig`, with all that the command line and the docs say of it.

    Args:
        default: of the option.
        help: what it does for the picture, in one line.
        panel: of `--help`.
        flags: on the command line, beside `--name`.
        default_text: the default in words, where its value says little.
        metavar: what stands for the value in `--help`.
        read: from text to a value, where it is neither a number nor a choice.
        in_recipes_only: whether the command line lacks it.
        shape: from a value to its canonical type, where it is neither a number nor a choice.
        **limits: `least`, `above` and `most` of a number, `choices` of a text, `names` for numbers.
    """
    about = {
        "panel": panel,
        "flags": flags,
        "default_text": default_text,
        "metavar": metavar,
        "read": read,
        "in_recipes_only": in_recipes_only,
        "shape": shape,
    }
    return field(default=default, metadata={"help": help, **limits, "cli": about})


def describe(limits: Mapping[str, Any]) -> str:
    """The help of an option with its range."""
    return f"{limits['help']} ({allowed(limits)})" if allowed(limits) else str(limits["help"])


def allowed(limits: Mapping[str, Any]) -> str:
    """The range of an option in words, empty where anything goes."""
    if "choices" in limits:
        return " or ".join(limits["choices"])
    if "above" in limits:
        return f"above {limits['above']:g}" + (f", at most {limits['most']:g}" if "most" in limits else "")
    if "most" in limits and "least" not in limits:
        return f"at most {_written(limits['most'])}"
    if "most" in limits:
        return f"{_written(limits['least'])} to {_written(limits['most'])}"
    if "least" in limits:
        return f"at least {limits['least']}"
    return ""


def _written(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def check(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """`value` in its canonical type.

    Raises:
        ConfigError: it is of another kind or outside the range; the message names the option.
    """
    if value is None and "None" in kind:
        return None
    if "choices" in limits:
        if not isinstance(value, str) or value not in limits["choices"]:
            raise ConfigError(f"{name} is {quoted(value)}; choose {allowed(limits)}")
        return value
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {quoted(value)}; it is True or False")
        return value
    whole = kind.startswith("int")
    names = limits.get("names", {})
    found = number(_named(value, names), whole=whole)
    if (
        found is None
        or found < limits.get("least", -math.inf)
        or found <= limits.get("above", -math.inf)
        or found > limits.get("most", math.inf)
    ):
        kind = (
            " or ".join([", ".join(names), "a number"])
            if names
            else "a whole number"
            if whole
            else "a number"
        )
        raise ConfigError(f"{name} is {quoted(value)}; it takes {kind}, {allowed(limits)}")
    return found


def _named(value: Any, names: Mapping[str, float]) -> Any:
    """The number that a name stands for; anything else as it is."""
    return names.get(_EARLIER_NAMES.get(value, value), value) if isinstance(value, str) else value


def quoted(value: Any) -> str:
    """A wrong value on one short line."""
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # numbers of thousands of digits, or lists in lists in lists
        return f"an endless {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def number(value: Any, *, whole: bool) -> int | float | None:
    """`value` as an int or a finite float, None where it is neither. A bool is not a number."""
    if isinstance(value, bool):
        return None
    if whole:
        return int(value) if isinstance(value, numbers.Integral) else None
    try:
        number = float(value) if isinstance(value, numbers.Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def plain(value: Any) -> Any:
    """`value` with lists for tuples and dicts for mappings, as JSON has them."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple) else value
