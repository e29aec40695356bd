"""`dreamkit variants`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import DreamOptions, weights_by_model, with_options
from dreamkit.cli.output_options import Overwrite, Verbose
from dreamkit.errors import ConfigError, Interrupted


@with_options("classes", "size", "noise", "upscale", "wrap", "tileable", "panorama")
def variants(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The photograph to dream.")],
    model: Annotated[
        str, typer.Option("-m", "--model", help="The network; `dreamkit models` lists them.")
    ] = config.DEFAULT_MODEL,
    cell: Annotated[
        int | None,
        typer.Option("--cell", help="Longest side of a small dream in pixels, 64 to 1024. Default: 240."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Where to write. Default: IMAGE.variants.png here."
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but the commands.")] = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream nine small variants of a photograph, with the command that makes each one large.

    dreamkit variants photo.jpg
    """
    started = time.monotonic()
    chosen = DreamOptions(model=[model], **options)
    if isinstance(weights_by_model(chosen.weights), dict):
        raise ConfigError(f"variants are of one network; give {model}'s weights alone")
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs import variants as sheets
        from dreamkit.media import atomic, image_sizes, image_writer
        from dreamkit.request import make_request

        side = sheets.CELL if cell is None else cell
        if not 64 <= side <= 1024:
            raise ConfigError(f"cell is {side}; it takes a whole number, 64 to 1024")
        path = output or (
            Path(f"{Path(image).stem}.variants.png")
            if overwrite
            else atomic.free_path(f"{Path(image).stem}.variants")
        )
        image_writer.check_output(path, overwrite=overwrite)
        request = make_request(image, **chosen.arguments())
        picture = request.image
        assert picture is not None
        small = image_sizes.shrink(picture, side)
        if path.exists() and picture.path and path.samefile(picture.path):
            raise ConfigError(f"{path} is the photograph itself; write the sheet somewhere else")
        try:
            with terminal.Meter(quiet=quiet) as meter:
                session = open_session(request, meter)
                planned = sheets.plan(image, session, side)
                dreamed = []
                for variant in sheets.dreams(small, session, planned):
                    dreamed.append(variant)
                    meter.doing(f"{len(dreamed)} of {len(planned)} variants")
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was written") from None
        image_writer.write(path, sheets.sheet(dreamed, Path(image).name), overwrite=overwrite)
    for number, variant in enumerate(dreamed, 1):
        typer.echo(f"{number}  {variant.name}\n   {variant.command}")
    if not quiet:
        typer.echo(f"wrote {path} in {time.monotonic() - started:.1f} s", err=True)
