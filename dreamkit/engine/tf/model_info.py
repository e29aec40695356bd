"""A network's description, and the network itself as functions from pixels to activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf


class Forward(Protocol):
    """Makes functions from preprocessed pixels to the activations of some layers."""

    def __call__(
        self, layers: Sequence[str], *, constant: bool = False
    ) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """The function to `layers`. With `constant`, its weights are constants of the graph if possible."""


class ModelInfo(NamedTuple):
    """The description of a network that the cache keeps, so that it need not be loaded.

    Attributes:
        channels: of each layer that can be dreamed, from the picture inwards.
        digest: SHA-256 of its weights.
        saved: whether it is a SavedModel, whose signature calls a function that calls the network.
        min_sizes: the shortest side of a picture, in pixels, for layers that need more than the provider's
            `min_size`.
    """

    channels: dict[str, int]
    digest: str
    saved: bool = False
    min_sizes: Mapping[str, int] = {}

    @classmethod
    def from_plain(cls, plain: Any) -> ModelInfo:
        """The description that `_asdict` gave as plain data.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        info = cls(**plain)
        tables = info.channels, info.min_sizes
        if not (isinstance(info.digest, str) and all(isinstance(each, dict) for each in tables)):
            raise ValueError("it describes no network")
        sizes = [size for each in tables for size in each.values()]
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError("it describes no network")
        return info


class LoadedNetwork(NamedTuple):
    """A network in memory."""

    info: ModelInfo
    forward: Forward
