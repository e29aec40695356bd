"""Converted networks beside the same networks in PyTorch: the same weights, the same job, in the same run.

    python tests/benchmarks/converted.py

Prints a table, and writes it into docs/convert.md. The networks are torchvision's with random weights: the
numbers in them do not change the time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import environment
import tables
from bench import machine
from measuring import FOLDER, Loop, LoopError, compare, printed

ROOT = FOLDER.parents[1]
CACHE, PAGE = ROOT / ".bench", ROOT / "docs" / "convert.md"
# Each with a layer in the second half; dreamkit calls it as torchvision does.
NETWORKS = {
    "resnet50": "layer3.5",
    "densenet121": "features.denseblock3",
    "mobilenet_v3_large": "features.12",
    "efficientnet_b0": "features.5.2",
    "convnext_tiny": "features.5.8",
}
SIZE, COMMAND_SIZE = 512, 393
VARIANTS = {"nchw": "PyTorch", "channels-last": "PyTorch, channels last"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--torch-python", default=sys.executable, help="what PyTorch's environment is made with"
    )
    parser.add_argument("--quick", action="store_true", help="small and short; writes no page")
    given = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    python = environment.make(CACHE / "torch", given.torch_python, "torchvision", "onnx")
    missing = [each for each in ("torch", "torchvision", "onnx") if not environment.has(python, each)]
    if missing:
        print(f"{', '.join(missing)} cannot be had, so converted networks are not compared.", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in given.networks for row in measure(name, str(python), Path(folder), given)]
    head = ("network", "loop", "seconds a step", "times dreamkit's", "seconds in all", "peak, MB")
    report = f"{_about(given.rounds)}\n\n{tables.markdown(head, rows)}"
    print(report)
    if not given.quick:
        PAGE.write_text(tables.replace_between(PAGE.read_text(), report))


def _about(rounds: int) -> str:
    found = machine()
    return (
        f"Measured on {found['date']}: {found['processor']}, {found['cores']} cores, Python "
        f"{found['python']}; rounds: {rounds}."
    )


def measure(name: str, python: str, folder: Path, given: argparse.Namespace) -> list[tuple[str, ...]]:
    """Converts a network, compares the gradients of its loops, and times them in turn."""
    home = {"DREAMKIT_HOME": str(folder / "home")}
    _convert(name, python, folder, home)
    loops = [
        Loop("dreamkit", "ours", sys.executable, None, environment=home),
        *(Loop(title, "torchvision_networks", python, None, variant) for variant, title in VARIANTS.items()),
    ]
    job: dict[str, Any] = {"model": name, "layers": [NETWORKS[name]]}
    size, command_size = (128, 128) if given.quick else (SIZE, COMMAND_SIZE)
    compare(loops, size, folder, **job)
    steps: dict[str, list[float]] = {loop.name: [] for loop in loops}
    walls: dict[str, list[float]] = {loop.name: [] for loop in loops}
    peaks: dict[str, float] = dict.fromkeys(steps, 0.0)
    whole = {"octaves": 2, "scale": 1.2, "steps": 2} if given.quick else {"octaves": 3, "steps": 10}
    loops[0].run(size=command_size, **whole, **job)  # fills what a first run leaves behind
    for _ in range(1 if given.quick else given.rounds):
        for loop in loops:
            run = loop.run(size=size, steps=tables.WARM_UP + (2 if given.quick else 8), **job)
            steps[loop.name].append(tables.step_seconds(run))
            peaks[loop.name] = max(peaks[loop.name], run["peak_mb"])
            walls[loop.name].append(loop.run(size=command_size, **whole, **job)["wall"])
    return [
        (
            name,
            loop.name,
            tables.spread(steps[loop.name], 3),
            tables.ratios(steps[loop.name], steps["dreamkit"]),
            tables.spread(walls[loop.name]),
            f"{peaks[loop.name]:.0f}",
        )
        for loop in loops
    ]


def _convert(name: str, python: str, folder: Path, home: dict[str, str]) -> None:
    file = folder / f"{name}.onnx"
    printed(python, "torchvision_networks", name, str(file))
    command = [sys.executable, "-m", "dreamkit", "convert", "onnx", str(file), "--name", name, "--quiet"]
    ran = subprocess.run(
        command, cwd=FOLDER, env={**os.environ, **home}, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise LoopError(f"{name}: {ran.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    try:
        main()
    except LoopError as error:
        sys.exit(str(error))
