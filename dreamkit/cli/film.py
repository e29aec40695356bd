"""`dreamkit zoom` and `dreamkit film`."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import DreamOptions, with_options
from dreamkit.cli.output_options import Overwrite, Quiet, Recipe, Verbose
from dreamkit.config import quoted
from dreamkit.errors import ConfigError, UsageError

_Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="PATH", help="The film: .mp4, .webm, .gif or .webp."),
]
_Preview = Annotated[
    int | None,
    typer.Option(
        "--preview", metavar="N", help="Make a film of the first N frames; the next run continues.", min=1
    ),
]
_Fps = Annotated[
    str | None,
    typer.Option(
        "--fps",
        help="Frames per second, such as 30 or 24000/1001, of a zoom or of numbered pictures. A film file "
        "keeps its own. Default: 30.",
        show_default=False,
    ),
]
_Steps = Annotated[
    int | None,
    typer.Option(
        "--frame-steps",
        help="Steps of each frame; in a zoom, of each after the first. Default: a quarter of --steps.",
        min=1,
    ),
]


@with_options("upscale", "wrap", "tileable", "panorama")
def zoom(
    output: _Output,
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="Where it begins. Without one, in noise.")
    ] = None,
    recipe: Recipe = None,
    frames: Annotated[int, typer.Option("--frames", help="How many frames.")] = 300,
    fps: _Fps = None,
    zoom: Annotated[
        float, typer.Option("--zoom", help="How much larger each frame is, 0.5 to 2; below 1 it moves away.")
    ] = 1.04,
    rotate: Annotated[
        float, typer.Option("--rotate", help="Degrees that each frame is turned by, clockwise.")
    ] = 0.0,
    center: Annotated[
        str | None,
        typer.Option(
            "--center",
            metavar="X,Y",
            help="The centre of zoom and rotation, as fractions of the size. Default: 0.5,0.5.",
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Let the last frame lead to the first.")] = False,
    frame_steps: _Steps = None,
    frame_octaves: Annotated[
        int | None,
        typer.Option("--frame-octaves", help="Octaves of each frame after the first. Default: 3.", min=1),
    ] = None,
    preview: _Preview = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream an endless zoom: each frame is dreamed from a closer look at the last.

    If you interrupt it, run the same command again: it continues after the last finished frame.

    dreamkit zoom photo.jpg -o zoom.mp4 --frames 300 --rotate 1
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    chosen.check(image is not None)
    from dreamkit.jobs import zoom as zooms
    from dreamkit.media import video_formats
    from dreamkit.request import make_request

    moves = zooms.ZoomOptions(
        frames=frames,
        rate=_rate(fps),
        zoom=zoom,
        rotate=rotate,
        center=_center(center),
        steps=frame_steps,
        octaves=frame_octaves,
        loop=loop,
    )
    video_formats.check_output(output, overwrite=overwrite)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        request = make_request(image, **chosen.arguments(), recipe=recipe)
        request.refuse("a zoom", *zooms.UNABLE)
        zooms.make(
            open_session(request, meter),
            output,
            moves,
            preview=preview,
            overwrite=overwrite,
            on_frame=meter.frame,
        )
    if not quiet:
        terminal.say(f"wrote {output} in {time.monotonic() - started:.1f} s")


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
    blend: Annotated[
        float,
        typer.Option(
            "--blend", help="How much of the previous frame's dream each frame begins with, 0 to 0.95."
        ),
    ] = 0.8,
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
    ] = 1,
    frame_steps: _Steps = None,
    fps: _Fps = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    preview: _Preview = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream a film. The dream follows the motion in the picture. Sound and timing are kept.

    If you interrupt it, run the same command again: it continues after the last finished frame.

    dreamkit film in.mp4 -o out.mp4 --layers mixed3
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    if flow not in ("on", "off"):
        raise ConfigError(f"--flow is {quoted(flow)}; choose on or off")
    from dreamkit.jobs import film as films
    from dreamkit.media import video, video_formats
    from dreamkit.request import without_image

    executor = executor_options.chosen(engine, address, jobs, threads)
    frames = films.FilmOptions(blend=blend, flow=flow == "on", every=every, steps=frame_steps)
    video_formats.check_output(output, overwrite=overwrite)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        request = without_image(**chosen.arguments(), recipe=recipe)
        request.refuse("a film", *films.UNABLE)
        meter.doing(f"reading {source}")
        clip = video.read(source, _rate(fps))
        if clip.is_film and fps is not None:
            raise UsageError("--fps is for numbered pictures; a film has its own")
        films.make(
            clip,
            open_session(request, meter),
            output,
            frames,
            preview=preview,
            overwrite=overwrite,
            on_frame=meter.frame,
            executor=executor,
        )
    if not quiet:
        terminal.say(f"wrote {output} in {time.monotonic() - started:.1f} s")


def _rate(text: str | None) -> Fraction:
    """Frames a second."""
    from dreamkit.media.video_formats import RATE

    if text is None:
        return RATE
    if not re.fullmatch(r"\d{1,6}(/\d{1,6}|\.\d{1,6})?", text) or not (rate := _fraction(text)):
        raise ConfigError(f"--fps is {quoted(text)}; write frames a second, such as 30, 23.976 or 24000/1001")
    return rate


def _fraction(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None


def _center(text: str | None) -> tuple[float, float]:
    """Two shares."""
    if text is None:
        return 0.5, 0.5
    try:
        across, down = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--center is {quoted(text)}; write two shares, such as 0.5,0.3") from None
    return across, down
