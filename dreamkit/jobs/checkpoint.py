"""The work file of a long dream: its state after a step, from which it is resumed to the same bytes.

A NumPy archive beside the picture, written whole or not at all, and read without pickle. It holds the
fingerprint of its dream; nothing in it is followed or run.
"""

from __future__ import annotations

import json
import time
import warnings
import zipfile
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import fingerprint as fingerprints
from dreamkit.config import CHECKPOINT_EVERY
from dreamkit.errors import DreamkitError, DreamkitWarning, ImageError, first_line
from dreamkit.media import arrays, atomic, paths

if TYPE_CHECKING:
    from dreamkit.engine.progress import DreamState, StepEvent

_ENDING = ".work"
_MOST_OF_DESCRIPTION = 64 << 20  # bytes; it may hold directions and masks
_MOST_OF_PIXEL = 256  # bytes of state; three channels, twenty float32 arrays
_LONG = 60  # characters of a difference that are more than a line should have


class CheckpointError(DreamkitError):
    """A work file is damaged, or belongs to another dream."""


class Checkpoint:
    """The work file of the dream that will be written to `output`."""

    def __init__(
        self, output: Path, pixels: int, *, every: float = CHECKPOINT_EVERY, resume: bool = False
    ) -> None:
        """Of a dream of so many pixels. With `resume`, it continues from the work file, if there is one;
        `every` is in seconds."""
        self.path = path_of(output)
        self._pixels = pixels
        self._output = output
        self._every = every
        self._resume = resume
        self._fingerprint: Mapping[str, Any] = {}
        self._machine: Mapping[str, Any] = {}
        self._so_far = ""
        self._written = time.monotonic()

    def begin(self, fingerprint: Mapping[str, Any], machine: Mapping[str, Any]) -> DreamState | None:
        """The state to resume the dream of this fingerprint from, or None for its beginning.

        Warns where the dream was begun on a machine that differs from `machine`.

        Raises:
            CheckpointError: the work file cannot be read, or is another dream's.
        """
        self._fingerprint = json.loads(json.dumps(fingerprint))
        self._machine = machine
        self._written = time.monotonic()
        if not self._resume or not self.path.is_file():
            return None
        about, found = _read(self.path, self._pixels)
        identity = about["identity"]
        if identity != self._fingerprint:
            differs = _difference(identity, self._fingerprint)
            raise CheckpointError(
                f"{self.path} is of another dream, by its {differs}; repeat that one with --resume, or start "
                "anew with --overwrite"
            )
        self._so_far = about["so_far"]
        others = fingerprints.machine_differences(about["machine"], machine)
        if others:
            message = f"{self.path} was begun with {others}; bytes may differ"
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        return _state(self.path, about, found)

    def keep(self, state: DreamState) -> None:
        """Writes the state if it is time to. A full disk does not stop the dream."""
        if time.monotonic() - self._written < self._every:
            return
        try:
            self.write(state)
        except ImageError as error:
            warnings.warn(f"no checkpoint: {error}; the dream continues", DreamkitWarning, stacklevel=2)
        self._written = time.monotonic()

    def write(self, state: DreamState, so_far: str = "") -> None:
        """Writes the state. `so_far` is the hash of the unfinished picture that was written.

        Raises:
            ImageError: it cannot be written.
        """
        self._so_far = so_far or self._so_far
        about = {"identity": self._fingerprint, "machine": dict(self._machine), **state.numbers()}
        self._put(about, state.arrays())

    def note(self, so_far: str) -> None:
        """Adds the hash of the unfinished picture that was written to a work file that exists.

        Raises:
            ImageError, CheckpointError: it cannot be written, or read.
        """
        self._so_far = so_far
        self._put(*_read(self.path, self._pixels))

    def _put(self, about: Mapping[str, Any], of_state: Mapping[str, NDArray[Any]]) -> None:
        text = np.frombuffer(json.dumps({**about, "so_far": self._so_far}).encode(), np.uint8)

        def save(file: IO[bytes]) -> None:
            # As np.savez does it, which does not close its archive where the disk is full.
            with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                for name, array in {"about": text, **of_state}.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        write: Any = np.lib.format.write_array
                        write(member, np.asanyarray(array), allow_pickle=False)

        atomic.write_with(self.path, save, overwrite=True)

    def after_each(self, on_step: Callable[[StepEvent], None] | None = None) -> Callable[[StepEvent], None]:
        """A function for the steps of a session, which keeps the state after `on_step`."""

        def keep(event: StepEvent) -> None:
            if on_step is not None:
                on_step(event)
            self.keep(event.state)

        return keep

    def is_so_far(self) -> bool:
        """Whether the file at the output is the unfinished picture of this dream, which may be replaced."""
        try:
            so_far = _read(self.path, self._pixels, ("about",))[0]["so_far"]
            return bool(so_far) and paths.digest(self._output) == so_far
        except (CheckpointError, OSError):
            return False

    def done(self) -> None:
        """Removes the work file."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:  # the dream is written
            message = f"{self.path} cannot be removed ({first_line(error)}); delete it"
            warnings.warn(message, DreamkitWarning, stacklevel=2)


def path_of(output: Path) -> Path:
    """The work file of a dream that will be written to `output`."""
    return paths.companion(output, _ENDING)


def unfinished(stem: str) -> Path | None:
    """The one of `STEM.png`, `STEM-2.png`, ... that has a work file; None where none has."""
    for path in atomic.numbered_paths(stem):
        if path_of(path).is_file():
            return path
        if not path.exists():
            return None
    return None


def _read(
    path: Path, pixels: int, names: Container[str] | None = None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The description in a work file of a dream of so many pixels, and its arrays, or those of `names`."""
    with _one_line(path):
        found = arrays.read(path, _MOST_OF_DESCRIPTION + pixels * _MOST_OF_PIXEL, names)
        about = json.loads(found.pop("about").tobytes())
        kinds = {"identity": dict, "machine": dict, "so_far": str}
        if not all(isinstance(about[name], kind) for name, kind in kinds.items()):
            raise ValueError("it does not describe its dream")
        return about, found


def _state(path: Path, about: Mapping[str, Any], found: Mapping[str, NDArray[Any]]) -> DreamState:
    from dreamkit.engine.progress import DreamState

    with _one_line(path):
        return DreamState.from_parts(about, found)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turns whatever NumPy raises for a damaged work file into one line."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:
        why = f" ({first_line(error)})" if isinstance(error, OSError) else ""
        raise CheckpointError(
            f"{path} cannot be read as a work file{why}; start anew with --overwrite"
        ) from error


def _difference(found: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first thing in which two identities differ."""
    name = next(key for key in {**found, **asked} if found.get(key) != asked.get(key))
    before, now = found.get(name), asked.get(name)
    if isinstance(before, dict) and isinstance(now, dict):
        return _difference(before, now)
    if len(f"{before}{now}") > _LONG:
        return name
    return f"{name}: {before}, not {now}"
