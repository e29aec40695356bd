"""The worker of a batch: it dreams one picture after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dreamkit import api
from dreamkit.executors.scheduler import OnEvent
from dreamkit.inputs import fit
from dreamkit.jobs.batch import source
from dreamkit.jobs.batch.request import BatchRequest
from dreamkit.media import images
from dreamkit.media.storage import Store


@dataclass(frozen=True, slots=True)
class Task:
    """A job, as a worker gets it.

    Attributes:
        number: of the job.
        request: the number of the request.
        source: of the picture.
        output: the dream's name in the store.
        data: the picture's bytes; None for a URL. The worker reads that itself, so that the pictures of a
            cluster do not all pass through one machine.
    """

    number: int
    request: int
    source: str
    output: str
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobStep:
    """A step of a job, as its worker reports it.

    Attributes:
        number: of the job.
        octave, octaves, step, steps, objective: as the dream reports them.
        done: how much of the job is done, 0 to 1.
    """

    number: int
    octave: int
    octaves: int
    step: int
    steps: int
    objective: float
    done: float


class DreamWorker:
    """Holds the networks of all requests, and writes dreams to the store."""

    def __init__(
        self, requests: Sequence[BatchRequest], store: Store, *, dpi: tuple[float, float] | None = None
    ) -> None:
        """`dpi` are the dots per inch that all files are marked with; None for each photograph's own."""
        self._requests, self._store, self._dpi = tuple(requests), store, dpi
        self._parts: list[list[Any]] = []  # of each request

    def begin(self) -> None:
        """Loads each network once.

        Raises:
            DreamkitError: a network cannot be loaded or lacks a layer, so that no picture could be dreamed.
        """
        from dreamkit.engine.objective_set import check_layers

        networks: dict[tuple[str, str], Any] = {}
        for request in self._requests:
            shares = []
            for share in request.shares:
                path = (request.weights or {}).get(share.model)
                key = share.model, str(path)
                if key not in networks:
                    networks[key] = api.load(share.model, path)
                shares.append(replace(share, model=networks[key]))
            parts = api.parts(shares)
            check_layers(parts, request.config)
            self._parts.append(parts)

    def do(self, task: Task, on_event: OnEvent) -> dict[str, Any]:
        """Dreams a picture. Returns its `sha256`, the `bytes` of its dream, the `seconds` that it took and
        the most `memory` of this process so far, in bytes."""
        started = time.perf_counter()
        request = self._requests[task.request]
        data = source.read(task.source) if task.data is None else task.data
        picture = images.of_bytes(data, task.source, request.config.max_pixels)
        picture = images.shrink(picture, request.config.max_size, request.config.wrapped)
        ingredients = fit(picture, request.config, request.shares, request.guide, request.masks)

        def on_step(step: Any) -> None:
            about = step.octave, step.octaves, step.step, step.steps, step.objective, step.done
            on_event(JobStep(task.number, *about))

        dream = api.make(ingredients, self._parts[task.request], on_step)
        return {
            "sha256": picture.sha256,
            "bytes": self._write(dream, task.output),
            "seconds": round(time.perf_counter() - started, 3),
            "memory": _peak_memory(),
        }

    def _write(self, dream: api.Dream, output: str) -> int:
        """Writes a dream; returns its size in bytes."""
        with images.encoded(
            Path(output),
            dream.pixels,
            recipe=dream.recipe,
            profile=dream.profile,
            dpi=self._dpi or dream.dpi,
        ) as data:
            self._store.put(output, data)
            return len(data)


def _peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    from dreamkit.engine import memory

    return memory.resident()[1]
