"""The mean of the activations: all features grow alike."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective


def mean(activations: tf.Tensor, *, channel_weights: tf.Tensor | None, places: tf.Tensor) -> tf.Tensor:
    """The mean over places, and over channels or by their weights; `(windows,)`."""
    sums = tf.reduce_sum(activations, [1, 2])
    return (
        tf.reduce_mean(sums, 1) if channel_weights is None else tf.linalg.matvec(sums, channel_weights)
    ) / places


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(name="mean", value=mean, description="all features grow alike")
