"""`dreamkit batch`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream import (
    Asked,
    Dpi,
    Overwrite,
    Quiet,
    Verbose,
    by_name,
    cast,
    shares_of,
    weights_by_model,
    with_options,
)
from dreamkit.config import quoted
from dreamkit.errors import ConfigError, Interrupted, UsageError

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor
    from dreamkit.jobs.batch import Batch, Way
    from dreamkit.media.storage import Store

_SHOWN = 8  # reasons of failures that are told of; the report has all
_NETWORK = 3  # times its weights file, that a network takes while it is loaded


@with_options
def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, folders, patterns such as 'a/**/*.jpg', lists in a .txt file, or URLs.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FOLDER|URL", help="Where the dreams go, under the pictures' own names."
        ),
    ],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "-r",
            "--recipe",
            metavar="NAME|FILE",
            help="A recipe, as `dreamkit dream` takes it. Of several, each has a folder of its own.",
        ),
    ] = None,
    dpi: Dpi = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    each_model: Annotated[
        bool,
        typer.Option(
            "--each-model", help="Let each --model dream by itself, in a folder of its own, and not together."
        ),
    ] = False,
    ending: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="png, jpg, webp or tiff.")
    ] = "png",
    as_json: Annotated[bool, typer.Option("--json", help="The report on stdout, for programs.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many would be dreamed, and dream nothing.")
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream many pictures. Run it again to go on, or after a change: what is finished is kept.

    dreamkit batch photos -o dreams --layers mixed3
    """
    asked = Asked(**options)
    asked.check(has_photograph=True)
    executor = executor_options.chosen(engine, address, jobs, threads) or executor_options.default()
    suffix = f".{ending.lower().lstrip('.')}"
    from dreamkit.jobs import batch as batches
    from dreamkit.media import images, storage

    if suffix not in images.SUFFIXES:
        known = ", ".join(sorted(each[1:] for each in images.SUFFIXES))
        raise ConfigError(f"--format is {quoted(ending)}; choose one of {known}")
    if Path(output).suffix.lower() in images.SUFFIXES and not Path(output).exists():
        raise UsageError(f"-o is {output}; name the folder for all of the dreams, and their --format apart")
    if dpi is not None:
        images.check_dpi(Path(f"dream{suffix}"))
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        meter.doing("looking at what is there")
        found = batches.expand(inputs, output)
        ways = _ways(asked, recipe or [None], each_model=each_model, meter=meter)
        todo = batches.outputs(found, ways, suffix)
        place = storage.at(output)
        if not dry_run:
            place.check()
        run = batches.Batch(todo, ways, place, overwrite=overwrite, on_progress=meter.job)
        if dry_run:
            if as_json:
                typer.echo(json.dumps({"to_dream": run.total, "kept": len(run.kept)}))
            else:
                typer.echo(f"{run.total} to dream, {len(run.kept)} kept; nothing was dreamed or written")
            return
        try:
            about = _work(run, ways, place, executor, meter, dpi)
        except Interrupted:
            run.write_report(run.report(engine=executor.name, output=output, interrupted=True))
            raise
    report = run.report(engine=executor.name, output=output, interrupted=False, **about)
    run.write_report(report)
    _tell(report, as_json=as_json, quiet=quiet)


def _ways(asked: Asked, recipes: list[Any], *, each_model: bool, meter: terminal.Meter) -> list[Way]:
    """Every recipe by every model, or by all of them together."""
    from dreamkit.jobs import batch as batches

    own = weights_by_model(asked.weights)
    models: list[list[str] | None] = [asked.model]
    if each_model:
        if not asked.model:
            raise UsageError("--each-model is given without a --model; name the models")
        models = [[name] for name in asked.model]
    ways = []
    for recipe in recipes:
        for model in models:
            shares, options, found = cast(recipe, shares_of(model), dict(asked.given), own)
            # A folder for each of several recipes; of models as soon as each is to have one.
            name = batches.folder_name(
                recipe if len(recipes) > 1 else None, model[0] if each_model and model else None
            )
            mine = own
            if isinstance(own, dict):
                mine = {each: path for each, path in own.items() if each in {share.model for share in shares}}
            ways.append(
                batches.way(
                    name,
                    shares,
                    options,
                    found,
                    weights=mine,
                    guide=asked.guide,
                    mask=by_name(asked.mask) or None,
                    progress=meter.download,
                )
            )
    for name, count in Counter(way.name for way in ways).items():
        if count > 1:
            raise UsageError(f"{count} recipes or models are called {name}; give each once")
    return ways


def _work(
    run: Batch,
    ways: list[Way],
    place: Store,
    executor: Executor,
    meter: terminal.Meter,
    dpi: int | None,
) -> dict[str, Any]:
    """Does what is missing, and says by how many."""
    from dreamkit.executors import local
    from dreamkit.jobs import batch as batches

    if not run.total:
        run.finish()
        return {"jobs": 0, "threads": 0}
    memory = local.BASE + _NETWORK * max(map(batches.weight, ways))
    kept = f", {len(run.kept)} kept" if run.kept else ""
    meter.task(f"{run.total} to dream{kept}")
    try:
        worker = batches.DreamWorker(ways, place, dpi=None if dpi is None else (dpi, dpi))
        jobs, threads = executor.run(
            worker, run.chains(), run.on_event, tasks=run.total, total=run.size, memory=memory
        )
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after {run.dreamed} of {run.total}; the same command goes on"
        ) from None
    finally:
        run.finish()
    return {"jobs": jobs, "threads": threads}


def _tell(report: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    from dreamkit.jobs.batch import REPORT, BatchError

    for message, count in report["warnings"].items():
        terminal.warning(f"{message} ({count} times)" if count > 1 else message)
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    elif not quiet and report["jobs"]:
        typer.echo(
            f"wrote {report['dreamed']} to {report['output']} ({report['kept']} kept) "
            f"in {report['seconds']:.1f} s, {report['jobs']} at once"
        )
    elif not quiet:
        typer.echo(f"all {report['kept']} are in {report['output']} already")
    failed = report["failed"]
    if not terminal.is_json():  # else it was told of as it happened
        _tell_failures(failed)
    if failed:
        raise BatchError(
            f"{len(failed)} of {len(failed) + report['dreamed'] + report['kept']} could not be dreamed; "
            f"{report['output']}/{REPORT} says why, and the same command tries them again"
        )


def _tell_failures(failed: list[dict[str, str]]) -> None:
    """A line for each reason, with the picture that it befell first."""
    whys: dict[str, list[dict[str, str]]] = {}
    for each in failed:
        whys.setdefault(each["why"], []).append(each)
    for why, alike in list(whys.items())[:_SHOWN]:
        first = alike[0]
        named = "" if first["input"] in why else f"{first['input']}: "
        more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
        typer.echo(f"failed: {named}{why}{more}", err=True)
        if "traceback" in first:
            typer.echo(first["traceback"], err=True)
