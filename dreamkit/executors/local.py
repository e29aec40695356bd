"""Workers on this machine: a process each, sized to cores, memory and GPUs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

from dreamkit.errors import ConfigError
from dreamkit.executors.scheduler import Chain, Outcome, Tell, Worker, perform, run

BASE = 900 << 20  # bytes of a process with TensorFlow and a small network in it, measured
_SPAWN = multiprocessing.get_context("spawn")  # TensorFlow survives no fork


@dataclass(frozen=True)
class Crew:
    """How many processes, and how many threads each.

    Attributes:
        jobs: processes.
        threads: of TensorFlow in each.
        gpus: that there are; each process sees one.
    """

    jobs: int
    threads: int
    gpus: int = 0


def crew(
    tasks: int, each: int, jobs: int | None = None, threads: int | None = None, *, of: int | None = None
) -> Crew:
    """The fastest crew for so many tasks: a process for each core and GPU, as far as memory goes.

    Processes of one thread beat one of many threads, since not all of a step runs on several. `each` is what
    a process takes, in bytes; `of`, how many tasks there were, by which threads go.

    Raises:
        ConfigError: jobs or threads are below 1.
    """
    for name, given in (("jobs", jobs), ("threads", threads)):
        if given is not None and given < 1:
            raise ConfigError(f"{name} is {given}; it takes a whole number, at least 1")
    cores, gpus = _cores(), _gpus()
    if jobs is None:
        jobs = gpus or max(1, cores // (threads or 1))
        jobs = max(1, min(jobs, of or tasks, _free_memory() // each))
    threads = threads or max(1, cores // jobs)
    return Crew(min(jobs, max(1, tasks)), threads, gpus)


def work(crew: Crew, worker: Worker, chains: Iterable[Chain], tell: Tell) -> None:
    """Does `chains`; `tell` hears of their progress, in threads of its own.

    Raises:
        DreamkitError: the worker cannot begin.
        KeyboardInterrupt: after all processes have ended.
    """
    seats = [_Seat(worker, crew, number, tell) for number in range(crew.jobs)]
    try:
        run(seats, chains, (BrokenProcessPool,))
    finally:
        _end(seats)


def _end(seats: Sequence[_Seat]) -> None:
    for seat in seats:
        seat.stop()
    for seat in seats:
        seat.join()


class _Seat:
    def __init__(self, worker: Worker, crew: Crew, number: int, tell: Tell) -> None:
        self._worker, self._crew, self._number, self._tell = worker, crew, number, tell
        self._start()

    def _start(self) -> None:
        ear, mouth = _SPAWN.Pipe(duplex=False)
        self._mouth = mouth
        gpu = self._number % self._crew.gpus if self._crew.gpus else None
        self._pool = ProcessPoolExecutor(1, _SPAWN, _sit, (self._worker, self._crew.threads, gpu, mouth))
        self._pid: int | None = None
        Thread(target=_listen, args=(ear, self._tell), daemon=True).start()

    def begin(self) -> Future[Any]:
        future: Future[Any] = self._pool.submit(_begin)
        future.add_done_callback(self._began)
        return future

    def _began(self, future: Future[Any]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        self._pid = future.result()
        self._mouth.close()  # the process has its own; without ours, its end is heard of

    def do(self, task: Any) -> Future[Outcome]:
        return self._pool.submit(_do, task)

    def again(self) -> None:
        self._mouth.close()
        self._pool.shutdown(wait=False)
        self._start()
        self.begin()  # before anything else that is asked of it

    def stop(self) -> None:
        """Ends what is being done, in such a way that it clears up after itself."""
        if self._pid is not None:
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGTERM)

    def join(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._mouth.close()


def _listen(ear: Connection, tell: Tell) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            tell(ear.recv())


_worker: Worker
_tell: Tell
_begun = False
_idle = True


def _sit(worker: Worker, threads: int, gpu: int | None, mouth: Connection) -> None:
    """The first thing in a process: whose it is, and what it may take."""
    global _worker, _tell
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first of them decides
    signal.signal(signal.SIGTERM, _stopped)
    Thread(target=_die_with_parent, daemon=True).start()
    if gpu is not None:
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = seen[gpu] if gpu < len(seen) and seen[gpu] else str(gpu)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    from dreamkit.engine.tf import threads as engine_threads

    engine_threads.limit(threads)
    _worker, _tell = worker, mouth.send


def _stopped(*_: object) -> None:
    if not _idle:
        raise SystemExit(143)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _begin() -> int:
    global _begun
    if not _begun:
        _worker.begin()
        _begun = True
    return os.getpid()


def _do(task: Any) -> Outcome:
    global _idle
    _idle = False
    try:
        return perform(_worker, task, _tell)
    finally:
        _idle = True


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> int:
    """NVIDIA's, on Linux, which alone TensorFlow has a build for."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None:
        return len([each for each in seen.split(",") if each.strip() not in ("", "-1")])
    with contextlib.suppress(OSError):
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    return 0


def _free_memory() -> int:
    """In bytes; without limit where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return sys.maxsize
