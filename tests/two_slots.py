"""An executor for tests of films: it dreams two scenes in turn, in this process."""

from __future__ import annotations

from concurrent.futures import Future

from dreamkit.executors import scheduler
from dreamkit.executors.executor import Executor


class TwoSlots(Executor):
    """An executor of this process, which dreams two scenes in turn."""

    def run(self, worker, chains, *_, **__):
        scheduler.run([_SlotHere(worker), _SlotHere(worker)], chains, ())


class _SlotHere:
    def __init__(self, worker):
        self.worker = worker

    def begin(self):
        return self._ended(self.worker.begin())

    def do(self, task):
        return self._ended(scheduler.perform(self.worker, task, print))

    def _ended(self, value):
        future = Future()
        future.set_result(value)
        return future
