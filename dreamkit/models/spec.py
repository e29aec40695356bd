"""The specification of a model, before it is loaded."""

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
        weight: relative to the other networks'; if negative, its objective is minimised.
        layers: as `DreamConfig.layers`; None for the dream's, or else the network's default layers.
        sha256: of its weights, in the recipe of a finished dream.
        weights: path of its weights file; None for the provider's own.

    Raises:
        ConfigError: the weight or the layers are wrong.
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
        """The name of the model."""
        provider = getattr(self.model, "provider", self.model)
        name = getattr(provider, "name", provider)
        return name if isinstance(name, str) else "a network"


def with_weights(specs: Sequence[ModelSpec], weights: WeightsFiles) -> tuple[ModelSpec, ...]:
    """`specs` with their weights files: one path for the only model, or paths by model name.

    Raises:
        ConfigError: weights are given for another model, or one file for several models.
    """
    names = [spec.name for spec in specs]
    if weights is None:
        return tuple(specs)
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                raise ConfigError(f"weights are given for {name!r}; this dream uses {' and '.join(names)}")
        return tuple(
            replace(spec, weights=os.fspath(weights[spec.name])) if spec.name in weights else spec
            for spec in specs
        )
    if len(specs) > 1:
        raise ConfigError(
            f"one weights file is given for {len(specs)} networks; name its network: {names[0]}=PATH"
        )
    return tuple(replace(spec, weights=os.fspath(weights)) for spec in specs)
