"""`dreamkit concept learn` and its kin, and `dreamkit concepts`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.output_options import Overwrite, Quiet, Verbose, refuse_pictures
from dreamkit.cli.variants import Cell, Sheet
from dreamkit.errors import ConceptError, UsageError, shown

if TYPE_CHECKING:
    from dreamkit.concepts.concept import Concept
    from dreamkit.concepts.learning import Learned

_FEW = 10  # pictures of a class

_Model = Annotated[
    str,
    typer.Option("-m", "--model", help="The network; `dreamkit models` lists them."),
]
_Name = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="The concept; `dreamkit concepts` lists them."),
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
    from dreamkit.concepts.concept import check_output
    from dreamkit.jobs.batch.inputs import expand

    if output is None:
        path = library.check_free(name, model, overwrite=overwrite)
    else:
        path = output
        check_output(path, overwrite=overwrite)
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
        learned.concept.save(path, overwrite=overwrite or output is None)
    for note in learned.notes:
        terminal.warning(f"{name}: {note}")
    if not quiet:
        _tell(learned, path, named=output is None, given=others is not None)


def show(
    name: _Name,
    pictures: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PICTURE]...", help="Pictures in which to show where it is."),
    ] = None,
    model: _Model = config.DEFAULT_MODEL,
    weights: _Weights = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Where to write. Default: NAME.concept.png here."
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=100_000, help="Steps of the dream out of nothing.")
    ] = 256,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show a concept: dreamed out of nothing, and where it is in pictures.

    dreamkit concept show butterflies garden.jpg
    """
    from dreamkit.concepts import library
    from dreamkit.jobs.batch.inputs import expand
    from dreamkit.media import atomic, image_writer
    from dreamkit.request import without_image

    concept = library.find(name, model)
    stem = f"{concept.name}.concept"
    path = output or (Path(f"{stem}.png") if overwrite else atomic.free_path(stem))
    image_writer.check_output(path, overwrite=overwrite)
    files = [each.source for each in expand(pictures)] if pictures else []
    refuse_pictures(path, files)
    request = without_image(
        model, weights=weights, recipe="lucid", layers=({"concept": name},), steps=steps, size=(320, 320)
    )
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        from dreamkit.jobs import concepts as jobs

        seen = jobs.small(files)
        session = open_session(request.on(None), meter)
        (loaded,) = session.models
        jobs.reference_of(loaded.network, concept)
        dreamed = session.run(on_step=meter.step)
        meter.doing("looking at the pictures")
        pixels = jobs.sheet(concept, loaded.network, dreamed.pixels, seen)
        image_writer.write(path, pixels, overwrite=overwrite)
    if not quiet:
        terminal.say(f"wrote {path} ({pixels.shape[1]} x {pixels.shape[0]})")


def try_class(
    name: _Name,
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE...",
            help="Pictures of the class, other ones than the concept was learned from. Ten or more are good.",
        ),
    ],
    label: Annotated[
        str, typer.Option("--class", metavar="LABEL", help="The class, by label or number, such as `castle`.")
    ],
    model: _Model = config.DEFAULT_MODEL,
    weights: _Weights = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The seed of the random concepts.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Test whether the network uses a concept to recognise a class (TCAV).

    dreamkit concept test butterflies ringlets --class ringlet
    """
    from dreamkit.concepts import library
    from dreamkit.concepts.tcav import RUNS
    from dreamkit.jobs.batch.inputs import expand

    concept = library.find(name, model)
    files = [each.source for each in expand(pictures)]
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        meter.doing(f"loading {model}")
        from dreamkit.engine.loading import load_network
        from dreamkit.jobs import concepts as jobs
        from dreamkit.models.spec import ModelSpec

        network = load_network(ModelSpec(model, weights=weights), meter.download)
        found = jobs.score(concept, network, label, files, seed=seed, on_picture=meter.picture)
    if as_json:
        terminal.say(json.dumps(asdict(found), indent=2))
        return
    if found.pictures < _FEW:
        terminal.warning(f"{found.pictures} pictures say little; give {_FEW} or more of {shown(label)}")
    rows = [
        (
            each.layer,
            f"{each.score:.2f}",
            f"{each.random:.2f}",
            f"{each.as_far:.0%}",
            f"{min(1.0, each.p_value * len(found.layers)):.2g}",
        )
        for each in found.layers
    ]
    terminal.table(rows, ("LAYER", "TCAV SCORE", "RANDOM", "AS FAR", "P"))
    terminal.say(
        f"TCAV score: the share of the {found.pictures} pictures in which the score of {shown(label)} rises "
        f"along {concept.name}, the mean of {RUNS} runs. random: that of {RUNS} random concepts. as far: the "
        "share of random concepts whose score is as far from 0.5; above 5%, chance explains the score. P: of "
        "the t-test between both, as published, times the number of layers (Bonferroni)"
    )


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A concept that you learned.")],
    model: _Model = config.DEFAULT_MODEL,
    quiet: Quiet = False,
) -> None:
    """Delete a concept that you learned.

    dreamkit concept remove wings
    """
    from dreamkit.concepts import library

    path = library.remove(name, model)
    if not quiet:
        terminal.say(f"deleted {path}")


def concepts(
    image: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="A photograph to dream each concept onto, small.")
    ] = None,
    model: _Model = config.DEFAULT_MODEL,
    weights: _Weights = None,
    cell: Cell = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Where to write the sheet of IMAGE. Default: IMAGE.concepts.png here.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the concepts that a network can dream: those that you learned, and those in the package.

    With a photograph, also dream each onto it, small, all on one sheet.

    dreamkit concepts photo.jpg
    """
    from dreamkit.concepts import library
    from dreamkit.models.registry import installed

    installed().provider(model)  # or a message with those that there are
    found = list(library.of_network(model))
    own = {each.name for each in found if each is not library.built_in().get((each.name, model))}
    none = f"{model} has no concepts; learn one with dreamkit concept learn NAME PICTURES -m {model}"
    sheet = None
    if image is not None:
        if not found:
            raise ConceptError(none)
        sheet = Sheet(image, "concepts", output, cell, overwrite=overwrite, quiet=quiet)
        _dream_each([each.name for each in found], image, model, weights, sheet, verbose=verbose)
    elif output is not None or cell is not None:
        raise UsageError("-o and --cell are for a sheet; give a photograph to dream the concepts onto")
    if as_json:
        terminal.say(json.dumps([_about(each, own=each.name in own) for each in found], indent=2))
    elif not found:
        terminal.say(none)
    else:
        rows = [
            (
                each.name,
                each.pictures,
                ",".join(each.layers),
                ",".join(_share(each.directions[layer].separation) for layer in each.layers),
                "learned here" if each.name in own else "",
            )
            for each in found
        ]
        terminal.table(rows, ("CONCEPT", "PICTURES", "LAYERS", "SEPARATION", ""))
    if sheet is not None:
        sheet.tell()


def _dream_each(
    names: list[str], image: str, model: str, weights: str | None, sheet: Sheet, *, verbose: bool
) -> None:
    """Dreams each of the concepts onto a photograph, for a sheet."""
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs.variants import SEVERAL, plan_concepts

        sheet.dream(
            {"model": model, "weights": weights},
            lambda session, side: plan_concepts(image, session, side, names),
            SEVERAL,
        )


def _tell(learned: Learned, path: Path, *, named: bool, given: bool) -> None:
    """Says what was learned, from how many pictures, and how well it is told apart."""
    concept = learned.concept
    plural = "s" if concept.pictures > 1 else ""
    others = "photographs that you gave" if given else "other photographs"
    terminal.say(
        f"learned {concept.name} from {concept.pictures} picture{plural}, for {concept.network}; compared "
        f"with {learned.compared_with} {others}"
    )
    rows = [
        (layer, _share(each.separation), "dreamed" if layer in concept.layers else "")
        for layer, each in concept.directions.items()
    ]
    terminal.table(rows, ("LAYER", "SEPARATION", ""))
    if concept.pictures > 1:
        terminal.say(
            "separation: each picture is left out in turn; it fits what the others share better than this "
            "share of other photographs does. 50% is chance"
        )
    if learned.similar:
        terminal.say(f"the pictures also show {' and '.join(learned.similar)}, and the dream may, too")
    terminal.say(f"wrote {path}")
    said = concept.name if named else shown(str(path), 200)
    chosen = "" if concept.network == config.DEFAULT_MODEL else f" --model {concept.network}"
    terminal.say(f"dream it with: dreamkit dream PHOTO{chosen} --concept {said}")


def _share(separation: float) -> str:
    return "-" if math.isnan(separation) else f"{separation:.0%}"


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
