"""Moving pictures, read and written frame by frame: H.264, VP9, GIF and WebP, by PyAV.

Colours are BT.709, limited range, and said so in the file. The same frames give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import DreamkitError, DreamkitWarning, OutputExistsError, first_line
from dreamkit.media import images, paths

RATE = Fraction(30)  # frames a second


class VideoError(DreamkitError):
    """A film cannot be read or written."""


@dataclass(frozen=True)
class _Format:
    """How a kind of file is written.

    Attributes:
        codec: FFmpeg's name of the encoder.
        pixels: the pixel format that it takes.
        options: of the encoder.
        even: whether sides must be even.
        most: frames a second that the format can tell apart.
    """

    codec: str
    pixels: str
    options: dict[str, str]
    even: bool = False
    most: int = 1000


# Without x264's macroblock tree, which on processors with AVX-512 gives other bytes from run to run.
_H264 = {"crf": "16", "preset": "medium", "threads": "2", "x264-params": "mbtree=0"}
FORMATS = {
    ".mp4": _Format("libx264", "yuv420p", _H264, even=True),
    ".webm": _Format(
        "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "threads": "2", "row-mt": "0"}, even=True
    ),
    ".gif": _Format("gif", "pal8", {}, most=50),
    ".webp": _Format("libwebp_anim", "yuva420p", {"quality": "90", "loop": "0"}),
}


def check_output(path: Path, *, overwrite: bool) -> None:
    """Makes sure, before any work, that a film can be written to `path`.

    Raises:
        VideoError: an ending that no film has, or an encoder that this machine lacks.
        ImageError: as `images.check_place`.
    """
    kind = FORMATS.get(path.suffix.lower())
    if not path.suffix:  # a folder of frames
        if path.is_dir() and any(path.iterdir()):
            raise OutputExistsError(f"the folder {path} is not empty; choose another for the frames")
        av()
        return
    if kind is None:
        raise VideoError(f"{path} ends in {path.suffix or 'nothing'}; use one of {', '.join(FORMATS)}")
    images.check_place(path, overwrite=overwrite)
    if kind.codec not in av().codecs_available:
        possible = [suffix for suffix, each in FORMATS.items() if each.codec in av().codecs_available]
        raise VideoError(f"there is no encoder for {path.suffix} here; use one of {', '.join(possible)}")


def av() -> Any:
    """PyAV.

    Raises:
        VideoError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError("films need PyAV; install it with pip install 'dreamkit[video]'") from error
    av.logging.set_level(av.logging.PANIC)  # what is wrong is raised; the rest is nobody's business
    return av


@dataclass(frozen=True)
class Frame:
    """One frame: uint8 `(height, width, 3)`, upright, and when it is shown, in seconds from the first."""

    pixels: NDArray[np.uint8]
    time: Fraction


@dataclass(frozen=True)
class Clip:
    """A film that is there, or a row of numbered pictures.

    Attributes:
        paths: of the film, or of the pictures in order.
        size: height and width, upright.
        rate: frames a second.
        times: when each frame is shown, in seconds.
        has_sound: whether there is any.
        sha256: of the file, or of all files.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    rate: Fraction
    times: tuple[Fraction, ...]
    has_sound: bool = False
    sha256: str = ""

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.times)

    @property
    def is_film(self) -> bool:
        """Whether it is one file."""
        return len(self.paths) == 1 and self.paths[0].suffix.lower() not in images.SUFFIXES

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
            pixels = read()
            if pixels.shape[:2] != self.size:
                raise VideoError(
                    f"frame {number} of {_named(self.paths)} has {pixels.shape[1]} x {pixels.shape[0]} "
                    f"pixels and the first {self.size[1]} x {self.size[0]}; bring them to one size first"
                )
            yield Frame(pixels, self.times[number])

    def _pixels(self) -> Iterator[Callable[[], NDArray[np.uint8]]]:
        """For each frame, what reads its pixels."""
        if not self.is_film:
            for path in self.paths:
                yield partial(_read, path)
            return
        with _opened(self.paths[0]) as container:
            for frame in container.decode(video=0):
                yield partial(_upright, frame)


def clip(source: str | os.PathLike[str], rate: Fraction = RATE) -> Clip:
    """A film, a folder of numbered pictures, or a pattern such as `frames/*.png`.

    Every frame is decoded once, so that what is damaged is known before anything is dreamed. `rate` is that
    of pictures; a film has its own.

    Raises:
        VideoError: nothing is there, or it is no film that can be read.
    """
    path = Path(source)
    if path.is_dir() or any(letter in path.name for letter in "*?["):
        return _row(path, rate)
    if not os.path.isfile(path):
        raise VideoError(
            f"{source} does not exist; give a film, a folder of frames or a pattern such as f/*.png"
        )
    if path.suffix.lower() in images.SUFFIXES:
        raise VideoError(f"{source} is a picture; dream it with dreamkit dream")
    times: list[Fraction] = []
    size: tuple[int, int] | None = None
    with _opened(path) as container:
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
        found = stream.average_rate or stream.base_rate
        has_sound = bool(container.streams.audio)
    if size is None:
        raise VideoError(f"{source} holds no frame that can be read; it is empty or damaged")
    spanned = times[-1] - times[0]
    told = Fraction(len(times) - 1) / spanned if spanned > 0 else RATE
    steady = found and abs(found - told) < told / 50
    return Clip(
        (path,),
        size,
        Fraction(found) if steady else told.limit_denominator(1001),
        tuple(time - times[0] for time in times),
        has_sound,
        paths.digest(path),
    )


def _row(path: Path, rate: Fraction) -> Clip:
    """Pictures by the numbers in their names."""
    among = path.iterdir() if path.is_dir() else path.parent.glob(path.name)
    pictures = [
        each for each in among if each.suffix.lower() in images.SUFFIXES and not each.name.startswith(".")
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


def _named(paths: Sequence[Path]) -> str:
    return str(paths[0] if len(paths) == 1 else paths[0].parent)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A film to read."""
    try:
        with av().open(str(path)) as container:
            yield container
    except (OSError, av().error.FFmpegError) as error:
        why = error.strerror or first_line(error)
        raise VideoError(f"{path} is no film that can be read, or is damaged ({why})") from error


class Writer:
    """Writes a film frame by frame; a context. The film is there, whole, once the context is left well.

    Where `path` has no ending, it is a folder of numbered PNG files.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: Fraction = RATE,
        *,
        overwrite: bool = False,
        sound: Clip | None = None,
        times: Sequence[Fraction] | None = None,
        scratch: Path | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            size: height and width; an odd side gets one more pixel where the format asks for it.
            rate: frames a second.
            overwrite: whether a film that is there is given up.
            sound: whose sound it gets, as far as there are frames.
            times: when each frame is shown, in seconds, where that is not at `rate`.
            scratch: where it lies until it is whole, on the same disk; by default beside `path`.
        """
        check_output(path, overwrite=overwrite)
        self._path, self._overwrite = path, overwrite
        self._kind = FORMATS.get(path.suffix.lower())
        self._rate = rate if self._kind is None else min(rate, Fraction(self._kind.most))
        self._size, self._times, self._sound = size, times, sound
        self._scratch = scratch or path.parent
        self._count = 0

    def __enter__(self) -> Writer:
        name = f"{images.PARTIAL}{secrets.token_hex(8)}{self._path.suffix}"
        self._partial = self._scratch / name
        if self._kind is None:
            self._partial.mkdir()
            return self
        height, width = (side + side % 2 if self._kind.even else side for side in self._size)
        with _said(self._path):
            muxing = {"fflags": "+bitexact", **_MUXING.get(self._path.suffix.lower(), {})}
            self._container = av().open(str(self._partial), "w", options=muxing)
            self._stream = self._container.add_stream(self._kind.codec, rate=self._rate)
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = self._kind.pixels
            self._stream.options = self._kind.options
            context = self._stream.codec_context
            if self._times is not None:
                context.time_base = _TICK
            if self._kind.even:
                context.color_range, context.colorspace = 1, 1  # limited; BT.709
                context.color_primaries = context.color_trc = 1
            self._palettes = _Palettes(height, width, self._rate) if self._kind.pixels == "pal8" else None
            self._track = _Track.of(self._sound, self._container, self._path)
        return self

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """One more frame, uint8 `(height, width, 3)`."""
        number = self._count
        self._count += 1
        if self._kind is None:
            images.put(self._partial / f"{number:06}.png", images.to_png(pixels), overwrite=True)
            return
        if self._kind.even:
            pixels = np.pad(pixels, [*((0, side % 2) for side in self._size), (0, 0)], "edge")
        frame = av().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = number, 1 / self._rate
        if self._times is not None:
            frame.pts, frame.time_base = round(self._times[number] / _TICK), _TICK
        with _said(self._path):
            if self._track is not None:
                self._track.put(frame.pts * frame.time_base)
            if self._palettes is not None:
                self._encode(self._palettes.put(frame))
                return
            space = {"dst_colorspace": 1, "dst_color_range": 1} if self._kind.even else {}
            self._encode([frame.reformat(format=self._kind.pixels, **space)])

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if self._kind is not None:
                self._close(well=kind is None)
            if kind is None:
                images.move(self._partial, self._path, overwrite=self._overwrite)
        finally:
            if self._partial.is_dir():
                shutil.rmtree(self._partial)
            self._partial.unlink(missing_ok=True)

    def _close(self, *, well: bool) -> None:
        if not well:
            with suppress(Exception):  # what went wrong is on its way already
                self._container.close()
            return
        with _said(self._path):
            self._encode(self._palettes.put(None) if self._palettes is not None else [])
            self._encode([None])
            if self._track is not None:
                self._track.end(self._end)
            self._container.close()
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())

    @property
    def _end(self) -> Fraction:
        """When the last frame is over."""
        if self._times is None:
            return self._count / self._rate
        return self._times[self._count - 1] + 1 / self._rate

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


class _Track:
    """The sound of a clip on its way into a film: copied where the format takes it, else encoded anew."""

    def __init__(self, source: Any, container: Any, suffix: str, start: Fraction) -> None:
        self._source, self._container, self._start = source, container, start
        self._input = source.streams.audio[0]
        taken, encoder = _SOUND[suffix]
        self._copied = self._input.codec_context.name in taken
        if self._copied:
            self._output = container.add_stream_from_template(self._input)
        else:
            self._output = container.add_stream(encoder, rate=48_000)
            self._output.layout = "stereo" if self._input.channels > 1 else "mono"
            self._resampler = av().AudioResampler(
                format=self._output.format, layout=self._output.layout, rate=48_000
            )
        self._packets = self._read()
        self._waiting: Any = None

    @classmethod
    def of(cls, sound: Clip | None, container: Any, path: Path) -> _Track | None:
        """None where there is no sound, or no place for it."""
        suffix = path.suffix.lower()
        if sound is None or not sound.has_sound:
            return None
        if suffix not in _SOUND:
            warnings.warn(f"{suffix} holds no sound; use .mp4 to keep it", DreamkitWarning, stacklevel=4)
            return None
        source = av().open(str(sound.paths[0]))
        video = source.streams.video[0]
        start = Fraction(video.start_time or 0) * video.time_base
        return cls(source, container, suffix, start)

    def put(self, until: Fraction) -> None:
        """Writes what is heard before `until`, in seconds."""
        while True:
            packet = self._waiting if self._waiting is not None else next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if packet.pts is not None and packet.pts * packet.time_base >= until:
                self._waiting = packet
                return
            packet.stream = self._output
            self._container.mux(packet)

    def end(self, until: Fraction) -> None:
        """Writes the rest, as far as there is a picture for it."""
        self.put(until)
        self._source.close()

    def _read(self) -> Iterator[Any]:
        """Packets for the film, whose first frame is at zero."""
        if self._copied:
            for packet in self._source.demux(self._input):
                if packet.dts is None:
                    continue
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if (packet.pts + packet.duration) * packet.time_base > 0:
                    yield packet
            return
        shift = round(self._start * 48_000)
        for frame in chain(self._source.decode(self._input), [None]):
            for resampled in self._resampler.resample(frame):
                resampled.pts -= shift
                if resampled.pts >= 0:
                    yield from self._output.encode(resampled)
        yield from self._output.encode(None)


_TICK = Fraction(1, 90_000)  # seconds; times of frames that are not even are told so exactly
_MOST_PIXELS = 200_000_000
_SOUND = {
    ".mp4": ({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus"}, "aac"),
    ".webm": ({"opus", "vorbis", "libopus", "libvorbis"}, "libopus"),
}
_MUXING = {".mp4": {"movflags": "+faststart"}}


class _Palettes:
    """FFmpeg's best colours for each frame of a GIF."""

    def __init__(self, height: int, width: int, rate: Fraction) -> None:
        self._graph = av().filter.Graph()
        source = self._graph.add_buffer(width=width, height=height, format="rgb24", time_base=1 / rate)
        split, found = self._graph.add("split"), self._graph.add("palettegen", "stats_mode=single")
        used, sink = (
            self._graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3"),
            self._graph.add("buffersink"),
        )
        source.link_to(split)
        split.link_to(found, 0, 0)
        split.link_to(used, 1, 0)
        found.link_to(used, 0, 1)
        used.link_to(sink)
        self._graph.configure()

    def put(self, frame: Any) -> list[Any]:
        """The frames that are ready; None is the end."""
        self._graph.push(frame)
        ready = []
        with suppress(av().error.BlockingIOError, av().error.EOFError):
            while True:
                ready.append(self._graph.pull())
        return ready


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Says in one line why a film cannot be written."""
    try:
        yield
    except (OSError, av().error.FFmpegError) as error:
        raise VideoError(f"cannot write {path} ({first_line(error)}); nothing was written") from error
