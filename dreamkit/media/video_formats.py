"""The kinds of film that are written: their encoders, and which of them PyAV has here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamkit.errors import DreamkitError, OutputExistsError
from dreamkit.installation import extra_command
from dreamkit.media import atomic

RATE = Fraction(30)  # frames a second, where nothing else is given


class VideoError(DreamkitError):
    """A film cannot be read or written."""


@dataclass(frozen=True)
class Format:
    """How one kind of file is written.

    Attributes:
        codec: FFmpeg's name for the encoder.
        pixels: the encoder's pixel format.
        options: the encoder's.
        even: whether width and height must be even.
        max_rate: the most frames a second that the format can hold.
    """

    codec: str
    pixels: str
    options: dict[str, str]
    even: bool = False
    max_rate: int = 1000


# Without x264's macroblock tree: on processors with AVX-512 its bytes differ from run to run.
_LAZY_TITLES = 19  # PyAV's version
_H264 = {"crf": "16", "preset": "medium", "threads": "2", "x264-params": "mbtree=0"}
_FILE = "file:"  # before a name; FFmpeg takes one such as 12:30.mp4 for an address else
# Formats of FFmpeg that hold a film themselves. Playlists and the like name other files.
_READABLE = (
    "mov,matroska,avi,gif,apng,ogg,asf,flv,mpeg,mpegts,mpegvideo,h264,hevc,m4v,dv,mxf,rm,ivf,nut,yuv4mpegpipe"
)
FORMATS = {
    ".mp4": Format("libx264", "yuv420p", _H264, even=True),
    ".webm": Format(
        "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "threads": "2", "row-mt": "0"}, even=True
    ),
    ".gif": Format("gif", "pal8", {}, max_rate=50),
    ".webp": Format("libwebp_anim", "yuva420p", {"quality": "90", "loop": "0"}),
}


def check_output(path: Path, *, overwrite: bool) -> None:
    """Checks, before any work, that a film can be written to `path`.

    Raises:
        VideoError: an unknown extension, or an encoder that this machine lacks.
        ImageError: as `atomic.check_path`.
    """
    kind = FORMATS.get(path.suffix.lower())
    if not path.suffix:  # a folder of frames
        if path.is_dir() and any(path.iterdir()):
            raise OutputExistsError(f"the folder {path} is not empty; choose another for the frames")
        if os.path.lexists(path) and not path.is_dir():
            raise OutputExistsError(f"{path} is a file; name a folder for the frames, or a film: {path}.mp4")
        atomic.check_parent(path)
        import_av()
        return
    if kind is None:
        raise VideoError(f"{path} ends in {path.suffix or 'nothing'}; use one of {', '.join(FORMATS)}")
    atomic.check_path(path, overwrite=overwrite)
    if kind.codec not in import_av().codecs_available:
        possible = [suffix for suffix, each in FORMATS.items() if each.codec in import_av().codecs_available]
        raise VideoError(f"there is no encoder for {path.suffix} here; use one of {', '.join(possible)}")


def open_film(path: Path) -> Any:
    """PyAV's container of a film. Its name is a file's, whatever it looks like, and no other file is read.

    Raises:
        OSError, av.error.FFmpegError: it cannot be read, or is of no format that films have.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": _READABLE}
    av = import_av()
    # Old films have titles in encodings of their own, and nobody reads them here. From 19 on, PyAV decodes a
    # title only for who asks for it.
    titles = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < _LAZY_TITLES else {}
    return av.open(f"{_FILE}{path}", options=options, **titles)


def open_output(path: Path, options: Mapping[str, str]) -> Any:
    """PyAV's container of a film to write, with options of its format.

    Raises:
        OSError, av.error.FFmpegError: it cannot be written.
    """
    return import_av().open(f"{_FILE}{path}", "w", options=dict(options))


def import_av() -> Any:
    """PyAV, with its log turned off: what matters is raised.

    Raises:
        VideoError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise VideoError(f"films need PyAV, which is not installed; run: {extra_command('video')}") from error
    av.logging.set_level(av.logging.PANIC)
    return av
