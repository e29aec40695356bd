"""The cosine of the angle between the activations and a direction: it grows with their likeness alone."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective


def cosine(activations: tf.Tensor, *, channel_weights: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The mean over places of the cosine between all channels and `channel_weights`; `(windows,)`, -1 to 1.

    A place whose activations are all zero has no angle: it counts as 0 and has no gradient.
    """
    products = tf.linalg.matvec(activations, channel_weights)
    sizes = tf.reduce_sum(tf.square(activations), 3) * tf.reduce_sum(tf.square(channel_weights))
    has_angle = sizes > 0
    # Zeros are replaced before the root, whose gradient is infinite at zero and would make NaN of it.
    cosines = tf.where(has_angle, products * tf.math.rsqrt(tf.where(has_angle, sizes, 1.0)), 0.0)
    return tf.reduce_sum(cosines, [1, 2]) / places


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="cosine",
        value=cosine,
        power=0,
        needs_direction=True,
        description="the angle to a direction becomes smaller, as that to a text",
    )
