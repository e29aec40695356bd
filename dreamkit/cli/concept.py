"""`dreamkit concept learn` and its kin, and `dreamkit concepts`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.output_options import Quiet, Verbose
from dreamkit.errors import shown

if TYPE_CHECKING:
    from dreamkit.concepts.concept import Concept
    from dreamkit.concepts.learning import Learned

_Model = Annotated[
    str,
    typer.Option("-m", "--model", help="The network; `dreamkit models` lists them."),
]
_Weights = Annotated[
    str | None,
    typer.Option("-w", "--weights", metavar="PATH", help="A weights file to use instead of a download."),
]


def learn(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the concept.")],
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURE...", help="Pictures of it, folders or patterns. Three are enough."),
    ],
    model: _Model = config.DEFAULT_MODEL,
    weights: _Weights = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="FOLDER",
            help="Photographs of all kinds to compare with: at least 20, some hundred are good. They are "
            "remembered for the network. dreamkit needs none for pocket, inception5h and inception_v3.",
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option("-l", "--layers", help="Layers to learn. Default: those that branches end in."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Where to write: a .json file. Default: dreamkit's folder."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Learn it even if the pictures have little in common.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the concept that has this name.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn a concept, something that your pictures have in common, for `--concept NAME`.

    dreamkit concept learn butterflies one.jpg two.jpg three.jpg
    """
    from dreamkit.concepts import library
    from dreamkit.concepts.concept import check_name, check_output
    from dreamkit.jobs.batch.inputs import expand

    check_name(name)
    path = output or library.path_of(name, model)
    check_output(path, overwrite=overwrite, is_own=output is None)
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        files = [each.source for each in expand(pictures)]
        others = [each.source for each in expand(against)] if against else None
        meter.doing(f"loading {model}")
        from dreamkit.concepts.learning import learn

        learned = learn(
            name,
            files,
            model,
            weights=weights,
            against=others,
            layers=[each.strip() for text in layers or () for each in text.split(",")],
            keep=keep,
            on_picture=meter.picture,
            on_download=meter.download,
        )
        learned.concept.save(path, overwrite=overwrite)
    for note in learned.notes:
        terminal.warning(f"{name}: {note}")
    if not quiet:
        _tell(learned, path, named=output is None)


def concepts(
    model: _Model = config.DEFAULT_MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the concepts that a network can dream: those that you learned, and those in the package.

    dreamkit concepts --model inception5h
    """
    from dreamkit.concepts import library

    own = {each.name for each in library.learned() if each.network == model}
    found = list(library.of_network(model))
    if as_json:
        typer.echo(json.dumps([_about(each, own=each.name in own) for each in found], indent=2))
        return
    rows = [
        (each.name, each.pictures, ",".join(each.layers), "learned here" if each.name in own else "")
        for each in found
    ]
    terminal.table(rows, ("CONCEPT", "PICTURES", "LAYERS", ""))


def _tell(learned: Learned, path: Path, *, named: bool) -> None:
    """Says what was learned, from how many pictures, and how well it is told apart."""
    concept = learned.concept
    plural = "s" if concept.pictures > 1 else ""
    typer.echo(f"learned {concept.name} from {concept.pictures} picture{plural}, for {concept.network}")
    rows = [
        (layer, _share(each.separation), "dreamed" if layer in concept.layers else "")
        for layer, each in concept.directions.items()
    ]
    terminal.table(rows, ("LAYER", "SEPARATION", ""))
    if concept.pictures > 1:
        typer.echo(
            "separation: the share of other photographs that each picture stands out from, by what the rest "
            "of the pictures have in common; 50% is chance"
        )
    if learned.similar:
        typer.echo(f"dreamkit also sees {', '.join(learned.similar)} in these pictures")
    typer.echo(f"wrote {path}")
    said = concept.name if named else shown(str(path), 200)
    chosen = "" if concept.network == config.DEFAULT_MODEL else f" --model {concept.network}"
    typer.echo(f"dream it with: dreamkit dream PHOTO{chosen} --concept {said}")


def _share(separation: float) -> str:
    return "" if math.isnan(separation) else f"{separation:.0%}"


def _about(concept: Concept, *, own: bool) -> dict[str, object]:
    return {
        "name": concept.name,
        "network": concept.network,
        "pictures": concept.pictures,
        "layers": list(concept.layers),
        "learned_here": own,
        "separation": {
            layer: None if math.isnan(each.separation) else round(each.separation, 4)
            for layer, each in concept.directions.items()
        },
    }
