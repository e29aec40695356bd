"""Where the time of a command goes, as `dreamkit dream --profile` shows it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, TypeVar

STARTING = "starting Python and dreamkit"
READING = "reading the inputs"
IMPORT = "importing TensorFlow"
HASHING = "hashing the weights"
BUILDING = "building the network"
TRACING = "tracing and differentiating"
FILLING = "filling the packaged step"
CACHE = "reading and writing the cache"
FIRST_STEP, OTHER_STEPS = "first step", "other steps"
RESIZING = "resizing between octaves"
WRITING = "writing"
REST = "the rest"
Item = TypeVar("Item")


class Part(NamedTuple):
    """What some of the time was spent on.

    Attributes:
        what: it was.
        times: how many spans of time there were.
        median: of these, in seconds.
        seconds: in all.
        share: of the command's time.
    """

    what: str
    times: int
    median: float
    seconds: float
    share: float


class Unmeasured:
    """No profile: nothing is measured."""

    def span(self, _what: str) -> AbstractContextManager[None]:
        """See `Profile.span`."""
        return nullcontext()

    def steps(self, items: Iterable[Item]) -> Iterable[Item]:
        """See `Profile.steps`."""
        return items


class Profile(Unmeasured):
    """Spans of time by what they were spent on, from the process's start to `parts`.

    Spans belong to the thread that the command runs in.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spans: dict[str, list[float]] = {STARTING: [time.process_time()]}
        self._inside: list[float] = []  # of each open span: the time of the spans in it

    @contextmanager
    def span(self, what: str) -> Iterator[None]:
        """Measures a span. What is spent in a span inside it counts for that one alone."""
        spans = self._spans.setdefault(what, [])
        self._inside.append(0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            spans.append(seconds - self._inside.pop())
            if self._inside:
                self._inside[-1] += seconds

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items of a loop over steps. What passes until the next one is asked for is a step's time."""
        for item in items:
            with self.span(OTHER_STEPS if FIRST_STEP in self._spans else FIRST_STEP):
                yield item

    @property
    def is_cold(self) -> bool:
        """Whether a step was made, because it was not in the cache."""
        return not self._spans.keys().isdisjoint({TRACING, FILLING})

    def parts(self) -> list[Part]:
        """What the time was spent on until now; the last part is the rest."""
        from statistics import median  # of which no other command has a use

        total = self._spans[STARTING][0] + time.perf_counter() - self._began
        spans = {**self._spans, REST: [total - sum(map(sum, self._spans.values()))]}
        return [
            Part(what, len(each), median(each), sum(each), sum(each) / total)
            for what, each in spans.items()
            if each
        ]


OFF = Unmeasured()
