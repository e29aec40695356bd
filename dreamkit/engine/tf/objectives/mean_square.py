"""The mean square of the activations: the strongest features grow most (google/deepdream, 2015)."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.engine.tf.objectives.mean import mean
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective


def mean_square(activations: tf.Tensor, *, channel_weights: tf.Tensor | None, places: tf.Tensor) -> tf.Tensor:
    """The mean of squares over places, and over channels or by their weights; `(windows,)`."""
    return mean(tf.square(activations), channel_weights=channel_weights, places=places)


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="mean-square", value=mean_square, power=2, description="the strongest features grow most"
    )
