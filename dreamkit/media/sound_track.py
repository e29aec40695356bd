"""A sound, copied or encoded again into a film."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from dreamkit.errors import DreamkitWarning
from dreamkit.media.sound import Sound
from dreamkit.media.video_formats import import_av, open_sound

# By extension: the codecs that are copied, and the encoder for all others.
_CODECS = {
    ".mp4": ({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus"}, "aac"),
    ".webm": ({"opus", "vorbis", "libopus", "libvorbis"}, "libopus"),
}

_RATE = 48_000  # samples a second of what is encoded


class SoundTrack:
    """A sound, written into a film: copied if the format can hold it, else encoded again, as that of a part
    of a film is, because packets do not begin and end with frames."""

    def __init__(
        self, source: Any, container: Any, suffix: str, start: Fraction, duration: Fraction | None
    ) -> None:
        """`start`: where the sound begins in the source, in seconds; `duration`: of a part, None for all."""
        self._source, self._container, self._start = source, container, start
        self._input = source.streams.audio[0]
        accepted, encoder = _CODECS[suffix]
        self._copied = duration is None and self._input.codec_context.name in accepted
        if self._copied:
            self._output = container.add_stream_from_template(self._input)
        else:
            self._output = container.add_stream(encoder, rate=_RATE)
            self._output.layout = "stereo" if self._input.channels > 1 else "mono"
            self._resampler = import_av().AudioResampler(
                format=self._output.format, layout=self._output.layout, rate=_RATE
            )
            self._trim = _trimmer(self._output, start, duration)
        self._packets = self._read()
        self._pending: Any = None

    @classmethod
    def open(cls, sound: Sound | None, container: Any, path: Path) -> SoundTrack | None:
        """The track of `sound` in `container`; None if there is no sound, or the format holds none."""
        suffix = path.suffix.lower()
        if sound is None:
            return None
        if suffix not in _CODECS:
            warnings.warn(f"{suffix} holds no sound; use .mp4 to keep it", DreamkitWarning, stacklevel=4)
            return None
        source = open_sound(sound.path)
        return cls(source, container, suffix, sound.start(source), sound.duration)

    def write(self, until: Fraction) -> None:
        """Writes the sound before `until`, in seconds."""
        while True:
            packet = self._pending if self._pending is not None else next(self._packets, None)
            self._pending = None
            if packet is None:
                return
            if packet.pts is not None and packet.pts * packet.time_base >= until:
                self._pending = packet
                return
            packet.stream = self._output
            self._container.mux(packet)

    def close(self, until: Fraction) -> None:
        """Writes the rest before `until`, where the pictures end, and closes the source."""
        self.write(until)
        self._source.close()

    def _read(self) -> Iterator[Any]:
        """The packets for the film, shifted so that its first frame is at zero."""
        if self._copied:
            for packet in self._source.demux(self._input):
                if packet.dts is None:
                    continue
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if (packet.pts + packet.duration) * packet.time_base > 0:
                    yield packet
            return
        shift = round(self._start * _RATE)
        for frame in chain(self._source.decode(self._input), [None]):
            for resampled in self._resampler.resample(frame):
                self._trim.push(resampled)
                for trimmed in _ready(self._trim):
                    trimmed.pts -= shift
                    yield from self._output.encode(trimmed)
        yield from self._output.encode(None)


def _trimmer(output: Any, start: Fraction, duration: Fraction | None) -> Any:
    """FFmpeg's filter that leaves the samples of a part."""
    graph = import_av().filter.Graph()
    layout = output.layout.name
    source = graph.add_abuffer(
        format=output.format.name, sample_rate=_RATE, layout=layout, time_base=Fraction(1, _RATE)
    )
    end = "" if duration is None else f":end_pts={round((start + duration) * _RATE)}"
    trim, sink = graph.add("atrim", f"start_pts={round(start * _RATE)}{end}"), graph.add("abuffersink")
    source.link_to(trim)
    trim.link_to(sink)
    graph.configure()
    return graph


def _ready(graph: Any) -> Iterator[Any]:
    """The frames that a filter has ready."""
    with suppress(import_av().error.BlockingIOError, import_av().error.EOFError):
        while True:
            yield graph.pull()
