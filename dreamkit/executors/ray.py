"""Workers on a Ray cluster: actors, which Ray places by CPUs, GPUs and memory, and restarts if they crash."""

from __future__ import annotations

import logging
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from dreamkit import recipes
from dreamkit.errors import ConfigError, first_line
from dreamkit.executors import scheduler
from dreamkit.executors.scheduler import (
    TRIES,
    OnEvent,
    TaskChain,
    TaskResult,
    Worker,
    WorkersError,
    perform,
)
from dreamkit.installation import extra_command

_PATIENCE = 10  # seconds for a cluster to answer
_EVERY = 1.0  # seconds between two messages of a worker with its events


class Cluster:
    """A Ray cluster, which this process has joined until `leave`."""

    def __init__(self, address: str) -> None:
        """Joins the cluster at `address`, which is `auto` or HOST:PORT.

        Raises:
            WorkersError: Ray is not installed, or there is no cluster.
        """
        try:
            import ray
        except ImportError as error:
            raise WorkersError(
                f"--engine ray needs Ray, which is not installed; run: {extra_command('scale')}"
            ) from error
        try:
            resolved = _address() if address == "auto" else address
            host, _, port = resolved.rpartition(":")
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
            ray.init(address=resolved, logging_level=logging.ERROR, log_to_driver=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise WorkersError(
                f"there is no Ray cluster at {address} ({first_line(error)[:120]}); start one with "
                "`ray start --head`, or say where it is with --address HOST:PORT"
            ) from error
        untyped: Any = ray  # `cluster_resources` has no types
        resources = untyped.cluster_resources()
        self.cpus, self.gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))

    def run(
        self,
        worker: Worker,
        chains: Iterable[TaskChain],
        on_event: OnEvent,
        *,
        tasks: int,
        memory: int,
        jobs: int | None = None,
        threads: int = 1,
    ) -> int:
        """Does `chains` with as many workers as the cluster has CPUs or GPUs for; returns how many.

        Args:
            worker: is copied to each actor.
            chains: of all tasks.
            on_event: is called with the events of all workers, in a thread of its own.
            tasks: how many there are to do.
            memory: of a worker, in bytes.
            jobs: workers; None for as many as there is room for.
            threads: of each worker, a CPU for each thread.

        Raises:
            DreamkitError: a worker cannot begin.
        """
        import ray
        from ray.util.queue import Queue

        if jobs is not None and jobs < 1:
            raise ConfigError(f"jobs is {jobs}; it takes a whole number, at least 1")
        jobs = jobs or max(1, min(tasks, self.gpus or self.cpus // threads))
        events = Queue(actor_options={"num_cpus": 0})
        forwarder = Thread(target=_forward, args=(events, on_event), daemon=True)
        forwarder.start()
        actor = ray.remote(
            num_cpus=threads,
            num_gpus=1 if self.gpus else 0,
            memory=memory,
            max_restarts=-1,
            max_task_retries=TRIES,
        )(_Actor)
        stored = ray.put(worker)  # once for all actors, restarted ones too
        slots = [_RaySlot(actor.remote(stored, threads, events, recipes.versions())) for _ in range(jobs)]
        try:
            scheduler.run(slots, chains, (ray.exceptions.RayActorError,))
        finally:
            for slot in slots:
                slot.kill()
            with suppress(Exception):  # as in `kill`
                events.put(None)
                forwarder.join(timeout=_PATIENCE)
                events.shutdown(force=True)
        return jobs

    def leave(self) -> None:
        """Leaves the cluster."""
        import ray

        ray.shutdown()


def _address() -> str:
    """Where Ray says that a cluster is. Ray itself would wait minutes for one that is gone."""
    given = os.environ.get("RAY_ADDRESS")
    file = _address_file()
    if not given and not file.is_file():
        raise ConnectionError("none was started on this machine")
    return given or file.read_text(encoding="utf-8").strip()


def _address_file() -> Path:
    """Where Ray writes the address of a cluster that was started on this machine."""
    folder = os.environ.get("RAY_TMPDIR")
    if folder is None and sys.platform.startswith("linux"):
        folder = os.environ.get("TMPDIR")
    if folder is None:
        folder = "/tmp" if sys.platform.startswith(("linux", "darwin")) else tempfile.gettempdir()
    return Path(folder, "ray", "ray_current_cluster")


class _RaySlot:
    """A slot with an actor of its own."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def begin(self) -> Future[Any]:
        return _future(self._actor.begin.remote())

    def do(self, task: Any) -> Future[Any]:
        return _future(self._actor.do.remote(task))

    def restart(self) -> None:
        """Ray has restarted the actor."""

    def kill(self) -> None:
        import ray

        with suppress(Exception):  # the actor may be gone, and so may the cluster
            ray.kill(self._actor)


def _future(reference: Any) -> Future[Any]:
    """A reference as a future, which raises what the worker raised."""
    import ray

    known: Future[Any] = Future()
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
    """Runs a worker in a process of the cluster."""

    def __init__(self, worker: Worker, threads: int, events: Any, versions: dict[str, str]) -> None:
        self._worker, self._threads, self._events = worker, threads, events
        self._versions = versions
        self._has_begun = False
        self._unsent: list[Any] = []
        self._sent_at = time.monotonic()

    def begin(self) -> None:
        if self._has_begun:
            return
        _check_versions(self._versions)
        from dreamkit.engine import process

        process.own()
        from dreamkit.engine.tf import private

        private.limit_threads(self._threads)
        self._worker.begin()
        self._has_begun = True

    def do(self, task: Any) -> TaskResult:
        self.begin()  # Ray may have restarted the actor for this task
        try:
            return perform(self._worker, task, self._on_event)
        finally:
            self._send()

    def _on_event(self, event: Any) -> None:
        """Sends events together, now and then, because one thread receives those of all workers."""
        self._unsent.append(event)
        if time.monotonic() - self._sent_at > _EVERY:
            self._send()

    def _send(self) -> None:
        if self._unsent:
            self._events.actor.put_nowait.remote(self._unsent)
        self._unsent, self._sent_at = [], time.monotonic()


def _check_versions(expected: dict[str, str]) -> None:
    """Makes sure that this node computes with the versions of the command's machine."""
    here = recipes.versions()
    different = [
        f"{name} {here.get(name)}, not {version}"
        for name, version in expected.items()
        if here.get(name) != version
    ]
    if different:
        raise WorkersError(
            f"the node {platform.node()} has {' and '.join(different)}; install the same versions there"
        )


def _forward(events: Any, on_event: OnEvent) -> None:
    with suppress(Exception):  # the cluster may be gone
        while (some := events.get()) is not None:
            for event in some:
                on_event(event)
