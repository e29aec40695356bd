"""Every option of a dream, its default, its range and its one-line help. The only home of defaults."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dreamkit.errors import ConfigError, did_you_mean

DEFAULT_MODEL = "pocket"


def _option(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True, kw_only=True)
class DreamConfig:
    """How to dream. Immutable and checked; `dataclasses.replace` makes variants.

    Sizes are in pixels. `step_size` is in the unit of the published notebooks: black is -1, white +1.

    Raises:
        ConfigError: a value is of the wrong kind or outside its range; the message names the option.
    """

    layers: tuple[str, ...] | Mapping[str, float] | None = _option(
        None, "Layers to dream, `mixed3,mixed5=0.5`; the number after `=` is a layer's weight."
    )
    objective: str = _option(
        "mean-square",
        "What to raise in a layer: its mean activation or the mean of its squares.",
        choices=("mean", "mean-square"),
    )
    balance: bool = _option(True, "Divide each layer's pull by how large its activations are.")
    normalise: str = _option(
        "mean-abs",
        "What the gradient of the whole picture is divided by: its mean absolute value or its standard "
        "deviation.",
        choices=("std", "mean-abs"),
    )
    octaves: int | None = _option(
        None,
        "Number of sizes the dream passes through; by default as many as lead down to about 100 pixels.",
        least=1,
        most=32,
    )
    octave_scale: float = _option(1.4, "Ratio between one octave's size and the next.", above=1.0, most=4.0)
    octave_scheme: str = _option(
        "residual",
        "residual keeps the photograph's own detail and carries only the dream from octave to octave; "
        "whole resizes the picture itself.",
        choices=("residual", "whole"),
    )
    steps: int = _option(15, "Steps of gradient ascent in each octave.", least=1, most=100_000)
    step_size: float = _option(
        0.012,
        "How far a typical pixel moves in one step, where black is -1 and white +1.",
        above=0.0,
        most=2.0,
    )
    jitter: int = _option(32, "Furthest random roll of the picture before each step.", least=0, most=4096)
    tile_size: int = _option(
        512,
        "Longest side of the tiles that a gradient is computed over; it bounds memory.",
        least=32,
        most=8192,
    )
    max_size: int | None = _option(None, "Shrink the picture first so that its longest side fits.", least=1)
    size: tuple[int, int] = _option((512, 512), "Size in pixels of a dream that starts from noise.")
    seed: int = _option(0, "Seed of the jitter and of the noise.", least=0, most=2**64 - 1)
    max_pixels: int = _option(
        200_000_000, "Refuse pictures with more pixels than this, before they are decoded.", least=1
    )

    def __post_init__(self) -> None:
        for option in fields(self):
            value = _checked(option.name, getattr(self, option.name), option.type, option.metadata)
            object.__setattr__(self, option.name, value)

    @classmethod
    def of(cls, config: DreamConfig | None = None, **options: Any) -> DreamConfig:
        """`config` (else the defaults) with `options` put over it.

        Raises:
            ConfigError: an option does not exist (near misses are suggested) or has a bad value.
        """
        known = option_names()
        for name in options:
            if name not in known:
                raise ConfigError(f"there is no option {name!r}; {did_you_mean(name, known)}")
        base = {name: getattr(config, name) for name in known} if config else {}
        return cls(**{**base, **options})

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values."""
        values = asdict(self)
        values["size"] = list(self.size)
        if isinstance(self.layers, tuple):
            values["layers"] = list(self.layers)
        return values


def option_names() -> list[str]:
    """The names of all options, in order."""
    return [option.name for option in fields(DreamConfig)]


def default(name: str) -> Any:
    """The default of option `name`."""
    return DreamConfig.__dataclass_fields__[name].default


def describe(name: str) -> str:
    """The help of option `name` with its range, for command lines and docs."""
    limits = DreamConfig.__dataclass_fields__[name].metadata
    return f"{limits['help']} ({_range(limits)})" if _range(limits) else limits["help"]


def _range(limits: Mapping[str, Any]) -> str:
    if "choices" in limits:
        return " or ".join(limits["choices"])
    if "above" in limits:
        return f"above {limits['above']:g}, at most {limits['most']:g}"
    if "most" in limits:
        return f"{limits['least']} to {limits['most']}"
    if "least" in limits:
        return f"at least {limits['least']}"
    return ""


def _checked(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """`value` in its canonical type, or a ConfigError that names the option and its range."""
    if name == "layers":
        return _layers(value)
    if name == "size":
        return _size(value)
    if value is None and "None" in kind:
        return None
    if "choices" in limits:
        if not isinstance(value, str) or value not in limits["choices"]:
            raise ConfigError(f"{name} is {_shown(value)}; choose {_range(limits)}")
        return value
    if kind == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {_shown(value)}; it is True or False")
        return value
    whole = kind.startswith("int")
    number = _number(value, whole=whole)
    if (
        number is None
        or number < limits.get("least", -math.inf)
        or number <= limits.get("above", -math.inf)
        or number > limits.get("most", math.inf)
    ):
        kind = "whole number" if whole else "number"
        raise ConfigError(f"{name} is {_shown(value)}; it takes a {kind}, {_range(limits)}")
    return number


def _shown(value: Any) -> str:
    """A wrong value on one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _number(value: Any, *, whole: bool) -> int | float | None:
    """`value` as an int or a finite float, None where it is neither. A bool is no number."""
    if isinstance(value, bool):
        return None
    if whole:
        return int(value) if isinstance(value, numbers.Integral) else None
    try:
        number = float(value) if isinstance(value, numbers.Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _layers(value: Any) -> tuple[str, ...] | dict[str, float] | None:
    if value is None:
        return None
    if isinstance(value, Mapping) and value:
        weights = {layer: _number(weight, whole=False) for layer, weight in value.items()}
        for layer, weight in weights.items():
            if not isinstance(layer, str) or not layer.strip() or weight is None:
                pair = f"{_shown(layer)}: {_shown(value[layer])}"
                raise ConfigError(f"layers has {pair}; it maps layer names to numbers")
        return weights  # type: ignore[return-value]
    terms = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not terms or not all(isinstance(term, str) and term.strip() for term in terms):
        raise ConfigError(f"layers is {_shown(value)}; name at least one layer, such as mixed3,mixed5=0.5")
    return terms


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list | tuple) else (value, value)
    lengths = [_number(side, whole=True) for side in sides]
    if len(lengths) != 2 or not all(length is not None and 1 <= length <= 65_536 for length in lengths):
        raise ConfigError(
            f"size is {_shown(value)}; it takes one side or height and width, each 1 to 65536 pixels"
        )
    return lengths[0], lengths[1]  # type: ignore[return-value]
