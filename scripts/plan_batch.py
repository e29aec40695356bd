"""Plans a large batch on a cluster from the report of a small batch:

python scripts/plan_batch.py dreams/_dreamkit/report.json --pictures 1000000 --hours 24 --price 0.04

The small batch must have the options, the kind of machine and the `--threads` of the large one, as many
`--jobs` as that machine has cores for, and a few dozen pictures like the others.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster: its cores, and its memory in bytes."""

    cores: int
    memory: int


@dataclass(frozen=True)
class Plan:
    """What a batch needs.

    Attributes:
        workers: on each machine.
        machines: how many are needed.
        hours: how long they take, the start of the workers included.
        cost: of all cores for that long, in the unit of the price.
        rate: dreams a second of all machines; the command must hand out as many pictures.
        limit: of the number of workers on a machine, `cores` or `memory`.
    """

    workers: int
    machines: int
    hours: float
    cost: float
    rate: float
    limit: str


def plan(
    report: Mapping[str, Any], machine: Machine, *, pictures: int, hours: float, price: float, start: float
) -> Plan:
    """The fewest machines that dream so many pictures in so many hours.

    Args:
        report: of a finished batch, as `dreamkit batch --json` prints it.
        machine: each machine of the cluster.
        pictures: how many there are.
        hours: how long it may take.
        price: of a core for an hour.
        start: seconds until a worker has loaded its network.

    Raises:
        ValueError: a machine has no room for a worker, or the workers take all the hours to start.
    """
    by_cores = machine.cores // report["threads"]
    by_memory = machine.memory // report["memory_of_a_worker"]
    workers = min(by_cores, by_memory)
    if not workers:
        raise ValueError(
            f"a machine has no room for a worker of {report['threads']} threads and "
            f"{report['memory_of_a_worker'] / 1e9:.1f} GB"
        )
    left = 3600 * hours - start
    if left <= 0:
        raise ValueError(
            f"the workers take {start:.0f} s to start, and the batch may take {3600 * hours:.0f} s"
        )
    seconds = report["seconds_per_picture"]
    machines = max(1, math.ceil(pictures * seconds / (left * workers)))
    # The last pictures of all workers do not end together.
    took = start + math.ceil(pictures / (machines * workers)) * seconds
    return Plan(
        workers,
        machines,
        took / 3600,
        machines * machine.cores * took / 3600 * price,
        machines * workers / seconds,
        "memory" if by_memory < by_cores else "cores",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--memory", type=float, default=32.0, help="GB of a machine")
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument(
        "--start", type=float, default=60.0, help="seconds until a worker has loaded its network"
    )
    parser.add_argument("--megabytes", type=float, default=0.1, help="of a picture")
    parser.add_argument(
        "--driver", type=float, default=500.0, help="pictures a second that the command can hand out"
    )
    given = parser.parse_args()
    report = json.loads(given.report.read_text(encoding="utf-8"))
    if not report["dreamed"]:
        parser.error(
            f"{given.report} is the report of a batch that dreamed nothing; dream a few dozen pictures"
        )
    try:
        found = plan(
            report,
            Machine(given.cores, round(given.memory * 1e9)),
            pictures=given.pictures,
            hours=given.hours,
            price=given.price,
            start=given.start,
        )
    except ValueError as error:
        parser.error(str(error))
    print(
        f"{given.pictures} pictures of {report['seconds_per_picture']:.2f} s, threads: {report['threads']}\n"
        f"  {found.machines} machines of {given.cores} cores, each with {found.workers} workers "
        f"(limited by {found.limit})\n"
        f"  {found.hours:.1f} hours\n"
        f"  {found.cost:.0f} at {given.price:g} for a core-hour\n"
        f"  {found.rate:.0f} pictures a second handed out by one command, which can do {given.driver:.0f}\n"
        f"  {found.rate * given.megabytes:.0f} MB/s of photographs through the command, unless they are URLs"
    )


if __name__ == "__main__":
    main()
