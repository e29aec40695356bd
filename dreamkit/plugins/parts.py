"""The records of the parts of a dream that plugins can add: objectives, regularisers, parametrisations and
transforms. dreamkit's own parts are records of the same kinds.

Creating a record imports neither NumPy nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dreamkit.errors import ConfigError, did_you_mean
from dreamkit.names import RULE, is_name
from dreamkit.option import allowed, check, quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamkit.config import DreamConfig
    from dreamkit.option_values import Wrapped

FEEDS = (
    "channel_weights",
    "places",
    "guide",
    "photograph",
)  # what an objective's function can ask for, by parameter name


@dataclass(frozen=True)
class Option:
    """An option of a part. Its type is that of its default: bool, int, float or str.

    Attributes:
        default: of the option.
        help: what it does for the picture, in one line.
        least, above, most: the range of a number.
        choices: all values of a text; empty for any.

    Raises:
        ValueError: the default is of another type, or outside the range.
    """

    default: bool | int | float | str
    help: str
    least: float | None = None
    above: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if type(self.default) not in (bool, int, float, str):
            raise ValueError(f"the default {self.default!r} is neither a bool, a number nor a text")
        try:
            self.check("the default", self.default)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @property
    def limits(self) -> dict[str, Any]:
        """The range, as `dreamkit.option` takes it."""
        bounds = {
            "least": self.least,
            "above": self.above,
            "most": self.most,
            "choices": self.choices or None,
        }
        return {"help": self.help, **{name: each for name, each in bounds.items() if each is not None}}

    @property
    def range(self) -> str:
        """The range in words, empty for anything."""
        return allowed(self.limits)

    def check(self, name: str, value: Any) -> Any:
        """`value` in the option's type.

        Raises:
            ConfigError: it is of another type or outside the range; the message says `name`.
        """
        if isinstance(self.default, str) and not self.choices:
            if not isinstance(value, str):
                raise ConfigError(f"{name} is {quoted(value)}; it takes a text")
            return value
        return check(name, value, type(self.default).__name__, self.limits)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What all parts have.

    Attributes:
        name: letters, digits, `.`, `_` and `-`.
        description: one line, for lists.
        options: its options by name, which are Python identifiers. Functions get them as keyword arguments.

    Raises:
        ValueError: a field is wrong; the message names the part and the field.
    """

    name: str
    description: str = ""
    options: Mapping[str, Option] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(f"{self._kind} name {self.name!r}: {RULE}")
        if not isinstance(self.options, Mapping) or not all(
            isinstance(name, str) and name.isidentifier() and name not in FEEDS and isinstance(each, Option)
            for name, each in self.options.items()
        ):
            raise ValueError(
                f"{self._kind} {self.name}: options is {self.options!r:.80}; it maps identifiers to "
                "Option(...)"
            )

    @property
    def _kind(self) -> str:
        return type(self).__name__.lower()

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All its options: those given, checked, and the defaults of the others.

        Raises:
            ConfigError: it has no such option, or the value makes no sense.
        """
        for name in given:
            if name not in self.options:
                raise ConfigError(
                    f"the {self._kind} {self.name} has no option {quoted(name)}; "
                    f"{did_you_mean(str(name), self.options)}"
                )
        return {
            name: option.check(f"{self.name}'s {name}", given[name]) if name in given else option.default
            for name, option in self.options.items()
        }

    def _check_function(self, name: str) -> None:
        if not callable(getattr(self, name)):
            raise ValueError(
                f"{self._kind} {self.name}: {name} is {getattr(self, name)!r:.80}; it is a function"
            )

    def _check_copies(self) -> None:
        copies = getattr(self, "copies", None)
        if isinstance(copies, bool) or not isinstance(copies, int | float) or not 0 <= copies < 1000:
            raise ValueError(f"{self._kind} {self.name}: copies is {copies!r}; it is a number from 0")


@dataclass(frozen=True, kw_only=True)
class Objective(Part):
    """What grows in a layer.

    Attributes:
        value: the function `(activations, **feeds, **options) -> values` in TensorFlow. `activations` are
            float32 `(windows, height, width, channels)`; the result has one number for each window,
            `(windows,)`. It must not depend on other windows. Take means over places, not sums, so that a
            picture that is cut into tiles is like one that is not. Feeds come by keyword, those of them that
            the function has parameters for:

            - `channel_weights`: `(channels,)`, or None where the dream asks for all channels. A function
              without this parameter gets the chosen channels alone.
            - `places`: a scalar, the number of places of the whole map, before `border` cuts its edges off.
            - `guide`: features of the guide, `(places, channels)`.
            - `photograph`: the photograph's activations, of the shape of `activations`: it goes through the
              same transforms and the same tiles, and has no gradient.
        power: 2 if it grows with the square of the activations, 1 if it grows in proportion, 0 if their size
            does not matter. `balance` divides by the activations' size to this power.
        needs_direction: whether it makes sense only where each channel has a weight.
        settings: names of the dream's own options, fields of `DreamConfig`, that the function takes as
            keyword arguments as well.
    """

    value: Callable[..., Any]
    power: int = 1
    needs_direction: bool = False
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_function("value")
        if self.power not in (0, 1, 2):
            raise ValueError(f"objective {self.name}: power is {self.power!r}; it is 0, 1 or 2")
        if self.needs_direction and "channel_weights" not in self.takes:
            raise ValueError(
                f"objective {self.name}: needs_direction is set; its function takes channel_weights"
            )

    def described(self) -> str:
        """What a recipe says of an objective that is not found by name: its function's name."""
        function = self.value
        where = getattr(function, "__module__", "") or ""
        name = getattr(function, "__qualname__", type(function).__name__)
        return f"python:{where}.{name}"

    @property
    def takes(self) -> frozenset[str]:
        """The feeds that its function has parameters for."""
        import inspect

        return frozenset(FEEDS).intersection(inspect.signature(self.value).parameters)


class RegulariserContext(NamedTuple):
    """The circumstances of a regulariser.

    Attributes:
        weight: as the dream gives it.
        unit: pixel values in one unit of each colour, float32 `(3,)`.
        wrapped: whether the picture goes on at its other side: from bottom to top, from right to left.
        photograph: at the octave's size, float32 `(height, width, 3)`; None unless the record asks for it.
    """

    weight: float
    unit: NDArray[np.float32]
    wrapped: Wrapped
    photograph: NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True)
class Regulariser(Part):
    """What holds a dream back while it grows.

    Attributes:
        subtract: the function `(update, pixels, context, **options)`, in NumPy. It subtracts
            `context.weight` times its gradient from `update`, in place. `update` and `pixels` are float32
            `(height, width, 3)`, pixels 0 to 255. An update's mean absolute value is about 1; the gradient
            is with respect to `pixels / context.unit`.
        needs_photograph: whether the context must have the photograph.
        copies: how many float32 copies of the picture it makes at once, for the plan of memory.
    """

    subtract: Callable[..., None]
    needs_photograph: bool = False
    copies: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_function("subtract")
        self._check_copies()


class Variables(Protocol):
    """The variables that a step changes, for one octave."""

    def step(self, pixels: NDArray[np.float32], update: NDArray[np.float32], step_size: float) -> None:
        """Moves the variables along `update`, and `pixels` with them, in place.

        `update` `(height, width, 3)` is a direction by pixels, normalised; it may be overwritten.
        """

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """All that the variables have come to beside the pixels, by name, for a work file."""


@dataclass(frozen=True, kw_only=True)
class Parametrisation(Part):
    """What a step changes, and how that becomes pixels.

    Attributes:
        make: the function `(pixels, config, arrays, **options) -> Variables`, called at the start of each
            octave. `pixels` are float32 `(height, width, 3)`, 0 to 255, and `config` a `DreamConfig`.
            Where the variables stand for another picture than `pixels`, it replaces them in place.
            `arrays` is empty, or what `Variables.arrays` returned when the dream was interrupted.
        copies: how many float32 copies of the picture the variables and a step take, for the plan of memory.
    """

    make: Callable[..., Variables]
    copies: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_function("make")
        self._check_copies()


@dataclass(frozen=True)
class TransformContext:
    """The circumstances of a transform.

    Attributes:
        name: of the transform.
        config: the options, at this octave.
        strength: as the dream gives it; 0 for transforms with options of their own in `config`.
        size: (height, width) of the picture.
        octave, step, view: their numbers, from 0; a step may look at several views.
        reach: pixels, down and right, over which seams of tiles can be seen without jitter.
    """

    name: str
    config: DreamConfig
    strength: float
    size: tuple[int, int]
    octave: int
    step: int
    reach: tuple[int, int] = (0, 0)
    view: int = 0

    @property
    def draw(self) -> int:
        """A number of step and view that no other has: the step's own for the first view."""
        return self.step + (self.view << 32)

    def random(self) -> np.random.Generator:
        """Random numbers of this transform, seed, octave, step and view. Each call starts them again."""
        import zlib

        import numpy as np

        key = np.array([self.config.seed, 1 + zlib.crc32(self.name.encode())], np.uint64)
        counter = np.array([0, self.step, self.octave, self.view], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=counter))


class AppliedTransform(Protocol):
    """A transform with its random numbers drawn."""

    def apply(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The transformed picture, a new array; `pixels` `(height, width, 3)`, 0 to 255, stay as they are."""

    def adjoint(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """The gradient with respect to the picture, from the one with respect to the transformed picture."""


@dataclass(frozen=True, kw_only=True)
class Transform(Part):
    """What happens to the picture before the network sees it.

    Attributes:
        draw: the function `(context, **options) -> AppliedTransform | None`, called before each step; None
            for no change.
        copies: how many float32 copies of the picture it makes at once, for the plan of memory.
    """

    draw: Callable[..., AppliedTransform | None]
    copies: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_function("draw")
        self._check_copies()
