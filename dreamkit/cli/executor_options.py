"""The options that choose the executor: `--engine`, `--address`, `--jobs` and `--threads`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit.errors import UsageError

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Where the work is done: local, by processes on this machine; ray, on a Ray cluster.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="auto|HOST:PORT", help="Where the Ray cluster is. Default: auto."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        help="How many processes dream at the same time. Default: the fastest number that fits; 1 for a film "
        "without --threads, --engine and --address.",
        min=1,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", help="Threads of each process. Default: the cores, divided by the jobs.", min=1
    ),
]


def default() -> Executor:
    """The executor of a command that always has one."""
    from dreamkit.executors.executor import Executor

    return Executor()


def chosen(name: str | None, address: str | None, jobs: int | None, threads: int | None) -> Executor | None:
    """The executor that a command line chooses; None if it has none of these options.

    Raises:
        UsageError: there is an address, but the executor is not Ray.
        ConfigError: the executor is unknown.
    """
    if (name, address, jobs, threads) == (None,) * 4:
        return None
    from dreamkit.executors.executor import AUTO, Executor

    if address is not None and name != "ray":
        raise UsageError(f"--address {address} is where a Ray cluster is; give --engine ray with it")
    return Executor(name or "local", address or AUTO, jobs, threads)
