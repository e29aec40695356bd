"""Objectives as weighted sums of the terms that a dream takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dreamkit import option_values
from dreamkit.errors import ConfigError, did_you_mean, shown

_ATTRIBUTES = ("objective", "mask", "guide")
_OWN_OBJECTIVE = frozenset({"class", "concept", "direction", "text"})  # terms that do not take the dream's


@dataclass(frozen=True)
class Combination:
    """A weighted sum of terms: `2 * a + b - c`, `a / 2`, `sum([a, b])`. Equal terms become one.

    Attributes:
        weights: by term, the items of its table in alphabetical order.
    """

    weights: Mapping[tuple[tuple[str, Any], ...], float]

    __array_ufunc__ = None  # so that NumPy's numbers leave the product to us

    @property
    def layers(self) -> tuple[dict[str, Any], ...]:
        """The terms as `dreamkit.dream(layers=...)` takes them: a table each, with its weight."""
        return tuple(
            {**{key: each for key, each in term if not callable(each)}, "weight": weight}
            for term, weight in self.weights.items()
        )

    @property
    def options(self) -> dict[str, Any]:
        """All that `dreamkit.dream` takes for it: `layers`, and `objective` where that is a function.

        Raises:
            ConfigError: there are two functions, or a term beside a function does not say what grows in it.
        """
        own = {term: dict(term).get("objective") for term in self.weights}
        functions = list(dict.fromkeys(filter(callable, own.values())))
        if len(functions) > 1:
            raise ConfigError(f"there are {len(functions)} functions in one objective; a dream takes one")
        for term, objective in own.items():
            if functions and objective is None and not _OWN_OBJECTIVE & {key for key, _ in term}:
                raise ConfigError(
                    f"{shown(str(dict(term)))} stands beside a function; say what grows in it, such as "
                    "objective='mean'"
                )
        return {"layers": self.layers} | ({"objective": functions[0]} if functions else {})

    def __add__(self, other: Combination | float) -> Combination:
        if isinstance(other, Combination):
            one, two = self.weights, other.weights
            return Combination({term: one.get(term, 0.0) + two.get(term, 0.0) for term in {**one, **two}})
        if isinstance(other, Real) and other == 0:  # where `sum` begins
            return self
        return NotImplemented

    __radd__ = __add__

    def __mul__(self, factor: float) -> Combination:
        if not isinstance(factor, Real):
            return NotImplemented
        return Combination({term: float(factor) * weight for term, weight in self.weights.items()})

    __rmul__ = __mul__

    def __neg__(self) -> Combination:
        return self * -1

    def __sub__(self, other: Combination) -> Combination:
        return self + -other if isinstance(other, Combination) else NotImplemented

    def __truediv__(self, divisor: float) -> Combination:
        if not isinstance(divisor, Real):
            return NotImplemented
        if divisor == 0:
            raise ConfigError("an objective is divided by zero; divide by another number")
        return self * (1 / float(divisor))


def layer(name: str, **attributes: Any) -> Combination:
    """All of a layer: its name, a depth (`mid`, `60%`), or any term that `--layers` takes (`mixed4c:top8`).

    Args:
        name: of the layer.
        **attributes: of the term, as in a recipe: `objective` (a name, or a function as
            `dreamkit.dream(objective=...)` takes it), `mask` (a name), `guide` (a bool). All functions here
            take them.

    Raises:
        ConfigError: an attribute does not exist or makes no sense. Whether the layer exists is seen when it
            is rendered.
    """
    return _term({"layer": name}, attributes)


def channel(layer: str, *numbers: int, **attributes: Any) -> Combination:
    """A channel of a layer, from 0; or the mean of several."""
    return _term({"layer": layer, "channels": numbers}, attributes)


def neuron(layer: str, column: int, row: int, channel: int | None = None, **attributes: Any) -> Combination:
    """One place of a layer's map, from 0, of the whole picture; or one channel there."""
    channels = {} if channel is None else {"channels": (channel,)}
    return _term({"layer": layer, "place": (column, row), **channels}, attributes)


def direction(layer: str, vector: ArrayLike | str, **attributes: Any) -> Combination:
    """A direction of a layer: one number for each channel, `(channels,)`; or its file and row."""
    numbers = vector if isinstance(vector, str) else np.asarray(vector).tolist()
    return _term({"layer": layer, "direction": numbers}, attributes)


def class_score(label: str | int, **attributes: Any) -> Combination:
    """A class of the network's head, by its label or its number from 0."""
    return _term({"class": label}, attributes)


def concept(name: str, **attributes: Any) -> Combination:
    """A concept: one that comes with dreamkit or was learned."""
    return _term({"concept": name}, attributes)


def text(words: str, **attributes: Any) -> Combination:
    """What a text says, with a network that understands texts."""
    return _term({"text": words}, attributes)


def mean(*objectives: Combination) -> Combination:
    """The mean of one objective or more, such as of several neurons.

    Raises:
        ConfigError: there is none.
    """
    if not objectives:
        raise ConfigError("the mean of no objectives is not defined; give one or more")
    return reduce(Combination.__add__, objectives) / len(objectives)


def _term(table: Mapping[str, Any], attributes: Mapping[str, Any]) -> Combination:
    """One term of weight 1. A function, which a table cannot hold, stays its objective."""
    for name in attributes:
        if name not in _ATTRIBUTES:
            raise ConfigError(f"a term has no {name}; {did_you_mean(name, _ATTRIBUTES)}")
    functions = {name: each for name, each in attributes.items() if name == "objective" and callable(each)}
    given = {**table, **{name: each for name, each in attributes.items() if name not in functions}}
    (checked,) = option_values.layers((given,)) or ()
    assert isinstance(checked, Mapping)
    return Combination({tuple(sorted({**checked, **functions}.items())): 1.0})
