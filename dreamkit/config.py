"""Every option of a dream, its default, its range and its one-line help. The only home of defaults."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dreamkit.errors import ConfigError, did_you_mean

DEFAULT_MODEL = "pocket"
CHECKPOINT_EVERY = 30.0  # seconds between two checkpoints of a long dream
STEPS = 15  # of an octave, where no layer is deep
SMOOTH_WIDTH = 0.5  # pixels
UNIT = 127.5  # pixel values in one unit of step size where black is -1 and white +1

_EARLIER_NAMES = {"decorrelated": "natural"}  # in pictures and recipes of earlier versions

Layers = tuple[str | Mapping[str, Any], ...] | Mapping[str, float] | None
Wrapped = tuple[bool, bool]  # whether a picture goes on at its other side: from bottom to top, right to left


def _option(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True, kw_only=True)
class DreamConfig:
    """How to dream. Immutable and checked; `dataclasses.replace` makes variants.

    Sizes are in pixels. `step_size` is in units of `unit` pixel values.

    `layers` takes terms of the command line's grammar (`mixed4:128+200=2`), a mapping of such terms to
    weights, or a list of tables with `layer` (or `class`), `channels`, `place`, `direction`, `weight`,
    `objective`, `mask` and `guide`. `schedule` is a list of tables, one for each octave from the smallest,
    with `layers`, `steps`, `step_size` and `jitter`; the last one goes on for the octaves after it.

    Raises:
        ConfigError: a value is of the wrong kind or outside its range; the message names the option.
    """

    strength: float = _option(
        1.0,
        "How strong the dream is: subtle (0.5), normal (1), wild (2) or a number, which multiplies the "
        "step size.",
        names={"subtle": 0.5, "normal": 1.0, "wild": 2.0},
        above=0.0,
        most=10.0,
    )
    blend: float = _option(
        0.0, "How much of the photograph is put back over the finished dream.", least=0.0, most=1.0
    )
    layers: tuple[str | Mapping[str, Any], ...] | Mapping[str, float] | None = _option(
        None,
        "Layers to dream, `mixed3,mixed5=0.5`; the number after `=` is a layer's weight. `mixed4:128+200` "
        "are channels, `mixed4@12x7` is a neuron; `low`, `mid`, `high` and `60%` are depths of any network.",
    )
    objective: str = _option(
        "mean-square",
        "What to raise in a layer: its mean activation or the mean of its squares.",
        choices=("mean", "mean-square"),
    )
    balance: bool = _option(True, "Divide each layer's pull by how large its activations are.")
    border: int = _option(
        0, "Activations at the edges of a layer's map that are not raised.", least=0, most=64
    )
    guide_style: str = _option(
        "match",
        "How a guide guides: match pulls each place to the guide's most similar feature, channels raises the "
        "channels that the guide wakes.",
        choices=("match", "channels"),
    )
    normalise: str = _option(
        "mean-abs",
        "What the gradient of the whole picture is divided by: its mean absolute value, or its standard "
        "deviation, for score after its mean is taken off.",
        choices=("std", "mean-abs", "score", "none"),
    )
    smooth: str = _option(
        "gaussian",
        "How the gradient is smoothed: gaussian by three blurs that widen from step to step, laplacian by "
        "giving each level of its pyramid the same strength.",
        choices=("none", "gaussian", "laplacian"),
    )
    smooth_width: float | None = _option(
        None,
        f"Width in pixels that Gaussian smoothing begins with; it ends 2 wider. By default {SMOOTH_WIDTH}, "
        "and twice in a row for layers whose activations lie 32 pixels apart.",
        least=0.0,
        most=64.0,
    )
    smooth_levels: int = _option(4, "Levels of the Laplacian pyramid.", least=1, most=12)
    color: float = _option(
        0.4,
        "How much of the photograph's colours is kept: free (0) changes everything, natural (0.5) follows "
        "the colours of natural pictures and holds their mean and spread, keep (1) changes lightness alone; "
        "or a number.",
        names={"free": 0.0, "natural": 0.5, "keep": 1.0},
        least=0.0,
        most=1.0,
    )
    tv: float | None = _option(
        None,
        "Weight of total variation, which the dream then avoids: less grain. By default 0, or 0.3 where all "
        "weights are negative.",
        least=0.0,
        most=10.0,
    )
    l2: float = _option(
        0.0, "Weight of the distance from the photograph, which the dream then avoids.", least=0.0, most=100.0
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
        "whole resizes the picture itself; lost-detail does, and puts the photograph's detail back after "
        "each octave.",
        choices=("residual", "whole", "lost-detail"),
    )
    first_octave: int | None = _option(
        None,
        "Size of the smallest octave, as a power of the octave scale; by default such that the last octave, "
        "or with whole the middle one, has the picture's size.",
        least=-31,
        most=8,
    )
    steps: int | None = _option(
        None,
        f"Steps of gradient ascent in each octave. By default {STEPS}, or 25 for layers whose activations "
        "lie 32 pixels apart.",
        least=1,
        most=100_000,
    )
    step_size: float = _option(
        0.015,
        "How far a typical pixel moves in one step, in units; the usual one has black at -1 and white at +1.",
        above=0.0,
        most=255.0,
    )
    unit: tuple[float, float, float] = _option(
        (UNIT, UNIT, UNIT), "Pixel values in one unit of step size: one number, or one for each of R,G,B."
    )
    clip: bool = _option(True, "Clip to black and white after each step, not only at the end.")
    max_objective: float | None = _option(
        None, "End an octave once what is raised is more than this.", above=0.0
    )
    space: str = _option(
        "pixels",
        "What is changed: pixels, or with fourier the strengths of waves in natural colours, by Adam.",
        choices=("pixels", "fourier"),
    )
    jitter: int = _option(32, "Furthest random roll of the picture before each step.", least=0, most=4096)
    rotate: float = _option(
        0.0, "Furthest random turn of the picture before each step, in degrees.", least=0.0, most=180.0
    )
    zoom: float = _option(
        0.0, "Furthest random change of the picture's scale before each step.", least=0.0, most=0.9
    )
    schedule: tuple[Mapping[str, Any], ...] = _option(
        (), "Layers, steps, step size and jitter for each octave, in a recipe."
    )
    tile_size: int = _option(
        512,
        "Longest side of the tiles that a gradient is computed over; it bounds memory.",
        least=32,
        most=8192,
    )
    max_memory: int | None = _option(
        None,
        "Most memory that the dream may take, in MB of 1,000,000 bytes or as 4GB; tiles become smaller until "
        "its plan fits. It also bounds what TensorFlow itself takes, some 700 MB.",
        least=1,
    )
    precision: str = _option(
        "float32",
        "What the network computes in: float32, or mixed, with 16-bit convolutions where the machine has "
        "them, which is faster and looks much the same.",
        choices=("float32", "mixed"),
    )
    max_size: int | None = _option(None, "Shrink the picture first so that its longest side fits.", least=1)
    upscale: float = _option(
        1.0,
        "Enlarge the photograph first, after max_size, so many times in width and height; the dream grows in "
        "the new octaves.",
        least=1.0,
        most=8.0,
    )
    wrap: str = _option(
        "none",
        "Which edges of the dream meet without a seam: both, for a texture to tile; horizontal, left and "
        "right, for a panorama of 360 degrees.",
        choices=("none", "horizontal", "both"),
    )
    size: tuple[int, int] = _option((512, 512), "Size in pixels of a dream that starts from noise.")
    noise: str = _option(
        "clouds",
        "What a dream without a photograph starts from: coloured clouds, faint ones, or white noise.",
        choices=("clouds", "faint", "white"),
    )
    seed: int = _option(
        0, "Another seed composes another dream: of the jitter, of noise, of clouds.", least=0, most=2**64 - 1
    )
    clouds: float = _option(
        12.0,
        "How strongly a seed other than 0 clouds the photograph at the smallest octave, so that other things "
        "grow there: standard deviation in pixel values.",
        least=0.0,
        most=64.0,
    )
    max_pixels: int = _option(
        200_000_000, "Refuse pictures with more pixels than this, before they are decoded.", least=1
    )

    def __post_init__(self) -> None:
        for option in fields(self):
            value = _checked(option.name, getattr(self, option.name), option.type, option.metadata)
            object.__setattr__(self, option.name, value)
        if self.wrap != "none":
            refuse(self, f"a dream that wraps ({self.wrap})", "rotate", "zoom", "border")

    @property
    def wrapped(self) -> Wrapped:
        """`wrap` by axis."""
        return wrapped_axes(self.wrap)

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

    def at(self, octave: int) -> DreamConfig:
        """The options of octave `octave`, counted from 0 at the smallest: those of its schedule put over."""
        if not self.schedule:
            return self
        return replace(self, **self.schedule[min(octave, len(self.schedule) - 1)], schedule=())

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values."""
        return {name: plain(getattr(self, name)) for name in option_names()}


def refuse(config: DreamConfig, what: str, *names: str) -> None:
    """Makes sure that options which `what` cannot follow have their defaults.

    Raises:
        ConfigError: one has not.
    """
    for name in names:
        given = getattr(config, name)
        if given != default(name):
            raise ConfigError(f"{name} is {given}, which {what} cannot do; set it to {default(name)}")


def wrapped_axes(wrap: Any) -> Wrapped:
    """Whether the vertical axis and the horizontal one wrap, for a value of `wrap`."""
    return wrap == "both", wrap in ("both", "horizontal")


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
        return f"above {limits['above']:g}" + (f", at most {limits['most']:g}" if "most" in limits else "")
    if "most" in limits:
        return f"{_written(limits['least'])} to {_written(limits['most'])}"
    if "least" in limits:
        return f"at least {limits['least']}"
    return ""


def _written(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def plain(value: Any) -> Any:
    """`value` with lists for tuples and dicts for mappings, as JSON has them."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def _checked(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> Any:
    """`value` in its canonical type, or a ConfigError that names the option and its range."""
    if name in _SHAPED:
        return _SHAPED[name](value)
    if value is None and "None" in kind:
        return None
    if "choices" in limits:
        if not isinstance(value, str) or value not in limits["choices"]:
            raise ConfigError(f"{name} is {quoted(value)}; choose {_range(limits)}")
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
        raise ConfigError(f"{name} is {quoted(value)}; it takes {kind}, {_range(limits)}")
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


def _layers(value: Any) -> Layers:
    if value is None:
        return None
    if isinstance(value, Mapping) and value and "layer" not in value and "class" not in value:
        weights = {layer: number(weight, whole=False) for layer, weight in value.items()}
        for layer, weight in weights.items():
            if not isinstance(layer, str) or not layer.strip() or weight is None:
                pair = f"{quoted(layer)}: {quoted(value[layer])}"
                raise ConfigError(f"layers has {pair}; it maps layers to numbers")
        return weights  # type: ignore[return-value]
    terms = (value,) if isinstance(value, str | Mapping) else value
    if not isinstance(terms, list | tuple) or not terms:
        raise ConfigError(f"layers is {quoted(value)}; name at least one layer, such as mixed3,mixed5=0.5")
    return tuple(_term(each, value) for each in terms)


def _term(value: Any, layers: Any) -> str | dict[str, Any]:
    """One entry of `layers`: a text, or a table in canonical types."""
    if isinstance(value, str) and value.strip():
        return value
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"layers is {quoted(layers)}; name at least one layer, such as mixed3,mixed5=0.5")
    term: dict[str, Any] = {}
    for key, given in value.items():
        if key not in _TERM:
            raise ConfigError(f"layers has a table with {quoted(key)}; {did_you_mean(str(key), _TERM)}")
        takes, check = _TERM[key]
        term[key] = check(given)
        if term[key] is None:
            raise ConfigError(f"layers has {key} = {quoted(given)}; it takes {takes}")
    if ("layer" in term) == ("class" in term):
        raise ConfigError(f"layers has {quoted(value)}; a table names either a layer or a class")
    for one, other in (
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


def _class(value: Any) -> str | int | None:
    whole = number(value, whole=True)
    return _name(value) if whole is None else int(whole) if 0 <= whole < _MOST_WHOLE else None


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


_MOST_WHOLE = 1 << 31  # no network has as many channels, places or classes
_MOST_CHANNELS = 65_536  # in one list; no network that we know has a tenth of it in a layer
_TERM: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "layer": ("a layer's name", _name),
    "class": ("a label or a number from 0", _class),
    "weight": ("a number", lambda value: number(value, whole=False)),
    "channels": ("a list of numbers from 0", _list_of(1, _MOST_CHANNELS, whole=True)),
    "place": ("column and row, such as [12, 7]", _list_of(2, 2, whole=True)),
    "direction": ("a list of numbers, one for each channel", _list_of(1, _MOST_CHANNELS, whole=False)),
    "objective": ("mean or mean-square", lambda value: value if value in ("mean", "mean-square") else None),
    "mask": ("a mask's name", _name),
    "guide": ("true or false", lambda value: value if isinstance(value, bool) else None),
}


def _size(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list | tuple) else (value, value)
    lengths = [number(side, whole=True) for side in sides]
    if len(lengths) != 2 or not all(length is not None and 1 <= length <= 65_536 for length in lengths):
        raise ConfigError(
            f"size is {quoted(value)}; it takes one side or height and width, each 1 to 65536 pixels"
        )
    return lengths[0], lengths[1]  # type: ignore[return-value]


def _unit(value: Any) -> tuple[float, float, float]:
    units = value if isinstance(value, list | tuple) else (value,) * 3
    found = [number(each, whole=False) for each in units]
    if len(found) != 3 or not all(each is not None and 0 < each <= 255 for each in found):
        raise ConfigError(
            f"unit is {quoted(value)}; it takes one number or three, each above 0, at most 255 pixel values"
        )
    return tuple(found)  # type: ignore[return-value]


_SCHEDULED = ("layers", "steps", "step_size", "jitter")


def _schedule(value: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise ConfigError(f"schedule is {quoted(value)}; it takes a list of tables, one for each octave")
    if len(value) > 32:
        raise ConfigError(f"schedule has {len(value)} octaves; it takes at most 32")
    checked = []
    for octave in value:
        for name in octave:
            if name not in _SCHEDULED:
                raise ConfigError(f"schedule has {quoted(name)}; {did_you_mean(str(name), _SCHEDULED)}")
        known = DreamConfig.__dataclass_fields__
        checked.append(
            {
                name: _checked(name, each, known[name].type, known[name].metadata)
                for name, each in octave.items()
            }
        )
    return tuple(checked)


# Options that are more than a number or a choice.
_SHAPED: dict[str, Callable[[Any], Any]] = {
    "layers": _layers,
    "size": _size,
    "unit": _unit,
    "schedule": _schedule,
}
