"""A sound: that of a film, or a file of sound alone."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import DreamkitWarning, first_line
from dreamkit.media.video_formats import VideoError, import_av, open_sound

RATE = 22_050  # samples a second of what is listened to
_SHORT = 0.25  # seconds that a sound may end before the film without a warning


@dataclass(frozen=True)
class Sound:
    """Where a sound lies.

    Attributes:
        path: of its file.
        span: the part of the file that it is, in seconds from where it begins; None for all of it.
        of_film: whether it begins where the pictures of its file begin; else where the file's sound does.
    """

    path: Path
    span: tuple[Fraction, Fraction] | None = None
    of_film: bool = False

    @property
    def duration(self) -> Fraction | None:
        """How long it is, in seconds; None for all of the file."""
        return None if self.span is None else self.span[1] - self.span[0]

    def start(self, container: Any) -> Fraction:
        """Where it begins by the clock of its open file, in seconds."""
        stream = container.streams.video[0] if self.of_film else container.streams.audio[0]
        begin: Fraction = Fraction(stream.start_time or 0) * stream.time_base
        return begin + self.span[0] if self.span else begin


def read(source: str | os.PathLike[str]) -> Sound:
    """The sound of a file: of sound alone, or of a film.

    Raises:
        VideoError: nothing is there, or it holds no sound that can be read.
    """
    path = Path(source)
    if not path.is_file():
        raise VideoError(f"{source} does not exist; give a file with sound, such as track.wav")
    with _opened(path) as container:
        if not container.streams.audio:
            raise VideoError(f"{source} holds no sound; give a file that does, such as track.wav")
    return Sound(path)


def samples(sound: Sound, seconds: float) -> NDArray[np.float32]:
    """The first `seconds` of a sound, the mean of its channels, `RATE` samples a second. After its end there
    is silence, and a warning says so.

    Raises:
        VideoError: it cannot be read.
    """
    found = np.zeros(max(1, round(seconds * RATE)), np.float32)
    end = 0
    with _opened(sound.path) as container:
        first = round(sound.start(container) * RATE)
        resampler = import_av().AudioResampler(format="fltp", rate=RATE)
        for frame in chain(container.decode(audio=0), [None]):
            for part in resampler.resample(frame):
                begin = end if part.pts is None else round(part.pts * part.time_base * RATE) - first
                values = part.to_ndarray().mean(0)[max(0, -begin) :]
                begin = max(0, begin)
                values = values[: max(0, len(found) - begin)]
                found[begin : begin + len(values)] = np.where(np.isfinite(values), values, 0)
                end = begin + len(values)
            if end >= len(found):
                break
    if end < len(found) - _SHORT * RATE:
        warnings.warn(
            f"the sound of {sound.path} ends after {end / RATE:.2f} seconds, and the film after "
            f"{seconds:.2f}; from there on, nothing is heard",
            DreamkitWarning,
            stacklevel=2,
        )
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container of a file with sound; a context that turns errors of FFmpeg into a `VideoError`."""
    try:
        with open_sound(path) as container:
            yield container
    except (OSError, import_av().error.FFmpegError) as error:
        why = error.strerror or first_line(error)
        raise VideoError(f"{path} cannot be read as sound, or is damaged ({why})") from error
