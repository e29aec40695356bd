"""The threads that compute batches of tiles, kept from step to step.

oneDNN's kernels are planned for each shape, and TensorFlow keeps the plans for each thread. In a new thread
all of them are made again, which takes up to a tenth of a step. So a single batch is computed in the calling
thread, and several in threads that live as long as that one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from itertools import cycle
from typing import TypeVar

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


class _Pools(threading.local):
    """The pools of each calling thread."""

    def __init__(self) -> None:
        self.of_size: dict[int, ThreadPoolExecutor] = {}


_pools = _Pools()


def compute(
    function: Callable[[_Batch, str], _Result], batches: Sequence[_Batch], devices: Sequence[str]
) -> list[_Result]:
    """What `function` returns for each batch and its device, with a batch at a time on each of `devices`.

    An error of one batch is raised when no other batch is being computed any more.
    """
    if min(len(batches), len(devices)) < 2:
        return [function(batch, devices[0]) for batch in batches]
    pool = _pool(len(devices))
    futures = [pool.submit(function, *each) for each in zip(batches, cycle(devices), strict=False)]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        _end(futures)
    return [future.result() for future in futures if not future.cancelled()]


def _pool(count: int) -> ThreadPoolExecutor:
    if count not in _pools.of_size:
        _pools.of_size[count] = ThreadPoolExecutor(count, "dreamkit-tiles")
    return _pools.of_size[count]


def _end(futures: Sequence[Future[_Result]]) -> None:
    """Drops the batches that wait, and waits for those that are being computed."""
    for future in futures:
        future.cancel()
    wait(futures)
