"""Workers on a Ray cluster: actors, which Ray places, counts the CPUs and GPUs of, and starts again."""

from __future__ import annotations

import logging
import os
import platform
import socket
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from dreamkit import recipes
from dreamkit.errors import ConfigError, first_line
from dreamkit.executors.scheduler import TRIES, Chain, Outcome, Tell, Worker, WorkersError, perform, run

_PATIENCE = 10  # seconds for a cluster to answer
_EVERY = 1.0  # seconds between what a worker tells of


class Cluster:
    """A Ray cluster that is joined until `leave`."""

    def __init__(self, address: str) -> None:
        """Joins the cluster at `address`, which is `auto` or HOST:PORT.

        Raises:
            WorkersError: Ray is not installed, or no cluster is there.
        """
        try:
            import ray
        except ImportError as error:
            raise WorkersError(
                "--engine ray needs Ray, which is not installed; pip install 'dreamkit[scale]'"
            ) from error
        try:
            found_at = _address() if address == "auto" else address
            host, _, port = found_at.rpartition(":")
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
            ray.init(address=found_at, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkersError(
                f"there is no Ray cluster at {address} ({first_line(error)[:120]}); start one with "
                "`ray start --head`, or say where it is with --address HOST:PORT"
            ) from error
        typed: Any = ray  # which this function of it is not
        found = typed.cluster_resources()
        self.cpus, self.gpus = int(found.get("CPU", 0)), int(found.get("GPU", 0))

    def work(
        self,
        worker: Worker,
        chains: Iterable[Chain],
        tell: Tell,
        *,
        tasks: int,
        each: int,
        jobs: int | None = None,
        threads: int = 1,
    ) -> int:
        """Does `chains` by as many workers as the cluster has CPUs or GPUs for; returns how many.

        Raises:
            DreamkitError: the workers cannot begin.
        """
        import ray
        from ray.util.queue import Queue

        if jobs is not None and jobs < 1:
            raise ConfigError(f"jobs is {jobs}; it takes a whole number, at least 1")
        jobs = jobs or max(1, min(tasks, self.gpus or self.cpus // threads))
        heard = Queue(actor_options={"num_cpus": 0})
        listener = Thread(target=_listen, args=(heard, tell), daemon=True)
        listener.start()
        actor = ray.remote(
            num_cpus=threads,
            num_gpus=1 if self.gpus else 0,
            memory=each,
            max_restarts=-1,
            max_task_retries=TRIES,
        )(_Actor)
        held = ray.put(worker)  # once for all of them, and for those that Ray starts again
        seats = [_Seat(actor.remote(held, threads, heard, recipes.versions())) for _ in range(jobs)]
        try:
            run(seats, chains, (ray.exceptions.RayActorError,))
        finally:
            for seat in seats:
                seat.leave()
            with suppress(Exception):  # as in `leave`
                heard.put(None)
                listener.join(timeout=_PATIENCE)
                heard.shutdown(force=True)
        return jobs

    def leave(self) -> None:
        """Leaves the cluster."""
        import ray

        ray.shutdown()


def _address() -> str:
    """Where Ray says that a cluster is. Ray itself would wait for minutes for one that is gone."""
    said = os.environ.get("RAY_ADDRESS")
    noted = Path(os.environ.get("RAY_TMPDIR", "/tmp/ray")) / "ray_current_cluster"
    if not said and not noted.is_file():
        raise ConnectionError("Ray knows of none here")
    return said or noted.read_text(encoding="utf-8").strip()


class _Seat:
    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self) -> Future[Outcome]:
        return _future(self._actor.begin.remote())

    def do(self, task: Any) -> Future[Outcome]:
        return _future(self._actor.do.remote(task))

    def again(self) -> None:
        """Ray has done so."""

    def leave(self) -> None:
        import ray

        with suppress(Exception):  # it may be gone, and so may the cluster
            ray.kill(self._actor)


def _future(reference: Any) -> Future[Outcome]:
    """A reference as a future; what a worker raised is raised as it was."""
    import ray

    known: Future[Outcome] = Future()
    known.set_running_or_notify_cancel()

    def ended(future: Future[Any]) -> None:
        error = future.exception()
        if isinstance(error, ray.exceptions.RayTaskError):
            error = error.cause
        if error is not None:
            known.set_exception(error)
        else:
            known.set_result(future.result())

    reference.future().add_done_callback(ended)
    return known


class _Actor:
    """What sits in a process of the cluster. Begun again where Ray had to start it again."""

    def __init__(self, worker: Worker, threads: int, heard: Any, versions: dict[str, str]) -> None:
        self._worker, self._threads, self._heard = worker, threads, heard
        self._versions = versions
        self._begun = False
        self._untold: list[Any] = []
        self._told = time.monotonic()

    def begin(self) -> Outcome:
        if not self._begun:
            here = recipes.versions()
            others = [
                f"{name} {here.get(name)}, not {each}"
                for name, each in self._versions.items()
                if here.get(name) != each
            ]
            if others:
                raise WorkersError(
                    f"the node {platform.node()} has {' and '.join(others)}; install the same versions there"
                )
            from dreamkit.engine.tf import threads

            threads.limit(self._threads)
            self._worker.begin()
            self._begun = True
        return Outcome()

    def do(self, task: Any) -> Outcome:
        self.begin()
        try:
            return perform(self._worker, task, self._tell)
        finally:
            self._send()

    def _tell(self, event: Any) -> None:
        """Events go together, now and then: all workers' go through one ear."""
        self._untold.append(event)
        if time.monotonic() - self._told > _EVERY:
            self._send()

    def _send(self) -> None:
        if self._untold:
            self._heard.actor.put_nowait.remote(self._untold)
        self._untold, self._told = [], time.monotonic()


def _listen(heard: Any, tell: Tell) -> None:
    with suppress(Exception):  # the cluster may be gone
        while (events := heard.get()) is not None:
            for event in events:
                tell(event)
