"""The job that every loop does, and the clock that it is timed by. Needs NumPy alone.

A loop is run as `python -m loops.NAME JOB` in the folder above this one, where JOB is the fields of `Job`
as JSON. It prints one line of JSON: what its clock saw.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Job:
    """A square picture, dreamed.

    Attributes:
        weights: the network's; the file dreamkit reads, or for PyTorch the `.npz` that `loops.export` wrote.
        size: the picture's side, in pixels; the last octave has it.
        octaves, scale: how many sizes, and the ratio between them.
        steps: in each octave.
        layers: whose objectives are summed.
        step_size: in units, with black at -1 and white at +1; the gradient is divided by its standard
            deviation.
        jitter: furthest random roll, in pixels.
        variant: of the loop, where it has several; "+" joins some that go together.
        model: the network; Inception v3 unless a loop is for others.
        objective: of each layer: the `mean` of its activations, or of their squares (`mean-square`).
        gradient: a file for the gradient of the unrolled picture, `(size, size, 3)`. Nothing is dreamed then.
        result: a file for the picture that was made, `(size, size, 3)`, 0 to 255; empty for none.
        options: for dreamkit alone: its own options instead of the job's, with `model`.
    """

    weights: str | None
    size: int
    octaves: int = 1
    scale: float = 1.4
    steps: int = 10
    layers: tuple[str, ...] = ("mixed3", "mixed5")
    step_size: float = 0.01
    jitter: int = 32
    variant: str = ""
    model: str = "inception_v3"
    objective: str = "mean"
    gradient: str | None = None
    result: str = ""
    options: dict[str, Any] | None = field(default=None)

    @property
    def variants(self) -> list[str]:
        """What the variant says, one by one."""
        return self.variant.split("+")

    @property
    def sizes(self) -> list[int]:
        """The octaves' sides, smallest first."""
        return [round(self.size * self.scale**power) for power in range(1 - self.octaves, 1)]

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The picture in units, `(size, size, 3)`."""
        return (picture(self.size) / np.float32(127.5) - 1).astype(np.float32)


def given() -> Job:
    """The job on the command line."""
    fields = json.loads(sys.argv[1])
    return Job(**{**fields, "layers": tuple(fields.get("layers", Job.layers))})


def picture(size: int) -> NDArray[np.uint8]:
    """Soft shapes, uint8 `(size, size, 3)`: the same ones at every size."""
    rows, columns = np.mgrid[0:size, 0:size] / size * 20
    waves = [np.sin(rows * (1 + colour) + np.cos(columns * 2)) for colour in range(3)]
    return (128 + 100 * np.stack(waves, -1)).astype(np.uint8)


class Clock:
    """Seconds since the process was started; by the wall, since that was in another process."""

    def __init__(self) -> None:
        self._started = float(os.environ.get("BENCH_STARTED", time.time()))
        self._imported = self._began = 0.0
        self._done: list[float] = []

    def _now(self) -> float:
        return time.time() - self._started

    def imported(self) -> None:
        """The framework is imported."""
        self._imported = self._now()

    def begin(self) -> None:
        """The first step begins: all that can be made ready before it is."""
        self._began = self._now()

    def step(self) -> None:
        """A step is done: the changed pixels are there."""
        self._done.append(self._now())

    def report(
        self,
        pixels: NDArray[np.generic],
        version: str,
        traces: int | None = None,
        card_mb: float | None = None,
    ) -> None:
        """Prints what was seen, and writes the result if the job asks for it: `pixels`, 0 to 255.
        `card_mb` is the peak memory of a GPU."""
        if path := given().result:
            np.save(path, pixels)
        print(
            json.dumps(
                {
                    "imported": self._imported,
                    "first_step": self._done[0],
                    "steps": np.diff([self._began, *self._done]).tolist(),
                    "traces": traces,
                    "card_mb": card_mb,
                    "version": version,
                    "mean": float(np.mean(pixels)),
                }
            )
        )


def write_gradient(path: str, gradient: Any) -> None:
    """The gradient asked for, `(height, width, 3)`; only its direction is compared."""
    np.save(Path(path), np.asarray(gradient, np.float32))
    print(json.dumps({}))
