"""The endless zoom: a dream of what the dream before was, moved into a little (google/deepdream, 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import api
from dreamkit.config import STEPS, DreamConfig, plain, refuse
from dreamkit.errors import ConfigError
from dreamkit.inputs import Ingredients
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.frame_store import FrameProgress, FrameStore, check_disk_space
from dreamkit.jobs.timeline import Timeline
from dreamkit.media import color_match, video_formats, video_writer
from dreamkit.media.color_match import ColorMoments
from dreamkit.media.video_formats import RATE

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import Part

_FEWER = 4  # times fewer steps than the first frame, where nothing else is asked for
_OCTAVES = 3  # that a frame passes through: what is larger, it has from the frame before
_MOST_FRAMES = 1_000_000
UNABLE = ("upscale", "wrap")  # options of a picture that a zoom has not
_BLENDED = 0.2  # of a loop, in which its end becomes its beginning


@dataclass(frozen=True, kw_only=True)
class Flight:
    """How a zoom moves.

    Attributes:
        frames: how many there are.
        rate: frames a second.
        zoom: how much larger a frame shows what the one before showed; below 1, it moves away.
        rotate: degrees that a frame is turned by, clockwise.
        center: what it moves to, as shares of the width and the height.
        steps, octaves: of each frame but the first, which is dreamed in full; None for what suits.
        loop: whether the last frame leads to the first.

    Raises:
        ConfigError: a value makes no sense.
    """

    frames: int = 300
    rate: Fraction = RATE
    zoom: float = 1.04
    rotate: float = 0.0
    center: tuple[float, float] = (0.5, 0.5)
    steps: int | None = None
    octaves: int | None = None
    loop: bool = False

    def __post_init__(self) -> None:
        for name, least, most in (
            ("frames", 1, _MOST_FRAMES),
            ("rate", 0.01, 1000),
            ("zoom", 0.5, 2),
            ("rotate", -180, 180),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}; it takes a number from {least} to {most}")
        if not all(0 <= share <= 1 for share in self.center):
            raise ConfigError(f"center is {self.center}; it takes two shares of the picture, each 0 to 1")
        if self.loop and self.frames < 10:
            raise ConfigError(f"a loop of {self.frames} frames is too short to blend; take 10 or more")

    @property
    def blended(self) -> int:
        """Frames beyond the last that a loop is blended with."""
        return max(1, round(_BLENDED * self.frames)) if self.loop else 0


def make(
    gathered: Ingredients,
    parts: Sequence[Part],
    output: Path,
    flight: Flight | None = None,
    *,
    timeline: Timeline = (),
    preview: int | None = None,
    overwrite: bool = False,
    on_frame: Callable[[FrameProgress], None] | None = None,
) -> None:
    """Dreams a zoom into `output`: MP4, WebM, GIF or WebP.

    Finished frames lie in the folder `OUTPUT.work` until the film is whole, so that what was broken off goes
    on. A frame is dreamed from the one before, which is resampled by a windowed sinc (Lanczos, 8 x 8) and
    brought back to the tone of the first dream, so that nothing drifts. The photograph that `blend` puts
    back is each frame's own: what it was dreamed from.

    Args:
        gathered, parts: as `api.make` takes them.
        output: the film.
        flight: how it moves.
        timeline: what changes along the way, as a recipe has it.
        preview: make a film of only so many frames; the next run goes on from them.
        overwrite: whether a film that is there, and frames of another, are given up.
        on_frame: hears of each frame.

    Raises:
        VideoError, ImageError, FrameStoreError: it cannot be written.
        Interrupted: Ctrl-C; the same call goes on.
    """
    flight = flight or Flight()
    refuse(gathered.config, "a zoom", *UNABLE)
    video_formats.check_output(output, overwrite=overwrite)
    total = flight.frames + flight.blended if preview is None else min(preview, flight.frames)
    folder = output.with_name(f"{output.name}.work")
    check_disk_space(folder, total, gathered.size)
    with FrameStore(folder, _identity(gathered, parts, flight, timeline), overwrite=overwrite) as work:
        first = cache(lambda: color_match.measure(work.read(0)))

        def frame(number: int) -> NDArray[np.uint8]:
            share = min(1.0, number / max(1, flight.frames - 1))
            cast, config = timelines.at(timeline, share, parts, gathered.config)
            if number == 0:
                return api.make(replace(gathered, config=config), cast).pixels[..., :3]
            return _frame(work.read(number - 1), first(), cast, of_a_frame(config, flight, number), flight)

        work.fill(total, frame, on_frame)
        shown = flight if preview is None else replace(flight, loop=False)
        with video_writer.Writer(
            output, gathered.size, flight.rate, overwrite=overwrite, scratch=work.folder
        ) as film:
            for number in range(flight.frames if preview is None else total):
                film.add(_shown(work, number, shown))
        if preview is None:
            work.delete()


def _frame(
    before: NDArray[np.uint8], first: ColorMoments, parts: Sequence[Part], config: DreamConfig, flight: Flight
) -> NDArray[np.uint8]:
    """A frame made of the one before, in the tone of the first."""
    moved = np.rint(color_match.match(moved_into(before, flight), first)).astype(np.uint8)
    dreamed = api.dreamed(moved, parts, config, again=True)
    return np.rint(color_match.match(dreamed.astype(np.float32), first)).astype(np.uint8)


def of_a_frame(config: DreamConfig, flight: Flight, number: int) -> DreamConfig:
    """The options of a frame after the first. Its jitter is another one than the last frame's; it is composed
    already."""
    octaves = flight.octaves or min(_OCTAVES, config.octaves or _OCTAVES)
    steps = flight.steps or math.ceil((config.steps or STEPS) / _FEWER)
    seed = (config.seed + number) % 2**64
    config = replace(config, octaves=octaves, first_octave=None, steps=steps, schedule=())
    return replace(config, seed=seed, clouds=0.0)


def moved_into(pixels: NDArray[np.uint8], flight: Flight) -> NDArray[np.float32]:
    """`pixels` a frame later, before they are dreamed; float32, 0 to 255. Beyond an edge lies its mirror."""
    import cv2

    height, width = pixels.shape[:2]
    middle = flight.center[0] * (width - 1), flight.center[1] * (height - 1)
    matrix = cv2.getRotationMatrix2D(middle, -flight.rotate, flight.zoom)
    moved = cv2.warpAffine(
        pixels.astype(np.float32),
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.clip(moved, 0, 255)  # Lanczos overshoots


def _shown(work: FrameStore, number: int, flight: Flight) -> NDArray[np.uint8]:
    """A frame as the film shows it: the first of a loop come out of those that would follow its last."""
    frame = work.read(number)
    if number >= flight.blended:
        return frame
    share = np.float32(number / flight.blended)
    after = work.read(flight.frames + number).astype(np.float32)
    return np.rint((1 - share) * after + share * frame).astype(np.uint8)


def _identity(
    gathered: Ingredients,
    parts: Sequence[Part],
    flight: Flight,
    timeline: Timeline,
) -> Mapping[str, Any]:
    """Everything that frames depend on. How fast they pass changes none of them, and how many there are only
    those of a timeline."""
    picture = gathered.picture
    return {
        "what": "zoom",
        **api.signature(parts, gathered.config),
        "photograph": picture and picture.sha256,
        "masks": {name: mask.sha256 for name, mask in gathered.masks.items()},
        "guide": gathered.guide and gathered.guide.sha256,
        "size": list(gathered.size),
        "timeline": [flight.frames, *map(plain, timeline)] if timeline else [],
        "flight": [flight.zoom, flight.rotate, list(flight.center), flight.steps, flight.octaves],
    }
