"""PyTorch and matplotlib for the benchmark alone, in an environment of their own. dreamkit needs neither."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# PyTorch's own index of builds without CUDA, which is several gigabytes; PyPI's build for Linux has it.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TORCH = Path(__file__).parents[2] / ".bench" / "torch"  # where the environment is made


def python_in(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def has(python: Path, module: str) -> bool:
    return python.is_file() and not _run([str(python), "-c", f"import {module}"])


def make(folder: Path, base: str, *beside: str) -> Path:
    """An environment with whatever of PyTorch, matplotlib and packages `beside` can be had; ask `has`.

    Says what it does, and makes nothing again that is there.
    """
    python = python_in(folder)
    if all(has(python, module) for module in ("torch", "matplotlib", *beside)):
        return python
    print(
        f"Making {folder} with {base}, for PyTorch and matplotlib: some hundred megabytes, some minutes.",
        file=sys.stderr,
    )
    if not python.is_file() and (error := _run([base, "-m", "venv", str(folder)])):
        print(f"No environment could be made: {error}", file=sys.stderr)
        return python
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not has(python, "matplotlib") and (error := _run([*install, "numpy", "matplotlib"])):
        print(f"matplotlib cannot be had, so there are no plots: {error}", file=sys.stderr)
    wanted = [each for each in ("torch", *beside) if not has(python, each)]
    # What the CPU index lacks pip finds where it is configured to look; a host that is away is asked once.
    if wanted and _run([*install, "--retries", "0", "--index-url", CPU_INDEX, *wanted]):
        print(
            f"{CPU_INDEX} does not give {', '.join(wanted)}; trying pip's own index, whose builds may be "
            "larger.",
            file=sys.stderr,
        )
        if error := _run([*install, *wanted]):
            print(f"{', '.join(wanted)} cannot be had: {error}", file=sys.stderr)
    return python


def _run(command: list[str]) -> str:
    """The last line of what a command had to say against it; empty where all went well."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    lines = (ran.stderr or ran.stdout).strip().splitlines()
    return "" if ran.returncode == 0 else (lines[-1] if lines else f"exit status {ran.returncode}")
