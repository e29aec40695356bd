"""Workers in processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

from dreamkit.executors import scheduler
from dreamkit.executors.pool_size import PoolSize
from dreamkit.executors.scheduler import OnEvent, TaskChain, TaskResult, Worker

BASE = 900 << 20  # bytes of a process with TensorFlow and a small network, measured
_SPAWN = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
_TERMINATED = 143  # exit code of a process that SIGTERM ended


def run(size: PoolSize, worker: Worker, chains: Iterable[TaskChain], on_event: OnEvent) -> None:
    """Does `chains`. Threads of this process call `on_event`.

    Raises:
        DreamkitError: the worker cannot begin.
        KeyboardInterrupt: on Ctrl-C, after all processes have ended.
    """
    slots = [LocalSlot(worker, size, number, on_event) for number in range(size.jobs)]
    try:
        scheduler.run(slots, chains, (BrokenProcessPool,))
    finally:
        _end(slots)


def _end(slots: Sequence[LocalSlot]) -> None:
    for slot in slots:
        slot.stop()
    for slot in slots:
        slot.join()


class LocalSlot:
    """A slot with a process of its own: a pool of one, which is replaced if its process dies."""

    def __init__(self, worker: Worker, size: PoolSize, number: int, on_event: OnEvent) -> None:
        self._worker, self._size, self._number, self._on_event = worker, size, number, on_event
        self._start()

    def _start(self) -> None:
        events, self._sender = _SPAWN.Pipe(duplex=False)
        gpu = self._number % self._size.gpus if self._size.gpus else None
        arguments = self._worker, self._size.threads, gpu, self._sender
        self._pool = ProcessPoolExecutor(1, _SPAWN, _initialize, arguments)
        self._processes: set[BaseProcess] = set()
        Thread(target=_forward, args=(events, self._on_event), daemon=True).start()

    def begin(self) -> Future[Any]:
        others = multiprocessing.active_children()
        future = self._submit(_begin)  # which starts the process
        self._processes = set(multiprocessing.active_children()).difference(others)
        future.add_done_callback(self._on_begun)
        return future

    def _on_begun(self, future: Future[None]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._sender.close()  # the process has its own; when that closes, `_forward` ends

    def do(self, task: Any) -> Future[TaskResult]:
        return self._submit(_do, task)

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool as error:  # the process died while it had nothing to do
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    def restart(self) -> None:
        self._sender.close()
        self._pool.shutdown(wait=False)
        self._start()

    def stop(self) -> None:
        """Ends what is being loaded or done, in such a way that it removes what it has half written."""
        for process in self._processes:
            process.terminate()

    def join(self) -> None:
        """Waits until the process has ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._sender.close()


def _forward(events: Connection, on_event: OnEvent) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            on_event(events.recv())


# What follows runs in the process of a worker.

_worker: Worker
_on_event: OnEvent
_has_begun = _is_busy = False


def _initialize(worker: Worker, threads: int, gpu: int | None, sender: Connection) -> None:
    """Runs before anything else: signals, GPU and threads."""
    global _worker, _on_event
    _take_signals()
    Thread(target=_die_with_parent, daemon=True).start()
    if gpu is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[gpu] if gpu < len(visible) and visible[gpu] else str(gpu)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    from dreamkit.engine import process

    process.own()
    from dreamkit.engine.tf import private

    private.limit_threads(threads)
    _worker, _on_event = worker, sender.send


def _take_signals() -> None:
    for name in ("SIGINT", "SIGBREAK"):  # the keys reach every process; the parent ends the others
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(*_: object) -> None:
    if _is_busy:
        raise SystemExit(_TERMINATED)
    if not _has_begun:
        os._exit(_TERMINATED)  # an idle process ends with its pool


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _begin() -> None:
    global _has_begun
    with _busy():
        _worker.begin()
        _has_begun = True


def _do(task: Any) -> TaskResult:
    with _busy():
        return scheduler.perform(_worker, task, _on_event)


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """SIGTERM ends this process, after what is half written has been removed."""
    global _is_busy
    try:
        _is_busy = True
        try:
            yield
        finally:
            _is_busy = False
    except SystemExit:  # by SIGTERM. The pool would raise it in the parent; a process that ends is restarted
        os._exit(_TERMINATED)
