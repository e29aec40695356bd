"""`dreamkit blend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.output_options import refuse_pictures
from dreamkit.option_table import describe


def blend(
    dreamed: Annotated[str, typer.Argument(metavar="DREAM", help="A finished dream.")],
    image: Annotated[str, typer.Argument(metavar="PHOTO", help="The photograph that it was dreamed from.")],
    amount: Annotated[
        float, typer.Option("--amount", help="How much of the photograph is put back, 0 to 1.")
    ] = 0.3,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PATH", help="Where to write. Default: DREAM.blend.png here."),
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option("--max-pixels", help=describe("max_pixels"), show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an existing file.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but errors and warnings.")
    ] = False,
) -> None:
    """Put the photograph back under a finished dream, without dreaming again.

    dreamkit blend photo.dream.png photo.jpg --amount 0.4
    """
    config.DreamConfig.of(blend=amount)
    from dreamkit.jobs import blend as blends
    from dreamkit.media import atomic, image_metadata, image_writer, images

    most = config.default("max_pixels") if max_pixels is None else max_pixels
    path = output or (
        Path(f"{Path(dreamed).stem}.blend.png")
        if overwrite
        else atomic.free_path(f"{Path(dreamed).stem}.blend")
    )
    image_writer.check_output(path, overwrite=overwrite)
    refuse_pictures(path, (dreamed, image))
    result = blends.blend(
        images.read(dreamed, most), images.read(image, most), amount, image_metadata.read_recipe(dreamed)
    )
    result.save(path, overwrite=overwrite)
    if not quiet:
        height, width = result.pixels.shape[:2]
        terminal.say(f"wrote {path} ({width} x {height})")
