"""What dreamkit sets in a process that is its own, before TensorFlow is imported there.

A program that imports dreamkit keeps its environment and its garbage collector as they are: only the command
line and the processes that it starts call `own`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

# TensorFlow and Keras read them when they are imported.
_ENVIRONMENT = {
    "TF_ENABLE_ONEDNN_OPTS": "1",  # a third off a step, on processors for which TensorFlow leaves it off
    "KERAS_BACKEND": "tensorflow",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # a GPU's memory as it is needed, not all of it
}
_is_own = False


def cores() -> int:
    """The processor's cores that this process may use, as TensorFlow counts them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own() -> None:
    """Says that this process is dreamkit's own. What the user has set in the environment stays."""
    global _is_own
    _is_own = True
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def is_own() -> bool:
    """Whether this process is dreamkit's own."""
    return _is_own


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pauses the garbage collector while many objects are made that stay, in a process of our own."""
    if not (_is_own and gc.isenabled()):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
