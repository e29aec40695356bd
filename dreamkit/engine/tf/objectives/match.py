"""A guide's most similar features: at each place, the one with the largest product grows."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from dreamkit.engine.tf.objectives.mean import mean
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Objective

_MOST_SIMILARITIES = 1 << 22  # numbers in memory at once while places are compared with a guide's


def match(
    activations: tf.Tensor, *, channel_weights: tf.Tensor | None, places: tf.Tensor, guide: tf.Tensor
) -> tf.Tensor:
    """The mean over places of the product with the most similar feature of `guide`; `(windows,)`.

    Channels have no weights here: features are compared whole.
    """
    del channel_weights
    return mean(activations * _most_similar(activations, guide), channel_weights=None, places=places)


def _most_similar(layer: tf.Tensor, guide: tf.Tensor) -> tf.Tensor:
    """For each place of `layer`, the feature of `guide` `(places, channels)` with the largest product.

    No gradient passes through the choice (google/deepdream's guided objective, 2015). A few places are
    compared at a time, so that memory does not grow with their number times the guide's.
    """
    places = tf.stop_gradient(tf.reshape(layer, [-1, tf.shape(guide)[1]]))
    at_once = tf.maximum(1, _MOST_SIMILARITIES // tf.shape(guide)[0])
    count = tf.shape(places)[0]
    padded = tf.pad(places, [[0, -count % at_once], [0, 0]])
    best = tf.map_fn(
        lambda few: tf.argmax(tf.matmul(few, guide, transpose_b=True), axis=1, output_type=tf.int32),
        tf.reshape(padded, [-1, at_once, tf.shape(guide)[1]]),
        parallel_iterations=1,
        fn_output_signature=tf.int32,
    )
    return tf.reshape(tf.gather(guide, tf.reshape(best, [-1])[:count]), tf.shape(layer))


@hookimpl
def dreamkit_objectives() -> Iterator[Objective]:
    yield Objective(name="match", value=match, description="a guide's most similar features")
