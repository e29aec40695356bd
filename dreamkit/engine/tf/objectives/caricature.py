"""The product with the photograph's activations, seen in the same way: what a layer sees in it, exaggerated.

`J = D max(0.1, cos)^p`, with `D` the mean over places of `a(photograph) . a(x)`, and `cos` its cosine over
all places and channels of a window (tensorflow/lucid, `caricature`, 2018; there p is 0).
"""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective

_LEAST = 0.1  # cosine below which a window has no more say, and no less
_EPSILON = 1e-12  # added to squares of norms, of which one may be zero


def caricature(
    activations: tf.Tensor, *, photograph: tf.Tensor, places: tf.Tensor, cosine_power: float
) -> tf.Tensor:
    """The mean over places of the product over channels, times its cosine to a power; `(windows,)`."""
    products = tf.reduce_sum(activations * photograph, [1, 2, 3])
    if not cosine_power:
        return products / places
    squares = [tf.reduce_sum(tf.square(each), [1, 2, 3]) + _EPSILON for each in (activations, photograph)]
    cosines = products * tf.math.rsqrt(squares[0]) * tf.math.rsqrt(squares[1])
    return products / places * tf.maximum(cosines, _LEAST) ** cosine_power


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(
        name="caricature",
        value=caricature,
        power=2,
        settings=("cosine_power",),
        description="what the layer sees in the photograph, exaggerated",
    )
