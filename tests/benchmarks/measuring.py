"""Loops in processes of their own, and what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
MATRIX = 3000  # rows and columns
_OWN = {"TF_ENABLE_ONEDNN_OPTS", "PYTHONDONTWRITEBYTECODE"}  # what this process has and a user's lacks

# A child's peak begins with what its parent held when it was made, so a small one makes and waits for it.
SMALL_PARENT = """
import json, os, subprocess, sys, time
began = time.perf_counter()
os.environ["BENCH_STARTED"] = repr(time.time())
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
out = child.stdout.read().decode()
_, status, usage = os.wait4(child.pid, 0)
seen = {"wall": time.perf_counter() - began, "peak": usage.ru_maxrss, "status": status, "out": out}
with open(sys.argv[1], "w") as file:
    json.dump(seen, file)
"""


class LoopError(Exception):
    """A loop ended with an error; the message is the end of what it said."""


@dataclass(frozen=True)
class Loop:
    """A program that does a job.

    Attributes:
        name: in tables.
        module: in `loops`.
        python: the interpreter that runs it.
        weights: the file it reads.
        variant: of the program.
        environment: variables put over this process's.
        least_cosine: of its gradient to dreamkit's, or it computes something else.
        task: fields of every job it does: the network and what is dreamed of it.
    """

    name: str
    module: str
    python: str
    weights: str | None
    variant: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    least_cosine: float = 0.999
    task: dict[str, Any] = field(default_factory=dict)

    def run(self, **job: Any) -> dict[str, Any]:
        """Does a job. Returns what its clock saw, `wall` seconds from start to exit, and `peak_mb`."""
        told = {"weights": self.weights, "variant": self.variant, **self.task, **job}
        # The process's own answer goes to a file: its output may end up anywhere in an error.
        answer = FOLDER / f".answer.{os.getpid()}.json"
        command = [self.python, "-m", f"loops.{self.module}", json.dumps(told)]
        small = [sys.executable, "-S", "-c", SMALL_PARENT, str(answer), *command]
        try:
            ran = subprocess.run(
                small, cwd=FOLDER, env=self._environment(), stderr=subprocess.PIPE, text=True, check=False
            )
            if ran.returncode:
                raise LoopError(f"{self.name}: {ran.stderr.strip()[-2000:]}")
            seen = json.loads(answer.read_text())
        finally:
            answer.unlink(missing_ok=True)
        if seen["status"]:
            raise LoopError(f"{self.name} ended with status {seen['status']}:\n{ran.stderr.strip()[-2000:]}")
        scale = 2**20 if sys.platform == "darwin" else 2**10  # which counts in bytes, Linux in kilobytes
        told = json.loads(seen["out"].splitlines()[-1])
        return {**told, "wall": seen["wall"], "peak_mb": seen["peak"] / scale}

    def _environment(self) -> dict[str, str]:
        """TensorFlow's defaults, no GPU, no chatter, and modules that are compiled once, as Python does."""
        inherited = {key: value for key, value in os.environ.items() if key not in _OWN}
        quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        return {**inherited, **quiet, **self.environment}


def printed(python: str, module: str, *arguments: str, **variables: str) -> str:
    """What a program in `loops` prints, under these variables of the environment."""
    command = [python, "-m", f"loops.{module}", *arguments]
    environment = {**os.environ, **variables}
    ran = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise LoopError(f"{module}: {ran.stderr.strip()[-2000:]}")
    return ran.stdout


def cosine(one: Path, other: Path) -> float:
    """Between two arrays in files."""
    a, b = (np.load(path).ravel().astype(np.float64) for path in (one, other))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def compare(loops: list[Loop], size: int, folder: Path, **job: Any) -> dict[str, float]:
    """The cosines of the loops' gradients to ours. Ends the program where one dreams something else."""
    found = {}
    for loop in loops:
        file = folder / f"{loop.module}.{loop.variant}.npy"
        loop.run(size=size, gradient=str(file), **job)
        found[loop.name] = cosine(folder / "ours..npy", file)
        print(
            f"{size} px, {loop.name}: cosine of the gradient to dreamkit's {found[loop.name]:.6f}",
            file=sys.stderr,
        )
    wrong = [loop.name for loop in loops if not found[loop.name] >= loop.least_cosine]
    if wrong:
        raise LoopError(f"{' and '.join(wrong)}: not the same gradient as dreamkit's, so nothing is timed")
    return found


def matrix_product() -> float:
    """GFLOP/s of NumPy's product of two float32 matrices, the best of seven."""
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    best = np.inf
    for _ in range(7):
        began = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return 2 * MATRIX**3 / best / 1e9
