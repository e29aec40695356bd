"""The folder of a long run: its finished frames, and what they depend on.

A run that was interrupted continues after its last finished frame. Each frame is made from the one before as
it is stored here, so the result has the same bytes as without an interruption.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit import fingerprint
from dreamkit.errors import DreamkitError, DreamkitWarning, Interrupted, first_line
from dreamkit.media import atomic, files, image_writer, locks, partial, paths

_MANIFEST = "manifest.json"
_MARK = "dreamkit_frames"  # a key in the manifest, which tells the folder from other people's
_MACHINE = "machine"  # another, which may differ between runs
_LOCK = ".lock"
_MOST_BYTES = 64 << 20  # of a manifest, which may hold directions and masks
_MOST_OF_HEADERS = 1 << 20  # in a frame's file
_CELLS = "cells"  # what a film knows about the parts of a frame
_FRAME = re.compile(rf"\d{{6,}}(\.mask\d+|\.{_CELLS})?\.png")
_BYTES_PER_PIXEL = 2.2  # of a dreamed frame as PNG, about


class FrameStoreError(DreamkitError):
    """A work folder belongs to something else or is in use, or there is too little disk space."""


@dataclass(frozen=True, slots=True)
class FrameProgress:
    """What `on_frame` receives after each frame.

    Attributes:
        done, total: the frames that are finished, and those of the whole run.
        path: the newest frame's.
        resumed: whether they were finished by an earlier run.
    """

    done: int
    total: int
    path: Path
    resumed: bool = False


def path_of(output: Path) -> Path:
    """The work folder of a film or a zoom that will be written to `output`."""
    return paths.companion(output, ".work")


class FrameStore:
    """The finished frames of one run, numbered from 0; a context, in which no other process can use them."""

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        size: tuple[int, int],
        *,
        masks: int = 0,
        cells: tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Touches no file yet.

        Args:
            folder: where the frames are.
            identity: plain data; everything that the frames depend on, but for the machine.
            size: height and width of a frame in pixels.
            masks: how many masks are stored with each frame.
            cells: rows and columns of the cells that are stored with each frame; None for none.
            overwrite: whether the frames of another run are deleted.
        """
        self.folder = folder
        self._identity = {_MARK: 1, **json.loads(json.dumps(identity)), "size": list(size)}
        self._size, self._masks, self._cells = size, [f"mask{number}" for number in range(masks)], cells
        self._overwrite = overwrite
        self._begun_on: Any = None
        self._lock = ExitStack()

    def __enter__(self) -> FrameStore:
        """Opens the folder or creates it.

        Raises:
            FrameStoreError: another process uses it, or it holds another run's frames or other files.
        """
        if self.folder.is_dir() and not self._is_ours():
            raise FrameStoreError(
                f"{self.folder} exists and is not a work folder; move it away, or choose another -o"
            )
        with ExitStack() as lock:
            try:
                self.folder.mkdir(exist_ok=True)
                lock.enter_context(locks.exclusive(self.folder / _LOCK))
            except locks.LockedError as error:
                raise FrameStoreError(
                    f"{self.folder} is in use by another dreamkit; wait until it ends, or choose another -o"
                ) from error
            except OSError as error:
                raise FrameStoreError(
                    f"cannot use the folder {self.folder} ({first_line(error)}); choose another -o"
                ) from error
            partial.remove_abandoned(self.folder)
            self._check_identity()
            self._lock = lock.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _is_ours(self) -> bool:
        """Whether the folder holds a run, or only what a run left that was killed at its start or end."""
        return _read_manifest(self.folder) is not None or all(
            name == _LOCK or partial.is_partial(name) or paths.is_of_the_system(name)
            for name in os.listdir(self.folder)
        )

    def _check_identity(self) -> None:
        found = _read_manifest(self.folder)
        self._begun_on = (found or {}).get(_MACHINE)
        if found is not None and _differences(found, self._identity):
            if not self._overwrite:
                different = " and ".join(_differences(found, self._identity))
                raise FrameStoreError(
                    f"{self.folder} holds the frames of another run, with another {different}; "
                    "repeat that one to finish it, or give --overwrite to start anew"
                )
            self._delete_files()
            found = self._begun_on = None
        if found is None:
            self._write_manifest({})

    def _write_manifest(self, machine: Mapping[str, Any]) -> None:
        data = json.dumps({**self._identity, _MACHINE: machine}, indent=1).encode()
        atomic.write(self.folder / _MANIFEST, data, overwrite=True)

    def begin_on(self, machine: Mapping[str, Any]) -> None:
        """Notes the machine that dreams the frames, as `engine.tf.machine.describe` says; warns where frames
        that are finished come from another."""
        if not self._begun_on or not isinstance(self._begun_on, dict):
            self._write_manifest(machine)
            return
        others = fingerprint.machine_differences(self._begun_on, machine)
        if others:
            warnings.warn(
                f"the frames in {self.folder} were begun with {others}; bytes may differ",
                DreamkitWarning,
                stacklevel=3,
            )

    def __len__(self) -> int:
        """How many frames are finished, counted from the first without a gap."""
        count = 0
        while self.has(count):
            count += 1
        return count

    def has(self, number: int) -> bool:
        """Whether a frame is finished."""
        beside = self._masks if self._cells is None else [*self._masks, _CELLS]
        return all(self.path(number, name).is_file() for name in ("", *beside))

    def path(self, number: int, beside: str = "") -> Path:
        """The path of a frame, finished or not, or of what is stored beside it."""
        return self.folder / f"{number:06}{beside and f'.{beside}'}.png"

    def write(
        self,
        number: int,
        pixels: NDArray[np.uint8],
        masks: Sequence[NDArray[np.uint8]] = (),
        cells: NDArray[np.uint8] | None = None,
    ) -> None:
        """Stores a finished frame, uint8 `(height, width, 3)`, after its masks, uint8 `(height, width)`, and
        its cells, uint8 `(rows, columns, 4)`."""
        beside = dict(zip(self._masks, masks, strict=True))
        if cells is not None:
            beside[_CELLS] = cells
        for name, values in {**beside, "": pixels}.items():
            atomic.write(self.path(number, name), image_writer.to_png(values, quick=True), overwrite=True)

    def masks(self, number: int) -> list[NDArray[np.uint8]]:
        """The masks of a finished frame, uint8 `(height, width)`."""
        return [self._read(number, name, self._size, "L") for name in self._masks]

    def cells(self, number: int) -> NDArray[np.uint8] | None:
        """The cells of a finished frame, uint8 `(rows, columns, 4)`; None where none are stored."""
        return None if self._cells is None else self._read(number, _CELLS, self._cells, "RGBA")

    def read(self, number: int) -> NDArray[np.uint8]:
        """A finished frame, uint8 `(height, width, 3)`.

        Raises:
            FrameStoreError: the file was damaged or replaced since it was written.
        """
        return self._read(number, "", self._size, "RGB")

    def _read(self, number: int, beside: str, size: tuple[int, int], mode: str) -> NDArray[np.uint8]:
        path = self.path(number, beside)
        height, width = size
        try:
            data = files.read(path, (4 * width + 1) * height * 2 + _MOST_OF_HEADERS)
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.size != (width, height):
                    raise ValueError(f"it has {image.width} x {image.height} pixels")
                return np.asarray(image.convert(mode))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise FrameStoreError(
                f"the frame {path} is damaged ({first_line(error)}); delete it, and the same command dreams "
                "it again"
            ) from error

    def frames(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """The first `count` frames, one at a time."""
        return (self.read(number) for number in range(count))

    def fill(
        self,
        total: int,
        make_frame: Callable[[int], NDArray[np.uint8]],
        on_frame: Callable[[FrameProgress], None] | None = None,
    ) -> None:
        """Makes the missing frames of `total`, one after another, and reports each.

        Raises:
            Interrupted: Ctrl-C; the finished frames stay.
        """
        with self.writing(total, on_frame) as write:
            for number in range(len(self), total):
                write(number, make_frame(number))

    @contextmanager
    def writing(
        self, total: int, on_frame: Callable[[FrameProgress], None] | None = None
    ) -> Iterator[Callable[..., None]]:
        """Gives a function that stores a finished frame as `write` does, in any order, and reports it.

        Raises:
            Interrupted: Ctrl-C; the finished frames stay.
        """
        finished = [number for number in range(total) if self.has(number)]
        done = len(finished)
        if finished and on_frame is not None:
            on_frame(FrameProgress(done, total, self.path(finished[-1]), resumed=True))

        def write(number: int, pixels: NDArray[np.uint8], *beside: Any) -> None:
            nonlocal done
            self.write(number, pixels, *beside)
            done += 1
            if on_frame is not None:
                on_frame(FrameProgress(done, total, self.path(number)))

        try:
            yield write
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted after {done} of {total} frames; the same command continues"
            ) from None

    def delete(self) -> None:
        """Deletes the frames and frees the folder for others. It goes with them if nothing else is in it."""
        try:
            self._delete_files()
        except OSError as error:  # the film is written
            message = f"{self.folder} cannot be removed ({first_line(error)}); delete it"
            warnings.warn(message, DreamkitWarning, stacklevel=2)
        self._lock.close()
        with suppress(OSError):  # another process may have begun a run there
            atomic.remove_empty(self.folder)

    def _delete_files(self) -> None:
        for path in self.folder.iterdir():
            if _FRAME.fullmatch(path.name):
                path.unlink()
        partial.remove_abandoned(self.folder)
        # Last, because it says whose the folder is. The lock stays: Windows cannot delete it while held.
        (self.folder / _MANIFEST).unlink(missing_ok=True)


def check_disk_space(folder: Path, frames: int, size: tuple[int, int]) -> None:
    """Checks that the disk of `folder` has space for `frames` frames of `size` (height, width).

    Raises:
        FrameStoreError: it does not.
    """
    needed = int(frames * size[0] * size[1] * _BYTES_PER_PIXEL)
    free = shutil.disk_usage(folder.absolute().parent).free
    if needed > free:
        raise FrameStoreError(
            f"{frames} frames of {size[1]} x {size[0]} pixels take about {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; make room, or take fewer or smaller frames"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of what differs between two runs, but for the machine."""
    names = [key for key in {**one, **other} if one.get(key) != other.get(key) and key != _MACHINE]
    before, now = one.get("options"), other.get("options")
    if "options" in names and isinstance(before, dict) and isinstance(now, dict):
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        names = [*changed, *(name for name in names if name != "options")]
    return sorted(dict.fromkeys(names))


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the frames in a folder depend on; None where it is damaged or another program's."""
    try:
        found = json.loads(files.read(folder / _MANIFEST, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _MARK in found else None
