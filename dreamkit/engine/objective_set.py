"""The objectives of a dream, octave by octave."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit import terms
from dreamkit.config import DreamConfig
from dreamkit.engine import depth, masks
from dreamkit.engine.masked_objective import MaskedObjective
from dreamkit.engine.octaves import Octave
from dreamkit.engine.progress import Balance
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ConfigError, DreamkitWarning, LayerError, shown


class LoadedModel(NamedTuple):
    """One network of a dream.

    Attributes:
        network: as `network.load` returned it.
        weight: relative to the other networks'; negative, what it sees is minimised.
        layers: as `DreamConfig.layers`; None for the dream's, or else the network's default ones.
    """

    network: Network
    weight: float = 1.0
    layers: Any = None


class ObjectiveSet:
    """The objectives of each octave, made once for each entry of the schedule.

    Attributes:
        layers: for each network, its terms with weights in the octave that was made last.
        min_size: the shortest side, in pixels, of the windows that all its networks take.
        masks: those that bound the dream together; empty where it happens everywhere.

    Raises:
        ConfigError, LayerError: a weight, a mask or a layer is missing.
    """

    def __init__(
        self,
        models: Sequence[LoadedModel],
        config: DreamConfig,
        guide: NDArray[np.uint8] | None,
        strengths: Mapping[str, masks.Mask],
        size: tuple[int, int],
    ) -> None:
        self._models = models
        if not any(model.weight for model in models):
            raise ConfigError("every network has weight zero; give at least one a weight")
        self._config = config
        self._guide = guide
        self._strengths = strengths
        self._size = size
        self._by_entry: dict[int, list[MaskedObjective]] = {}
        self.layers: list[dict[str, float]] = []
        entries = range(max(1, len(config.schedule)))
        objectives = [each for entry in entries for each in self.of_octave(entry)]
        self.min_size = max(each.min_size for each in objectives)
        # One objective without a mask is enough for the dream to happen everywhere.
        everywhere = any(self.mask(each) is None for each in objectives)
        self.masks = [] if everywhere else [self._strengths[each.mask] for each in objectives]
        if guide is not None and not any(each.is_guided for each in objectives):
            _warn("the guide has no effect: it does not apply to channels, neurons, directions and classes")
        if "" in strengths and all(each.mask for each in objectives):
            _warn("the mask without a name has no effect: every term names a mask of its own")

    def steps(self, octave: Octave) -> int:
        """The steps of an octave: as given, else as suits its deepest layer and its size."""
        given = self._config.at(octave.number).steps
        stride = max(each.stride for each in self.of_octave(octave.number))
        return given or depth.steps(stride, math.prod(octave.size) if octave.number else 0)

    def of_octave(self, octave: int) -> list[MaskedObjective]:
        """The objectives of octave `octave`, counted from 0."""
        entry = min(octave, max(0, len(self._config.schedule) - 1))
        if entry not in self._by_entry:
            config = self._config.at(entry)
            self.layers = []
            total = sum(abs(model.weight) for model in self._models)
            self._by_entry[entry] = [
                each for model in self._models for each in self._of_model(model, config, model.weight / total)
            ]
        return self._by_entry[entry]

    @property
    def compares(self) -> bool:
        """Whether any objective compares the picture with the photograph."""
        return any(each.compares for entry in self._by_entry.values() for each in entry)

    @property
    def all_negative(self) -> bool:
        """Whether every weight is negative, so that the dream minimises everything."""
        objectives = [each for entry in self._by_entry.values() for each in entry]
        return all(weight <= 0 for each in objectives for weight in each.weights)

    def one_by_one(self) -> bool:
        """From now on computes one batch of tiles at a time; whether that changes anything."""
        changed = [each.one_by_one() for entry in self._by_entry.values() for each in entry]
        return any(changed)

    def balance(self) -> list[Balance]:
        """The balanced weights that the objectives have measured."""
        return [
            (entry, number, objective.balance)
            for entry, objectives in self._by_entry.items()
            for number, objective in enumerate(objectives)
            if objective.balance is not None
        ]

    def restore_balance(self, balance: Sequence[Balance]) -> None:
        """Takes over the balanced weights that the same dream measured before."""
        for entry, number, measured in balance:
            self.of_octave(entry)[number].restore_balance(measured)

    @property
    def mask_count(self) -> int:
        """How many masks there are."""
        return len(self._strengths)

    def mask(self, objective: MaskedObjective) -> masks.Mask | None:
        """The mask of an objective, None for none."""
        return self._strengths.get(objective.mask)

    def _of_model(self, model: LoadedModel, config: DreamConfig, weight: float) -> list[MaskedObjective]:
        """One objective for each mask that the model's terms name; the strongest moves by the step size."""
        network = model.network
        if not weight:
            self.layers.append({})
            return []
        found = _terms(model, config, alone=len(self._models) == 1, guided=self._guide is not None)
        names: dict[str, float] = {}
        by_mask: dict[str, terms.Terms] = {}
        for term, each in found.items():
            name = f"{term} under {term.mask}" if term.mask else str(term)
            names[name] = names.get(name, 0.0) + each  # directions of a layer share a name
            if term.mask and term.mask not in self._strengths:
                raise ConfigError(
                    f"the mask {shown(term.mask)!r} of {term} is not given; "
                    f"give it with --mask {shown(term.mask)}=FILE"
                )
            by_mask.setdefault(term.mask, {})[term] = each
        self.layers.append(names)
        weights = {mask: sum(map(abs, under.values())) for mask, under in by_mask.items()}
        held = _held(config, network)  # under every mask
        return [
            MaskedObjective(
                network,
                under | held,
                config,
                strength=weight * weights[mask] / max(weights.values()),
                mask=mask,
                guide=self._guide,
                size=self._size,
            )
            for mask, under in by_mask.items()
        ]


def check_layers(models: Sequence[LoadedModel], config: DreamConfig) -> None:
    """Checks the layer terms before there is a picture.

    Raises:
        LayerError: a term names no layer of its network.
    """
    for entry in range(max(1, len(config.schedule))):
        for model in models:
            if model.weight:
                _terms(model, config.at(entry), alone=len(models) == 1)
                _held(config, model.network)


def _terms(model: LoadedModel, config: DreamConfig, *, alone: bool, guided: bool = False) -> terms.Terms:
    """The terms of a network: its own, else the dream's, else its default ones."""
    network = model.network
    own = model.layers if model.layers is not None else config.layers
    given = own
    if own is None:
        # What a guide has shows in layers that see textures and small parts; deeper ones see things in them.
        given = (network.provider.guide_layers or ("low",)) if guided else network.provider.layers
    if not given:
        raise LayerError(
            f"{network.provider.name} has no default layers; name some, such as "
            f"{', '.join(network.layers[-3:])}"
        )
    try:
        return terms.parse_terms(given, network)
    except LayerError as error:
        if alone:
            raise
        raise LayerError(f"{network.provider.name}: {error}") from error


def _held(config: DreamConfig, network: Network) -> terms.Terms:
    """The terms that hold layers to what they see in the photograph."""
    found: terms.Terms = {}
    for name, weight in (config.hold or {}).items():
        term = terms.Term(terms.layer_named(name, network), objective="distance", guided=False)
        found[term] = found.get(term, 0.0) - weight
    return {term: weight for term, weight in found.items() if weight}


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=5)
