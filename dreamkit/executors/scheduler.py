"""Work for several at once: who does it is an engine's affair, what it is, everyone else's.

A chain is a generator that yields tasks, plain data, and is sent what came of each; its tasks are done one
after another by one worker, and chains beside each other. Engines have seats, and a worker sits in each.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeAlias

from dreamkit.errors import DreamkitError, DreamkitWarning, Interrupted, first_line

TRIES = 3  # workers that a task may cost before it is given up

Tell: TypeAlias = Callable[[Any], None]


class WorkersError(DreamkitError):
    """There is no one to do the work."""


class Worker(Protocol):
    """Made where the work is given out, and sent to where it is done: plain data until `begin`."""

    def begin(self) -> None:
        """Loads what it needs, once."""

    def do(self, task: Any, tell: Tell) -> Any:
        """Does a task, and tells of its progress; raises a `DreamkitError` where that cannot be done."""


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        value: what the worker returned, unless it failed.
        error: what the worker refused it with, or None.
        traceback: of a bug.
        warnings: in one line each.
    """

    value: Any = None
    error: DreamkitError | None = None
    traceback: str = ""
    warnings: tuple[str, ...] = ()


Chain: TypeAlias = Generator[Any, Outcome, None]


class Seat(Protocol):
    """Where one worker sits, at a time."""

    def begin(self) -> Future[Any]:
        """Lets the worker begin."""

    def do(self, task: Any) -> Future[Outcome]:
        """Lets the worker do a task."""

    def again(self) -> None:
        """Another worker takes the seat of one that died, and begins."""


def perform(worker: Worker, task: Any, tell: Tell, *, keep_bugs: bool = True) -> Outcome:
    """Lets a worker do a task; whatever goes wrong is an outcome, and so are bugs where they are kept."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DreamkitWarning)
        value, refused, where = None, None, ""
        try:
            value = worker.do(task, tell)
        except Interrupted:
            raise
        except DreamkitError as error:
            refused = error
        except Exception as error:
            if not keep_bugs:
                raise
            refused = WorkersError(f"{type(error).__name__}: {first_line(error)}")
            where = traceback.format_exc()
    said = [str(each.message) for each in caught if issubclass(each.category, DreamkitWarning)]
    return Outcome(value, refused, where, tuple(dict.fromkeys(said)))


def run(seats: Sequence[Seat], chains: Iterable[Chain], lost: tuple[type[BaseException], ...]) -> None:
    """Does all chains. `lost` is what a future raises whose worker died; such a task is tried again.

    A chain is begun when a seat is free for it, so that it may hold what it needs only from then on.

    Raises:
        DreamkitError: no worker could begin.
    """
    waiting = iter(chains)
    more = True
    free: list[Seat] = []
    beginning: dict[Future[Any], tuple[Seat, int]] = {}
    at_work: dict[Future[Outcome], tuple[Seat, Chain, Any, int]] = {}
    ended: SimpleQueue[Future[Any]] = SimpleQueue()  # one look at a time, however many there are

    def begin(seat: Seat, tries: int) -> None:
        future = seat.begin()
        beginning[future] = seat, tries
        future.add_done_callback(ended.put)

    def give(seat: Seat, chain: Chain, task: Any, tries: int) -> None:
        future = seat.do(task)
        at_work[future] = seat, chain, task, tries
        future.add_done_callback(ended.put)

    for each in seats:
        begin(each, 1)
    while True:
        while free and more:
            chain = next(waiting, None)
            more = chain is not None
            task = next(chain, None) if chain is not None else None
            if chain is not None and task is not None:
                give(free.pop(), chain, task, 1)
        if not more and not at_work:
            return
        if not beginning and not at_work:
            raise WorkersError("every worker died while it began; there may be too little memory for them")
        future = ended.get()
        if future in beginning:
            seat, tries = beginning.pop(future)
            try:
                future.result()
                free.append(seat)
            except lost:
                if tries < TRIES:
                    seat.again()
                    begin(seat, tries + 1)
            continue
        seat, chain, task, tries = at_work.pop(future)
        try:
            outcome = future.result()
        except lost as error:
            seat.again()
            if tries < TRIES:
                give(seat, chain, task, tries + 1)
                continue
            outcome = Outcome(error=WorkersError(f"{tries} workers died of it ({first_line(error)[:120]})"))
        try:
            task = chain.send(outcome)
        except StopIteration:
            free.append(seat)
        else:
            give(seat, chain, task, 1)
