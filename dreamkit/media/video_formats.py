"""The kinds of film that are written: their encoders, and which of them PyAV has here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamkit.errors import DreamkitError, OutputExistsError, shown
from dreamkit.installation import extra_command
from dreamkit.media import atomic, paths

RATE = Fraction(30)  # frames a second, where nothing else is given


class VideoError(DreamkitError):
    """A film cannot be read or written."""


@dataclass(frozen=True)
class Format:
    """How one kind of file is written.

    Attributes:
        codec: FFmpeg's name for the encoder.
        pixels: the encoder's pixel format.
        options: the encoder's, but for the quality.
        even: whether width and height must be even.
        max_rate: the most frames a second that the format can hold.
        quality: the encoder's option for quality, with its value at quality 0 and at the usual 90; None
            where there is none.
        tag: the name of the codec in the file, where FFmpeg's own is one that some players refuse.
    """

    codec: str
    pixels: str
    options: Mapping[str, str]
    even: bool = False
    max_rate: int = 1000
    quality: tuple[str, int, int] | None = None
    tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a film is encoded; no frame that is dreamed depends on it.

    Attributes:
        codec: `h264`, `hevc`, `vp9` or `av1`; None for the usual one of the file's format.
        quality: 0 to 100, larger is better and takes more bytes; None for the usual, 90.

    Raises:
        VideoError: a value makes no sense.
    """

    codec: str | None = None
    quality: int | None = None

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in CODECS:
            raise VideoError(f"codec is {shown(self.codec)}; choose {', '.join(CODECS)}")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise VideoError(f"quality is {self.quality}; it takes a number from 0 to 100")


_LAZY_TITLES = 19  # PyAV's version
_FILE = "file:"  # before a name; FFmpeg takes one such as 12:30.mp4 for an address else
# Formats of FFmpeg that hold a film themselves. Playlists and the like name other files.
_READABLE = (
    "mov,matroska,avi,gif,apng,ogg,asf,flv,mpeg,mpegts,mpegvideo,h264,hevc,m4v,dv,mxf,rm,ivf,nut,yuv4mpegpipe"
)
_AUDIBLE = f"{_READABLE},wav,w64,mp3,flac,aac,aiff,caf,au,ac3,eac3,wv,ape,tta"  # and those of sound alone
# Files that are films wherever pictures are possible, too.
READ_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"}
    | {".wmv", ".flv", ".ogv", ".mxf", ".3gp"}
)
CODECS = {
    # Without x264's macroblock tree: on processors with AVX-512 its bytes differ from run to run.
    "h264": Format(
        "libx264",
        "yuv420p",
        {"preset": "medium", "threads": "2", "x264-params": "mbtree=0"},
        even=True,
        quality=("crf", 51, 16),
    ),
    "hevc": Format(
        "libx265",
        "yuv420p",
        {"preset": "medium", "x265-params": "log-level=none:frame-threads=1"},
        even=True,
        quality=("crf", 51, 20),
        tag="hvc1",
    ),
    "vp9": Format(
        "libvpx-vp9",
        "yuv420p",
        {"b": "0", "threads": "2", "row-mt": "0"},
        even=True,
        quality=("crf", 63, 24),
    ),
    "av1": Format(
        "libsvtav1",
        "yuv420p",
        {"preset": "6", "svtav1-params": "lp=2"},
        even=True,
        quality=("crf", 63, 24),
    ),
}
FORMATS = {
    ".mp4": CODECS["h264"],
    ".webm": CODECS["vp9"],
    ".gif": Format("gif", "pal8", {}, max_rate=50),
    ".webp": Format("libwebp_anim", "yuva420p", {"loop": "0"}, quality=("quality", 0, 90)),
}
_HOLDS = {".mp4": ("h264", "hevc", "vp9", "av1"), ".webm": ("vp9", "av1")}  # the usual one is the first
_USUAL = 90  # quality


def check_output(path: Path, encoding: Encoding | None = None, *, overwrite: bool) -> Format | None:
    """Checks, before any work, that a film can be written to `path`; returns how, or None for a folder.

    Raises:
        VideoError: an unknown extension, a codec or a quality that such a file cannot have, or an encoder
            that this machine lacks.
        ImageError: as `atomic.check_path`.
    """
    encoding = encoding or Encoding()
    suffix = path.suffix.lower()
    kind = FORMATS.get(suffix)
    if not suffix:  # a folder of frames
        if encoding != Encoding():
            raise VideoError(f"{path} is a folder of PNG files, which have no codec and lose no quality")
        if path.is_dir() and not all(paths.is_of_the_system(each.name) for each in path.iterdir()):
            raise OutputExistsError(f"the folder {path} is not empty; choose another for the frames")
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            what = "link" if path.is_symlink() else "file"
            raise OutputExistsError(
                f"{path} is a {what}; name a folder for the frames, or a film: {path}.mp4"
            )
        atomic.check_parent(path)
        import_av()
        return None
    if kind is None:
        raise VideoError(f"{path} ends in {path.suffix or 'nothing'}; use one of {', '.join(FORMATS)}")
    if encoding.codec is not None:
        possible = _HOLDS.get(suffix, ())
        if encoding.codec not in possible:
            takes = f"takes {', '.join(possible)}" if possible else "has one codec; leave --codec out"
            raise VideoError(f"{suffix} cannot hold {encoding.codec}; it {takes}")
        kind = CODECS[encoding.codec]
    if encoding.quality is not None and kind.quality is None:
        raise VideoError(f"{suffix} has no quality to choose; leave --quality out, or use .mp4")
    atomic.check_path(path, overwrite=overwrite)
    if kind.codec not in import_av().codecs_available:
        raise VideoError(_no_encoder(suffix, encoding.codec))
    return _with_quality(kind, _USUAL if encoding.quality is None else encoding.quality)


def encoders() -> dict[str, bool]:
    """Whether PyAV has the encoder of each codec, and of each format that has one of its own.

    Raises:
        VideoError: PyAV is not installed.
    """
    available = import_av().codecs_available
    own = {suffix: kind for suffix, kind in FORMATS.items() if suffix not in _HOLDS}
    return {name: kind.codec in available for name, kind in {**CODECS, **own}.items()}


def _no_encoder(suffix: str, codec: str | None) -> str:
    available = import_av().codecs_available
    if codec is None:
        possible = [each for each, kind in FORMATS.items() if kind.codec in available]
        return f"there is no encoder for {suffix} here; use one of {', '.join(possible)}"
    possible = [each for each in _HOLDS[suffix] if CODECS[each].codec in available]
    encoder = CODECS[codec].codec
    return f"PyAV has no encoder for {codec} here ({encoder}); use one of {', '.join(possible) or 'no codec'}"


def _with_quality(kind: Format, quality: int) -> Format:
    """`kind` with the encoder's option for `quality`, which changes in equal steps from 0 over 90 to 100."""
    if kind.quality is None:
        return kind
    option, worst, usual = kind.quality
    value = round(worst + (usual - worst) * quality / _USUAL)
    return replace(kind, options={option: str(min(value, 100)), **kind.options})


def open_film(path: Path) -> Any:
    """PyAV's container of a film. Its name is a file's, whatever it looks like, and no other file is read.

    Raises:
        OSError, av.error.FFmpegError: it cannot be read, or is of no format that films have.
    """
    return _open(path, _READABLE)


def open_sound(path: Path) -> Any:
    """As `open_film`, of a film or of a file of sound alone."""
    return _open(path, _AUDIBLE)


def _open(path: Path, formats: str) -> Any:
    options = {"protocol_whitelist": "file", "format_whitelist": formats}
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
