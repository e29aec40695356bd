"""`dreamkit sheet`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream_options import DreamOptions, request_of_own_layers, with_options
from dreamkit.cli.output_options import Quiet, Recipe, Verbose
from dreamkit.errors import ConfigError, shown

_SHOWN = 8  # names of cells that were left out for one reason


@with_options(
    *("classes", "concepts", "texts", "directions"),
    *("max_size", "size", "upscale", "tileable", "panorama"),
)
def sheet(
    image: Annotated[
        str | None,
        typer.Argument(metavar="IMAGE", help="The photograph to dream. Without one, noise is dreamed."),
    ] = None,
    recipe: Recipe = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help="The network; `dreamkit models` lists them. "
            f"Default: the recipe's, or {config.DEFAULT_MODEL}.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("-w", "--weights", metavar="PATH", help="A weights file, instead of fetching one."),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option("-l", "--layers", help="Layers to show, `mixed3b,mixed4c`. Default: all there are."),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            "--channels",
            help="A cell for each of these channels of the layers instead, such as 0-63 or 0,5,7-9.",
        ),
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            "--examples",
            metavar="PHOTOGRAPHS",
            help="Beside each channel, the nine of these photographs that wake it most: a folder, a pattern, "
            "or a text file with a path in each line.",
        ),
    ] = None,
    cell: Annotated[
        int | None, typer.Option("--cell", help="Longest side of a cell in pixels, 16 to 1024. Default: 160.")
    ] = None,
    columns: Annotated[
        int | None, typer.Option("--columns", help="Cells in a row of sheet.png. Default: as suits.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Default: IMAGE.MODEL.sheet, and of channels with the layer.",
        ),
    ] = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream one small picture for each layer of a network, as a picture and a page.

    Run it again after an interruption or a change: finished cells are kept.

    dreamkit sheet photo.jpg --model inception_v3
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    executor = executor_options.chosen(engine, address, jobs, threads)
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs import photographs
        from dreamkit.jobs import sheet as sheets
        from dreamkit.media import paths

        request = request_of_own_layers(chosen, model, weights, recipe)
        if len(request.models) > 1:
            raise ConfigError(
                f"{recipe} has {len(request.models)} networks and a sheet shows one; name it with --model"
            )
        name = request.names
        of_layers = [paths.safe_name(text) for text in layers or ()] if channels is not None else []
        stem = [Path(image).stem] if image else []
        with terminal.continuing(), terminal.Meter(quiet=quiet) as meter:
            meter.doing(f"loading {name}")
            made = sheets.make(
                request,
                output or Path(".".join([*stem, name, *of_layers, "sheet"])),
                image=image,
                layers=layers or (),
                channels=None if channels is None else sheets.parse_channels(channels),
                cell=sheets.CELL if cell is None else cell,
                columns=columns,
                examples=[] if examples is None else photographs.expand(examples),
                on_picture=meter.picture,
                on_cell=meter.cell,
                on_download=meter.download,
                executor=executor,
            )
    for why, names in made.left_out.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        terminal.say(f"left out {shown(', '.join(names[:_SHOWN]), 300)}{more}: {why}", err=True)
    if not quiet:
        seconds = time.monotonic() - started
        terminal.say(f"wrote {made.page} ({made.dreamed} dreamed, {made.kept} kept) in {seconds:.1f} s")
