"""The strongest and the weakest channels of a photograph, in place of `mixed4c:top8` and `mixed4c:bottom8`.

The strongest channels of a layer are what the network sees in the photograph, the weakest what it does not
(neural-dream's `-channel_mode`, 2020). They are chosen once, before the dream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import terms
from dreamkit.config import DreamConfig
from dreamkit.engine import octaves
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.resize import resize
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ConfigError
from dreamkit.terms import Choice


def with_channels(
    config: DreamConfig, models: Sequence[LoadedModel], photo: NDArray[np.uint8]
) -> tuple[DreamConfig, list[LoadedModel]]:
    """The options and the networks, with plain channels for those that `photo` chooses.

    Where several networks share layers, each gets layers of its own. `photo` is `(height, width, 3)`.

    Raises:
        LayerError: a layer does not exist, or has too few channels.
        ConfigError: several networks share a schedule with a choice, or the photograph is too small.
    """
    models = [
        model._replace(layers=_chosen(model.layers, model.network, config, photo))
        if terms.has_choice(model.layers)
        else model
        for model in models
    ]
    sharing = [model for model in models if model.layers is None and model.weight]
    in_schedule = any(terms.has_choice(each.get("layers")) for each in config.schedule)
    if not sharing or not (in_schedule or terms.has_choice(config.layers)):
        return config, models
    if len(models) > 1:
        if config.schedule and any("layers" in each for each in config.schedule):
            raise ConfigError(
                "several networks share a schedule in which the photograph chooses channels; give each "
                "network layers of its own, without a schedule of layers"
            )
        return config, [
            model._replace(layers=_chosen(config.layers, model.network, config, photo))
            if model in sharing
            else model
            for model in models
        ]
    choose = partial(_chosen, network=sharing[0].network, config=config, photo=photo)
    schedule = [_in_entry(each, choose) for each in config.schedule]
    return replace(config, layers=choose(config.layers), schedule=tuple(schedule)), models


def _in_entry(entry: Mapping[str, Any], choose: partial[Any]) -> Mapping[str, Any]:
    return {**entry, "layers": choose(entry["layers"])} if "layers" in entry else entry


def _chosen(layers: Any, network: Network, config: DreamConfig, photo: NDArray[np.uint8]) -> Any:
    return terms.with_channels(layers, network.layers, partial(_channels, network, config, photo))


def _channels(network: Network, config: DreamConfig, photo: NDArray[np.uint8], choice: Choice) -> list[int]:
    """The numbers of the channels with the largest or the smallest means over the photograph, in order."""
    terms.check_choice(choice, network)
    layer = terms.layer_named(choice.layer, network)
    height, width, _ = photo.shape
    least = network.min_size([layer])
    if min(height, width) < least:
        raise ConfigError(
            f"the photograph has {width} x {height} pixels and {layer} of {network.provider.name} needs at "
            f"least {least} a side; give a larger one"
        )
    # No larger than a tile, as a guide is; but no smaller than the network sees.
    factor = min(1.0, max(config.tile_size / max(height, width), least / min(height, width)))
    seen = resize(photo, octaves.scaled((height, width), factor))
    (activations,) = network.activations([layer])(seen[None])
    means = activations.mean((0, 1, 2), dtype=np.float64)
    order = np.argsort(-means if choice.strongest else means, kind="stable")
    return sorted(order[: choice.count].tolist())
