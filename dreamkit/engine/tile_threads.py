"""The threads that compute batches of tiles, kept from step to step.

oneDNN plans each kernel for its shapes, and TensorFlow keeps these plans for each thread. In a new thread all
of them are made again, which takes up to a tenth of a step. The plans of a thousand shapes take hundreds of
megabytes, so the threads are kept for pictures of one size.
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
        self.of_count: dict[int, ThreadPoolExecutor] = {}
        self.size: tuple[int, int] | None = None  # of the pictures that they computed


_pools = _Pools()


def keep_for(size: tuple[int, int]) -> None:
    """Ends the calling thread's threads if they computed for pictures of another size (height, width)."""
    if size != _pools.size:
        for pool in _pools.of_count.values():
            pool.shutdown()
        _pools.of_count.clear()
        _pools.size = size


def compute(
    function: Callable[[_Batch, str], _Result], batches: Sequence[_Batch], devices: Sequence[str]
) -> list[_Result]:
    """What `function` returns for each batch and its device, with a batch at a time on each of `devices`.

    An error of one batch is raised when no other batch is being computed any more.
    """
    pool = _pool(min(len(devices), max(1, len(batches))))
    futures = [pool.submit(function, *each) for each in zip(batches, cycle(devices), strict=False)]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        _end(futures)
    return [future.result() for future in futures if not future.cancelled()]


def _pool(count: int) -> ThreadPoolExecutor:
    if count not in _pools.of_count:
        _pools.of_count[count] = ThreadPoolExecutor(count, "dreamkit-tiles")
    return _pools.of_count[count]


def _end(futures: Sequence[Future[_Result]]) -> None:
    """Drops the batches that wait, and waits for those that are being computed."""
    for future in futures:
        future.cancel()
    wait(futures)
