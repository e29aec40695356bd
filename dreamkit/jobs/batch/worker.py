"""The worker of a batch: it dreams one picture after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.engine.loading import load_network
from dreamkit.executors.scheduler import OnEvent
from dreamkit.jobs.batch import source
from dreamkit.jobs.batch.request import BatchRequest
from dreamkit.media import image_sizes, image_writer, images
from dreamkit.media.storage import Store
from dreamkit.session import Dream, Session

if TYPE_CHECKING:
    from dreamkit.engine.progress import StepEvent
    from dreamkit.engine.tf.network import Network


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
        self._sessions: list[Session] = []  # of each request

    def begin(self) -> None:
        """Loads each network once.

        Raises:
            DreamkitError: a network cannot be loaded or lacks a layer, so that no picture could be dreamed.
        """
        from dreamkit.engine.objective_set import check_layers

        networks: dict[tuple[str, str | None], Network] = {}
        for each in self._requests:
            specs = []
            for spec in each.request.models:
                key = spec.name, spec.weights
                networks[key] = networks.get(key) or load_network(spec)
                specs.append(replace(spec, model=networks[key]))
            session = Session(replace(each.request, models=tuple(specs)))
            check_layers(session.models, each.request.config)
            self._sessions.append(session)

    def do(self, task: Task, on_event: OnEvent) -> dict[str, Any]:
        """Dreams a picture. Returns its `sha256`, the `bytes` of its dream, the `seconds` that it took and
        the most `memory` of this process so far, in bytes."""
        started = time.perf_counter()
        session = self._sessions[task.request]
        data = source.read(task.source) if task.data is None else task.data
        config = session.request.config
        picture = images.from_bytes(data, task.source, config.max_pixels)
        picture = image_sizes.shrink(picture, config.max_size, config.wrapped)

        def on_step(step: StepEvent) -> None:
            about = step.octave, step.octaves, step.step, step.steps, step.objective, step.done
            on_event(JobStep(task.number, *about))

        dream = session.run(session.request.on(picture), on_step=on_step)
        return {
            "sha256": picture.sha256,
            "bytes": self._write(dream, task.output),
            "seconds": round(time.perf_counter() - started, 3),
            "memory": _peak_memory(),
        }

    def _write(self, dream: Dream, output: str) -> int:
        """Writes a dream; returns its size in bytes."""
        with image_writer.encoded(
            Path(output),
            dream.pixels,
            recipe=dream.recipe,
            profile=dream.profile,
            dpi=self._dpi or dream.dpi,
            authorship=dream.authorship,
        ) as data:
            self._store.write(output, data)
            return len(data)


def _peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    from dreamkit.engine import memory

    return memory.resident()[1]
