"""How many threads TensorFlow computes with. Dreams of other numbers may differ in their last bits."""

from __future__ import annotations

import tensorflow as tf


def limit(threads: int) -> None:
    """Lets operations use so many threads; to be called before the first one runs."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
