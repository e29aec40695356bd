"""Every option of a dream, its default, its range and its one-line help. The only home of defaults.

The command line, the table in the docs and the keys of recipes are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dreamkit import option_values, part_values
from dreamkit.errors import ConfigError, did_you_mean
from dreamkit.option import LOOK, SIZE, WHAT, check, number, option, plain, quoted
from dreamkit.option_values import Wrapped
from dreamkit.plugins.parts import Objective

__all__ = ["DreamConfig", "default", "number", "option_names", "plain", "quoted", "refuse"]

DEFAULT_MODEL = "pocket"
CHECKPOINT_EVERY = 30.0  # seconds between two checkpoints of a long dream
STEPS = 15  # of an octave, where no layer is deep
DEEP_STEPS = 25  # of an octave with layers whose activations lie 32 pixels apart
SMOOTH_WIDTH = 0.5  # pixels
UNIT = 127.5  # pixel values in one unit of step size where black is -1 and white +1

# Options that recipes have only where they are not at their defaults: those for plugins, and later ones, so
# that a dream of earlier versions is still the same dream. Their defaults must stay what they are.
_LEFT_OUT = frozenset(
    {
        "transforms",
        "regularisers",
        "plugin_options",
        "cosine_power",
        "alpha",
        "views",
        "crop",
        "view_size",
        "hold",
        "start",
        "redirected_relu",
        "pooling",
    }
)


@dataclass(frozen=True, kw_only=True)
class DreamConfig:
    """How to dream. Immutable and checked; `dataclasses.replace` makes variants.

    Sizes are in pixels. `step_size` is in units of `unit` pixel values.

    `layers` takes terms of the command line's grammar (`mixed4c:128+200=2`), a mapping of such terms to
    weights, or a list of tables with `layer` (or `class`, `concept` or `text`), `channels`, `place`,
    `direction`, `weight`, `objective`, `mask` and `guide`. `schedule` is a list of tables, one for each
    octave from the smallest, with `layers`, `steps`, `step_size` and `jitter`; the last one applies to all
    octaves after it.

    Raises:
        ConfigError: a value is of the wrong kind or outside its range; the message names the option.
    """

    strength: float = option(
        1.0,
        "How strong the dream is: subtle (0.5), normal (1), wild (2) or a number.",
        panel=LOOK,
        default_text="normal",
        read=option_values.read_number_or_name,
        names={"subtle": 0.5, "normal": 1.0, "wild": 2.0},
        above=0.0,
        most=10.0,
    )
    blend: float = option(
        0.0,
        "How much of the photograph shows through the finished dream: 0 nothing, 1 only the photograph.",
        panel=LOOK,
        least=0.0,
        most=1.0,
    )
    layers: tuple[str | Mapping[str, Any], ...] | Mapping[str, float] | None = option(
        None,
        "Layers to dream, such as `mixed3b,mixed4d=0.5`, where the number is a weight. Shallow layers draw "
        "strokes and patterns, deep ones eyes, animals and buildings. `mixed4c:128+200` are two channels, "
        "`mixed4c@12x7` is one neuron; `low`, `mid`, `high` and `60%` are depths of any network.",
        panel=WHAT,
        flags=("-l", "--output-layers"),
        metavar="LAYERS",
        default_text="the model's own",
        shape=option_values.layers,
    )
    objective: str | Objective = option(  # noqa: RUF009 - frozen, but ruff cannot know
        "mean-square",
        "What grows in a layer. mean-square: the strongest features grow most. mean: all grow alike. "
        "cosine: the likeness to a direction, such as that of a text. direction: what is along a direction, "
        "the more the purer it is. Plugins provide more; in Python, it can be a function.",
        choices=part_values.objectives(guided=False),
        read=str,
        shape=part_values.objective,
    )
    cosine_power: float = option(
        2.0,
        "With --objective direction: how much purer features grow more than mixed ones. 0: not at all, as "
        "with mean.",
        least=0.0,
        most=16.0,
    )
    balance: bool = option(
        True, "Let all layers change the picture alike, however large their activations are."
    )
    border: int = option(
        0, "Ignore this many rows and columns of activations at each edge of a layer's map.", least=0, most=64
    )
    guide_style: str = option(
        "match",
        "How a guide works. match: at each place, the guide's most similar feature grows. texture: "
        "features that are together in the guide grow together. channels: what is strong in the guide grows "
        "everywhere.",
        panel=WHAT,
        choices=(*part_values.objectives(guided=True), "channels"),
        shape=part_values.guide_style,
    )
    normalise: str = option(
        "mean-abs",
        "How the gradient is scaled, so that all steps are the same size. mean-abs: divided by its mean "
        "absolute value. std: divided by its standard deviation. score: the mean is subtracted, then divided "
        "by the standard deviation. none: not scaled.",
        flags=("--normalize",),
        choices=("std", "mean-abs", "score", "none"),
    )
    smooth: str = option(
        "gaussian",
        "How to suppress fine noise. gaussian: blur the gradient. laplacian: bring fine and large shapes to "
        "the same strength.",
        choices=("none", "gaussian", "laplacian"),
    )
    smooth_width: float | None = option(
        None,
        "Width of the Gaussian blur in pixels: larger gives softer shapes. During an octave it grows by 2 "
        f"pixels. If it is not given: {SMOOTH_WIDTH}, and for deep layers (stride 32) dreamkit blurs twice.",
        default_text="by layer",
        least=0.0,
        most=64.0,
    )
    smooth_levels: int = option(4, "Levels of the Laplacian pyramid.", least=1, most=12)
    color: float = option(
        0.4,
        "How much the dream keeps of the photograph's colours: free (0) lets any colour grow, natural (0.5) "
        "keeps to the colours of photographs, keep (1) changes lightness alone; or a number.",
        panel=LOOK,
        flags=("--colour",),
        read=option_values.read_number_or_name,
        names={"free": 0.0, "natural": 0.5, "keep": 1.0},
        least=0.0,
        most=1.0,
    )
    tv: float | None = option(
        None,
        "Weight of total variation: more gives smoother areas and less grain. By default 0, or 0.3 if the "
        "weights of all layers are negative.",
        default_text="by weights",
        least=0.0,
        most=10.0,
    )
    l2: float = option(
        0.0, "How strongly the dream is held to the photograph while it grows.", least=0.0, most=100.0
    )
    hold: Mapping[str, float] | None = option(
        None,
        "Layers in which the dream keeps what the network sees in the photograph, each with a weight, such "
        "as low=0.3.",
        default_text="none",
        metavar="LAYER[=WEIGHT],...",
        read=option_values.read_weights,
        shape=option_values.hold,
    )
    octaves: int | None = option(
        None,
        "Number of sizes that the dream passes through, smallest first: more give larger shapes. By default, "
        "enough for the shorter side of the smallest to have about 100 pixels.",
        panel=LOOK,
        default_text="by size",
        least=1,
        most=32,
    )
    octave_scale: float = option(
        1.4, "How much larger each octave is than the one before.", above=1.0, most=4.0
    )
    octave_scheme: str = option(
        "residual",
        "How a dream passes to the next octave. residual: keep the photograph's detail and enlarge only what "
        "was dreamed. whole: enlarge the picture itself. lost-detail: enlarge the picture, then add the "
        "photograph's detail again.",
        choices=("residual", "whole", "lost-detail"),
    )
    first_octave: int | None = option(
        None,
        "Size of the smallest octave: the picture's size times (octave scale)^N, so 0 is the picture's own "
        "size. By default, the largest octave has that size; with --octave-scheme whole, the middle one has.",
        default_text="by scheme",
        least=-31,
        most=8,
    )
    steps: int | None = option(
        None,
        f"Steps in each octave: more let shapes grow further. By default {STEPS}, or {DEEP_STEPS} for deep "
        "layers (stride 32), and fewer in octaves of more than a megapixel: 9 at 1.6, 2 at 12.",
        panel=LOOK,
        default_text="by layer",
        least=1,
        most=100_000,
    )
    step_size: float = option(
        0.015,
        "Strength of each step: 0.0075 subtle, 0.015 usual, 0.03 wild. It is the average change of a pixel "
        "in one step, on a scale where black is -1 and white is +1.",
        above=0.0,
        most=255.0,
    )
    unit: tuple[float, float, float] = option(
        (UNIT, UNIT, UNIT),
        "How many pixel values, of 0 to 255, a step size of 1 stands for: one number, or one each for R,G,B.",
        default_text=f"{UNIT:g}",
        metavar="N|R,G,B",
        read=option_values.read_unit,
        shape=option_values.unit,
    )
    alpha: str = option(
        "photograph",
        "The transparency of the dream. photograph: that of the photograph. importance: what no step pulled "
        "at fades out; only for PNG, WebP and TIFF.",
        choices=("photograph", "importance"),
    )
    clip: bool = option(True, "Keep pixels between black and white after each step, not only at the end.")
    redirected_relu: int = option(
        0,
        "For so many steps of each octave, ReLUs that are silent everywhere still pass on what would raise "
        "them. 16 wakes channels that otherwise stay grey with the objective mean.",
        least=0,
        most=100_000,
    )
    pooling: str = option(
        "max",
        "How the network's max pooling passes the gradient on. max: to the largest activation. smooth: to "
        "all strong ones. average: average pooling takes its place in the network.",
        choices=("max", "smooth", "average"),
    )
    max_objective: float | None = option(
        None,
        "End an octave as soon as the objective is above this.",
        default_text="no limit",
        above=0.0,
    )
    space: str = option(
        "pixels",
        "What a step changes. pixels: the pixels. fourier: the frequencies of the picture, in natural "
        "colours, with the optimiser Adam. maco: the phases of its frequencies, which stay as strong as in "
        "photographs, with the optimiser Nadam. Plugins provide more.",
        choices=part_values.PARAMETRISATIONS,
        shape=part_values.space,
    )
    jitter: int = option(
        32, "Largest random shift of the picture before each step, in pixels.", least=0, most=4096
    )
    rotate: float = option(
        0.0, "Largest random rotation of the picture before each step, in degrees.", least=0.0, most=180.0
    )
    zoom: float = option(
        0.0,
        "Largest random change of the picture's scale before each step: 0.1 is 10%.",
        least=0.0,
        most=0.9,
    )
    views: int = option(
        1,
        "How many views of the picture each step looks at: transforms are drawn anew for each, and the step "
        "follows the mean of their gradients.",
        least=1,
        most=64,
    )
    crop: tuple[float, float] = option(
        (1.0, 1.0),
        "The side of a random square that a view shows, as a share of the picture's shorter side: one "
        "number, or the least and the most, such as 0.2,0.6. By default, a view shows the whole picture.",
        default_text="off",
        metavar="N|N,N",
        read=option_values.read_crop,
        shape=option_values.crop,
    )
    view_size: int = option(
        224,
        "Side in pixels at which the network sees such a square.",
        least=32,
        most=4096,
    )
    transforms: Mapping[str, float] | None = option(
        None,
        "Transforms before each step, each with its strength: color-jitter (0 to 4), grain (its deviation "
        "in pixels), and those of plugins, which `dreamkit plugins` lists.",
        default_text="none",
        metavar="NAME[=STRENGTH],...",
        read=option_values.read_weights,
        shape=part_values.transforms,
    )
    regularisers: Mapping[str, float] | None = option(
        None,
        "Regularisers of plugins, each with its weight; `dreamkit plugins` lists them.",
        flags=("--regularizers",),
        default_text="none",
        metavar="NAME[=WEIGHT],...",
        read=option_values.read_weights,
        shape=part_values.regularisers,
    )
    plugin_options: Mapping[str, Mapping[str, Any]] | None = option(
        None,
        "Options of the plugins' parts that a dream uses, by part.",
        in_recipes_only=True,
        shape=part_values.plugin_options,
    )
    schedule: tuple[Mapping[str, Any], ...] = option(
        (), "Layers, steps, step size and jitter for each octave, in a recipe.", in_recipes_only=True
    )
    tile_size: int = option(
        512,
        "Longest side of the tiles that a gradient is computed over: smaller takes less memory.",
        panel=SIZE,
        least=32,
        most=8192,
    )
    max_memory: int | None = option(
        None,
        "The most memory that the dream may use, in MB (1,000,000 bytes) or with a unit, such as 4GB. Tiles "
        "become smaller until it fits. TensorFlow alone takes about 500 MB.",
        panel=SIZE,
        default_text="no limit",
        metavar="MB",
        read=option_values.read_megabytes,
        least=1,
    )
    precision: str = option(
        "float32",
        "Number format of the network. float32, or mixed: 16 bits where the machine supports it, which is "
        "faster and looks much the same.",
        panel=SIZE,
        choices=("float32", "mixed"),
    )
    max_size: int | None = option(
        None,
        "Shrink the picture first, so that its longest side has at most this many pixels.",
        panel=SIZE,
        default_text="no limit",
        least=1,
    )
    upscale: float = option(
        1.0,
        "Multiply the photograph's width and height by this number first, after --max-size.",
        panel=SIZE,
        least=1.0,
        most=8.0,
    )
    wrap: str = option(
        "none",
        "Which edges of the dream join without a seam. both: all four, for a repeating texture. horizontal: "
        "left and right, for a 360-degree panorama.",
        panel=LOOK,
        choices=("none", "horizontal", "both"),
    )
    size: tuple[int, int] = option(
        (512, 512),
        "Size in pixels of a dream that starts from noise.",
        panel=SIZE,
        default_text="512x512",
        metavar="N|WxH",
        read=option_values.read_size,
        shape=option_values.size,
    )
    start: str = option(
        "photograph",
        "What the dream begins with. noise: noise as --noise says, though there is a photograph, for dreams "
        "that compare themselves with it.",
        panel=WHAT,
        choices=("photograph", "noise"),
    )
    noise: str = option(
        "clouds",
        "What a dream without a photograph starts from: coloured clouds, faint ones, or white noise.",
        panel=WHAT,
        choices=("clouds", "faint", "white"),
    )
    seed: int = option(
        0,
        "Another number gives another dream of the same photograph: other shapes in other places.",
        panel=LOOK,
        least=0,
        most=2**64 - 1,
    )
    clouds: float = option(
        12.0,
        "How different the dreams of different seeds are. With a seed other than 0, dreamkit adds random "
        "clouds of this strength, in pixel values, to the smallest octave.",
        least=0.0,
        most=64.0,
    )
    max_pixels: int = option(
        200_000_000,
        "Refuse pictures with more pixels than this, before they are decoded.",
        panel=SIZE,
        least=1,
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = _checked(each.name, getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        if self.wrap != "none":
            refuse(self, f"a dream that wraps ({self.wrap})", "rotate", "zoom", "border", "crop")

    @property
    def crops(self) -> bool:
        """Whether views show squares of the picture."""
        return self.crop[0] < 1

    @property
    def wrapped(self) -> Wrapped:
        """`wrap` by axis."""
        return option_values.wrapped_axes(self.wrap)

    @classmethod
    def of(cls, config: DreamConfig | None = None, **options: Any) -> DreamConfig:
        """`config` (else the defaults) with `options` in place of its own.

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
        """The options of octave `octave`, from 0 at the smallest, with those of its schedule in place."""
        if not self.schedule:
            return self
        return replace(self, **self.schedule[min(octave, len(self.schedule) - 1)], schedule=())

    def part_options(self, part: str) -> Mapping[str, Any]:
        """The options that are given for a plugin's part, empty for none."""
        return (self.plugin_options or {}).get(part, {})

    def to_dict(self) -> dict[str, Any]:
        """The options as plain JSON values; some only where they are not at their defaults."""
        values = {name: plain(getattr(self, name)) for name in option_names()}
        if isinstance(self.objective, Objective):
            values["objective"] = self.objective.described()
        return {
            name: each
            for name, each in values.items()
            if name not in _LEFT_OUT or getattr(self, name) != default(name)
        }


def refuse(config: DreamConfig, what: str, *names: str) -> None:
    """Refuses options that `what` cannot follow.

    Raises:
        ConfigError: one is not at its default.
    """
    for name in names:
        given = getattr(config, name)
        if given != default(name):
            raise ConfigError(f"{name} is {given}, which {what} cannot do; set it to {default(name)}")


def option_names() -> list[str]:
    """The names of all options, in order."""
    return [each.name for each in fields(DreamConfig)]


def default(name: str) -> Any:
    """The default of option `name`."""
    return DreamConfig.__dataclass_fields__[name].default


def _checked(name: str, value: Any) -> Any:
    """The value of option `name` in its canonical type."""
    if name == "schedule":
        return tuple(
            {each: _checked(each, given) for each, given in octave.items()}
            for octave in option_values.schedule(value)
        )
    known = DreamConfig.__dataclass_fields__[name]
    shape = known.metadata["cli"]["shape"]
    return shape(value) if shape else check(name, value, known.type, known.metadata)
