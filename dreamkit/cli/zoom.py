"""`dreamkit zoom`."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit.cli import film_options, terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import DreamOptions, with_options
from dreamkit.cli.output_options import Overwrite, Quiet, Recipe, Verbose
from dreamkit.config import quoted
from dreamkit.errors import ConfigError
from dreamkit.jobs import film_defaults


@with_options("upscale", "wrap", "tileable", "panorama")
def zoom(
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="PATH", help="The film: .mp4, .webm, .gif or .webp."),
    ],
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="Where it begins. Without one, in noise.")
    ] = None,
    recipe: Recipe = None,
    frames: Annotated[int, typer.Option("--frames", help="How many frames.")] = film_defaults.FRAMES,
    fps: film_options.Fps = None,
    zoom: Annotated[
        float | None,
        typer.Option(
            "--zoom",
            help="How much larger each frame is, 0.5 to 2; below 1 it moves away. Default: the recipe's "
            f"timeline, or {film_defaults.ZOOM}.",
            show_default=False,
        ),
    ] = None,
    rotate: Annotated[
        float | None,
        typer.Option(
            "--rotate",
            help="Degrees that each frame is turned by, clockwise. Default: the recipe's timeline, or 0.",
            show_default=False,
        ),
    ] = None,
    center: Annotated[
        str | None,
        typer.Option(
            "--center",
            metavar="X,Y",
            help="The centre of zoom and rotation, as fractions of the size. Default: the recipe's timeline, "
            "or 0.5,0.5.",
            show_default=False,
        ),
    ] = None,
    move: Annotated[
        str | None,
        typer.Option(
            "--move",
            metavar="NAME",
            help="How the camera moves along the film: tunnel, pan or spiral. --zoom, --rotate and --center "
            "replace its own.",
            show_default=False,
        ),
    ] = None,
    mirror: Annotated[
        str,
        typer.Option(
            "--mirror",
            metavar="NAME",
            help="Mirror one half of each frame (sides) or one quarter (quarters), as in a kaleidoscope.",
        ),
    ] = film_defaults.MIRROR,
    sound: film_options.Sound = None,
    listen: film_options.Listen = None,
    loop: Annotated[bool, typer.Option("--loop", help="Let the last frame lead to the first.")] = False,
    frame_steps: film_options.Steps = None,
    frame_octaves: Annotated[
        int | None,
        typer.Option("--frame-octaves", help="Octaves of each frame after the first. Default: 3.", min=1),
    ] = None,
    codec: film_options.Codec = None,
    quality: film_options.Quality = None,
    preview: film_options.Preview = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream an endless zoom: each frame is dreamed from a closer look at the last.

    If you interrupt it, run the same command again: it continues after the last finished frame.

    dreamkit zoom photo.jpg -o zoom.mp4 --frames 300 --rotate 1

    dreamkit zoom photo.jpg -o music.mp4 --sound track.wav --listen strength=beat
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    chosen.check(image is not None)
    from dreamkit.jobs import camera_moves
    from dreamkit.jobs import zoom as zooms
    from dreamkit.media import sound as sounds
    from dreamkit.media import video_formats
    from dreamkit.media.video_formats import RATE
    from dreamkit.recipes import listening
    from dreamkit.recipes.timeline import with_heard, without
    from dreamkit.request import make_request

    asked = {"zoom": zoom, "rotate": rotate, "center": None if center is None else _center(center)}
    camera: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    moves = zooms.ZoomOptions(
        frames=frames,
        rate=film_options.rate_of(fps) or RATE,
        moves=() if move is None else without(camera_moves.named(move), (), camera),
        steps=frame_steps,
        octaves=frame_octaves,
        loop=loop,
        mirror=mirror,
        **camera,
    )
    heard = listening.read(listen or (), moves.camera)
    encoding = film_options.encoding_of(codec, quality)
    video_formats.check_output(output, encoding, overwrite=overwrite)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        request = make_request(image, **chosen.arguments(), recipe=recipe)
        request.refuse("a zoom", *zooms.UNABLE)
        own = without(request.timeline, (), camera)
        timeline = with_heard(own, heard, request.config.schedule)
        music = None if sound is None else sounds.read(sound)
        zooms.make(
            open_session(replace(request, timeline=timeline), meter),
            output,
            moves,
            sound=music,
            preview=preview,
            encoding=encoding,
            overwrite=overwrite,
            on_frame=meter.frame,
        )
    if not quiet:
        terminal.say(f"wrote {output} in {time.monotonic() - started:.1f} s")


def _center(text: str) -> tuple[float, float]:
    """Two shares."""
    try:
        across, down = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--center is {quoted(text)}; write two shares, such as 0.5,0.3") from None
    return across, down
