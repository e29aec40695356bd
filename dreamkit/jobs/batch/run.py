"""One run of a batch: what is done, what is left, and the report.

A manifest beside the dreams says what is finished. Each part of it is written whole, and so is each dream, so
that a run that was killed leaves what it finished. Dreams that came after the last part of the manifest are
known by the recipes that they carry.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dreamkit.errors import DreamkitError, ImageError
from dreamkit.executors.scheduler import TaskChain, TaskResult
from dreamkit.jobs.batch import source
from dreamkit.jobs.batch.job import Job
from dreamkit.jobs.batch.manifest import FOLDER
from dreamkit.jobs.batch.request import BatchRequest
from dreamkit.jobs.batch.survey import Survey, entry_of
from dreamkit.jobs.batch.worker import JobStep, Task
from dreamkit.media.remote import is_url
from dreamkit.media.storage import FolderStore, Store

REPORT = f"{FOLDER}/report.json"


class BatchError(DreamkitError):
    """Some pictures could not be dreamed."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """What `on_progress` is called with, after each step and each job.

    Attributes:
        done, total: jobs that have succeeded or failed, and how many there are.
        failed: how many of the done.
        share: how much of all the work is done, 0 to 1.
        output: the dream that it is about.
        step: of the job; None if the job has ended.
        why: why the job failed, else empty.
    """

    done: int
    total: int
    failed: int
    share: float
    output: str
    step: JobStep | None = None
    why: str = ""


class Batch:
    """The jobs of one run.

    Attributes:
        kept, missing: jobs that were finished before, and jobs to do.
        dreamed: how many have succeeded in this run.
        failed: a record of each that has failed: `input`, `output`, `why`, and of a bug its `traceback`.
        warnings: how often each came.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        requests: Sequence[BatchRequest],
        store: Store,
        *,
        overwrite: bool = False,
        folds_names: bool = False,
        on_progress: Callable[[BatchProgress], None] | None = None,
    ) -> None:
        """Finds out what is finished. `folds_names` is as `list_jobs` has it.

        Raises:
            OutputExistsError: files are in the way that no batch made, or dreams of other pictures.
            DreamkitError: the store cannot be read.
        """
        self._started = time.time()
        self._requests, self._store, self._on_progress = requests, store, on_progress
        survey = Survey(jobs, requests, store, folds_names=folds_names)
        survey.refuse_inputs()
        if not overwrite:
            survey.refuse_to_overwrite()
        self._manifest = survey.manifest
        self.kept, self.missing = survey.kept, survey.missing
        self.failed: list[dict[str, str]] = []
        self.warnings: Counter[str] = Counter()
        self.dreamed = 0
        self._seconds = 0.0  # of all workers together
        self._memory = 0  # of the worker that took most, in bytes
        self._shares: dict[int, float] = {}  # how much is done of each job that has begun and not ended

    @property
    def total(self) -> int:
        """How many jobs there are to do."""
        return len(self.missing)

    @property
    def size(self) -> int:
        """How many jobs there are, finished ones included."""
        return len(self.missing) + len(self.kept)

    def chains(self) -> Iterator[TaskChain]:
        """A chain for each job to do."""
        return (self._chain(number, job) for number, job in enumerate(self.missing))

    def on_event(self, step: JobStep) -> None:
        """Takes note of a worker's step. Any thread may call it."""
        if step.number in self._shares:  # else its job has ended
            self._shares[step.number] = step.done
        self._report_progress(self.missing[step.number].output, step)

    def finish(self) -> None:
        """Writes the manifest, and removes what killed runs have left half-written."""
        self._manifest.write(merged=True)
        if isinstance(self._store, FolderStore):
            self._store.remove_abandoned()

    def report(self, **about: Any) -> dict[str, Any]:
        """What became of the run, as plain data, with `about` added."""
        seconds = time.time() - self._started
        return {
            "dreamed": self.dreamed,
            "kept": len(self.kept),
            "failed": self.failed,
            "seconds": round(seconds, 3),
            "pictures_per_hour": round(3600 * self.dreamed / seconds, 1) if seconds else None,
            "seconds_per_picture": round(self._seconds / max(1, self.dreamed), 3),
            "memory_of_a_worker": self._memory,
            "warnings": dict(self.warnings),
            "ways": [
                {
                    "folder": each.name,
                    "models": [spec.name for spec in each.request.models],
                    "digest": each.digest,
                }
                for each in self._requests
            ],
            **about,
        }

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Writes the report beside the manifest."""
        self._store.write(REPORT, json.dumps(report, indent=1).encode())

    def _chain(self, number: int, job: Job) -> TaskChain:
        picture = job.input.source
        self._shares[number] = 0.0
        try:
            data = None if is_url(picture) else source.read(picture)
        except ImageError as error:
            self._end(number, job, TaskResult(error=error))
            return
        result = yield Task(number, job.request, picture, job.output, data)
        self._end(number, job, result)

    def _end(self, number: int, job: Job, result: TaskResult) -> None:
        """Takes note of the end of a job."""
        self.warnings.update(result.warnings)
        why = ""
        if result.error is not None:
            why = str(result.error)
            record = {"input": job.input.source, "output": job.output, "why": why}
            self.failed.append(record | ({"traceback": result.traceback} if result.traceback else {}))
        else:
            self._note_dream(job, result.value)
        self._shares.pop(number, None)
        self._report_progress(job.output, why=why)

    def _note_dream(self, job: Job, made: Mapping[str, Any]) -> None:
        """Takes note of a dream, of which its worker has returned `made`."""
        self.dreamed += 1
        self._seconds += made["seconds"]
        self._memory = max(self._memory, made["memory"])
        digest = self._requests[job.request].digest
        self._manifest.add(job.output, entry_of(job, made["sha256"], digest, made["bytes"]))

    def _report_progress(self, output: str, step: JobStep | None = None, why: str = "") -> None:
        if self._on_progress is not None:
            done = self.dreamed + len(self.failed)
            share = min(1.0, (done + sum(list(self._shares.values()))) / max(1, self.total))
            progress = BatchProgress(done, self.total, len(self.failed), share, output, step, why)
            self._on_progress(progress)
