"""The product with a direction, times a power of the cosine: a feature grows, and little else with it.

`J = mean over places of (a . v) max(0.1, cos(a, v))^p` (tensorflow/lucid, `direction_cossim`, and the
"Activation Atlas" of Carter et al., 2019, with p 4; xplique takes p 2). At p 0 it is the product alone, which
also raises whatever else the direction's channels take part in.
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.engine.tf import lengths
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective

_LEAST = 0.1  # cosine below which a place has no more say, and no less: else none could turn round
_EPSILON = 1e-4  # added to norms


def direction(
    activations: tf.Tensor, *, channel_weights: tf.Tensor, places: tf.Tensor, cosine_power: float
) -> tf.Tensor:
    """The mean over places of the product of all channels and `channel_weights`, times their cosine, at least
    0.1, to the power of `cosine_power`; `(windows,)`.
    """
    products = tf.linalg.matvec(activations, channel_weights)
    if not cosine_power:
        return tf.reduce_sum(products, [1, 2]) / places
    norms = lengths.over_channels(activations) + _EPSILON
    length = tf.sqrt(tf.reduce_sum(tf.square(channel_weights))) + _EPSILON
    factors = tf.maximum(products / (norms * length), _LEAST) ** cosine_power
    return tf.reduce_sum(products * factors, [1, 2]) / places


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="direction",
        value=direction,
        needs_direction=True,
        settings=("cosine_power",),
        description="the part of the activations along a direction, the more the purer it is",
    )
