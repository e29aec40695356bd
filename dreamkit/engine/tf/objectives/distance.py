"""The distance between the activations of the picture and those of the photograph, seen in the same way.

`mean over places of |a(x) - a(photograph)|` (Hamblin et al., "Feature Accentuation", 2024). With a negative
weight, as `--hold` gives it, what the layer sees in the photograph stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.engine.tf import lengths
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective


def distance(activations: tf.Tensor, *, photograph: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The mean over places of the Euclidean distance over channels; `(windows,)`.

    Where nothing has changed, there is no gradient.
    """
    return tf.reduce_sum(lengths.over_channels(activations - photograph), [1, 2]) / places


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="distance",
        value=distance,
        description="away from what the layer sees in the photograph; with a negative weight, back to it",
    )
