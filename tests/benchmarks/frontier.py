"""What a second buys: how far each loop gets in how long.

    python tests/benchmarks/frontier.py --weights inception_v3.h5

Two tables for docs/performance.md. The first has every loop of `bench.py` on the same job by Inception v3,
with more and more steps. The second has a picture of 12 megapixels by pocket, with the steps of large
octaves as dreamkit chooses them and in two other ways. The objective is that of the finished picture, at full
size and made smaller, as a multiple of the photograph's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import bench
import environment
import tables
from loops.job import Job, picture
from loops.keras_networks import layers_of, objective_of
from loops.networks import TASKS
from measuring import LoopError

PAGE = bench.PAGE
COMMAND = {"size": 393, "octaves": 3}
STEPS, QUICK_STEPS = (3, 10, 30), (2,)
LARGE, QUICK_LARGE = 3464, 600  # the side of a picture of 12 megapixels
VIEWS = (1, 2, 4)  # how many times smaller the picture is looked at
TILE = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", required=True, type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, small and short; writes no page")
    given = parser.parse_args()
    python = environment.python_in(environment.TORCH)
    torch = str(python) if environment.has(python, "torch") else None
    rounds, steps, side = (1, QUICK_STEPS, QUICK_LARGE) if given.quick else (given.rounds, STEPS, LARGE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        loops = bench.loops_of("inception_v3", given.weights, torch, folder)
        pocket = bench.loops_of("pocket", None, None, folder)[0]
        text = f"""Seconds of whole commands, warm, at {COMMAND["size"]} x {COMMAND["size"]} pixels,
{COMMAND["octaves"]} octaves; rounds: {rounds}. The last number is the picture's objective, as a multiple of
the photograph's:

{tables.markdown(["loop", *(f"{n} steps" for n in steps)], _of_loops(loops, steps, rounds, folder))}

pocket's default dream of {side} x {side} pixels, with other steps in the octaves of more than a megapixel;
once each:

{tables.markdown(["steps", "seconds", *(f"1/{n}" for n in VIEWS)], _of_large(pocket, side, folder))}"""
    print(text)
    if not given.quick:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(tables.replace_between(page, text, tables.FRONTIER), encoding="utf-8")


def _of_loops(
    loops: Sequence[bench.Loop], steps: Sequence[int], rounds: int, folder: Path
) -> Iterator[Sequence[str]]:
    """Rows, in which the loops took turns."""
    file = folder / "dreamed.npy"
    found: dict[tuple[str, int], list[float]] = {}
    objectives: dict[tuple[str, int], float] = {}
    task = TASKS["inception_v3"]
    job = Job(loops[0].weights, layers=task.layers, objective=task.objective, **COMMAND)
    network, before = layers_of(job), picture(job.size).astype(np.float32)
    for loop in loops[:2]:
        loop.run(steps=1, **COMMAND)  # fills what a first run leaves behind
    for _ in range(rounds):
        for count in steps:
            for loop in loops:
                ran = loop.run(steps=count, result=str(file), **COMMAND)
                found.setdefault((loop.name, count), []).append(ran["wall"])
                objectives[loop.name, count] = _objective(job, network, np.load(file)) / _objective(
                    job, network, before
                )
    for loop in loops:
        cells = ((tables.spread(found[loop.name, each]), objectives[loop.name, each]) for each in steps)
        yield [loop.name, *(f"{seconds}: {objective:.2f}" for seconds, objective in cells)]


def _of_large(ours: bench.Loop, side: int, folder: Path) -> Iterator[Sequence[str]]:
    from dreamkit.engine import depth, octaves

    file = folder / "dreamed.npy"
    count = octaves.count((side, side), 1.4, "residual", 0)
    pixels = [(side / 1.4 ** (count - 1 - number)) ** 2 for number in range(count)]
    gentle = [max(2, round(15 * min(1.0, (1e6 / each) ** 0.7))) for each in pixels]
    ways: dict[str, dict[str, Any]] = {
        "15 in every octave": {"steps": 15},
        f"{', '.join(map(str, gentle[-4:]))} in the last four": {"schedule": [{"steps": n} for n in gentle]},
        f"{', '.join(str(depth.steps(16, int(each))) for each in pixels[-4:])}: the default": {},
    }
    task = TASKS["pocket"]
    job = Job(None, side, model="pocket", layers=task.layers, objective=task.objective)
    network, before = layers_of(job), picture(side).astype(np.float32)
    of_photograph = [_objective(job, network, _smaller(before, times)) for times in VIEWS]
    for name, options in ways.items():
        ran = ours.run(size=side, options={"model": "pocket", **options}, result=str(file))
        after = np.load(file).astype(np.float32)
        shares = (
            _objective(job, network, _smaller(after, times)) / of_photograph[number]
            for number, times in enumerate(VIEWS)
        )
        yield [name, f"{ran['wall']:.1f}", *(f"{share:.1f}" for share in shares)]


def _smaller(pixels: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """The means of squares of `times` x `times` pixels."""
    height, width = (length // times for length in pixels.shape[:2])
    cut = pixels[: height * times, : width * times]
    found: NDArray[np.float32] = cut.reshape(height, times, width, times, 3).mean((1, 3))
    return found


def _objective(job: Job, network: Any, pixels: NDArray[Any]) -> float:
    """The job's objective of a picture, 0 to 255: the mean over tiles."""
    units = pixels.astype(np.float32) / np.float32(127.5) - 1
    found = []
    for top in range(0, units.shape[0], TILE):
        for left in range(0, units.shape[1], TILE):
            tile = units[None, top : top + TILE, left : left + TILE]
            if min(tile.shape[1:3]) >= TILE // 2 or tile.shape == units[None].shape:
                found.append(float(objective_of(job, network(tf.constant(tile)))))
    return statistics.fmean(found)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        main()
    except LoopError as error:
        sys.exit(str(error))
