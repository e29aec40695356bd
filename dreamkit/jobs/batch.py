"""Many pictures by one recipe or several: what is to be made, what is made already, and what came of it.

What is finished is known by a manifest, `_dreamkit/manifest-*.jsonl` beside the dreams: for each, the hash of
the picture it was dreamed from and of all that it was dreamed with. Each part of it is written whole, and so
is each dream; a run that was killed leaves what it finished, and the dreams that came after the last part of
the manifest are known by the recipes that they carry.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dreamkit import api
from dreamkit.config import DreamConfig, plain
from dreamkit.errors import DreamkitError, ImageError, OutputExistsError, first_line, shown
from dreamkit.executors.scheduler import OnEvent, TaskChain, TaskResult
from dreamkit.inputs import Source, beside, fit, open_picture
from dreamkit.jobs.atlas import safe_name
from dreamkit.media import images, paths
from dreamkit.media.storage import Folder, Store, is_url
from dreamkit.models.registry import Registry
from dreamkit.models.weights import resolve
from dreamkit.recipes import Recipe, Share

OWN = "_dreamkit"  # the folder of the manifest and the report
REPORT = f"{OWN}/report.json"
_INPUTS = frozenset({*images.SUFFIXES, ".gif", ".bmp", ".ppm", ".pgm", ".tga", ".jp2"})
_LISTS = frozenset({".txt", ".lst"})
_EVERY = 10.0  # seconds between two parts of the manifest
_PARTS = 100  # of the manifest, that become one


class BatchError(DreamkitError):
    """Some pictures could not be dreamed."""


@dataclass(frozen=True, slots=True)
class Input:
    """A picture to dream.

    Attributes:
        source: its path, or a URL for fsspec.
        name: where its dream goes, with `/` between folders and the picture's own ending.
    """

    source: str
    name: str


@dataclass(frozen=True)
class Way:
    """One way to dream them all.

    Attributes:
        name: its folder among several; empty for the only one.
        shares, config, guide, masks: as in `Ingredients`; no path is among them but those of weights.
        weights: as `api.parts` takes them.
        digest: of all that a dream depends on beside its picture.
    """

    name: str
    shares: tuple[Share, ...]
    config: DreamConfig
    guide: images.Picture | None = None
    masks: Mapping[str, Source] = field(default_factory=dict)
    weights: Any = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One dream: which picture, which way, and its name in the store."""

    input: Input
    way: int
    output: str


@dataclass(frozen=True, slots=True)
class Task:
    """A job as a worker gets it. `data` are the picture's bytes; none of a URL, which the worker reads, so
    that the pictures of a cluster do not all go through one machine."""

    number: int
    way: int
    source: str
    output: str
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """What a worker tells of after each step: which job, octave and step, the objective, and the share of
    the job that is done."""

    number: int
    octave: int
    octaves: int
    step: int
    steps: int
    objective: float
    done: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What `on_progress` hears.

    Attributes:
        done, total: jobs that are finished or have failed, and how many there are.
        failed: of the done.
        share: of all the work, 0 to 1.
        event: of a step, or None.
        output: the dream that it is about.
        why: why it failed, else empty.
    """

    done: int
    total: int
    failed: int
    share: float
    output: str
    event: Event | None = None
    why: str = ""


def expand(given: Sequence[str], output: str = "") -> list[Input]:
    """The pictures that files, folders, patterns, lists and URLs name, each once, in the order given; none of
    those in the folder `output`, which are dreams.

    Of a folder, all pictures in it and below keep their paths in it; of a pattern, those from its first part
    with a wildcard on; of a list (a text file with a path in each line), relative ones theirs to its folder.

    Raises:
        ImageError: something names no picture.
    """
    found: dict[str, Input] = {}
    for text in given:
        for each in _expanded(text):
            found.setdefault(os.path.abspath(each.source) if not is_url(each.source) else each.source, each)
    if output and not is_url(output):
        below = os.path.join(os.path.abspath(output), "")
        within = [path for path in found if path.startswith(below)]
        if len(within) == len(found):
            raise ImageError(f"the pictures are in {output}, where the dreams would go; choose another -o")
        for path in within:
            del found[path]
    return list(found.values())


def outputs(inputs: Sequence[Input], ways: Sequence[Way], ending: str) -> list[Job]:
    """The jobs of every way over every picture. Where two pictures have one stem, both keep their endings."""
    stems = Counter(str(PurePosixPath(each.name).with_suffix("")) for each in inputs)
    names = Counter(each.name for each in inputs)
    for name, count in names.items():
        if count > 1:
            both = [each.source for each in inputs if each.name == name]
            dream = PurePosixPath(name).with_suffix(ending)
            raise ImageError(
                f"{both[0]} and {both[1]} would both become {dream}; dream them into two folders, or give "
                "the folder above both"
            )
    jobs = []
    for number, way in enumerate(ways):
        for each in inputs:
            stem = str(PurePosixPath(each.name).with_suffix(""))
            name = f"{each.name if stems[stem] > 1 else stem}{ending}"
            jobs.append(Job(each, number, f"{way.name}/{name}" if way.name else name))
    return jobs


def way(
    name: str,
    shares: tuple[Share, ...],
    config: DreamConfig,
    recipe: Recipe | None = None,
    *,
    weights: api.Weights = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    progress: Callable[[int, int], None] | None = None,
) -> Way:
    """A way to dream, with all that it needs at hand: weights are fetched, guide and masks read.

    Raises:
        DreamkitError: something is not there, or cannot be used.
    """
    guided, masked = beside(config, shares, recipe, guide=guide, mask=mask)
    masks = {each: open_picture(source, replace(config, max_size=None)) for each, source in masked.items()}
    registry = Registry()
    files: dict[str, str] = {}
    models = []
    for share in shares:
        given = weights.get(share.model) if isinstance(weights, Mapping) else weights
        path = resolve(registry.provider(share.model), given, progress)
        if given is not None:
            files[share.model] = os.path.abspath(given)
        models.append([share.model, paths.digest(path) if path else "", share.weight, plain(share.layers)])
    hashes = {each: picture.sha256 for each, picture in masks.items() if picture}
    digest = _digest(config.to_dict(), models, guided.sha256 if guided else None, hashes)
    return Way(name, shares, config, guided, masks, files or None, digest)


def weight(of: Way) -> int:
    """Bytes of the weights files of a way."""
    registry = Registry()
    files = [
        resolve(registry.provider(share.model), (of.weights or {}).get(share.model)) for share in of.shares
    ]
    return sum(file.stat().st_size for file in files if file is not None)


def folder_name(recipe: str | None, model: str | None) -> str:
    """What the folder of one way among several is called."""
    parts = [Path(recipe).stem if recipe else "", model or ""]
    return "-".join(safe_name(part) for part in parts if part)


class DreamWorker:
    """The worker: it holds the networks of all ways, and writes what it dreams to the store."""

    def __init__(self, ways: Sequence[Way], store: Store, *, dpi: tuple[float, float] | None = None) -> None:
        """`dpi` is what all files say of their dots per inch; None for each photograph's own."""
        self._ways, self._store, self._dpi = tuple(ways), store, dpi
        self._parts: list[list[Any]] = []

    def begin(self) -> None:
        """Loads the networks, each once.

        Raises:
            DreamkitError: one cannot be loaded, or has no such layer: no picture could be dreamed.
        """
        from dreamkit.engine.objective_set import check_layers

        networks: dict[tuple[str, str], Any] = {}
        for each in self._ways:
            shares = []
            for share in each.shares:
                path = (each.weights or {}).get(share.model)
                key = share.model, str(path)
                if key not in networks:
                    networks[key] = api.load(share.model, path)
                shares.append(replace(share, model=networks[key]))
            told = api.parts(shares)
            check_layers(told, each.config)
            self._parts.append(told)

    def do(self, task: Task, on_event: OnEvent) -> dict[str, Any]:
        """Dreams a picture, and says what came of it as plain data."""
        began = time.perf_counter()
        each = self._ways[task.way]
        read = _bytes(task.source) if task.data is None else task.data
        picture = images.of_bytes(read, task.source, each.config.max_pixels)
        picture = images.shrink(picture, each.config.max_size, each.config.wrapped)
        gathered = fit(picture, each.config, each.shares, each.guide, each.masks)

        def heard(step: Any) -> None:
            on_event(
                Event(
                    task.number, step.octave, step.octaves, step.step, step.steps, step.objective, step.done
                )
            )

        dream = api.make(gathered, self._parts[task.way], heard)
        with images.encoded(
            Path(task.output),
            dream.pixels,
            recipe=dream.recipe,
            profile=dream.profile,
            dpi=self._dpi or dream.dpi,
        ) as data:
            self._store.put(task.output, data)
            size = len(data)
        return {
            "sha256": picture.sha256,
            "bytes": size,
            "seconds": round(time.perf_counter() - began, 3),
            "memory": _peak(),
        }


class Batch:
    """The jobs of one run, and what is known of them."""

    def __init__(
        self,
        jobs: Sequence[Job],
        ways: Sequence[Way],
        store: Store,
        *,
        overwrite: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Finds out what is finished already.

        Raises:
            OutputExistsError: files are in the way that are of no batch, or of another picture.
            DreamkitError: the store cannot be read.
        """
        self.began = time.time()
        self._ways, self._store, self._on_progress = ways, store, on_progress
        self._sizes = store.sizes()
        self._manifest = _Manifest(store, self._sizes)
        self.kept: list[Job] = []
        self.missing: list[Job] = []
        strays: list[str] = []
        others: list[tuple[Job, str]] = []
        for job in jobs:
            known = self._manifest.made.get(job.output)
            if self._is_made(job, known):
                self.kept.append(job)
            elif job.output not in self._sizes:
                self.missing.append(job)
            elif known is not None:
                self.missing.append(job)
                if self._is_of_another(job, known):
                    others.append((job, shown(str(known[-1]), 300)))
            elif self._is_dreamed(job):
                self.kept.append(job)
            else:
                self.missing.append(job)
                strays.append(job.output)
        if not overwrite:
            self._refuse(strays, others)
        self.failed: list[dict[str, str]] = []
        self.warnings: Counter[str] = Counter()
        self.dreamed = 0
        self._seconds = 0.0  # of all workers
        self._memory = 0  # of the one that took most
        self._shares: dict[int, float] = {}  # of each job that is being done

    def _refuse(self, strays: Sequence[str], others: Sequence[tuple[Job, str]]) -> None:
        """Refuses to write over what no batch made, and over the dreams of other pictures."""
        if strays:
            raise OutputExistsError(
                f"no batch made {self._store}/{strays[0]}{_more(strays)}, where dreams would go; choose "
                "another -o, or give --overwrite"
            )
        for job, before in others[:1]:
            raise OutputExistsError(
                f"{self._store}/{job.output} is the dream of {before}, and {job.input.source} would become "
                "it; choose another -o, or give --overwrite"
            )

    def _is_of_another(self, job: Job, known: Sequence[Any]) -> bool:
        """Whether what is made was made of a picture elsewhere, which was not just moved."""
        if known[-1] == _place(job.input.source):
            return False
        try:
            return bool(hashlib.sha256(_bytes(job.input.source)).hexdigest() != known[0])
        except ImageError:  # told of when it is its turn
            return False

    @property
    def total(self) -> int:
        """How many jobs there are to do."""
        return len(self.missing)

    @property
    def size(self) -> int:
        """How many jobs there are, with those that are finished already."""
        return len(self.missing) + len(self.kept)

    def chains(self) -> Iterator[TaskChain]:
        """Each missing dream, as the executors take them."""
        return (self._chain(number, job) for number, job in enumerate(self.missing))

    def on_event(self, event: Event) -> None:
        """Takes note of a worker's step; any thread may call it."""
        if event.number in self._shares:  # else it is late
            self._shares[event.number] = event.done
        self._tell(self.missing[event.number].output, event)

    def finish(self) -> None:
        """Writes what is known down, and clears up after runs that were killed."""
        self._manifest.write(all_of_it=True)
        if isinstance(self._store, Folder):
            self._store.clear(self.began)

    def report(self, **about: Any) -> dict[str, Any]:
        """What came of it, as plain data."""
        seconds = time.time() - self.began
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
                    "models": [str(share.model) for share in each.shares],
                    "digest": each.digest,
                }
                for each in self._ways
            ],
            **about,
        }

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Puts the report beside the manifest."""
        self._store.put(REPORT, json.dumps(report, indent=1).encode())

    def _chain(self, number: int, job: Job) -> TaskChain:
        source = job.input.source
        self._shares[number] = 0.0
        try:
            data = None if is_url(source) else _bytes(source)
        except ImageError as error:
            self._ended(number, job, TaskResult(error=error))
            return
        result = yield Task(number, job.way, source, job.output, data)
        self._ended(number, job, result)

    def _ended(self, number: int, job: Job, result: TaskResult) -> None:
        self.warnings.update(result.warnings)
        why = "" if result.error is None else str(result.error)
        if why:
            about = {"input": job.input.source, "output": job.output, "why": why}
            self.failed.append(about | ({"traceback": result.traceback} if result.traceback else {}))
        else:
            self.dreamed += 1
            self._seconds += result.value["seconds"]
            self._memory = max(self._memory, result.value["memory"])
            self._manifest.add(job.output, self._entry(job, result.value["sha256"], result.value["bytes"]))
        self._shares.pop(number, None)
        self._tell(job.output, why=why)

    def _tell(self, output: str, event: Event | None = None, why: str = "") -> None:
        if self._on_progress is not None:
            done = self.dreamed + len(self.failed)
            share = min(1.0, (done + sum(list(self._shares.values()))) / max(1, self.total))
            self._on_progress(Progress(done, self.total, len(self.failed), share, output, event, why))

    def _entry(self, job: Job, sha256: str, size: int) -> list[Any]:
        source = job.input.source
        return [sha256, self._ways[job.way].digest, size, *_stamp(source), _place(source)]

    def _is_made(self, job: Job, known: Sequence[Any] | None) -> bool:
        """Whether what the manifest knows of it is as it would be made now."""
        if known is None or known[1] != self._ways[job.way].digest or self._sizes.get(job.output) != known[2]:
            return False
        stamp = _stamp(job.input.source)
        if [*stamp, _place(job.input.source)] == known[3:] and stamp[0] is not None:
            return True
        try:
            return bool(hashlib.sha256(_bytes(job.input.source)).hexdigest() == known[0])
        except ImageError:
            return False

    def _is_dreamed(self, job: Job) -> bool:
        """Whether what is there says of itself that it is this dream: of a run that was killed."""
        try:
            data = self._store.get(job.output)
            found = images.recipe_in(io.BytesIO(data), job.output)
            sha256 = hashlib.sha256(_bytes(job.input.source)).hexdigest()
        except (DreamkitError, OSError):
            return False
        if found is None or _told(found) != (sha256, self._ways[job.way].digest):
            return False
        self._manifest.add(job.output, self._entry(job, sha256, len(data)))
        return True


def _digest(
    options: Mapping[str, Any], models: Sequence[Sequence[Any]], guide: str | None, masks: Mapping[str, str]
) -> str:
    told = {"options": options, "models": models, "guide": guide, "masks": masks}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _told(recipe: Mapping[str, Any]) -> tuple[str, str] | None:
    """The hash of the photograph, and the digest of all else, that a dream says it was made of."""
    try:
        models = [
            [each[name] for name in ("name", "sha256", "weight", "layers")] for each in recipe["models"]
        ]
        guide = recipe["guide"]["sha256"] if "guide" in recipe else None
        masks = {name: each["sha256"] for name, each in recipe.get("masks", {}).items()}
        return recipe["photograph"]["sha256"], _digest(recipe["options"], models, guide, masks)
    except (KeyError, TypeError, AttributeError):
        return None


class _Manifest:
    """What is made, by its name: hash of the picture, digest of the way, bytes, and the picture's size, time
    of change and place, by which the hash need not be computed again."""

    def __init__(self, store: Store, sizes: Mapping[str, int]) -> None:
        self._store = store
        self._parts = sorted(name for name in sizes if name.startswith(f"{OWN}/manifest-"))
        self.made: dict[str, list[Any]] = {}
        self._new: dict[str, list[Any]] = {}
        self._written = time.monotonic()
        for name in self._parts:
            for line in store.get(name).decode("utf-8", "replace").splitlines():
                # Whoever edited it loses a line of it, however deep its brackets go.
                with suppress(ValueError, TypeError, RecursionError):
                    output, *known = json.loads(line)
                    if len(known) == 6 and isinstance(output, str):
                        self.made[output] = known

    def add(self, output: str, known: list[Any]) -> None:
        """Takes a dream in, and writes a part now and then."""
        self.made[output] = self._new[output] = known
        if time.monotonic() - self._written > _EVERY:
            self.write(all_of_it=len(self._parts) >= _PARTS)

    def write(self, *, all_of_it: bool = False) -> None:
        """Writes what is new as a part of its own; or all of it as one, in place of the parts."""
        self._written = time.monotonic()
        if not self._new and not (all_of_it and len(self._parts) > 1):
            return
        entries = self.made if all_of_it else self._new
        text = "".join(json.dumps([output, *known]) + "\n" for output, known in entries.items())
        name = f"{OWN}/manifest-{time.time_ns():020}.jsonl"
        self._store.put(name, text.encode())
        self._new = {}
        if all_of_it:
            for part in self._parts:
                self._store.remove(part)
            self._parts = []
        self._parts.append(name)


def _expanded(text: str) -> Iterable[Input]:
    if is_url(text):
        return list(_of_url(text))
    if os.path.isdir(text):
        found = sorted(_pictures_below(Path(text)))
        if not found:
            raise ImageError(f"{text} holds no pictures; give a folder that does")
        return [Input(str(path), path.relative_to(text).as_posix()) for path in found]
    if os.path.isfile(text):
        return _of_list(Path(text)) if Path(text).suffix.lower() in _LISTS else [Input(text, Path(text).name)]
    if glob.has_magic(text):
        root = Path(*_before_magic(text))
        found = sorted(Path(path) for path in glob.glob(text, recursive=True) if os.path.isfile(path))
        if not found:
            raise ImageError(f"{text} matches no file; give a pattern that does")
        return [Input(str(path), path.relative_to(root).as_posix()) for path in found]
    raise ImageError(f"{text} does not exist; give pictures, folders, patterns or a list")


def _pictures_below(folder: Path) -> Iterator[Path]:
    for where, folders_in, names in os.walk(folder):
        folders_in[:] = [each for each in folders_in if not each.startswith(".") and each != OWN]
        for name in names:
            if Path(name).suffix.lower() in _INPUTS and not name.startswith("."):
                yield Path(where, name)


def _before_magic(pattern: str) -> Iterator[str]:
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def _of_list(path: Path) -> list[Input]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"cannot read the list {path} ({first_line(error)})") from error
    found = []
    for line in filter(None, map(str.strip, lines)):
        if is_url(line):
            found.append(Input(line, line.rpartition("/")[2]))
        elif not line.startswith("#"):
            source = path.parent / line
            inside = not os.path.isabs(line) and ".." not in Path(line).parts
            found.append(Input(str(source), Path(line).as_posix() if inside else source.name))
    if not found:
        raise ImageError(f"the list {path} names no pictures; write a path or URL into each line")
    # One that is not there is a failure like a damaged one; if none is, this is no list.
    if not any(is_url(each.source) or os.path.isfile(each.source) for each in found):
        raise ImageError(
            f"the list {path} names {shown(found[0].source)}{_more(found)}, and nothing of it exists; paths "
            "are those from the list's own folder"
        )
    return found


def _of_url(url: str) -> Iterator[Input]:
    from dreamkit.media import storage

    place = storage.at(url.rstrip("/"))
    names = [name for name in place.sizes() if PurePosixPath(name).suffix.lower() in _INPUTS]
    if PurePosixPath(url).suffix.lower() in _INPUTS:
        yield Input(url, url.rpartition("/")[2])
    elif not names:
        raise ImageError(f"{url} holds no pictures")
    yield from (Input(f"{url.rstrip('/')}/{name}", name) for name in sorted(names) if name)


def _bytes(source: str) -> bytes:
    """A picture file's bytes."""
    try:
        if is_url(source):
            import fsspec

            with fsspec.open(source, "rb") as file:
                return bytes(file.read())
        return Path(source).read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{source} does not exist") from error
    except Exception as error:  # every kind of place has its own
        raise ImageError(f"{source} cannot be read ({first_line(error)[:120]})") from error


def _place(source: str) -> str:
    """Where a picture is, however it was named."""
    return source if is_url(source) else os.path.abspath(source)


def _more(names: Sequence[Any]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _stamp(source: str) -> list[Any]:
    """Size and time of change of a file; none of a URL."""
    try:
        about = os.stat(source)
    except OSError:
        return [None, None]
    return [about.st_size, about.st_mtime_ns]


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    from dreamkit.engine import memory

    return memory.resident()[1]
