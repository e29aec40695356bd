"""The number of TensorFlow's threads. Dreams with different numbers may differ in their last bits."""

from __future__ import annotations

import tensorflow as tf


def limit(threads: int) -> None:
    """Limits operations to this many threads. Must be called before the first operation runs."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
