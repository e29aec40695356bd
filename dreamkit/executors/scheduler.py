"""Chains of tasks, done by workers beside each other.

A chain is a generator that yields tasks, which are plain data, and is sent the result of each. One worker
does the tasks of a chain one after another; chains are done beside each other. An executor has slots, and in
each slot runs one worker.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from dreamkit.errors import DreamkitError, DreamkitWarning, first_line

TRIES = 3  # workers that a task may crash, and times that a worker may crash while it begins

OnEvent: TypeAlias = Callable[[Any], None]


class WorkersError(DreamkitError):
    """No worker can do the tasks, or a task crashes its workers."""


class Worker(Protocol):
    """Does tasks. It is built where the tasks are, and pickled to its process: plain data until `begin`."""

    def begin(self) -> None:
        """Loads what it needs, once. Raises a `DreamkitError` where no task could be done."""

    def do(self, task: Any, on_event: OnEvent) -> Any:
        """Does a task, and calls `on_event` as it proceeds. Raises a `DreamkitError` if the task cannot be
        done."""


@dataclass(frozen=True)
class TaskResult:
    """What became of a task.

    Attributes:
        value: what the worker returned, unless the task failed.
        error: why the task failed, or None.
        traceback: of a bug, else empty.
        warnings: one line each.
    """

    value: Any = None
    error: DreamkitError | None = None
    traceback: str = ""
    warnings: tuple[str, ...] = ()

    def raise_error(self, task: str) -> None:
        """Raises the error, if there is one. An error of the workers does not say which task it was, so
        `task`, its name, goes before it."""
        if isinstance(self.error, WorkersError):
            raise WorkersError(f"{task}: {self.error}")
        if self.error is not None:
            raise self.error


TaskChain: TypeAlias = Generator[Any, TaskResult, None]


class Slot(Protocol):
    """A place for one worker at a time. Its futures raise the executor's own errors if the worker crashes."""

    def begin(self) -> Future[Any]:
        """Lets the worker begin."""

    def do(self, task: Any) -> Future[TaskResult]:
        """Lets the worker do a task."""

    def restart(self) -> None:
        """Puts a new worker, which has not begun, in the place of one that crashed."""


def perform(worker: Worker, task: Any, on_event: OnEvent, *, keep_bugs: bool = True) -> TaskResult:
    """Lets a worker do a task. Errors and warnings go into the result; so do bugs if `keep_bugs`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DreamkitWarning)
        value, failure, where = None, None, ""
        try:
            value = worker.do(task, on_event)
        except DreamkitError as error:
            failure = error
        except Exception as error:
            if not keep_bugs:
                raise
            failure = WorkersError(f"{type(error).__name__}: {first_line(error)}")
            where = traceback.format_exc()
    messages = [str(each.message) for each in caught if issubclass(each.category, DreamkitWarning)]
    return TaskResult(value, failure, where, tuple(dict.fromkeys(messages)))


def run(slots: Sequence[Slot], chains: Iterable[TaskChain], crashes: tuple[type[BaseException], ...]) -> None:
    """Does all chains.

    A chain is taken from `chains` when a slot is free for it, so that it needs no memory before. A worker
    that crashes, at any time, is restarted, and its task is tried again. A task that has crashed `TRIES`
    workers fails with a `WorkersError` as its result.

    Args:
        slots: each is used until its worker has crashed `TRIES` times in a row while it began.
        chains: the tasks.
        crashes: what a slot's future raises if the worker crashed.

    Raises:
        WorkersError: the workers of all slots crashed while they began.
        DreamkitError: a worker cannot begin.
    """
    _Schedule(chains, crashes).run(slots)


@dataclass(frozen=True)
class _Attempt:
    """A task, its chain, and the number of the try."""

    chain: TaskChain
    task: Any
    number: int = 1


class _Schedule:
    """Which slot has which task. All that happens is handled in one thread, one future after another."""

    def __init__(self, chains: Iterable[TaskChain], crashes: tuple[type[BaseException], ...]) -> None:
        self._chains, self._crashes = iter(chains), crashes
        self._free: list[Slot] = []
        self._attempts: dict[Slot, _Attempt] = {}  # of the slots that are not free, begun or beginning
        self._left: list[_Attempt] = []  # by slots that were given up
        self._handlers: dict[Future[Any], Callable[[Future[Any]], None]] = {}
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()

    def run(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            self._begin(slot)
        while self._hand_out() or self._attempts:
            if not self._handlers:
                raise WorkersError(
                    "every worker crashed while it began; there may be too little memory for so many"
                )
            future = self._ended.get()
            self._handlers.pop(future)(future)

    def _hand_out(self) -> bool:
        """Gives every free slot a task; returns whether there may be more of them."""
        while self._free:
            attempt = self._left.pop() if self._left else self._next_chain()
            if attempt is None:
                return False
            slot = self._free.pop()
            self._attempts[slot] = attempt
            self._do(slot)
        return True

    def _next_chain(self) -> _Attempt | None:
        """The first task of the next chain that has any."""
        for chain in self._chains:
            for task in chain:
                return _Attempt(chain, task)
        return None

    def _begin(self, slot: Slot, number: int = 1) -> None:
        self._watch(slot.begin(), partial(self._on_begun, slot, number))

    def _do(self, slot: Slot) -> None:
        self._watch(slot.do(self._attempts[slot].task), partial(self._on_done, slot))

    def _watch(self, future: Future[Any], handler: Callable[[Future[Any]], None]) -> None:
        self._handlers[future] = handler
        future.add_done_callback(self._ended.put)

    def _on_begun(self, slot: Slot, number: int, future: Future[Any]) -> None:
        try:
            future.result()
        except self._crashes:
            if number < TRIES:
                slot.restart()
                self._begin(slot, number + 1)
            elif slot in self._attempts:
                self._left.append(self._attempts.pop(slot))
            return
        if slot in self._attempts:
            self._do(slot)
        else:
            self._free.append(slot)

    def _on_done(self, slot: Slot, future: Future[TaskResult]) -> None:
        attempt = self._attempts.pop(slot)
        try:
            result = future.result()
        except self._crashes:
            slot.restart()
            self._begin(slot)  # and goes on with its task when it has begun
            if attempt.number < TRIES:
                self._attempts[slot] = replace(attempt, number=attempt.number + 1)
            else:
                error = WorkersError(f"it crashed {TRIES} workers; it may need more memory than there is")
                self._go_on(slot, attempt.chain, TaskResult(error=error))
            return
        if self._go_on(slot, attempt.chain, result):
            self._do(slot)
        else:
            self._free.append(slot)

    def _go_on(self, slot: Slot, chain: TaskChain, result: TaskResult) -> bool:
        """Gives `slot` the next task of a chain; returns whether there was one."""
        try:
            self._attempts[slot] = _Attempt(chain, chain.send(result))
        except StopIteration:
            return False
        return True
