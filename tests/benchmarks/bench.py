"""dreamkit against the loops that people use: the same job, checked to be the same, and the arithmetic floor.

    python tests/benchmarks/bench.py --weights inception_v3.h5

Prints its tables, and writes them and two plots into docs/performance.md; that page says what is measured.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import environment
import tables
from arithmetic import gflop
from loops.networks import TASKS
from measuring import FOLDER, Loop, LoopError, compare, matrix_product, printed

ROOT = FOLDER.parents[1]
CACHE, PAGE, PICTURES = ROOT / ".bench", ROOT / "docs" / "performance.md", ROOT / "docs" / "pictures"
GROWTH = {
    "size": (256, 512, 1024, 1448, 2048),
    "steps": (5, 10, 20, 40),
    "octaves": (1, 2, 4, 6),
    "dream": (512, 1024, 2048, 3464),  # the last is 12 megapixels
}
GROWTH_ROUNDS = 3
HALF = 0.8  # the least cosine of a gradient in 16 bits with that in 32
TORCH = {"nchw": "PyTorch", "channels-last": "PyTorch, channels last, folded"}
QUICK_GROWTH = {"size": (128, 256), "steps": (4, 6), "octaves": (1, 2), "dream": (128,)}


def main() -> None:
    arguments = _arguments()
    results_file = arguments.from_results or CACHE / ("quick.json" if arguments.quick else "results.json")
    CACHE.mkdir(exist_ok=True)
    python = environment.python_in(environment.TORCH)
    if arguments.from_results is None:
        python = environment.make(environment.TORCH, arguments.torch_python)
        results = measure(arguments, str(python) if environment.has(python, "torch") else None)
        results_file.write_text(json.dumps(results, indent=1) + "\n")
    results = json.loads(results_file.read_text())
    pictures = CACHE if arguments.quick else PICTURES
    results["plots"] = draw(python, results_file, pictures)
    report = tables.report(results)
    print(report)
    if arguments.quick:
        print(f"\nA quick look, in {CACHE}; {PAGE.relative_to(ROOT)} stays as it is.")
    else:
        PAGE.write_text(tables.replace_between(PAGE.read_text(), report))


def measure(arguments: argparse.Namespace, torch_python: str | None) -> dict[str, Any]:
    """Everything, round by round, with the loops in turn."""
    quick = arguments.quick
    sizes = [128] if quick else arguments.sizes
    step_job = {"octaves": 1, "steps": tables.WARM_UP + (2 if quick else 10)}
    command_job = {"size": 128 if quick else 393, "octaves": 2 if quick else 3, "steps": 2 if quick else 10}
    if quick:
        command_job["scale"] = 1.2  # the smaller octave of so small a picture must still be 75 pixels
    rounds = 1 if quick else arguments.rounds
    growth = QUICK_GROWTH if quick else GROWTH
    side = {"steps": 256, "octaves": 256} if quick else {"steps": 512, "octaves": 1024}
    weights = {"inception_v3": arguments.weights or _fetched(), "pocket": None}
    if arguments.archive:
        weights["inception5h"] = arguments.archive
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        networks = {
            model: loops_of(model, weights[model], torch_python, folder)
            for model in TASKS
            if model in weights
        }
        results: dict[str, Any] = {
            "machine": machine(),
            "rounds": rounds,
            "command_job": command_job,
            "growth_side": side,
            "titles": {model: TASKS[model].title for model in networks},
            "matrix_product": [],
            "growth": {axis: {str(value): [] for value in values} for axis, values in growth.items()},
        }
        results["cosines"] = {model: compare(loops, sizes[0], folder) for model, loops in networks.items()}
        results["gflop"] = {
            model: {str(size): gflop(model, weights[model], size) for size in sizes} for model in networks
        }
        results["step"] = {
            model: {str(size): {loop.name: [] for loop in loops} for size in sizes}
            for model, loops in networks.items()
        }
        results["command"] = {
            model: {name: [] for name in _named(loops)} for model, loops in networks.items()
        }
        warm = {"DREAMKIT_HOME": str(folder / "warm")}
        for loops in networks.values():
            _with(loops[0], warm).run(**command_job)  # fills what a first run leaves behind
        for number in range(rounds):
            print(f"Round {number + 1} of {rounds}", file=sys.stderr)
            results["matrix_product"].append(matrix_product())
            for model, loops in networks.items():
                for size in sizes:
                    for loop in loops:
                        found = loop.run(size=size, **step_job)
                        results["step"][model][str(size)][loop.name].append(found)
                for name, loop in _named(loops).items():
                    with _home(folder) as cold:
                        chosen = warm if name == "dreamkit, warm" else cold
                        results["command"][model][name].append(_with(loop, chosen).run(**command_job))
            for axis, values in growth.items() if number < GROWTH_ROUNDS else ():
                for value in values:
                    grown = _grown(networks["pocket"][0], axis, value, side.get(axis))
                    results["growth"][axis][str(value)].append(grown)
        results["matrix_product"].append(matrix_product())
    _add_versions(results)
    return results


def loops_of(model: str, weights: str | None, torch_python: str | None, folder: Path) -> list[Loop]:
    """The loops of a network that can be run here, ours first; files made for them are put into `folder`."""
    home = {"DREAMKIT_HOME": str(folder / "home")}
    weights = weights and str(Path(weights).resolve())  # the loops run in a folder of their own
    task = {"model": model, "layers": TASKS[model].layers, "objective": TASKS[model].objective}
    made = partial(Loop, weights=weights, task=task)
    ours = made("dreamkit", "ours", sys.executable, environment=home)
    loops = [
        ours,
        replace(ours, name="dreamkit, mixed precision", variant="mixed", least_cosine=HALF),
        made("TensorFlow's tutorial", "tutorial", sys.executable),
        made("Keras' example", "keras_example", sys.executable),
    ]
    if torch_python is None:
        return loops
    arrays = str(folder / f"{model}.npz")
    printed(sys.executable, "export", model, weights or "", arrays)
    made = partial(made, weights=arrays)
    return loops + [made(name, "pytorch", torch_python, variant=variant) for variant, name in TORCH.items()]


def _named(loops: list[Loop]) -> dict[str, Loop]:
    """The rows of the whole command: ours twice."""
    ours, *others = loops
    rest = {loop.name: loop for loop in others if loop.module != ours.module}
    return {"dreamkit, cold": ours, "dreamkit, warm": ours, **rest}


def _with(loop: Loop, variables: dict[str, str]) -> Loop:
    return replace(loop, environment={**loop.environment, **variables})


@contextmanager
def _home(folder: Path) -> Iterator[dict[str, str]]:
    """A fresh, empty folder for dreamkit's caches."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        yield {"DREAMKIT_HOME": home}


def _grown(ours: Loop, axis: str, value: int, side: int | None) -> dict[str, Any]:
    """A dream by pocket with dreamkit's defaults, but for one thing that grows; all of them for a `dream`."""
    if axis == "dream":
        return ours.run(size=value, options={"model": "pocket"})
    steps = value if axis == "steps" else tables.WARM_UP + 3
    octaves = value if axis == "octaves" else 1
    options = {"model": "pocket", "octaves": octaves, "steps": steps}
    return ours.run(size=side or value, options=options)


def draw(python: Path, results: Path, folder: Path) -> bool:
    """Draws the plots; whether it could."""
    if not environment.has(python, "matplotlib"):
        print("There is no matplotlib, so there are no plots.", file=sys.stderr)
        return False
    command = [str(python), str(FOLDER / "plots.py"), str(results), str(folder)]
    return subprocess.run(command, check=False).returncode == 0


def machine() -> dict[str, Any]:
    """What the numbers are measured on."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _add_versions(results: dict[str, Any]) -> None:
    """What the loops ran on, in their own words."""
    told = [runs[0]["version"] for each in results["command"].values() for runs in each.values()]
    about = results["machine"]
    about["torch"] = any(version.startswith("PyTorch") for version in told)
    about["versions"] = [*dict.fromkeys(told), f"NumPy {importlib.metadata.version('numpy')}"]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _fetched() -> str:
    """Inception v3's weights as dreamkit fetches them, once."""
    from dreamkit.models.registry import Registry
    from dreamkit.models.weights import resolve

    return str(resolve(Registry().provider("inception_v3"), None, None))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--weights",
        type=lambda path: str(Path(path).resolve()),
        help="Inception v3's; fetched where not given",
    )
    parser.add_argument(
        "--archive",
        type=lambda path: str(Path(path).resolve()),
        help="the weights of inception5h, without which it is left out",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[512, 768], help="of the picture, for one step"
    )
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        help="what PyTorch's environment is made with; this interpreter",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round, small and short, to see that all runs; writes no page",
    )
    parser.add_argument("--from-results", type=Path, help="the page and plots again, of .bench/results.json")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LoopError as error:
        sys.exit(str(error))
