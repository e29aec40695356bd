"""`dreamkit batch`."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.dream_options import DreamOptions, specs_of, with_options
from dreamkit.cli.output_options import Dpi, Overwrite, Quiet, Verbose
from dreamkit.config import quoted
from dreamkit.errors import ConfigError, Interrupted, UsageError

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor
    from dreamkit.jobs.batch import Batch, BatchRequest
    from dreamkit.media.storage import Store
    from dreamkit.models.spec import ModelSpec

_SHOWN = 8  # reasons of failures; the report has all
_NETWORK_MEMORY = 3  # times its weights file, while a network is loaded


@with_options()
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
            help="A recipe, as `dreamkit dream` takes it. If there are several, each has its own folder.",
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
            "--each-model",
            help="Each --model dreams by itself, in a folder of its own, instead of all together.",
        ),
    ] = False,
    ending: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="png, jpg, webp or tiff.")
    ] = "png",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report on stdout, for programs.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many pictures would be dreamed, and dream none.")
    ] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream many pictures. Run it again to go on, or after a change: finished dreams are kept.

    dreamkit batch photos -o dreams --layers mixed3b
    """
    dream_options = DreamOptions(**options)
    dream_options.check(has_photograph=True)
    executor = executor_options.chosen(engine, address, jobs, threads) or executor_options.default()
    suffix = _checked_suffix(ending, output)
    from dreamkit.jobs import batch as batches
    from dreamkit.media import storage

    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        meter.doing("looking for pictures and finished dreams")
        inputs_found = batches.expand(inputs, output)
        requests = _requests(dream_options, recipe or [None], suffix, each_model=each_model, meter=meter)
        store = storage.open_store(output)
        with contextlib.nullcontext(False) if dry_run else storage.held(store) as folds_names:
            job_list = batches.list_jobs(inputs_found, requests, suffix, folds_names=folds_names)
            run = batches.Batch(
                job_list,
                requests,
                store,
                overwrite=overwrite,
                folds_names=folds_names,
                on_progress=meter.job,
            )
            if dry_run:
                _show_plan(run, as_json=as_json)
                return
            try:
                about = _work(run, requests, store, executor, meter, dpi)
            except Interrupted:
                run.write_report(run.report(engine=executor.name, output=output, interrupted=True))
                raise
            report = run.report(engine=executor.name, output=output, interrupted=False, **about)
            run.write_report(report)
    _show_report(report, as_json=as_json, quiet=quiet)


def _checked_suffix(ending: str, output: str) -> str:
    """The suffix of all dreams, from `--format`."""
    from dreamkit.media import image_writer

    suffix = f".{ending.lower().lstrip('.')}"
    if suffix not in image_writer.SUFFIXES:
        known = ", ".join(sorted(each[1:] for each in image_writer.SUFFIXES))
        raise ConfigError(f"--format is {quoted(ending)}; choose one of {known}")
    if Path(output).suffix.lower() in image_writer.SUFFIXES and not Path(output).exists():
        raise UsageError(f"-o is {output}; name a folder for the dreams, and choose their --format")
    return suffix


def _show_plan(run: Batch, *, as_json: bool) -> None:
    """Shows what a run would do."""
    if as_json:
        terminal.say(json.dumps({"to_dream": run.total, "kept": len(run.kept)}))
    else:
        terminal.say(f"{run.total} to dream, {len(run.kept)} kept; nothing was dreamed or written")


def _requests(
    dream_options: DreamOptions,
    recipes: list[Any],
    suffix: str,
    *,
    each_model: bool,
    meter: terminal.Meter,
) -> list[BatchRequest]:
    """A request for each recipe; with `each_model`, for each recipe and model."""
    from dreamkit.jobs import batch as batches
    from dreamkit.media import image_writer
    from dreamkit.request import without_image

    models: list[list[str] | None] = [dream_options.model]
    if each_model:
        if not dream_options.model:
            raise UsageError("--each-model is given without a --model; name the models")
        models = [[name] for name in dream_options.model]
    arguments = dream_options.arguments()
    requests = []
    for recipe in recipes:
        for model in models:
            specs = specs_of(model)
            own = {"model": specs, "weights": _weights_for(specs, arguments["weights"])}
            request = without_image(**(arguments | own), recipe=recipe)
            if request.config.alpha == "importance":
                image_writer.check_alpha(Path(f"PICTURE{suffix}"))
            # One recipe alone has no folder; models have folders even if there is only one.
            name = batches.folder_name(
                recipe if len(recipes) > 1 else None, model[0] if each_model and model else None
            )
            requests.append(batches.resolve(name, request, on_download=meter.download))
    # Where names fold, as on macOS and Windows, they would share a folder.
    for name, count in Counter(request.name.casefold() for request in requests).items():
        if count > 1:
            raise UsageError(f"{count} recipes or models are called {name}; give each once, by its own name")
    return requests


def _weights_for(specs: Sequence[ModelSpec], weights: Any) -> Any:
    """Those weights that belong to the models of `specs`; all of them for no specs."""
    if not isinstance(weights, dict) or not specs:
        return weights
    names = {spec.name for spec in specs}
    return {name: path for name, path in weights.items() if name in names}


def _work(
    run: Batch,
    requests: list[BatchRequest],
    store: Store,
    executor: Executor,
    meter: terminal.Meter,
    dpi: int | None,
) -> dict[str, Any]:
    """Dreams what is missing; returns how many jobs and threads there were."""
    from dreamkit.executors import local
    from dreamkit.jobs import batch as batches

    if not run.total:
        run.finish()
        return {"jobs": 0, "threads": 0}
    memory = local.BASE + _NETWORK_MEMORY * max(request.weights_size for request in requests)
    kept = f", {len(run.kept)} kept" if run.kept else ""
    meter.task(f"{run.total} to dream{kept}")
    try:
        worker = batches.DreamWorker(requests, store, dpi=None if dpi is None else (dpi, dpi))
        jobs, threads = executor.run(
            worker, run.chains(), run.on_event, tasks=run.total, total=run.size, memory=memory
        )
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after {run.dreamed} of {run.total}; the same command continues"
        ) from None
    finally:
        run.finish()
    return {"jobs": jobs, "threads": threads}


def _show_report(report: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    """Shows what became of a run.

    Raises:
        BatchError: a picture could not be dreamed.
    """
    from dreamkit.jobs.batch import REPORT, BatchError

    for message, count in report["warnings"].items():
        terminal.warning(f"{message} ({count} times)" if count > 1 else message)
    if as_json:
        terminal.say(json.dumps(report, indent=1))
    elif not quiet and report["jobs"]:
        terminal.say(
            f"wrote {report['dreamed']} to {report['output']} ({report['kept']} kept) "
            f"in {report['seconds']:.1f} s, {report['jobs']} at once"
        )
    elif not quiet:
        terminal.say(f"all {report['kept']} are in {report['output']} already")
    failed = report["failed"]
    if not terminal.is_json():  # else there was an event for each
        _show_failures(failed)
    if failed:
        raise BatchError(
            f"{len(failed)} of {len(failed) + report['dreamed'] + report['kept']} could not be dreamed; "
            f"{report['output']}/{REPORT} says why, and the same command tries them again"
        )


def _show_failures(failed: list[dict[str, str]]) -> None:
    """A line for each reason, with the first picture that failed for it."""
    by_reason: dict[str, list[dict[str, str]]] = {}
    for each in failed:
        by_reason.setdefault(each["why"], []).append(each)
    for why, alike in list(by_reason.items())[:_SHOWN]:
        first = alike[0]
        named = "" if first["input"] in why else f"{first['input']}: "
        more = f" (and {len(alike) - 1} more)" if len(alike) > 1 else ""
        terminal.say(f"failed: {named}{why}{more}", err=True)
        if "traceback" in first:
            terminal.say(first["traceback"], err=True)
