"""dreamkit beside a loop of PyTorch on a GPU: the same network, weights and job, in turn.

    python tests/benchmarks/gpu.py --weights inception_v3.h5 --torch-python PYTHON

PYTHON is of an environment whose PyTorch has the card; without it, its rows are missing. Takes about ten
minutes. Prints a table for docs/performance.md, which names the card. Without a GPU all of it runs on the
processor, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import environment
import tables
from loops.inception_v3 import gflop
from loops.job import Job
from measuring import Loop, LoopError, compare, printed

SIZES, QUICK_SIZES = (512, 1024, 2048), (100,)
STEPS, ROUNDS = 20, 3
COMMAND = {"size": 1024, "octaves": 3, "steps": 10}
QUICK_COMMAND = {"size": 120, "octaves": 2, "scale": 1.2, "steps": 2}
XLA = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2"}
WHOLE = "whole"  # the job that is a whole command
HALF = 0.8  # the least cosine of a gradient in 16 bits with that in 32
TORCH = {
    "nchw": "PyTorch",
    "channels-last": "PyTorch, channels last, folded",
    "channels-last+half": "the same in 16 bits",
    "channels-last+half+compiled": "the same, compiled",
}
Runs = dict[str, list[dict[str, Any]]]


def loops_of(weights: str, torch_python: str | None, folder: Path) -> list[Loop]:
    """The loops, ours first; files made for them are put into `folder`. All see the card."""
    seen = {"CUDA_VISIBLE_DEVICES": "0", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    home = {**seen, "DREAMKIT_HOME": str(folder / "home")}
    ours = Loop("dreamkit", "ours", sys.executable, weights, environment=home)
    loops = [
        ours,
        replace(ours, name="dreamkit, mixed precision", variant="mixed", least_cosine=HALF),
        replace(ours, name="the same, XLA", variant="mixed", least_cosine=HALF, environment={**home, **XLA}),
    ]
    if torch_python is None:
        return loops
    arrays = str(folder / "inception_v3.npz")
    printed(sys.executable, "export", "inception_v3", weights, arrays)
    torch = [
        Loop(name, "pytorch", torch_python, arrays, variant, seen, HALF if "half" in variant else 0.999)
        for variant, name in TORCH.items()
    ]
    return loops + torch


def measure(loops: Sequence[Loop], jobs: Mapping[str, Any], rounds: int) -> dict[str, Runs]:
    """The runs of each loop by job, round by round, with the loops in turn."""
    found: dict[str, Runs] = {job: {loop.name: [] for loop in loops} for job in jobs}
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds}", file=sys.stderr)
        for job, asked in jobs.items():
            for loop in loops:
                found[job][loop.name].append(loop.run(**asked))
    return found


def report(found: Mapping[str, Runs], in_half: set[str], speeds: Mapping[str, Any]) -> str:
    """All tables as Markdown; the loops `in_half` compute in 16 bits."""
    card = speeds["card"] or "the processor, because there is no GPU"
    parts = [
        f"Measured on {card}. Its product of two matrices makes {speeds['float32']:.0f} GFLOP/s in 32 bits "
        f"and {speeds['half']:.0f} in 16."
    ]
    head = ("loop", "seconds a step", "times dreamkit's", "of the matrix product's speed", "GPU memory, MB")
    for job, runs in found.items():
        if job != WHOLE:
            rows = _rows(runs, gflop(Job.layers, int(job)), in_half, speeds)
            parts.append(f"One step, {job} x {job} pixels:\n\n{tables.markdown(head, rows)}")
    walls = {name: [run["wall"] for run in each] for name, each in found[WHOLE].items()}
    spreads = (
        (name, tables.spread(each), tables.ratios(each, walls["dreamkit"])) for name, each in walls.items()
    )
    table = tables.markdown(("loop", "seconds", "times dreamkit's"), spreads)
    return "\n\n".join([*parts, f"The whole command, warm:\n\n{table}"])


def _rows(runs: Runs, work: float, in_half: set[str], speeds: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    seconds = {name: list(map(tables.step_seconds, each)) for name, each in runs.items()}
    for name, each in seconds.items():
        speed = speeds["half" if name in in_half else "float32"]
        memory = [run["card_mb"] for run in runs[name] if run["card_mb"] is not None]
        yield (
            name,
            tables.spread(each, 4),
            tables.ratios(each, seconds["dreamkit"]),
            f"{work / statistics.median(each) / speed:.0%}",
            f"{max(memory):.0f}" if memory else "-",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", required=True, type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--torch-python", help="with a PyTorch that has the card")
    parser.add_argument("--quick", action="store_true", help="one round, small and short")
    given = parser.parse_args()
    python = given.torch_python
    if python is not None and not environment.has(Path(python), "torch"):
        parser.error(f"{python} has no PyTorch")
    sizes, steps, rounds = (QUICK_SIZES, 2, 1) if given.quick else (SIZES, STEPS, ROUNDS)
    jobs: dict[str, Any] = {str(size): {"size": size, "steps": tables.WARM_UP + steps} for size in sizes}
    jobs[WHOLE] = QUICK_COMMAND if given.quick else COMMAND
    with tempfile.TemporaryDirectory() as temporary:
        loops = loops_of(given.weights, python, Path(temporary))
        speeds = json.loads(printed(sys.executable, "matrices", **loops[0].environment))
        compare(loops, sizes[0], Path(temporary))
        for loop in loops:
            loop.run(**jobs[WHOLE])  # fills what a first run leaves behind
        found = measure(loops, jobs, rounds)
    print(report(found, {loop.name for loop in loops if loop.least_cosine == HALF}, speeds))


if __name__ == "__main__":
    try:
        main()
    except LoopError as error:
        sys.exit(str(error))
