"""Processor time of the light commands, against importing typer and rich alone.

python tests/benchmarks/bench_start.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

BASELINE = ["-c", "import typer, rich"]
COMMANDS = (["--help"], ["models"], ["plugins"], ["dream", "--octaves", "x"])


def processor_time(arguments: list[str]) -> float:
    """User and system seconds of one fresh Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int = 9) -> None:
    times: dict[str, list[float]] = {}
    for _ in range(rounds + 1):  # the first fills the disk cache
        times.setdefault("import typer, rich", []).append(processor_time(BASELINE))
        for command in COMMANDS:
            times.setdefault(f"dreamkit {' '.join(command)}", []).append(
                processor_time(["-m", "dreamkit", *command])
            )
    base = statistics.median(times["import typer, rich"][1:])
    for name, seconds in times.items():
        median = statistics.median(seconds[1:])
        print(
            f"{name:28} {median:.3f} s ({min(seconds[1:]):.3f} to {max(seconds[1:]):.3f}), "
            f"{median / base:.2f} times"
        )


if __name__ == "__main__":
    main()
