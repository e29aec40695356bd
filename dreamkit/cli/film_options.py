"""The options that `dreamkit zoom` and `dreamkit film` share."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit.config import quoted
from dreamkit.errors import ConfigError

if TYPE_CHECKING:
    from dreamkit.media.video_formats import Encoding

Preview = Annotated[
    int | None,
    typer.Option(
        "--preview", metavar="N", help="Make a film of the first N frames; the next run continues.", min=1
    ),
]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps",
        help="Frames per second, such as 30 or 24000/1001. Frames of a film file are repeated or left out to "
        "give this rate. Default: a film file's own, else 30.",
        show_default=False,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--frame-steps",
        help="Steps of each frame; in a zoom, of each after the first. Default: a quarter of --steps.",
        min=1,
    ),
]
Codec = Annotated[
    str | None,
    typer.Option(
        "--codec",
        metavar="NAME",
        help="How the film is encoded: h264, hevc, vp9 or av1 in .mp4; vp9 or av1 in .webm. Default: h264 in "
        ".mp4, vp9 in .webm.",
        show_default=False,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        metavar="N",
        help="Quality of the film, 0 to 100: larger looks better and takes more bytes. Default: 90.",
        show_default=False,
    ),
]
Sound = Annotated[
    str | None,
    typer.Option(
        "--sound",
        metavar="FILE",
        help="The sound, in place of a film's own: a file of sound, or of a film with sound. It begins with "
        "the first frame and ends with the last.",
        show_default=False,
    ),
]
Listen = Annotated[
    list[str] | None,
    typer.Option(
        "--listen",
        metavar="OPTION=SIGNAL[:VALUE]",
        help="Let an option move with the sound: with strength=beat:2, it is 2 at each beat and falls back "
        "until the next. Signals: beat, onset, loudness, bass, middle, treble. Without VALUE: strength is 2, "
        "layers are deep ones, and of a zoom, zoom is 1.1 and rotate is 3.",
        show_default=False,
    ),
]


def encoding_of(codec: str | None, quality: int | None) -> Encoding:
    """The encoding that two options describe."""
    from dreamkit.media.video_formats import Encoding

    return Encoding(codec=codec, quality=quality)


def rate_of(text: str | None) -> Fraction | None:
    """Frames a second; None for None."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,6}(/\d{1,6}|\.\d{1,6})?", text) or not (rate := _fraction(text)):
        raise ConfigError(f"--fps is {quoted(text)}; write frames a second, such as 30, 23.976 or 24000/1001")
    return rate


def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None
