"""Draws the benchmark's results; run in the environment that has matplotlib.

python plots.py results.json docs/pictures
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

import tables

OURS, OTHERS, MEMORY = "#3b6ea8", "#b0b4ba", "#a8553b"


def steps(results: dict[str, Any], path: Path) -> None:
    """Seconds a step, with the least and the most, and the floor."""
    networks, sizes = list(results["step"]), list(next(iter(results["step"].values())))
    shape = {"figsize": (4.6 * len(sizes), 3.2 * len(networks)), "squeeze": False, "layout": "constrained"}
    figure, axes = plt.subplots(len(networks), len(sizes), **shape)
    for network, row in zip(networks, axes, strict=True):
        for size, axis in zip(sizes, row, strict=True):
            runs = results["step"][network][size]
            _bars(axis, {name: list(map(tables.step_seconds, each)) for name, each in runs.items()})
            floor = tables.floor(results, network, size)
            axis.axvline(floor, color="black", linestyle="--", linewidth=1)
            axis.text(floor, -0.75, "floor ", ha="right", va="center", fontsize=8)
            axis.set(title=f"{results['titles'][network]}, {size} x {size} pixels", xlabel="seconds a step")
    _save(figure, path)


def _bars(axis: Any, runs: dict[str, list[float]]) -> None:
    medians = [statistics.median(seconds) for seconds in runs.values()]
    low = [median - min(seconds) for median, seconds in zip(medians, runs.values(), strict=True)]
    high = [max(seconds) - median for median, seconds in zip(medians, runs.values(), strict=True)]
    colours = [OURS if name.startswith("dreamkit") else OTHERS for name in runs]
    axis.barh(list(runs), medians, xerr=[low, high], color=colours, capsize=3)
    axis.set_ylim(len(runs) - 0.4, -1.1)


def growth(results: dict[str, Any], path: Path) -> None:
    """Time and memory over pixels, steps, octaves and the size of a whole dream."""
    labels = {
        "size": "megapixels",
        "steps": "steps",
        "octaves": "octaves",
        "dream": "megapixels of a whole dream",
    }
    figure, axes = plt.subplots(1, len(labels), figsize=(14, 3.2), layout="constrained")
    for (name, label), axis in zip(labels.items(), axes, strict=True):
        runs = results["growth"][name]
        over = [int(value) ** 2 / 1e6 if "megapixels" in label else int(value) for value in runs]
        of_step = name == "size"
        seconds = [
            statistics.median(tables.step_seconds(run) if of_step else run["wall"] for run in each)
            for each in runs.values()
        ]
        axis.plot(over, seconds, "o-", color=OURS)
        axis.set_xlabel(label)
        axis.set_ylabel("seconds a step" if of_step else "seconds in all", color=OURS)
        axis.set_ylim(0, 1.1 * max(seconds))
        memory = axis.twinx()
        peaks = [max(run["peak_mb"] for run in each) for each in runs.values()]
        memory.plot(over, peaks, "s--", color=MEMORY)
        memory.set_ylabel("peak, MB", color=MEMORY)
        memory.set_ylim(0, 1.1 * max(peaks))
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text())
    steps(found, Path(sys.argv[2]) / "performance.png")
    growth(found, Path(sys.argv[2]) / "growth.png")
