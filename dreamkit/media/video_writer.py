"""Films written frame by frame by PyAV: H.264, HEVC, VP9, AV1, GIF and WebP.

Colours are BT.709, limited range, and marked as such. The same frames give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import first_line
from dreamkit.media import atomic, image_writer, partial
from dreamkit.media.sound import Sound
from dreamkit.media.sound_track import SoundTrack
from dreamkit.media.video_formats import (
    RATE,
    Encoding,
    Format,
    VideoError,
    check_output,
    import_av,
    open_output,
)

_TICK = Fraction(1, 90_000)  # seconds; the unit of the times of frames at no constant rate
_MUXER_OPTIONS = {".mp4": {"movflags": "+faststart"}}


class Writer:
    """Writes a film frame by frame; a context. The file appears, whole, when it ends without an error.

    A `path` without an extension becomes a folder of numbered PNG files.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: Fraction = RATE,
        *,
        overwrite: bool = False,
        sound: Sound | None = None,
        times: Sequence[Fraction] | None = None,
        scratch: Path | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            size: height and width; an odd side gets one more pixel if the format needs even ones.
            rate: frames a second.
            overwrite: whether an existing film is replaced.
            sound: what is heard, up to the last frame.
            times: when each frame is shown, in seconds; None for `rate`.
            scratch: the folder for the unfinished file, on the same disk; by default that of `path`.
            encoding: codec and quality; None for the usual ones.
        """
        self._kind = check_output(path, encoding, overwrite=overwrite)
        self._path, self._overwrite = path, overwrite
        self._rate = rate if self._kind is None else min(rate, Fraction(self._kind.max_rate))
        self._size, self._times, self._sound = size, times, sound
        self._scratch = scratch or path.parent
        self._count = 0
        self._held = ExitStack()  # the partial film, or folder

    def __enter__(self) -> Writer:
        make = partial.folder_for if self._kind is None else partial.file_for
        with ExitStack() as held, _write_errors(self._path):
            self._partial = held.enter_context(make(self._path, self._scratch))
            if self._kind is not None:
                self._open(self._kind)
            self._held = held.pop_all()
        return self

    def _open(self, kind: Format) -> None:
        """Begins the file."""
        height, width = (side + side % 2 if kind.even else side for side in self._size)
        muxing = {"fflags": "+bitexact", **_MUXER_OPTIONS.get(self._path.suffix.lower(), {})}
        self._container = open_output(self._partial, muxing)
        self._stream = self._container.add_stream(kind.codec, rate=self._rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = kind.pixels
        self._stream.options = dict(kind.options)
        context = self._stream.codec_context
        if kind.tag is not None:
            context.codec_tag = kind.tag
        if self._times is not None:
            context.time_base = _TICK
        if kind.even:
            context.color_range, context.colorspace = 1, 1  # limited; BT.709
            context.color_primaries = context.color_trc = 1
        self._palettes = _Palettes(height, width, self._rate) if kind.pixels == "pal8" else None
        self._track = SoundTrack.open(self._sound, self._container, self._path)

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 `(height, width, 3)`."""
        number = self._count
        self._count += 1
        if self._kind is None:
            atomic.write(self._partial / f"{number:06}.png", image_writer.to_png(pixels), overwrite=True)
            return
        if self._kind.even:
            pixels = np.pad(pixels, [*((0, side % 2) for side in self._size), (0, 0)], "edge")
        frame = import_av().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = number, 1 / self._rate
        if self._times is not None:
            frame.pts, frame.time_base = round(self._times[number] / _TICK), _TICK
        with _write_errors(self._path):
            if self._track is not None:
                self._track.write(frame.pts * frame.time_base)
            if self._palettes is not None:
                self._encode(self._palettes.push(frame))
                return
            space = {"dst_colorspace": 1, "dst_color_range": 1} if self._kind.even else {}
            self._encode([frame.reformat(format=self._kind.pixels, **space)])

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if self._kind is not None:
                self._close(complete=kind is None)
            if kind is None:
                with _write_errors(self._path):
                    atomic.move_into_place(self._partial, self._path, overwrite=self._overwrite)
        finally:
            self._held.close()

    def _close(self, *, complete: bool) -> None:
        if not complete:
            with suppress(Exception):  # the first error is being raised already
                self._container.close()
            return
        with _write_errors(self._path):
            self._encode(self._palettes.push(None) if self._palettes is not None else [])
            self._encode([None])
            if self._track is not None:
                self._track.close(self._end)
            self._container.close()
            with self._partial.open("r+b") as file:  # Windows flushes only what is open for writing
                os.fsync(file.fileno())

    @property
    def _end(self) -> Fraction:
        """When the last frame ends, in seconds."""
        if self._times is None:
            return self._count / self._rate
        return self._times[self._count - 1] + 1 / self._rate

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)


class _Palettes:
    """FFmpeg's filter that chooses the 256 colours of each frame of a GIF."""

    def __init__(self, height: int, width: int, rate: Fraction) -> None:
        self._graph = import_av().filter.Graph()
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

    def push(self, frame: Any) -> list[Any]:
        """Takes a frame, or None at the end, and returns those that are ready."""
        self._graph.push(frame)
        ready = []
        with suppress(import_av().error.BlockingIOError, import_av().error.EOFError):
            while True:
                ready.append(self._graph.pull())
        return ready


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Turns an error of FFmpeg into a VideoError that gives the reason in one line."""
    try:
        yield
    except (OSError, import_av().error.FFmpegError) as error:
        raise VideoError(f"cannot write {path} ({first_line(error)}); nothing was written") from error
