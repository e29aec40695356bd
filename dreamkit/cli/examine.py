"""`dreamkit examine`."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit.cli import executor_options, terminal
from dreamkit.cli.output_options import Quiet, Verbose
from dreamkit.errors import ConfigError, shown

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.jobs.examine import Examination, Reached
    from dreamkit.observations.similarity import LayerSimilarity
    from dreamkit.recipes import Recipe


def examine(
    dreams: Annotated[
        list[str], typer.Argument(metavar="DREAM...", help="Dreams of one channel each, by one network.")
    ],
    photographs: Annotated[
        list[str] | None,
        typer.Option(
            "--photographs",
            metavar="FOLDER",
            help="Photographs of all kinds: a folder, a pattern, or a text file with a path in each line.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", help="The network. Default: the recipe's.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("-w", "--weights", metavar="PATH", help="A weights file, instead of fetching one."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            "-l",
            "--layers",
            metavar="LAYER:CHANNEL",
            help="What the dreams are of. Default: as their recipes say.",
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option("--other", metavar="MODEL", help="Another network, to see whether it agrees."),
    ] = None,
    jobs: executor_options.Jobs = None,
    threads: executor_options.Threads = None,
    engine: executor_options.EngineName = None,
    address: executor_options.Address = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON, for programs.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Examine dreams of channels: does the network take them for what wakes the channel in photographs?

    A channel's dream can be processed quite unlike the photographs that wake it. This shows, layer by layer.

    dreamkit examine dream.png --photographs photographs/
    """
    if not photographs:
        raise ConfigError("dreams are examined beside photographs; give a folder with --photographs")
    executor = executor_options.chosen(engine, address, jobs, threads)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        from dreamkit import recipes
        from dreamkit.engine.loading import load_network
        from dreamkit.jobs.examine import Examiner
        from dreamkit.jobs.photographs import expand
        from dreamkit.models.spec import ModelSpec

        found = expand(photographs)
        read = [None if model and layers else recipes.from_picture(Path(path)) for path in dreams]
        name = model or _model_of(read)
        spec = ModelSpec(name, weights=None if weights is None else str(weights))
        meter.doing(f"loading {name}")
        network = load_network(spec, meter.download)
        terms = [_term(path, layers, recipe, network) for path, recipe in zip(dreams, read, strict=True)]
        elsewhere = None if other is None else load_network(ModelSpec(other), meter.download)
        examiner = Examiner(
            spec, network, found, other=elsewhere, on_picture=meter.picture, executor=executor
        )
        examined = []
        for path, (layer, channel) in zip(dreams, terms, strict=True):
            meter.doing(f"examining {shown(path)}")
            examined.append(examiner.examine(path, layer, channel))
    if as_json:
        terminal.say(json.dumps([_plain(each) for each in examined], indent=2))
    else:
        _show(examined, other)


def _model_of(read: list[Recipe | None]) -> str:
    """The one network of all dreams."""
    names = list(dict.fromkeys(spec.name for recipe in read if recipe for spec in recipe.models))
    if len(names) != 1:
        raise ConfigError(
            f"the dreams are of {len(names)} networks ({shown(', '.join(names))}); examine those of one"
        )
    return names[0]


def _term(path: str, layers: str | None, recipe: Recipe | None, network: Network) -> tuple[str, int]:
    """The layer and the channel of a dream."""
    from dreamkit.terms import parse_terms

    given = layers
    if recipe is not None and given is None:
        given = recipe.models[0].layers or recipe.options.get("layers")
    terms = parse_terms([given] if isinstance(given, str) else given or network.provider.layers, network)
    ((term, weight), *more) = terms.items()
    if more or len(term.channels) != 1 or term.place is not None or weight < 0:
        raise ConfigError(
            f"{shown(path)} is a dream of {shown(', '.join(map(str, terms)))}; only dreams of one channel, "
            "such as mixed4c:277, can be examined"
        )
    return term.layer, term.channels[0]


def _show(examined: list[Examination], other: str | None) -> None:
    rows = [
        (
            shown(Path(each.name).name),
            f"{each.layer}:{each.channel}",
            *map(_reached, (each.dream, each.photographs, each.noise)),
            _share(each.layers[-1]),
            *([_share(each.elsewhere[-1])] if each.elsewhere else []),
        )
        for each in examined
    ]
    elsewhere = (f"alike in {other}",) if other else ()
    heads = ("dream", "channel", "dream reaches", "photographs", "noise", "alike", *elsewhere)
    terminal.table(rows, heads)
    if len(examined) == 1:
        terminal.say("")
        similarities = [*examined[0].layers, *examined[0].elsewhere]
        terminal.table(
            [(each.layer, *(f"{value:.2f}" for value in (each.dream, each.among, each.others)), _share(each))
             for each in similarities],
            ("layer", "dream and best", "best among themselves", "best and others", "alike"),
        )  # fmt: skip


def _reached(reached: Reached) -> str:
    return f"{reached.mean:.3g} ({reached.largest:.3g})"


def _share(similarity: LayerSimilarity) -> str:
    return "-" if math.isnan(similarity.share) else f"{similarity.share:.2f}"


def _plain(examination: Examination) -> dict[str, object]:
    found = dataclasses.asdict(examination)
    for name in ("layers", "elsewhere"):
        for plain, each in zip(found[name], getattr(examination, name), strict=True):
            plain["share"] = None if math.isnan(each.share) else each.share
    return found
