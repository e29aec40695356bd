"""A guide's texture: which channels are active together, wherever that is.

`<G(x), G(guide)>` with `G = F^T F / ||F^T F||`, `F` the activations `(places, channels)`: the cosine between
two Gram matrices (Gatys et al., 2015). With a negative weight, the dream becomes unlike the guide: what
tensorflow/lucid's `diversity` (2017) does.
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective

_LEAST = 1e-12  # of a sum of squares, so that what is all zero has a gradient of zero


def texture(activations: tf.Tensor, *, channel_weights: tf.Tensor | None, guide: tf.Tensor) -> tf.Tensor:
    """The cosine between the Gram matrices of each window and of `guide`; `(windows,)`, 0 to 1.

    Where channels have weights, activations are multiplied by them first.
    """
    if channel_weights is not None:
        activations, guide = activations * channel_weights, guide * channel_weights
    shape = tf.shape(activations)
    flat = tf.reshape(activations, [shape[0], shape[1] * shape[2], shape[3]])
    return tf.reduce_sum(_gram(flat) * _gram(guide[None]), [1, 2])


def _gram(features: tf.Tensor) -> tf.Tensor:
    """The Gram matrices of `(n, places, channels)`, each of length 1."""
    return tf.math.l2_normalize(tf.matmul(features, features, transpose_a=True), [1, 2], epsilon=_LEAST)


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="texture",
        value=texture,
        power=0,
        description="a guide's texture: its channels are active together; with a negative weight, others",
    )
