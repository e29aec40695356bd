"""`dreamkit groups`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream_options import DreamOptions, request_of_own_layers, with_options
from dreamkit.cli.output_options import Quiet, Recipe, Verbose
from dreamkit.errors import ConfigError

_RECIPE = "lucid"


@with_options(
    *("classes", "concepts", "texts", "directions", "guide", "mask"),
    *("size", "upscale", "tileable", "panorama", "alpha", "start", "hold"),
)
def groups(
    image: Annotated[str, typer.Argument(metavar="PHOTOGRAPH", help="The photograph.")],
    recipe: Recipe = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help="The network; `dreamkit models` lists them. Default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("-w", "--weights", metavar="PATH", help="A weights file, instead of fetching one."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("-l", "--layers", metavar="LAYER", help="The layer. Default: the network's own."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="How many groups, 1 to 64. Default: 6.")
    ] = None,
    cell: Annotated[
        int | None, typer.Option("--cell", help="Side of a dream in pixels, 16 to 1024. Default: 160.")
    ] = None,
    columns: Annotated[
        int | None, typer.Option("--columns", help="Cells in a row of sheet.png. Default: as suits.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Default: PHOTOGRAPH.MODEL.groups."),
    ] = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Find what a layer sees in a photograph, as a few groups: where each is, and a dream of it.

    Dreams are made with the recipe lucid unless you give another.

    dreamkit groups photo.jpg --model inception5h --layers mixed4c
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    executor = executor_options.chosen(engine, address, jobs, threads)
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs import groups as sheets
        from dreamkit.jobs.sheet import CELL

        request = request_of_own_layers(chosen, model, weights, recipe or _RECIPE)
        if len(request.models) > 1:
            raise ConfigError(
                f"{recipe} has {len(request.models)} networks and groups are of one; name it with --model"
            )
        name = request.names
        with terminal.continuing(), terminal.Meter(quiet=quiet) as meter:
            meter.doing(f"loading {name}")
            made = sheets.make(
                request,
                output or Path(f"{Path(image).stem}.{name}.groups"),
                image=image,
                layer=layers,
                count=sheets.COUNT if count is None else count,
                cell=CELL if cell is None else cell,
                columns=columns,
                on_cell=meter.cell,
                on_download=meter.download,
                executor=executor,
            )
    if not quiet:
        seconds = time.monotonic() - started
        terminal.say(
            f"wrote {made.page} ({made.dreamed} dreamed, {made.kept} kept) in {seconds:.1f} s; "
            f"the groups hold {made.groups.explained:.0%} of what {made.layer} sees"
        )
