"""`dreamkit atlas`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream_options import DreamOptions, request_of_own_layers, with_options
from dreamkit.cli.output_options import Quiet, Recipe, Verbose
from dreamkit.errors import UsageError


@with_options(
    *("classes", "concepts", "texts", "directions"),
    *("max_size", "size", "upscale", "tileable", "panorama"),
)
def atlas(
    photographs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTOGRAPHS",
            help="Photographs: folders, files, patterns, or a text file with a path in each line.",
        ),
    ] = None,
    recipe: Recipe = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            help="The network; `dreamkit models` lists them. Default: the recipe's, which is inception5h.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("-w", "--weights", metavar="PATH", help="A weights file, instead of fetching one."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("-l", "--layers", metavar="LAYER", help="The layer to show, such as `mixed4c`."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", help="Places of each photograph, taken at random. Default: 5."),
    ] = None,
    grid: Annotated[
        int | None, typer.Option("--grid", help="Columns of the map, and rows, 1 to 200. Default: 20.")
    ] = None,
    least: Annotated[
        int | None, typer.Option("--least", help="Activations that a cell needs to be dreamed. Default: 5.")
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option("--cell", help="Side of a cell in pixels, 16 to 1024. Default: the recipe's, 96."),
    ] = None,
    without_photographs: Annotated[
        bool,
        typer.Option("--no-photographs", help="Do not show the photographs on the page, to publish it."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Default: PHOTOGRAPHS.MODEL.LAYER.atlas."),
    ] = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Map what a layer sees in many photographs: an activation atlas, as a page.

    Run it again after an interruption: what is finished is kept.
    It needs UMAP. Where that is missing, it names the command that installs it.

    dreamkit atlas photographs/ -m inception5h -l mixed4c
    """
    started = time.monotonic()
    chosen = DreamOptions(**options)
    executor = executor_options.chosen(engine, address, jobs, threads)
    if not photographs:
        raise UsageError(
            "an atlas is made of photographs; give a folder of them, or make a sheet of all layers: "
            "dreamkit sheet"
        )
    if layers is None:
        raise UsageError("an atlas shows one layer; name it with --layers, such as -l mixed4c")
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs.atlas import run
        from dreamkit.jobs.photographs import expand
        from dreamkit.media import paths

        found = expand(photographs)
        size = {} if cell is None else {"size": cell}
        request = request_of_own_layers(chosen, model, weights, recipe or run.RECIPE, **size)
        stem = paths.safe_name(Path(photographs[0]).resolve().stem)
        name = f"{stem}.{request.names}.{paths.safe_name(layers)}.atlas"
        with terminal.continuing(), terminal.Meter(quiet=quiet) as meter:
            meter.doing(f"loading {request.names}")
            made = run.make(
                request,
                output or Path(name),
                found,
                layers,
                samples=run.SAMPLES if samples is None else samples,
                side=run.GRID if grid is None else grid,
                least=run.LEAST if least is None else least,
                with_photographs=not without_photographs,
                on_doing=meter.task,
                on_picture=meter.picture,
                on_cell=meter.cell,
                on_download=meter.download,
                executor=executor,
            )
    if not quiet:
        seconds = time.monotonic() - started
        terminal.say(
            f"wrote {made.page} ({made.activations} activations; {made.dreamed} cells dreamed, "
            f"{made.kept} kept) in {seconds:.1f} s"
        )
