"""The options by which a command says who works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit.errors import UsageError

if TYPE_CHECKING:
    from dreamkit.executors.executor import Engine

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Who works: local, processes on this machine; ray, a Ray cluster.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="auto|HOST:PORT", help="Where the Ray cluster is. Default: auto."),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", help="How many work beside each other. Default: the fastest that fits.", min=1),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", help="Threads of each. Default: the cores, shared out.", min=1),
]


def usual() -> Engine:
    """The engine of a command that always has one."""
    from dreamkit.executors.executor import Engine

    return Engine()


def asked(name: str | None, address: str | None, jobs: int | None, threads: int | None) -> Engine | None:
    """The engine that a command line asks for; None where it asks for none."""
    if (name, address, jobs, threads) == (None,) * 4:
        return None
    from dreamkit.executors.executor import AUTO, Engine

    if address is not None and name != "ray":
        raise UsageError(f"--address {address} is where a Ray cluster is; give --engine ray with it")
    return Engine(name or "local", address or AUTO, jobs, threads)
