"""A film dreamed frame by frame, so that what is dreamed moves with what it was dreamed of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import fingerprint as fingerprints
from dreamkit.errors import ConfigError
from dreamkit.executors.executor import run_here
from dreamkit.jobs import film_frames, frame_store, signals, still_parts, zoom
from dreamkit.jobs import timeline as timelines
from dreamkit.jobs.film_worker import DreamWorker, FilmOptions, detail_of, with_detail
from dreamkit.jobs.frame_store import FrameProgress, FrameStore, check_disk_space
from dreamkit.jobs.moving_pictures import MovingPictures
from dreamkit.media import atomic, video_formats, video_writer
from dreamkit.media.clip import Clip
from dreamkit.media.sound import Sound
from dreamkit.media.video_formats import Encoding
from dreamkit.request import DreamRequest
from dreamkit.session import Session

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor

UNABLE = (*zoom.UNABLE, "camera")  # what a picture or a zoom may have and a film cannot follow


def make(
    source: Clip,
    session: Session,
    output: Path,
    options: FilmOptions | None = None,
    *,
    moving: MovingPictures | None = None,
    sound: Sound | None = None,
    preview: int | None = None,
    encoding: Encoding | None = None,
    overwrite: bool = False,
    on_frame: Callable[[FrameProgress], None] | None = None,
    executor: Executor | None = None,
) -> None:
    """Dreams `source` into `output`: a film, or a folder of numbered pictures where that has no ending.

    A frame begins as the picture with what the last frame's dream added to it, moved along by optical flow
    and left out where that was hidden, times `blend`; then it is dreamed a little further. So in a scene
    that stands still the dream comes to `1 / (1 - blend)` times what one frame adds, which a scene's first
    frame is given at once. What stands still then keeps its dream (`still_parts`), unless a timeline, a mask
    or a guide moves. Sound and times are the source's own. A photograph's `blend` is put over each
    frame as the film is written, and clouds compose a scene's first frame alone: what follows has it.

    Args:
        source: the film.
        session: a request without an image, and its networks; guide and masks apply to every frame.
        output: the film, or a folder for its frames.
        options: how frames hold together.
        moving: masks and a guide that change from frame to frame; those of the session stay as they are.
        sound: in place of the source's own; the timeline may listen to it.
        preview: make a film of only so many frames; the next run continues from them.
        encoding: codec and quality of the film; None for the usual ones.
        overwrite: whether an existing film, and frames of another one, may be replaced.
        on_frame: called after each frame.
        executor: what dreams scenes beside each other, each by one worker, which loads the networks anew;
            without `blend`, so are frames. None for this process.

    Raises:
        VideoError, ImageError, FrameStoreError: it cannot be read or written.
        ConfigError: a mask has another shape than the film, or the timeline listens, and there is no sound.
        Interrupted: Ctrl-C; the same call continues.
    """
    options = options or FilmOptions()
    request = session.request
    request.refuse("a film", *UNABLE)
    moving = moving or MovingPictures()
    video_formats.check_output(output, encoding, overwrite=overwrite)
    if output.exists():
        atomic.refuse_inputs(output, {**request.inputs, **moving.inputs})
        atomic.refuse_inputs(output, {"the sound itself": None if sound is None else sound.path})
        for path in source.paths:
            atomic.refuse_inputs(output, {"the film itself": path})
    _check_pixels(source, request.config.max_pixels)
    source = source.within(request.config.max_size)
    placed = timelines.placed(
        request.timeline,
        source.count,
        source.duration,
        lambda second: float(np.interp(float(second), np.asarray(source.times, float), range(source.count))),
    )
    request = replace(request, timeline=placed)
    sound = sound or source.sound
    heard = signals.for_timeline(placed, sound, source.times, source.duration)
    timeline = timelines.FilmTimeline(placed, source.count, heard)
    timeline.check(session.models, request.config)
    request = _request_of_frames(request, moving, source.size)
    beside = moving.beside(source)
    total = source.count if preview is None else min(preview, source.count)
    folder = frame_store.path_of(output)
    check_disk_space(folder, total, source.size)
    identity = _identity(session.fingerprint(request), source, options, beside, heard)
    masks = len(request.masks) if moving.track else 0
    keeps_still = bool(options.blend) and moving == MovingPictures() and not placed
    cells = still_parts.shape_of(source.size) if keeps_still else None
    with FrameStore(folder, identity, source.size, masks=masks, cells=cells, overwrite=overwrite) as store:
        scenes = [range(total)] if executor is None else film_frames.scenes(source, total, options, moving)
        if executor is not None:  # threads follow from the number of scenes, and bytes from them
            executor = replace(executor, threads=executor.threads_of_each(len(scenes)))
        store.begin_on(session.machine(None if executor is None else executor.threads))
        here = session if executor is None else None
        worker = DreamWorker(here, request, options, moving.without_clips, timeline, keeps_still=keeps_still)
        with store.writing(total, on_frame) as keep:
            readers = film_frames.Readers(source, beside, request.config, total)
            chains = (readers.scene(numbers, store, keep) for numbers in scenes)
            if executor is None:
                run_here(worker, chains, lambda _: None)
            else:
                executor.run(worker, chains, lambda _: None, tasks=len(scenes))
        writer = video_writer.Writer(
            output,
            source.size,
            source.rate,
            overwrite=overwrite,
            sound=sound,
            times=source.times[:total] if source.is_variable else None,
            scratch=store.folder,
            encoding=encoding,
        )
        with writer as film:
            amounts = [timeline.config(number, request.config).blend for number in range(total)]
            for pixels in _blended(source, store, amounts):
                film.add(pixels)
        if preview is None:
            store.delete()


def _check_pixels(source: Clip, most: int) -> None:
    height, width = source.size
    if height * width > most:
        raise ConfigError(
            f"the frames have {width} x {height} pixels, more than the {most} allowed; raise --max-pixels"
        )


def _blended(source: Clip, store: FrameStore, amounts: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
    """The finished frames, each with so much of the source's own over it."""
    total = len(amounts)
    if not any(amounts):
        yield from store.frames(total)
        return
    for shown, dreamed, amount in zip(source.frames(total), store.frames(total), amounts, strict=True):
        yield with_detail(shown.pixels, (1 - amount) * detail_of(dreamed, shown.pixels))


def _request_of_frames(request: DreamRequest, moving: MovingPictures, size: tuple[int, int]) -> DreamRequest:
    """The request of frames of `size`, with the guide and the masks that do not move.

    Raises:
        ConfigError: a mask has another shape, no term is under it, or none is there to carry along.
    """
    request.check_masks(moving.names)
    still = {name: mask for name, mask in request.masks.items() if name not in moving.names}
    if moving.track and not still:
        raise ConfigError("track carries a painted mask along with the picture; give a picture as mask, too")
    guide = None if moving.guide else request.guide
    return replace(request, guide=guide, masks=still).on(np.zeros((*size, 3), np.uint8))


def _identity(
    fingerprint: Mapping[str, Any],
    source: Clip,
    options: FilmOptions,
    moving: MovingPictures,
    heard: signals.Signals,
) -> Mapping[str, Any]:
    """All that frames depend on."""
    return {
        "what": "film",
        **fingerprint,
        "photograph": None,
        "film": source.sha256,
        **_shown(source),
        **moving.identity,
        **({"sound": fingerprints.digest(heard)} if heard else {}),
        "frames": [options.blend, options.flow, options.every, options.steps],
    }


def _shown(source: Clip) -> Mapping[str, Any]:
    """Which of the film's frames are dreamed: those of a range, at a rate of their own."""
    numbers = source.numbers or range(source.count)
    in_order = all(after == before + 1 for before, after in pairwise(numbers))
    return {
        "range": None if source.numbers is None else [numbers[0], numbers[-1] + 1],
        "fps": None if in_order else [str(source.rate), source.count],
    }
