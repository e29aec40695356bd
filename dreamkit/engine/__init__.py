"""Where numbers are computed: the only folder that imports TensorFlow."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# All are read when TensorFlow and Keras are imported, so they are set before any module here does.
# oneDNN's kernels take a third off a step on processors for which TensorFlow leaves them off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory as it is needed, not all of it


@contextmanager
def without_collector() -> Iterator[None]:
    """No looking for garbage while a great deal is made that stays."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _import_tensorflow() -> None:
    """Imports TensorFlow without the garbage collector looking through it, then or ever again.

    Its hundreds of thousands of objects live as long as the process. Looking for garbage among them takes
    a tenth of the import, and a quarter of a second or two at the process's end.
    """
    gc.collect()  # what is garbage already must not be kept with them
    with without_collector():
        import tensorflow  # noqa: F401
    gc.freeze()


if "tensorflow" not in sys.modules:
    _import_tensorflow()
