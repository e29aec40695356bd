"""The endless zoom: a dream of what the dream before was, moved into a little (google/deepdream, 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import fingerprint as fingerprints
from dreamkit.config import STEPS, DreamConfig, plain, quoted
from dreamkit.engine import octaves
from dreamkit.errors import ConfigError, did_you_mean
from dreamkit.jobs import film_defaults, frame_store, signals
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.frame_store import FrameProgress, FrameStore, check_disk_space
from dreamkit.media import atomic, color_match, images, video_formats, video_writer
from dreamkit.media.sound import Sound
from dreamkit.media.video_formats import RATE, Encoding
from dreamkit.recipes.timeline import camera as checked_camera
from dreamkit.session import Session

_FEWER = 4  # a frame takes so many times fewer steps than the first, unless an option says otherwise
_OCTAVES = 3  # that a frame passes through: larger shapes come from the frame before
_MOST_FRAMES = 1_000_000
_MOST_DENOMINATOR = 1001  # of a rate, as in 30000/1001
MIRRORS = ("none", "sides", "quarters")
# What a picture may have and a zoom cannot follow.
UNABLE = ("upscale", "wrap", "choices", "alpha", "start", "strokes")
_BLENDED = 0.2  # share of a loop in which its end fades into its beginning


@dataclass(frozen=True, kw_only=True)
class ZoomOptions:
    """How a zoom moves from frame to frame.

    Attributes:
        frames: how many there are.
        rate: frames a second.
        zoom: how much larger a frame shows what the one before showed; below 1, it moves away.
        rotate: degrees that a frame is turned by, clockwise.
        center: of the zoom and the rotation, as fractions of the width and the height.
        moves: key frames of the camera, which go before those of the request's timeline, as
            `camera_moves.named` returns them; empty for those.
        steps, octaves: of each frame but the first, which is dreamed in full; None for what suits.
        loop: whether the last frame leads to the first.
        mirror: one of `MIRRORS`: with `sides`, the right half of each frame mirrors the left one, and with
            `quarters`, the lower half mirrors the upper one as well, as in a kaleidoscope.

    Raises:
        ConfigError: a value makes no sense.
    """

    frames: int = film_defaults.FRAMES
    rate: Fraction = RATE  # or a number, which becomes one
    zoom: float = film_defaults.ZOOM
    rotate: float = 0.0
    center: tuple[float, float] = (0.5, 0.5)
    moves: tuple[Mapping[str, Any], ...] = ()
    steps: int | None = None
    octaves: int | None = None
    loop: bool = False
    mirror: str = film_defaults.MIRROR

    def __post_init__(self) -> None:
        for name, least, most in (("frames", 1, _MOST_FRAMES), ("rate", 0.01, 1000)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}; it takes a number from {least} to {most}")
        if self.mirror not in MIRRORS:
            raise ConfigError(f"mirror is {quoted(self.mirror)}; {did_you_mean(self.mirror, MIRRORS)}")
        object.__setattr__(self, "rate", Fraction(self.rate).limit_denominator(_MOST_DENOMINATOR))
        for camera in (self.camera, *(entry.get("camera", {}) for entry in self.moves)):
            checked_camera(camera)
        if self.loop and self.frames < 10:
            raise ConfigError(f"a loop of {self.frames} frames is too short to blend; take 10 or more")

    @property
    def camera(self) -> dict[str, Any]:
        """How it moves, where no key frame says otherwise."""
        return {"zoom": self.zoom, "rotate": self.rotate, "center": self.center}

    @property
    def blended(self) -> int:
        """Frames beyond the last that a loop is blended with."""
        return max(1, round(_BLENDED * self.frames)) if self.loop else 0


def make(
    session: Session,
    output: Path,
    options: ZoomOptions | None = None,
    *,
    sound: Sound | None = None,
    preview: int | None = None,
    encoding: Encoding | None = None,
    overwrite: bool = False,
    on_frame: Callable[[FrameProgress], None] | None = None,
) -> None:
    """Dreams a zoom of the session's request into `output`: MP4, WebM, GIF or WebP.

    Finished frames lie in the folder `OUTPUT.work` until the film is whole, so that an interrupted zoom is
    resumed. A frame is dreamed from the one before, which is resampled by a windowed sinc (Lanczos, 8 x 8)
    and brought back to the tone of the first dream, so that nothing drifts. Guide and masks apply to every
    frame; a mask stays where it is in the frame. The photograph that `blend` puts back is each frame's own:
    the picture that it was dreamed from.

    Args:
        session: the request with its networks.
        output: the film.
        options: how it moves.
        sound: of the film, from its first frame to its last; the timeline may listen to it.
        preview: make a film of only so many frames; the next run continues from them.
        encoding: codec and quality of the film; None for the usual ones.
        overwrite: whether an existing film, and frames of another one, may be replaced.
        on_frame: called after each frame.

    Raises:
        VideoError, ImageError, FrameStoreError: it cannot be written, or the sound cannot be read.
        ConfigError: the timeline listens, and there is no sound.
        Interrupted: Ctrl-C; the same call continues.
    """
    options = options or ZoomOptions()
    request = session.request
    request.refuse("a zoom", *UNABLE)
    request = replace(request, timeline=_placed(request.timeline, options))
    options = replace(options, moves=_placed(options.moves, options))
    video_formats.check_output(output, encoding, overwrite=overwrite)
    atomic.refuse_inputs(
        output, {**request.inputs, "the sound itself": None if sound is None else sound.path}
    )
    times = [number / options.rate for number in range(options.frames)]
    heard = signals.for_timeline(request.timeline, sound, times, options.frames / options.rate)
    timeline = timelines.FilmTimeline(request.timeline, options.frames, heard, options.loop)
    timeline.check(session.models, request.config)
    total = options.frames + options.blended if preview is None else min(preview, options.frames)
    folder = frame_store.path_of(output)
    check_disk_space(folder, total, request.size)
    with FrameStore(
        folder, _identity(session.fingerprint(request), options, heard), request.size, overwrite=overwrite
    ) as store:
        store.begin_on(session.machine())
        first = cache(lambda: color_match.measure(store.read(0)))

        def frame(number: int) -> NDArray[np.uint8]:
            models = timeline.models(number, session.models)
            config = timeline.config(number, request.config)
            if number == 0:
                dreamed = session.compute(replace(request, config=config), models=models).pixels
                return mirrored(dreamed, options.mirror)
            config = config_of_frame(config, options, number, request.size)
            camera = timeline.camera(number, options.camera, options.moves)
            moved = moved_into(store.read(number - 1), replace(options, **camera))
            moved = np.rint(color_match.match(mirrored(moved, options.mirror), first()))
            image = images.from_memory(moved.astype(np.uint8))
            shown = replace(request, config=config, image=image)
            dreamed = mirrored(session.compute(shown, models=models, quiet=True).pixels, options.mirror)
            return np.rint(color_match.match(dreamed.astype(np.float32), first())).astype(np.uint8)

        store.fill(total, frame, on_frame)
        shown = options if preview is None else replace(options, loop=False)
        with video_writer.Writer(
            output,
            request.size,
            options.rate,
            overwrite=overwrite,
            sound=sound,
            scratch=store.folder,
            encoding=encoding,
        ) as film:
            for number in range(options.frames if preview is None else total):
                film.add(_shown(store, number, shown))
        if preview is None:
            store.delete()


def _placed(timeline: timelines.Timeline, options: ZoomOptions) -> tuple[dict[str, Any], ...]:
    frames, rate = options.frames, options.rate
    return timelines.placed(
        timeline, frames, frames / rate, lambda second: float(second * rate), loop=options.loop
    )


def config_of_frame(
    config: DreamConfig, options: ZoomOptions, number: int, size: tuple[int, int]
) -> DreamConfig:
    """The options of a frame after the first: fewer octaves and steps, and a jitter of its own.

    Its octaves are the last ones of the first frame, of height and width `size`, and their entries of a
    schedule stay theirs. Clouds compose the first frame alone.
    """
    own = options.octaves or min(_OCTAVES, config.octaves or _OCTAVES)
    wanted = config.octaves or octaves.count(size, config.octave_scale, config.octave_scheme, 1)
    schedule = tuple(
        _fewer_steps(entry, options.steps) for entry in last_entries(config.schedule, wanted, own)
    )
    steps = options.steps or math.ceil((config.steps or STEPS) / _FEWER)
    seed = (config.seed + number) % 2**64
    config = replace(config, octaves=own, first_octave=None, steps=steps, schedule=schedule)
    return replace(config, seed=seed, clouds=0.0)


def last_entries(schedule: Sequence[Mapping[str, Any]], wanted: int, kept: int) -> list[Mapping[str, Any]]:
    """The entries of a schedule for the last `kept` of `wanted` octaves, one each; none of an empty one."""
    if not schedule:
        return []
    return [schedule[min(max(0, wanted - kept + index), len(schedule) - 1)] for index in range(kept)]


def _fewer_steps(entry: Mapping[str, Any], steps: int | None) -> dict[str, Any]:
    """A schedule's entry with the steps of a frame."""
    if "steps" not in entry:
        return dict(entry)
    return {**entry, "steps": steps or math.ceil(entry["steps"] / _FEWER)}


def moved_into(pixels: NDArray[np.uint8], options: ZoomOptions) -> NDArray[np.float32]:
    """`pixels` a frame later, before they are dreamed; float32, 0 to 255. Beyond an edge lies its mirror."""
    import cv2

    height, width = pixels.shape[:2]
    middle = options.center[0] * (width - 1), options.center[1] * (height - 1)
    matrix = cv2.getRotationMatrix2D(middle, -options.rotate, options.zoom)
    moved = cv2.warpAffine(
        pixels.astype(np.float32),
        matrix,
        (width, height),
        flags=cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.clip(moved, 0, 255)  # Lanczos overshoots


def mirrored(pixels: NDArray[Any], mirror: str) -> NDArray[Any]:
    """`pixels`, `(height, width, 3)`, with what one of `MIRRORS` mirrors; a middle row or column stays."""
    for axis in {"none": (), "sides": (1,), "quarters": (1, 0)}[mirror]:
        first, second = np.array_split(pixels, 2, axis)  # the first is not the smaller one
        back = np.flip(first, axis).take(range(-second.shape[axis], 0), axis)
        pixels = np.concatenate([first, back], axis)
    return pixels


def _shown(store: FrameStore, number: int, options: ZoomOptions) -> NDArray[np.uint8]:
    """A frame as the film shows it: the first of a loop come out of those that would follow its last."""
    frame = store.read(number)
    if number >= options.blended:
        return frame
    share = np.float32(number / options.blended)
    after = store.read(options.frames + number).astype(np.float32)
    return np.rint((1 - share) * after + share * frame).astype(np.uint8)


def _identity(
    fingerprint: Mapping[str, Any], options: ZoomOptions, heard: signals.Signals
) -> Mapping[str, Any]:
    """All that frames depend on. How fast they pass changes none of them, and how many there are, and whether
    they are a loop, only those with key frames."""
    has_key_frames = bool(fingerprint["timeline"] or options.moves)
    return {
        "what": "zoom",
        **fingerprint,
        "frames": options.frames if has_key_frames else None,
        **({"loop": True} if has_key_frames and options.loop else {}),
        **({"sound": fingerprints.digest(heard)} if heard else {}),
        **({"mirror": options.mirror} if options.mirror != "none" else {}),
        **({"moves": [plain(dict(entry)) for entry in options.moves]} if options.moves else {}),
        "zoom": [options.zoom, options.rotate, list(options.center), options.steps, options.octaves],
    }
