"""The work file of a long dream: its state after a step, from which it is resumed to the same bytes.

A NumPy archive beside the picture, written whole or not at all, and read without pickle. It holds the
fingerprint of its dream; nothing in it is followed or run.
"""

from __future__ import annotations

import json
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import CHECKPOINT_EVERY
from dreamkit.errors import DreamkitError, DreamkitWarning, ImageError, first_line
from dreamkit.media import atomic, paths

if TYPE_CHECKING:
    from dreamkit.engine.progress import DreamState, StepEvent

_ENDING = ".work"
_LONG = 60  # characters of a difference that are more than a line should have


class CheckpointError(DreamkitError):
    """A work file is damaged, or belongs to another dream."""


class Checkpoint:
    """The work file of the dream that will be written to `output`."""

    def __init__(self, output: Path, *, every: float = CHECKPOINT_EVERY, resume: bool = False) -> None:
        """With `resume`, a dream continues from the work file, if there is one; `every` is in seconds."""
        self.path = path_of(output)
        self._output = output
        self._every = every
        self._resume = resume
        self._fingerprint: Mapping[str, Any] = {}
        self._so_far = ""
        self._written = time.monotonic()

    def begin(self, fingerprint: Mapping[str, Any]) -> DreamState | None:
        """The state to resume the dream of this fingerprint from, or None for its beginning.

        Raises:
            CheckpointError: the work file cannot be read, or is another dream's.
        """
        self._fingerprint = json.loads(json.dumps(fingerprint))
        self._written = time.monotonic()
        if not self._resume or not self.path.is_file():
            return None
        about, arrays = _read(self.path)
        found = about["identity"]
        if found != self._fingerprint:
            differs = _difference(found, self._fingerprint)
            raise CheckpointError(
                f"{self.path} is of another dream, by its {differs}; repeat that one with --resume, or start "
                "anew with --overwrite"
            )
        self._so_far = about["so_far"]
        return _state(self.path, about, arrays)

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
        self._put({"identity": self._fingerprint, **state.numbers()}, state.arrays())

    def note(self, so_far: str) -> None:
        """Adds the hash of the unfinished picture that was written to a work file that exists.

        Raises:
            ImageError, CheckpointError: it cannot be written, or read.
        """
        self._so_far = so_far
        self._put(*_read(self.path))

    def _put(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        text = np.frombuffer(json.dumps({**about, "so_far": self._so_far}).encode(), np.uint8)

        def save(file: IO[bytes]) -> None:
            # As np.savez does it, which does not close its archive where the disk is full.
            with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                for name, array in {"about": text, **arrays}.items():
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
            so_far = _read(self.path, whole=False)[0]["so_far"]
            return bool(so_far) and paths.digest(self._output) == so_far
        except (CheckpointError, OSError):
            return False

    def done(self) -> None:
        """Removes the work file."""
        with suppress(FileNotFoundError):
            self.path.unlink()


def path_of(output: Path) -> Path:
    """The work file of a dream that will be written to `output`."""
    return output.with_name(f"{output.name}{_ENDING}")


def unfinished(stem: str) -> Path | None:
    """The one of `STEM.png`, `STEM-2.png`, ... that has a work file; None where none has."""
    for path in atomic.numbered_paths(stem):
        if path_of(path).is_file():
            return path
        if not path.exists():
            return None
    return None


def _read(path: Path, *, whole: bool = True) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The description in a work file, and its arrays if the `whole` is wanted."""
    with _one_line(path), path.open("rb") as file:  # np.load leaves one open that it cannot read
        archive = np.load(file, allow_pickle=False)
        about = json.loads(archive["about"].tobytes())
        if not isinstance(about["identity"], dict) or not isinstance(about["so_far"], str):
            raise ValueError("it does not describe its dream")
        return about, {name: archive[name] for name in archive.files if whole and name != "about"}


def _state(path: Path, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> DreamState:
    from dreamkit.engine.progress import DreamState

    with _one_line(path):
        return DreamState.from_parts(about, arrays)


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
