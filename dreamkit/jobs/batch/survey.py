"""Which jobs of a batch are finished, and which files are in the way of the others."""

from __future__ import annotations

import io
from collections.abc import Sequence

from dreamkit.errors import ConfigError, DreamkitError, ImageError, OutputExistsError, shown
from dreamkit.jobs.batch import source
from dreamkit.jobs.batch.inputs import and_more
from dreamkit.jobs.batch.job import Job
from dreamkit.jobs.batch.manifest import Entry, Manifest
from dreamkit.jobs.batch.request import BatchRequest
from dreamkit.media import image_metadata, storage
from dreamkit.media.storage import FolderStore, Store


class Survey:
    """The jobs of a batch, by what its store holds of them.

    Attributes:
        manifest: of the store.
        kept: jobs whose dreams are finished.
        missing: the other jobs.
        strays: names of files that no batch made, where dreams of `missing` would go.
        replaced: those of `missing` whose place is taken by a dream of another picture, with that picture's
            location.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        requests: Sequence[BatchRequest],
        store: Store,
        *,
        folds_names: bool = False,
    ) -> None:
        """Looks at each job. Dreams that the manifest lacks, because a run was killed, are added to it.
        `folds_names` is as `list_jobs` has it.

        Raises:
            DreamkitError: the store cannot be read.
        """
        self._requests, self._store = requests, store
        self._same = storage.folded if folds_names else str  # of a name
        sizes = store.sizes()
        self.manifest = Manifest(store, sizes)
        self._sizes = {self._same(name): size for name, size in sizes.items()}
        self._entries = {self._same(name): entry for name, entry in self.manifest.entries.items()}
        self.kept: list[Job] = []
        self.missing: list[Job] = []
        self.strays: list[str] = []
        self.replaced: list[tuple[Job, str]] = []
        for job in jobs:
            is_kept = self._look_at(job)
            (self.kept if is_kept else self.missing).append(job)

    def refuse_inputs(self) -> None:
        """Makes sure that no dream is written over a photograph, whatever links lead to it.

        Raises:
            ConfigError: one would be.
        """
        if not isinstance(self._store, FolderStore):
            return
        jobs = [*self.missing, *self.kept]
        photographs = {source.identity(job.input.source): job.input.source for job in jobs}
        for job in jobs:
            path = self._store.path / job.output
            # A link at the place of the dream is replaced itself, and what it leads to stays.
            if not self._is_taken(job) or path.is_symlink():
                continue
            photograph = photographs.get(source.identity(path))
            if photograph is not None:
                raise ConfigError(f"{path} is the photograph {photograph} itself; choose another -o")

    def refuse_to_overwrite(self) -> None:
        """Makes sure that no file is overwritten that no batch made, and no dream of another picture.

        Raises:
            OutputExistsError: one would be.
        """
        if self.strays:
            raise OutputExistsError(
                f"no batch made {self._store}/{self.strays[0]}{and_more(self.strays)}, where dreams "
                "would go; choose another -o, or give --overwrite"
            )
        for job, before in self.replaced[:1]:
            raise OutputExistsError(
                f"{self._store}/{job.output} is the dream of {before}, and {job.input.source} would become "
                "it; choose another -o, or give --overwrite"
            )

    def _is_taken(self, job: Job) -> bool:
        """Whether there is a file where the job's dream would go."""
        return self._same(job.output) in self._sizes

    def _look_at(self, job: Job) -> bool:
        """Whether a job is finished. If it is not, notes what is in its way."""
        entry = self._entries.get(self._same(job.output))
        if entry is not None and self._is_current(job, entry):
            return True
        if not self._is_taken(job):
            return False
        if entry is not None:
            if self._is_of_another_picture(job, entry):
                self.replaced.append((job, shown(str(entry.location), 300)))
            return False
        if self._carries_its_recipe(job):
            return True
        self.strays.append(job.output)
        return False

    def _is_current(self, job: Job, entry: Entry) -> bool:
        """Whether the dream of an entry is there, and would be dreamed the same now."""
        picture = job.input.source
        is_whole = self._sizes.get(self._same(job.output)) == entry.size
        if entry.digest != self._requests[job.request].digest or not is_whole:
            return False
        size, mtime = source.stamp(picture)
        known = entry.source_size, entry.source_mtime, entry.location
        if (size, mtime, source.location(picture)) == known and size is not None:
            return True
        try:
            return source.sha256(picture) == entry.sha256
        except ImageError:
            return False

    def _is_of_another_picture(self, job: Job, entry: Entry) -> bool:
        """Whether a dream was made from a picture in another place, which was not just moved."""
        if entry.location == source.location(job.input.source):
            return False
        try:
            return source.sha256(job.input.source) != entry.sha256
        except ImageError:  # the job will fail, and overwrite nothing
            return False

    def _carries_its_recipe(self, job: Job) -> bool:
        """Whether the file in a job's place carries the recipe of the job."""
        try:
            data = self._store.read(job.output)
            recipe = image_metadata.recipe_in(io.BytesIO(data), job.output)
            sha256 = source.sha256(job.input.source)
        except (DreamkitError, OSError):
            return False
        request = self._requests[job.request]
        digest = request.digest
        if recipe is None or request.digests_of(recipe) != (sha256, digest):
            return False
        self.manifest.add(job.output, entry_of(job, sha256, digest, len(data)))
        return True


def entry_of(job: Job, sha256: str, digest: str, size: int) -> Entry:
    """The manifest's entry of a finished job."""
    picture = job.input.source
    return Entry(sha256, digest, size, *source.stamp(picture), source.location(picture))
