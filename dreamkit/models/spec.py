"""A model asked for by name or value, before it is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from dreamkit.config import DreamConfig, number, quoted
from dreamkit.errors import ConfigError, shown

WeightsFiles: TypeAlias = str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]] | None


@dataclass(frozen=True)
class ModelSpec:
    """One network of a dream.

    Attributes:
        model: its name; in the library also a provider, a Keras model or a loaded network.
        weight: relative to the other networks'; negative, what it sees is minimised.
        layers: as `DreamConfig.layers`; None for the dream's, or else the network's default ones.
        sha256: of its weights, in the recipe of a finished dream.
        weights: path of its weights file; None for the provider's own.

    Raises:
        ConfigError: the weight or the layers make no sense.
    """

    model: Any
    weight: float = 1.0
    layers: Any = None
    sha256: str = ""
    weights: str | None = None

    def __post_init__(self) -> None:
        weight = number(self.weight, whole=False)
        if weight is None:
            raise ConfigError(f"the weight of {shown(self.name)} is {quoted(self.weight)}; it takes a number")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "layers", DreamConfig.of(None, layers=self.layers).layers)

    @property
    def name(self) -> str:
        """What the model is called."""
        provider = getattr(self.model, "provider", self.model)
        name = getattr(provider, "name", provider)
        return name if isinstance(name, str) else "a network"


def with_weights(specs: Sequence[ModelSpec], weights: WeightsFiles) -> tuple[ModelSpec, ...]:
    """`specs` with their weights files: one path for the only model, or paths by model name.

    Raises:
        ConfigError: weights are given for a model that is not among them, or for no one in particular.
    """
    names = [spec.name for spec in specs]
    if weights is None:
        return tuple(specs)
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                raise ConfigError(f"weights are given for {name!r}, and {' and '.join(names)} dreams")
        return tuple(
            replace(spec, weights=os.fspath(weights[spec.name])) if spec.name in weights else spec
            for spec in specs
        )
    if len(specs) > 1:
        raise ConfigError(
            f"one weights file is given and {len(specs)} networks dream; say whose it is: {names[0]}=PATH"
        )
    return tuple(replace(spec, weights=os.fspath(weights)) for spec in specs)
