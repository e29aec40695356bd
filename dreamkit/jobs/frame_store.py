"""A long run's folder: the frames that are finished, and what they are frames of.

A run that was broken off at any moment goes on from its last finished frame. Each frame is made of the one
before as it lies here, so what goes on is byte for byte what would have been.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.errors import DreamkitError, Interrupted, first_line
from dreamkit.media import atomic, image_writer

_MANIFEST = "manifest.json"
_BYTES = 2.2  # of a dreamed pixel as PNG, about


class WorkError(DreamkitError):
    """A work folder belongs to something else, or there is no room for it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What `on_frame` hears after each frame.

    Attributes:
        done, total: frames that are finished, and how many there will be.
        path: of the newest.
        resumed: whether they were finished before.
    """

    done: int
    total: int
    path: Path
    resumed: bool = False


class Work:
    """The finished frames of one run, numbered from 0."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Opens `folder` or makes it; `identity`, plain data, says what its frames are frames of.

        Raises:
            WorkError: it holds another run's frames, or what is no run's at all.
        """
        self.folder = folder
        told = json.loads(json.dumps(identity))
        if folder.is_dir():
            found = _manifest(folder)
            if found is None and any(folder.iterdir()):
                raise WorkError(f"{folder} exists and is no work folder; move it away, or choose another -o")
            if found is not None and found != told:
                if not overwrite:
                    raise WorkError(
                        f"{folder} holds the frames of another run, with another "
                        f"{' and '.join(_differences(found, told))}; repeat that one to finish it, or give "
                        "--overwrite to begin anew"
                    )
                shutil.rmtree(folder)
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise WorkError(f"cannot make the folder {folder} ({first_line(error)})") from error
        if _manifest(folder) is None:
            atomic.write(folder / _MANIFEST, json.dumps(told, indent=1).encode(), overwrite=True)

    def __len__(self) -> int:
        """How many frames are finished, from the first on."""
        count = 0
        while self.has(count):
            count += 1
        return count

    def has(self, number: int) -> bool:
        """Whether a frame is finished."""
        return self.path(number).is_file()

    def path(self, number: int) -> Path:
        """Where a frame is, or will be."""
        return self.folder / f"{number:06}.png"

    def put(self, number: int, pixels: NDArray[np.uint8]) -> None:
        """Keeps a finished frame."""
        atomic.write(self.path(number), image_writer.to_png(pixels, quick=True), overwrite=True)

    def get(self, number: int) -> NDArray[np.uint8]:
        """A finished frame, uint8 `(height, width, 3)`."""
        with Image.open(self.path(number)) as image:
            return np.asarray(image.convert("RGB"))

    def fill(
        self,
        total: int,
        frame: Callable[[int], NDArray[np.uint8]],
        on_frame: Callable[[Progress], None] | None = None,
    ) -> None:
        """Makes those of `total` frames that are missing, one after another, and tells of each.

        Raises:
            Interrupted: Ctrl-C; what is finished stays.
        """
        with self.filling(total, on_frame) as keep:
            for number in range(len(self), total):
                keep(number, frame(number))

    @contextmanager
    def filling(
        self, total: int, on_frame: Callable[[Progress], None] | None = None
    ) -> Iterator[Callable[[int, NDArray[np.uint8]], None]]:
        """Gives what keeps a finished frame, in any order, and tells of it.

        Raises:
            Interrupted: Ctrl-C; what is finished stays.
        """
        finished = [number for number in range(total) if self.has(number)]
        done = len(finished)
        if finished and on_frame is not None:
            on_frame(Progress(done, total, self.path(finished[-1]), resumed=True))

        def keep(number: int, pixels: NDArray[np.uint8]) -> None:
            nonlocal done
            self.put(number, pixels)
            done += 1
            if on_frame is not None:
                on_frame(Progress(done, total, self.path(number)))

        try:
            yield keep
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                f"interrupted after {done} of {total} frames; the same command goes on"
            ) from None

    def frames(self, count: int) -> Iterator[NDArray[np.uint8]]:
        """The first `count` frames, one at a time."""
        return (self.get(number) for number in range(count))

    def done(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.folder)


def check_room(folder: Path, frames: int, size: tuple[int, int]) -> None:
    """Makes sure that `frames` frames of `size` (height, width) find room beside `folder`.

    Raises:
        WorkError: they do not.
    """
    needed = int(frames * size[0] * size[1] * _BYTES)
    free = shutil.disk_usage(folder.absolute().parent).free
    if needed > free:
        raise WorkError(
            f"{frames} frames of {size[1]} x {size[0]} pixels take about {needed / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free; make room, or take fewer or smaller frames"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What differs between two runs, by name."""
    names = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    if "options" in names:
        before, now = one.get("options", {}), other.get("options", {})
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        names = [*changed, *(name for name in names if name != "options")]
    return sorted(dict.fromkeys(names))


def _manifest(folder: Path) -> Any:
    try:
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
