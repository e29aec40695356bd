"""`dreamkit film`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit.cli import executor_options, film_options, terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import DreamOptions, by_name, with_options
from dreamkit.cli.output_options import Overwrite, Quiet, Recipe, Verbose
from dreamkit.config import quoted
from dreamkit.errors import ConfigError
from dreamkit.jobs import film_defaults
from dreamkit.option import WHAT


@with_options("upscale", "wrap", "tileable", "panorama", "size", "noise")
def film(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILM", help="A film, a folder of numbered pictures, or a pattern: 'f/*.png'."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The film: .mp4, .webm, .gif, .webp, or a folder for its frames.",
        ),
    ],
    recipe: Recipe = None,
    guide: Annotated[
        str | None,
        typer.Option(
            "--guide",
            metavar="PATH",
            help="A picture that the dream takes its shapes from, or a film or a folder of pictures, from "
            "which each frame takes its own.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="[NAME=]PATH",
            help="Where to dream: white fully, grey partly, black not at all. A picture for all frames, a "
            "film or a folder of pictures for each, or the word motion: where something moves. NAME=PATH is "
            "for the mask NAME of a recipe.",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = None,
    track: Annotated[
        bool,
        typer.Option(
            "--track",
            help="The mask is painted for the first frame. Carry it along with what it covers.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    blend: Annotated[
        float,
        typer.Option(
            "--blend", help="How much of the previous frame's dream each frame begins with, 0 to 0.95."
        ),
    ] = film_defaults.BLEND,
    flow: Annotated[
        str,
        typer.Option("--flow", help="on: the dream moves along with the picture; off: it stays where it is."),
    ] = "on",
    every: Annotated[
        int,
        typer.Option(
            "--every",
            metavar="N",
            help="Dream every Nth frame. In the frames between, the dream moves with the picture.",
        ),
    ] = film_defaults.EVERY,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MOMENT",
            help="Dream from here on: seconds, such as 1.5, or a frame counted from 0, such as 36f.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="MOMENT", help="Dream up to here, without the frame that begins there."),
    ] = None,
    sound: film_options.Sound = None,
    listen: film_options.Listen = None,
    frame_steps: film_options.Steps = None,
    fps: film_options.Fps = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    codec: film_options.Codec = None,
    quality: film_options.Quality = None,
    preview: film_options.Preview = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream a film. The dream follows the motion in the picture. Sound and timing are kept.

    If you interrupt it, run the same command again: it continues after the last finished frame.

    dreamkit film in.mp4 -o out.mp4 --layers mixed3b
    """
    started = time.monotonic()
    chosen = DreamOptions(**options, guide=guide, mask=mask)
    if flow not in ("on", "off"):
        raise ConfigError(f"--flow is {quoted(flow)}; choose on or off")
    from dreamkit.jobs import film as films
    from dreamkit.jobs import moving_pictures
    from dreamkit.jobs.film_worker import FilmOptions
    from dreamkit.media import moments, video, video_formats
    from dreamkit.media import sound as sounds
    from dreamkit.recipes import listening
    from dreamkit.recipes.timeline import with_heard
    from dreamkit.request import without_image

    executor = executor_options.chosen(engine, address, jobs, threads)
    frames = FilmOptions(blend=blend, flow=flow == "on", every=every, steps=frame_steps)
    rate = film_options.rate_of(fps)
    between = [
        text if text is None else moments.Moment.of(text, flag)
        for flag, text in (("--from", from_), ("--to", to))
    ]
    heard = listening.read(listen or ())
    encoding = film_options.encoding_of(codec, quality)
    video_formats.check_output(output, encoding, overwrite=overwrite)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        moving, masks, guided = moving_pictures.opened(by_name(mask), guide, track=track)
        arguments = chosen.arguments() | {"mask": masks or None, "guide": guided}
        request = without_image(**arguments, recipe=recipe)
        request.refuse("a film", *films.UNABLE)
        timeline = with_heard(request.timeline, heard, request.config.schedule)
        request = replace(request, timeline=timeline)
        music = None if sound is None else sounds.read(sound)
        meter.doing(f"reading {source}")
        clip = moments.part(video.read(source, rate or video_formats.RATE), *between)
        if clip.is_film and rate is not None:
            clip = clip.at_rate(rate)
        films.make(
            clip,
            open_session(request, meter),
            output,
            frames,
            moving=moving,
            sound=music,
            preview=preview,
            encoding=encoding,
            overwrite=overwrite,
            on_frame=meter.frame,
            executor=executor,
        )
    if not quiet:
        terminal.say(f"wrote {output} in {time.monotonic() - started:.1f} s")
