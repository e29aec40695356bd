"""Films and series of pictures, opened as clips."""

from __future__ import annotations

import hashlib
import os
import re
from fractions import Fraction
from pathlib import Path

from dreamkit.media import image_writer, images, paths
from dreamkit.media.clip import MOST_PIXELS, Clip, opened
from dreamkit.media.video_formats import RATE, VideoError

_UNREADABLE = {14: "ICtCp", 15: "IPT (Dolby Vision)"}  # matrices, as ITU-T H.273 numbers them


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
    with opened(path) as container:
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
        colours = _UNREADABLE.get(stream.codec_context.colorspace)
        if colours is not None:
            raise VideoError(
                f"{source} has its colours as {colours}, which cannot be read; convert it to PQ or HLG with "
                "Y'CbCr first"
            )
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
    height, width = images.read(pictures[0], MOST_PIXELS).pixels.shape[:2]
    digest = hashlib.sha256("".join(map(paths.digest, pictures)).encode()).hexdigest()
    times = tuple(number / rate for number in range(len(pictures)))
    return Clip(tuple(pictures), (height, width), rate, times, sha256=digest)
