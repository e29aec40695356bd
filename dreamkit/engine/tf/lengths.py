"""Lengths of vectors, with a gradient that is a number everywhere."""

from __future__ import annotations

import tensorflow as tf


def over_channels(vectors: tf.Tensor) -> tf.Tensor:
    """The Euclidean length of `vectors` over the last of four axes; where it is zero, so is the gradient."""
    squares = tf.reduce_sum(tf.square(vectors), 3)
    there = squares > 0
    # The gradient of the root is infinite at zero, and infinity times zero is no number. So the root is never
    # taken of zero.
    return tf.where(there, tf.sqrt(tf.where(there, squares, 1.0)), 0.0)
