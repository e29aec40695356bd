"""What the networks of a dream are asked for, octave by octave."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import depth, masks, objectives
from dreamkit.engine.masked_objective import Pull
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ConfigError, DreamkitWarning, LayerError, shown

# Of a pull: its entry of the schedule, its number there, and what it has measured.
Balance: TypeAlias = tuple[int, int, list[float]]


class Part(NamedTuple):
    """One network of a dream.

    Attributes:
        network: as `network.load` returned it.
        weight: its share of each step, relative to the other networks'; negative, it sees less.
        layers: what it dreams, as `DreamConfig.layers`; None for the dream's own, or else the network's.
    """

    network: Network
    weight: float = 1.0
    layers: Any = None


class Asked:
    """What the networks are asked for in each octave: pulls, made once for each entry of the schedule."""

    def __init__(
        self,
        parts: Sequence[Part],
        config: DreamConfig,
        guide: NDArray[np.uint8] | None,
        strengths: Mapping[str, masks.Mask],
        size: tuple[int, int],
    ) -> None:
        self._parts = parts
        if not any(part.weight for part in parts):
            raise ConfigError("every network has weight zero; give at least one a weight")
        self._config = config
        self._guide = guide
        self._strengths = strengths
        self._size = size
        self._made: dict[int, list[Pull]] = {}
        self.layers: list[dict[str, float]] = []
        octaves_asked = range(max(1, len(config.schedule)))
        pulls = [pull for octave in octaves_asked for pull in self.pulls(octave)]
        self.min_size = max(pull.min_size for pull in pulls)
        # Without a mask in one place, the dream goes everywhere.
        everywhere = any(self.mask(pull) is None for pull in pulls)
        self.masks = [] if everywhere else [self._strengths[pull.mask] for pull in pulls]
        if guide is not None and not any(pull.is_guided for pull in pulls):
            _warn(
                "the guide guides nothing: terms of channels, neurons, directions and classes are not guided"
            )
        if "" in strengths and all(pull.mask for pull in pulls):
            _warn("the mask without a name masks nothing: every term is under a mask of its own")

    def steps(self, octave: int) -> int:
        """The steps of octave `octave`: where none are given, what suits its deepest layer."""
        given = self._config.at(octave).steps
        return given or depth.steps(max(pull.stride for pull in self.pulls(octave)))

    def pulls(self, octave: int) -> list[Pull]:
        """The pulls of octave `octave`, counted from 0."""
        entry = min(octave, max(0, len(self._config.schedule) - 1))
        if entry not in self._made:
            config = self._config.at(entry)
            self.layers = []
            total = sum(abs(part.weight) for part in self._parts)
            self._made[entry] = [
                pull for part in self._parts for pull in self._of_part(part, config, part.weight / total)
            ]
        return self._made[entry]

    @property
    def sees_less(self) -> bool:
        """Whether every weight is negative, so that the networks are to see less of everything."""
        return all(weight <= 0 for pulls in self._made.values() for pull in pulls for weight in pull.weights)

    def balance(self) -> list[Balance]:
        """What the pulls have measured."""
        return [
            (entry, number, pull.balance)
            for entry, pulls in self._made.items()
            for number, pull in enumerate(pulls)
            if pull.balance is not None
        ]

    def rebalance(self, balance: Sequence[Balance]) -> None:
        """Takes over what the pulls of the same dream had measured."""
        for entry, number, measured in balance:
            self.pulls(entry)[number].rebalance(measured)

    @property
    def mask_count(self) -> int:
        """How many masks there are."""
        return len(self._strengths)

    def mask(self, pull: Pull) -> masks.Mask | None:
        """The mask that a pull is under, None for none."""
        return self._strengths.get(pull.mask)

    def _of_part(self, part: Part, config: DreamConfig, weight: float) -> list[Pull]:
        """One pull for each mask that the part's terms are under; the strongest moves by the step size."""
        network = part.network
        if not weight:
            self.layers.append({})
            return []
        terms = _terms(part, config, alone=len(self._parts) == 1, guided=self._guide is not None)
        told: dict[str, float] = {}
        regions: dict[str, objectives.Terms] = {}
        for term, each in terms.items():
            name = f"{term} under {term.mask}" if term.mask else str(term)
            told[name] = told.get(name, 0.0) + each  # directions of a layer are told of together
            if term.mask and term.mask not in self._strengths:
                raise ConfigError(
                    f"the mask {shown(term.mask)!r} of {term} is not given; "
                    f"give it with --mask {shown(term.mask)}=FILE"
                )
            regions.setdefault(term.mask, {})[term] = each
        self.layers.append(told)
        weights = {name: sum(map(abs, under.values())) for name, under in regions.items()}
        return [
            Pull(
                network,
                under,
                config,
                strength=weight * weights[name] / max(weights.values()),
                mask=name,
                guide=self._guide,
                size=self._size,
            )
            for name, under in regions.items()
        ]


def check_layers(parts: Sequence[Part], config: DreamConfig) -> None:
    """Makes sure of the layer terms, before there is a picture.

    Raises:
        LayerError: a term names no layer of its network.
    """
    for entry in range(max(1, len(config.schedule))):
        for part in parts:
            if part.weight:
                _terms(part, config.at(entry), alone=len(parts) == 1)


def _terms(part: Part, config: DreamConfig, *, alone: bool, guided: bool = False) -> objectives.Terms:
    """What a network is asked for: its own terms, the dream's, or the ones that it comes with."""
    network = part.network
    own = part.layers if part.layers is not None else config.layers
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
        return objectives.parse_terms(given, network)
    except LayerError as error:
        if alone:
            raise
        raise LayerError(f"{network.provider.name}: {error}") from error


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=5)
