"""Observations of a folder of photographs, kept in the cache, part by part."""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamkit.errors import ConfigError, DreamkitWarning, ImageError, Interrupted
from dreamkit.executors.executor import run_here
from dreamkit.executors.scheduler import TaskChain
from dreamkit.media import arrays, atomic, paths
from dreamkit.models.spec import ModelSpec
from dreamkit.observations import observer
from dreamkit.observations.observer import Observer, Part, Task

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

_FORMAT = 1
_OF_PART = 64  # photographs that are looked at and kept together
_MOST_BYTES = 1 << 30  # of a part


@dataclass(frozen=True)
class Observations:
    """What a layer sees in photographs.

    Attributes:
        layer: its name.
        photographs: their paths.
        side: pixels of the square that was seen of each.
        seen: what was seen.
        folder: where the parts are kept.
    """

    layer: str
    photographs: Sequence[str]
    side: int
    seen: Part
    folder: Path


def observe(
    spec: ModelSpec,
    network: Network,
    layer: str,
    photographs: Sequence[str],
    *,
    samples: int = 1,
    seed: int = 0,
    on_picture: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> Observations:
    """Looks at photographs through a layer. What was looked at before, with the same weights, is not again.

    Args:
        spec: of the network, for workers.
        network: the same, loaded.
        layer: its exact name.
        photographs: their paths; each is known by its path, size and time.
        samples: places of each photograph whose activations are kept.
        seed: of the choice of these places.
        on_picture: called with how many photographs were looked at, and how many there are.
        executor: what looks at them; None for this process.

    Raises:
        ImageError: no photograph can be read.
        Interrupted: Ctrl-C; what was looked at is kept.
    """
    folder = paths.cache() / "observations" / _key(network, layer, photographs, samples, seed)
    channels = network.channels(layer)
    tasks = [
        Task(first, tuple(photographs[first : first + _OF_PART]))
        for first in range(0, len(photographs), _OF_PART)
    ]
    found = {task.first: part for task in tasks if (part := _read(folder, task, channels)) is not None}
    looking = _Looking(folder, found, len(photographs), on_picture)
    missing = [task for task in tasks if task.first not in found]
    worker = Observer(spec, layer, samples, seed, network if executor is None else None)
    try:
        chains = map(looking.chain, missing)
        if executor is None:
            run_here(worker, chains, lambda _: None)
        elif missing:
            executor.run(worker, chains, lambda _: None, tasks=len(missing))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {looking.done} of {len(photographs)} photographs were looked at and kept; the "
            "same command continues from there"
        ) from None
    seen = observer.merged([observer.empty(channels), *(found[task.first] for task in tasks)])
    if not seen.map_size.any():
        raise ImageError("none of the photographs can be read; give some that can")
    return Observations(layer, photographs, observer.side_for(network, layer), seen, folder)


class _Looking:
    """The parts that are there, and those that come."""

    def __init__(
        self,
        folder: Path,
        found: dict[int, Part],
        total: int,
        on_picture: Callable[[int, int], None] | None,
    ) -> None:
        self._folder, self._found, self._total = folder, found, total
        self._tell = on_picture or (lambda _done, _total: None)
        self.done = min(total, _OF_PART * len(found))

    def chain(self, task: Task) -> TaskChain:
        result = yield task
        result.raise_error(f"photographs {task.first + 1} to {task.first + len(task.paths)}")
        for message in result.warnings:
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        self._found[task.first] = result.value
        _write(self._folder, task, result.value)
        self.done += len(task.paths)
        self._tell(self.done, self._total)


def _key(network: Network, layer: str, photographs: Sequence[str], samples: int, seed: int) -> str:
    about = {
        "format": _FORMAT,
        "network": network.digest,
        "layer": layer,
        "side": observer.side_for(network, layer),
        "samples": samples,
        "seed": seed,
        "photographs": list(_stamps(photographs)),
    }
    return hashlib.sha256(json.dumps(about).encode("utf-8", "surrogateescape")).hexdigest()[:40]


def _stamps(photographs: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    for path in photographs:
        try:
            status = os.stat(path)
        except OSError as error:
            raise ImageError(f"cannot read {path} ({error.strerror}); give photographs that exist") from error
        yield os.path.abspath(path), status.st_size, status.st_mtime_ns


def _path(folder: Path, task: Task) -> Path:
    return folder / f"{task.first:08}.npz"


def _write(folder: Path, task: Task, part: Part) -> None:
    packed = io.BytesIO()
    np.savez(packed, **part._asdict())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write to the cache {folder} ({error.strerror})") from error
    atomic.write(_path(folder, task), packed.getvalue(), overwrite=True)


def _read(folder: Path, task: Task, channels: int) -> Part | None:
    """The part that is kept; None where it is missing or damaged."""
    try:
        read: dict[str, Any] = arrays.read(_path(folder, task), _MOST_BYTES)
        part = Part(**read)
    except (OSError, ValueError, TypeError):
        return None
    like = observer.empty(channels)
    alike = all(a.dtype == b.dtype and a.shape[1:] == b.shape[1:] for a, b in zip(part, like, strict=True))
    return part if alike else None
