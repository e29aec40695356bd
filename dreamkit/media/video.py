"""Films and series of pictures, read frame by frame by PyAV."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import first_line
from dreamkit.media import image_sizes, image_writer, images, paths
from dreamkit.media.video_formats import RATE, VideoError, import_av, open_film

_MOST_PIXELS = 200_000_000  # of one picture


@dataclass(frozen=True)
class Frame:
    """One frame: uint8 `(height, width, 3)`, upright, and when it is shown, in seconds from the first."""

    pixels: NDArray[np.uint8]
    time: Fraction


@dataclass(frozen=True)
class Clip:
    """A film, or a series of numbered pictures.

    Attributes:
        paths: the film's, or those of the pictures in order.
        size: height and width, upright.
        rate: frames a second.
        times: when each frame is shown, in seconds from the first.
        has_sound: whether the film has sound.
        sha256: the file's, or of the hashes of all files.
        shrunk_from: size of the file's own frames, where `size` is smaller; else None.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    rate: Fraction
    times: tuple[Fraction, ...]
    has_sound: bool = False
    sha256: str = ""
    shrunk_from: tuple[int, int] | None = None

    @property
    def count(self) -> int:
        """The number of frames."""
        return len(self.times)

    @property
    def is_film(self) -> bool:
        """Whether it is one file."""
        return len(self.paths) == 1 and self.paths[0].suffix.lower() not in image_writer.SUFFIXES

    def within(self, max_size: int | None) -> Clip:
        """The same clip with frames whose longer side is at most `max_size` pixels; None for no limit."""
        longest = max(self.size)
        if max_size is None or longest <= max_size:
            return self
        height, width = (max(1, round(side * max_size / longest)) for side in self.size)
        return replace(self, size=(height, width), shrunk_from=self.shrunk_from or self.size)

    @property
    def is_variable(self) -> bool:
        """Whether frames are shown for different times."""
        return any(
            abs(time - number / self.rate) > Fraction(1, 2) / self.rate
            for number, time in enumerate(self.times)
        )

    def frames(self, most: int | None = None, wanted: Callable[[int], bool] | None = None) -> Iterator[Frame]:
        """The frames, or the first `most`, one at a time.

        `wanted` is asked once for each number, from 0 on, when its turn comes; other frames are skipped.

        Raises:
            VideoError, ImageError: one cannot be read.
        """
        count = self.count if most is None else min(most, self.count)
        for number, read in enumerate(islice(self._pixels(), count)):
            if wanted is not None and not wanted(number):
                continue
            with _errors(_describe(self.paths)):
                pixels = read()
            height, width = self.shrunk_from or self.size
            if pixels.shape[:2] != (height, width):
                raise VideoError(
                    f"frame {number} of {_describe(self.paths)} has {pixels.shape[1]} x {pixels.shape[0]} "
                    f"pixels and the first {width} x {height}; bring them to one size first"
                )
            if self.shrunk_from:
                pixels = image_sizes.shrink(images.from_memory(pixels), max(self.size)).pixels
            yield Frame(pixels, self.times[number])

    def _pixels(self) -> Iterator[Callable[[], NDArray[np.uint8]]]:
        """For each frame, what reads its pixels."""
        if not self.is_film:
            for path in self.paths:
                yield partial(_read, path)
            return
        with _open(self.paths[0]) as container:
            for frame in container.decode(video=0):
                yield partial(_upright, frame)


def read(source: str | os.PathLike[str], rate: Fraction = RATE) -> Clip:
    """A film, a folder of numbered pictures, or a pattern such as `frames/*.png`.

    Every frame is decoded once, so that damage is found before anything is dreamed. `rate`, in frames a
    second, is for pictures; a film has its own.

    Raises:
        VideoError: nothing is there, or it cannot be read as a film.
    """
    path = Path(source)
    is_file = os.path.isfile(path)  # which is no pattern, whatever it is called
    if path.is_dir() or (not is_file and any(letter in path.name for letter in "*?[")):
        return _read_pictures(path, rate)
    if not is_file:
        raise VideoError(
            f"{source} does not exist; give a film, a folder of frames or a pattern such as f/*.png"
        )
    if path.suffix.lower() in image_writer.SUFFIXES:
        raise VideoError(f"{source} is a picture; dream it with dreamkit dream")
    times: list[Fraction] = []
    size: tuple[int, int] | None = None
    with _open(path) as container:
        if not container.streams.video:
            raise VideoError(f"{source} holds no pictures, only sound; give a film")
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            if size is None:
                turned = round(frame.rotation / 90) % 2
                size = (frame.width, frame.height) if turned else (frame.height, frame.width)
            shown = None if frame.pts is None else frame.pts * frame.time_base
            last = times[-1] if times else Fraction(0)
            times.append(last + 1 / RATE if shown is None else shown)
        stated = stream.average_rate or stream.base_rate
        has_sound = bool(container.streams.audio)
    if size is None:
        raise VideoError(f"{source} holds no frame that can be read; it is empty or damaged")
    duration = times[-1] - times[0]
    measured = Fraction(len(times) - 1) / duration if duration > 0 else RATE
    steady = stated and abs(stated - measured) < measured / 50
    return Clip(
        (path,),
        size,
        Fraction(stated) if steady else measured.limit_denominator(1001),
        tuple(time - times[0] for time in times),
        has_sound,
        paths.digest(path),
    )


def _read_pictures(path: Path, rate: Fraction) -> Clip:
    """The pictures in a folder or of a pattern, sorted by the numbers in their names."""
    candidates = path.iterdir() if path.is_dir() else path.parent.glob(path.name)
    suffixes = image_writer.SUFFIXES
    pictures = [
        each for each in candidates if each.suffix.lower() in suffixes and not each.name.startswith(".")
    ]
    if not pictures:
        raise VideoError(
            f"{path} holds no pictures; give a film, a folder of frames or a pattern such as f/*.png"
        )
    pictures.sort(
        key=lambda each: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", each.name)]
    )
    height, width = images.read(pictures[0], _MOST_PIXELS).pixels.shape[:2]
    digest = hashlib.sha256("".join(map(paths.digest, pictures)).encode()).hexdigest()
    times = tuple(number / rate for number in range(len(pictures)))
    return Clip(tuple(pictures), (height, width), rate, times, sha256=digest)


def _read(path: Path) -> NDArray[np.uint8]:
    return images.read(path, _MOST_PIXELS).pixels


def _upright(frame: Any) -> NDArray[np.uint8]:
    """The pixels of a decoded frame."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _describe(paths: Sequence[Path]) -> str:
    return str(paths[0] if len(paths) == 1 else paths[0].parent)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The container of a film; a context."""
    with _errors(str(path)), open_film(path) as container:
        yield container


@contextmanager
def _errors(name: str) -> Iterator[None]:
    """Turns errors of FFmpeg into a `VideoError`."""
    try:
        yield
    except (OSError, import_av().error.FFmpegError) as error:
        why = error.strerror or first_line(error)
        raise VideoError(f"{name} cannot be read as a film, or is damaged ({why})") from error
