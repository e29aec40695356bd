"""The engines: who does the work that a command has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dreamkit.errors import ConfigError
from dreamkit.executors import local
from dreamkit.executors.scheduler import Chain, Tell, Worker, perform

NAMES = ("local", "ray")
AUTO = "auto"


@dataclass(frozen=True)
class Engine:
    """Who works, and how many.

    Attributes:
        name: `local`, processes of this machine, or `ray`, a cluster.
        address: of the cluster.
        jobs, threads: of them, and of each; None for the fastest that fits.

    Raises:
        ConfigError: there is no such engine.
    """

    name: str = "local"
    address: str = AUTO
    jobs: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ConfigError(f"engine is {self.name!r}; choose {' or '.join(NAMES)}")

    def work(
        self,
        worker: Worker,
        chains: Iterable[Chain],
        tell: Tell,
        *,
        tasks: int,
        of: int | None = None,
        needed: int = local.BASE,
    ) -> tuple[int, int]:
        """Does `chains`, of so many tasks, by workers that take `needed` bytes each.

        `of` is how many there were before some were finished: threads go by it, so that those of a run that
        goes on are those of its beginning, and so are the bytes.

        Returns how many jobs there were, and threads of each.

        Raises:
            DreamkitError: no worker can begin.
        """
        if self.name == "ray":
            from dreamkit.executors.ray import Cluster

            threads = self.threads or 1
            cluster = Cluster(self.address)
            try:
                jobs = cluster.work(
                    worker, chains, tell, tasks=tasks, each=needed, jobs=self.jobs, threads=threads
                )
            finally:
                cluster.leave()
            return jobs, threads
        crew = local.crew(tasks, needed, self.jobs, self.threads, of=of)
        local.work(crew, worker, chains, tell)
        return crew.jobs, crew.threads


def here(worker: Worker, chains: Iterable[Chain], tell: Tell) -> None:
    """Does `chains` one after another in this process. A bug goes up as it is."""
    worker.begin()
    for chain in chains:
        task = next(chain, None)
        while task is not None:
            try:
                task = chain.send(perform(worker, task, tell, keep_bugs=False))
            except StopIteration:
                task = None
