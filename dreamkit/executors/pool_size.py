"""How many processes work on this machine: by its cores, its GPUs and its free memory."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from dreamkit.engine import process
from dreamkit.errors import ConfigError
from dreamkit.media import free_memory


@dataclass(frozen=True)
class PoolSize:
    """How many processes there are, and threads in each.

    Attributes:
        jobs: processes.
        threads: TensorFlow's in each process.
        gpus: of this machine; each process sees one of them.
    """

    jobs: int
    threads: int
    gpus: int = 0


def fastest(
    tasks: int, memory: int, jobs: int | None = None, threads: int | None = None, *, total: int | None = None
) -> PoolSize:
    """The fastest pool for so many tasks: a process for each core or GPU, as far as memory goes.

    Several processes of one thread are faster than one process of several threads, because parts of a step
    run on one thread.

    Args:
        tasks: how many there are to do.
        memory: of a process, in bytes.
        jobs, threads: where they are given.
        total: how many tasks there were before some were finished. The threads follow from it, because the
            bytes of a dream depend on them.

    Raises:
        ConfigError: jobs or threads are below 1.
    """
    for name, given in (("jobs", jobs), ("threads", threads)):
        if given is not None and given < 1:
            raise ConfigError(f"{name} is {given}; it takes a whole number, at least 1")
    cores, gpus = process.cores(), _gpus()
    if jobs is None:
        jobs = gpus or max(1, cores // (threads or 1))
        jobs = max(1, min(jobs, total or tasks, free_memory.available() // memory))
    threads = threads or max(1, cores // jobs)
    return PoolSize(min(jobs, max(1, tasks)), threads, gpus)


def _gpus() -> int:
    """NVIDIA's, on Linux: TensorFlow supports no others."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip() not in ("", "-1")])
    with contextlib.suppress(OSError):
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    return 0
