"""`dreamkit dream` and `dreamkit redo`."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.dream_options import (
    DreamOptions,
    Guide,
    Masks,
    Models,
    Weights,
    by_name,
    specs_of,
    weights_by_model,
    with_options,
)
from dreamkit.cli.output_options import (
    CheckpointEvery,
    Dpi,
    Output,
    Overwrite,
    Quiet,
    Recipe,
    Resume,
    Verbose,
)
from dreamkit.cli.recording import SO_FAR_SIDE, recorded, shown_so_far
from dreamkit.engine.profile import OFF, READING, WRITING, Profile, Unmeasured
from dreamkit.errors import Interrupted, OutputExistsError, UsageError
from dreamkit.option import OUTPUT

if TYPE_CHECKING:
    from dreamkit.jobs.checkpoint import Checkpoint
    from dreamkit.request import DreamRequest
    from dreamkit.session import Dream, Session

_BY_DEFAULT = (
    f"dreamed by {config.DEFAULT_MODEL}, the small network that dreamkit carries; "
    "--model inception5h is the network that it learned from, one download of 49 MB"
)


@with_options()
def dream(
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="The photograph to dream. Without one, noise is dreamed."),
    ] = None,
    image_filepath: Annotated[
        str | None, typer.Option("-i", "--image-filepath", help="The same as IMAGE.", metavar="PATH")
    ] = None,
    output: Output = None,
    recipe: Recipe = None,
    dpi: Dpi = None,
    resume: Resume = False,
    checkpoint: CheckpointEvery = config.CHECKPOINT_EVERY,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="PATH",
            help="Also write a film of the dream as it grows, a frame a step: .mp4, .webm, .gif or .webp.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    so_far: Annotated[
        Path | None,
        typer.Option(
            "--so-far",
            metavar="PATH",
            help="Also show the picture so far in this file, which changes with each step: .jpg, .png or "
            f".webp, at most {SO_FAR_SIDE} pixels a side.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the plan, with octaves, tiles, memory and time, and dream nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Also show where the time of the command went.", rich_help_panel=OUTPUT
        ),
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream a photograph, or noise.

    dreamkit dream photo.jpg --layers mixed4d --octaves 5
    """
    measured = Profile() if profile else OFF
    chosen = DreamOptions(**options)
    image = _image(pictures or [], image_filepath, chosen.layers)
    chosen.check(image is not None)
    if record is not None and resume:
        raise UsageError("--record films a dream from its beginning; leave it out with --resume")
    if dry_run and resume:
        raise UsageError("--dry-run plans a dream from its beginning; leave out --resume")
    if dry_run and profile:
        raise UsageError("--profile measures a dream, and --dry-run dreams nothing; leave one out")
    with terminal.own_lines_only(verbose=verbose):
        with measured.span(READING):
            from dreamkit.request import make_request

            request = make_request(image, **chosen.arguments(), recipe=recipe)
        request.refuse("a picture", "timeline")
        if dry_run:
            _show_plan(request, quiet=quiet)
            return
        path, work_file = _output(
            image, output, request, "dream", overwrite=overwrite, resume=resume, every=checkpoint
        )
        if record is not None:
            from dreamkit.media import atomic, video_formats

            request.refuse("--record", "strokes")

            video_formats.check_output(record, overwrite=overwrite)
            atomic.refuse_inputs(record, {**request.inputs, "the dream itself": path})
            _refuse_same("--record", record, "-o", path)
        if so_far is not None:
            from dreamkit.media import atomic, image_writer

            image_writer.check_output(so_far, overwrite=overwrite)
            atomic.refuse_inputs(so_far, {**request.inputs, "the dream itself": path})
            _refuse_same("--so-far", so_far, "-o", path)
            if record is not None:
                _refuse_same("--so-far", so_far, "--record", record)
        by_default = (
            chosen.model is None and recipe is None and not (options.get("concepts") or options.get("texts"))
        )
        hint = _BY_DEFAULT if by_default else ""
        _make(
            request,
            path,
            work_file,
            dpi=dpi,
            overwrite=overwrite,
            quiet=quiet,
            hint=hint,
            record=record,
            so_far=so_far,
            profile=measured,
        )
        if isinstance(measured, Profile):
            _show_profile(measured)


def redo(
    dreamed: Annotated[str, typer.Argument(metavar="DREAM", help="A picture that dreamkit dreamed.")],
    image: Annotated[
        str | None,
        typer.Argument(
            metavar="PHOTO", help="The photograph that it was dreamed from, or another. Noise needs none."
        ),
    ] = None,
    output: Output = None,
    model: Models = None,
    weights: Weights = None,
    guide: Guide = None,
    mask: Masks = None,
    dpi: Dpi = None,
    resume: Resume = False,
    checkpoint: CheckpointEvery = config.CHECKPOINT_EVERY,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Dream a dream again, from the recipe that it carries: the same bytes, or another photograph.

    dreamkit redo photo.dream.png photo.jpg
    """
    from dreamkit import recipes
    from dreamkit.request import request_again

    found = recipes.from_picture(dreamed)
    with terminal.own_lines_only(verbose=verbose):
        request = request_again(
            found,
            image,
            specs_of(model),
            weights=weights_by_model(weights),
            guide=guide,
            mask=by_name(mask) or None,
        )
        path, work_file = _output(
            dreamed, output, request, "redo", overwrite=overwrite, resume=resume, every=checkpoint
        )
        _make(request, path, work_file, dpi=dpi, overwrite=overwrite, quiet=quiet)


def open_session(request: DreamRequest, meter: terminal.Meter, profile: Unmeasured = OFF) -> Session:
    """Loads the networks of a request, while the meter says so."""
    from dreamkit.session import Session

    meter.doing(f"loading {request.names}")
    return Session(request, on_download=meter.download, profile=profile)


def _output(
    named_after: str | None,
    given: Path | None,
    request: DreamRequest,
    what: str,
    *,
    overwrite: bool,
    resume: bool,
    every: float,
) -> tuple[Path, Checkpoint]:
    """Where the dream goes, once it is sure that it can, and its work file."""
    from dreamkit.jobs.checkpoint import Checkpoint, unfinished
    from dreamkit.media import atomic, image_writer

    stem = f"{Path(named_after).stem}.{what}" if named_after else what
    path = given or (unfinished(stem) if resume else None)
    path = path or (Path(f"{stem}.png") if overwrite else atomic.free_path(stem))
    kept = Checkpoint(path, math.prod(request.size), every=every, resume=resume)
    if os.path.isfile(kept.path) and not resume and not overwrite:
        raise OutputExistsError(
            f"{kept.path} holds an interrupted dream; continue it with --resume, or start anew with "
            "--overwrite"
        )
    image_writer.check_output(
        path,
        overwrite=overwrite or (resume and kept.is_so_far()),
        size=request.size,
        needs_alpha=request.config.alpha == "importance",
    )
    if resume and not os.path.isfile(kept.path):
        terminal.warning(f"there is no {kept.path} to continue from; the dream starts anew")
    atomic.refuse_inputs(path, request.inputs)
    return path, kept


def _refuse_same(flag: str, path: Path, other_flag: str, other: Path) -> None:
    """Refuses one file for two things."""
    if os.path.abspath(path).casefold() == os.path.abspath(other).casefold():
        raise UsageError(f"{flag} and {other_flag} are both {path}; give two names")


def _make(
    request: DreamRequest,
    path: Path,
    checkpoint: Checkpoint,
    *,
    dpi: int | None,
    overwrite: bool,
    quiet: bool,
    hint: str = "",
    record: Path | None = None,
    so_far: Path | None = None,
    profile: Unmeasured = OFF,
) -> None:
    """Dreams, writes the dream and says so."""
    started = time.monotonic()
    from dreamkit.media import atomic
    from dreamkit.session import Dream, file_metadata

    def save(result: Dream) -> Path:
        try:
            result.save(path, dpi=dpi, overwrite=overwrite or checkpoint.is_so_far())
        except OutputExistsError:  # it appeared while we dreamed: neither is lost
            free = atomic.free_path(str(path.with_suffix("")), path.suffix)
            result.save(free, dpi=dpi)
            return free
        return path

    try:
        with terminal.Meter(quiet=quiet) as meter:
            session = open_session(request, meter, profile)
            if request.recipe is not None and request.recipe.versions:
                session.warn_of_differences(request.recipe)
            meter.doing(f"preparing {request.names}")
            reported = shown_so_far(so_far, meter.step)
            with recorded(record, request, reported, overwrite=overwrite) as recording:
                start = checkpoint.begin(session.fingerprint(), session.machine())
                # Strokes are dreams of their own, and a work file holds the state of one.
                on_step = recording.step if request.strokes else checkpoint.after_each(recording.step)
                result = session.run(on_step=on_step, start=start)
                meter.doing("writing")
                with profile.span(WRITING):
                    written = save(result)
                    checkpoint.done()
                    recording.end(result.pixels)
    except Interrupted as interrupted:
        if interrupted.pixels is None:
            raise
        written = save(Dream(interrupted.pixels, None, *file_metadata(request)))
        how = ""
        if written == path:  # else another program's picture lies where the dream would be resumed
            how = _resumption(request, checkpoint, interrupted, path)
        raise Interrupted(f"interrupted; the picture so far is in {written}{how}") from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted before the first step; nothing was written") from None
    if not quiet:
        height, width = result.pixels.shape[:2]
        terminal.say(f"wrote {written} ({width} x {height}) in {time.monotonic() - started:.1f} s")
        if record is not None:
            terminal.say(f"wrote {record}")
        if hint and not terminal.is_json():
            terminal.say(hint, err=True)


def _show_profile(profile: Profile) -> None:
    """Prints where the time of the command went."""
    start = "cold" if profile.is_cold else "warm"
    parts = profile.parts()
    if terminal.is_json():
        terminal.event("profile", start=start, parts=[each._asdict() for each in parts])
        return
    rows = [
        [each.what, each.times, f"{each.median:.3f}", f"{each.seconds:.3f}", f"{each.share:.1%}"]
        for each in parts
    ]
    rows.append(["in all", "", "", f"{sum(each.seconds for each in parts):.3f}", "100.0%"])
    terminal.table(rows, [f"{start} start", "times", "median s", "s", "share"], err=True)


def _resumption(request: DreamRequest, checkpoint: Checkpoint, interrupted: Interrupted, path: Path) -> str:
    """Writes the work file of an interrupted dream, and says how to resume it."""
    from dreamkit.media import paths

    if request.strokes:
        return ""
    if interrupted.state is not None:
        checkpoint.write(interrupted.state, paths.digest(path))
    elif checkpoint.path.is_file():  # the dream is between two steps; what was kept last is before them
        checkpoint.note(paths.digest(path))
    else:
        return ""
    return "; --resume continues from there"


def _show_plan(request: DreamRequest, *, quiet: bool) -> None:
    """Prints the plan of a dream."""
    with terminal.Meter(quiet=quiet) as meter:
        session = open_session(request, meter)
        meter.doing("trying one batch of tiles")
        plan = session.plan()
    for number, octave in enumerate(plan.octaves, 1):
        (height, width), (down, across), window = octave.size, octave.tiles, octave.window
        tiles = f"{down * across} tile{'s' if down * across > 1 else ''} of {window[1]} x {window[0]}"
        size = f"{width} x {height}"
        terminal.say(f"octave {number}/{len(plan.octaves)}: {size}, {tiles}, {octave.steps} steps")
    memory = plan.memory
    parts = {
        "TensorFlow and the network": memory.base,
        f"{memory.copies:.2f} float32 copies of the picture": memory.picture,
        f"tiles of at most {plan.tile_size} pixels": memory.tiles,
    }
    terminal.say(f"memory: about {memory.total / 1e9:.2f} GB at the peak")
    for what, taken in parts.items():
        terminal.say(f"  {taken / 1e9:.2f} GB {what}")
    terminal.say(f"time: about {terminal.duration(plan.seconds)} for the steps")
    terminal.say("nothing was dreamed or written")


def _image(pictures: list[str], image_filepath: str | None, layers: list[str] | None) -> str | None:
    """The one picture that the command line names, or None."""
    # The original's `--output-layers mixed3 mixed5` arrives here as a layer and a picture.
    strays = [name for name in pictures if layers and not Path(name).exists() and not Path(name).suffix]
    if strays:
        together = ",".join([*(layers or []), *strays])
        raise UsageError(f"{strays[0]!r} is not a picture; separate layers with commas: --layers {together}")
    if image_filepath is not None and pictures:
        raise UsageError(f"the picture is given twice, {pictures[0]} and -i {image_filepath}; give it once")
    if len(pictures) > 1:
        raise UsageError(
            f"{len(pictures)} pictures are given, {pictures[0]} and {pictures[1]}; dream one at a time"
        )
    return image_filepath if image_filepath is not None else next(iter(pictures), None)
