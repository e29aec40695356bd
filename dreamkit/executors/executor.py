"""Which executor does the tasks of a command, and with how many workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dreamkit.errors import ConfigError
from dreamkit.executors import local, pool_size
from dreamkit.executors.scheduler import OnEvent, TaskChain, Worker, perform

NAMES = ("local", "ray")
AUTO = "auto"


@dataclass(frozen=True)
class Executor:
    """Which executor, and how many workers.

    Attributes:
        name: `local`, processes of this machine, or `ray`, a cluster.
        address: of the cluster.
        jobs: workers; None for the fastest number that fits.
        threads: of each worker; None for the fastest number.

    Raises:
        ConfigError: the name is unknown.
    """

    name: str = "local"
    address: str = AUTO
    jobs: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ConfigError(f"engine is {self.name!r}; choose {' or '.join(NAMES)}")

    def run(
        self,
        worker: Worker,
        chains: Iterable[TaskChain],
        on_event: OnEvent,
        *,
        tasks: int,
        total: int | None = None,
        memory: int = local.BASE,
    ) -> tuple[int, int]:
        """Does `chains`.

        Args:
            worker: is copied to each process.
            chains: of all tasks.
            on_event: is called with the events of all workers, in any thread.
            tasks: how many there are to do.
            total: how many there were before some were finished; the number of threads follows from it.
            memory: of a worker, in bytes.

        Returns:
            How many jobs there were, and threads of each.

        Raises:
            DreamkitError: no worker can begin.
        """
        if self.name == "ray":
            from dreamkit.executors.ray import Cluster

            threads = self.threads or 1
            cluster = Cluster(self.address)
            try:
                jobs = cluster.run(
                    worker, chains, on_event, tasks=tasks, memory=memory, jobs=self.jobs, threads=threads
                )
            finally:
                cluster.leave()
            return jobs, threads
        size = pool_size.fastest(tasks, memory, self.jobs, self.threads, total=total)
        local.run(size, worker, chains, on_event)
        return size.jobs, size.threads

    def threads_of_each(self, tasks: int, memory: int = local.BASE) -> int:
        """How many threads each worker has that `run` starts for so many tasks."""
        if self.name == "ray":
            return self.threads or 1
        return pool_size.fastest(tasks, memory, self.jobs, self.threads).threads


def run_here(worker: Worker, chains: Iterable[TaskChain], on_event: OnEvent) -> None:
    """Does `chains` one after another in this process. Bugs are raised as they are."""
    worker.begin()
    for chain in chains:
        task = next(chain, None)
        while task is not None:
            try:
                task = chain.send(perform(worker, task, on_event, keep_bugs=False))
            except StopIteration:
                task = None
