"""A clip: a film, or a series of numbered pictures, or a part of one, read frame by frame by PyAV."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import first_line
from dreamkit.media import image_sizes, image_writer, images, tone_mapping
from dreamkit.media.sound import Sound
from dreamkit.media.video_formats import VideoError, import_av, open_film

MOST_PIXELS = 200_000_000  # of one picture
_LATER = Fraction(1, 6)  # of a frame: it is looked at so much after it begins, as files round their times


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
        numbers: which of the file's frames are shown, in order; None for all.
        span: the part of the file that it is, in seconds from the file's first frame; None for all of it.
        frames_of_file: how many frames the file has, where not all are shown once; else None.
        is_mask: whether what is transparent in a picture is black.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    rate: Fraction
    times: tuple[Fraction, ...]
    has_sound: bool = False
    sha256: str = ""
    shrunk_from: tuple[int, int] | None = None
    numbers: tuple[int, ...] | None = None
    span: tuple[Fraction, Fraction] | None = None
    frames_of_file: int | None = None
    is_mask: bool = False

    @property
    def count(self) -> int:
        """The number of frames."""
        return len(self.times)

    @property
    def sound(self) -> Sound | None:
        """Its sound; None if it has none."""
        return Sound(self.paths[0], self.span, of_film=True) if self.has_sound else None

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
    def duration(self) -> Fraction:
        """How long it is, in seconds, with its last frame."""
        return self.span[1] - self.span[0] if self.span else self.times[-1] + 1 / self.rate

    def cut(self, first: int, stop: int) -> Clip:
        """The frames from `first` on, up to but without `stop`."""
        if (first, stop) == (0, self.count):
            return self
        begin, start = self.times[first], self.span[0] if self.span else Fraction(0)
        end = self.times[stop] if stop < self.count else self.duration
        return replace(
            self,
            times=tuple(time - begin for time in self.times[first:stop]),
            numbers=tuple(self.file_numbers[first:stop]),
            span=(start + begin, start + end),
            frames_of_file=self.whole,
        )

    def at_rate(self, rate: Fraction) -> Clip:
        """The same with `rate` frames a second, each the one that is shown at its time."""
        count = max(1, round(self.duration * rate))
        return self.shown_at([number / rate for number in range(count)], rate)

    def shown_at(self, times: Sequence[Fraction], rate: Fraction) -> Clip:
        """The frames that are shown at `times`, `rate` a second."""
        later = _LATER / max(rate, self.rate)
        shown = [max(0, bisect_right(self.times, time + later) - 1) for time in times]
        first = times[0]
        return replace(self.chosen(shown, [time - first for time in times]), rate=rate)

    def chosen(self, shown: Sequence[int], times: Sequence[Fraction]) -> Clip:
        """The frames with the numbers `shown`, in order, at `times`."""
        numbers = tuple(self.file_numbers[each] for each in shown)
        return replace(self, times=tuple(times), numbers=numbers, frames_of_file=self.whole)

    @property
    def file_numbers(self) -> Sequence[int]:
        """Which of the file's frames are shown, in order."""
        return range(self.count) if self.numbers is None else self.numbers

    @property
    def whole(self) -> int:
        """How many frames the file has."""
        return self.frames_of_file or self.count

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
        files, read = enumerate(self._pixels()), None
        reached = -1
        for number, of_file in enumerate(self.file_numbers[:count]):
            while reached < of_file:
                reached, read = next(files, (of_file, None))
            if read is None:  # the file has become shorter
                return
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
                yield partial(_read_mask if self.is_mask else _read, path)
            return
        with opened(self.paths[0]) as container:
            context = container.streams.video[0].codec_context
            for frame in container.decode(video=0):
                yield partial(_upright, frame, context.color_trc, context.color_primaries)


def _read(path: Path) -> NDArray[np.uint8]:
    return images.read(path, MOST_PIXELS).pixels


def _read_mask(path: Path) -> NDArray[np.uint8]:
    return np.repeat(images.grey_levels(images.read(path, MOST_PIXELS))[..., None], 3, -1)


def _upright(frame: Any, transfer: int, primaries: int) -> NDArray[np.uint8]:
    """The pixels of a decoded frame, from its transfer characteristics and primaries."""
    if tone_mapping.is_needed(transfer, primaries):
        pixels = tone_mapping.to_sdr(frame.to_ndarray(format="rgb48le"), transfer, primaries)
    else:
        pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _describe(paths: Sequence[Path]) -> str:
    return str(paths[0] if len(paths) == 1 else paths[0].parent)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
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
