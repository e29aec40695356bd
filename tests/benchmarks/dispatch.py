"""What a large batch costs the machine that hands out the pictures, without any dream:

python tests/benchmarks/dispatch.py PHOTO [--count 1000000] [--ray HOST:PORT]

Its workers return at once and write nothing. Everything else is real: pictures are read, sent and noted in
the manifest, and a second run finds out that all are finished.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from dreamkit.config import DreamConfig
from dreamkit.engine import memory
from dreamkit.executors import local, scheduler
from dreamkit.executors.executor import Executor
from dreamkit.executors.pool_size import PoolSize
from dreamkit.executors.scheduler import TaskResult
from dreamkit.jobs import batch
from dreamkit.media.storage import FolderStore
from dreamkit.request import DreamRequest

REQUEST = batch.BatchRequest("", DreamRequest((), DreamConfig()), digest="0" * 32)


class Idle:
    """A worker that returns at once."""

    def begin(self) -> None:
        """Nothing is loaded."""

    def do(self, _task: Any, _on_event: Any) -> dict[str, Any]:
        """What a dream's worker would return."""
        return {"sha256": "0" * 64, "bytes": 1, "seconds": 0.0, "memory": 0}


class IdleSlot:
    """A slot whose tasks another thread ends."""

    def __init__(self, todo: SimpleQueue[Future[Any]]) -> None:
        self._todo = todo

    def begin(self) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(None)
        return future

    def do(self, _task: Any) -> Future[TaskResult]:
        future: Future[TaskResult] = Future()
        self._todo.put(future)
        return future


class Listed(FolderStore):
    """A folder that pretends to hold every dream."""

    dreams: dict[str, int]

    def sizes(self) -> dict[str, int]:
        """As if each dream had one byte."""
        return {**super().sizes(), **self.dreams}


def jobs(photo: str, count: int) -> list[batch.Job]:
    return batch.list_jobs(
        [batch.Input(photo, f"{n // 1000:04}/{n:07}.jpg") for n in range(count)], [REQUEST], ".png"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=20_000, help="for what goes through processes")
    parser.add_argument("--ray", metavar="HOST:PORT")
    given = parser.parse_args()
    photo = str(given.photo.resolve())
    print(f"{given.photo.name}: {given.photo.stat().st_size / 1e3:.0f} kB")
    for slots in (2, 100, 1000):
        rate(f"{slots} workers, in this process", photo, given.few, lambda run, n=slots: run_idle(run, n))
    rate("2 processes", photo, given.few, lambda run: local.run(PoolSize(2, 1), Idle(), run.chains(), print))
    if given.ray:
        executor = Executor("ray", given.ray, 2, 1)
        rate(
            "2 actors of Ray",
            photo,
            given.few,
            lambda run: executor.run(Idle(), run.chains(), print, tasks=9, memory=1),
        )
    manifest(photo, given.count)


def rate(what: str, photo: str, count: int, work: Any) -> None:
    """Prints how many pictures a second are handed out."""
    with tempfile.TemporaryDirectory() as scratch:
        run = batch.Batch(jobs(photo, count), [REQUEST], FolderStore(Path(scratch)))
        began = time.perf_counter()
        work(run)
        seconds = time.perf_counter() - began
        assert run.dreamed == count
    print(f"{what:32} {count / seconds:8.0f} pictures a second", flush=True)


def run_idle(run: batch.Batch, slots: int) -> None:
    """Tasks that take no time, on so many slots."""
    todo: SimpleQueue[Future[Any] | None] = SimpleQueue()
    done = TaskResult(Idle().do(None, None))

    def end() -> None:
        while (future := todo.get()) is not None:
            future.set_result(done)

    thread = Thread(target=end)
    thread.start()
    scheduler.run([IdleSlot(todo) for _ in range(slots)], run.chains(), ())
    todo.put(None)
    thread.join()


def manifest(photo: str, count: int) -> None:
    """Prints what so many pictures take in memory, on disk, and until a second run knows them."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Listed(Path(scratch))
        place.dreams = {}
        before = memory.resident()[0]
        began = time.perf_counter()
        run = batch.Batch(jobs(photo, count), [REQUEST], place)
        show("before the first picture", count, began)
        began = time.perf_counter()
        run_idle(run, 1000)
        show("handing out", count, began)
        began = time.perf_counter()
        run.finish()
        show("writing the manifest", count, began)
        size = sum(place.sizes().values())
        print(
            f"{'':32} {size / count:8.0f} bytes of manifest, and "
            f"{(memory.resident()[0] - before) / count:.0f} of memory, for each"
        )
        place.dreams = {job.output: 1 for job in run.missing}
        del run
        began = time.perf_counter()
        again = batch.Batch(jobs(photo, count), [REQUEST], place)
        show("finding out what is finished", count, began)
        assert not again.total


def show(what: str, count: int, began: float) -> None:
    print(f"{what:32} {time.perf_counter() - began:8.1f} s for {count}", flush=True)


if __name__ == "__main__":
    main()
