"""Moments of a film, in seconds or frames, and the part of a clip that lies between two of them."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

from dreamkit.errors import shown
from dreamkit.media.clip import Clip
from dreamkit.media.video_formats import VideoError

_SECONDS, _FRAME = re.compile(r"\d{1,6}(\.\d{1,9})?"), re.compile(r"\d{1,9}f")


@dataclass(frozen=True)
class Moment:
    """Where a part of a film begins or ends.

    Attributes:
        text: as it is written.
        place: seconds, or the number of a frame.
    """

    text: str
    place: Fraction | int

    @classmethod
    def of(cls, text: str, flag: str) -> Moment:
        """Of `1.5`, in seconds, or `36f`, a frame counted from 0; `flag` is the option that has it.

        Raises:
            VideoError: it is written in another way.
        """
        if _FRAME.fullmatch(text):
            return cls(text, int(text[:-1]))
        if _SECONDS.fullmatch(text):
            return cls(text, Fraction(text))
        raise VideoError(
            f"{flag} is {shown(text)}; write seconds, such as 1.5, or a frame counted from 0, such as 36f"
        )

    def number(self, clip: Clip) -> int:
        """The first frame of `clip` that begins there or later; its count if none does."""
        if isinstance(self.place, int):
            return min(self.place, clip.count)
        return bisect_left(clip.times, self.place)


def part(clip: Clip, start: Moment | None, stop: Moment | None) -> Clip:
    """The frames of `clip` that begin at `start` or later, and before `stop`; None for its own end.

    Raises:
        VideoError: there are none.
    """
    first = 0 if start is None else start.number(clip)
    last = clip.count if stop is None else stop.number(clip)
    if first >= last:
        bounds = [f"{word} {each.text}" for word, each in (("from", start), ("before", stop)) if each]
        raise VideoError(
            f"no frame begins {' and '.join(bounds)}; the film has {clip.count} frames in "
            f"{float(clip.duration):.3f} seconds"
        )
    return clip.cut(first, last)
