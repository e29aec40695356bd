"""`python -m dreamkit_places365 googlenet`: fetches a network's files, or takes yours, and converts them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from dreamkit import DreamkitError, DreamkitWarning, cli
from dreamkit.cli import terminal
from dreamkit.cli.convert import show
from dreamkit.convert import conversion
from dreamkit.media import downloads, paths
from dreamkit_places365 import folder
from dreamkit_places365.networks import LICENCE, NETWORKS, PREPROCESS, Network

PROGRAM = "python -m dreamkit_places365"
SEEN = "sha256.json"  # the hashes of what was fetched, by name

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(no_args_is_help=True)
def convert(
    name: Annotated[str, typer.Argument(help=f"Which network: {', '.join(each.name for each in NETWORKS)}.")],
    prototxt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its deploy prototxt, instead of fetching it.")
    ] = None,
    caffemodel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its weights, instead of fetching them.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Convert it again where it is converted.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but errors and warnings.")
    ] = False,
) -> None:
    """Make a network of Places365 ready for dreamkit: fetch, convert, compare with the original, keep."""
    network = _network(name)
    home = folder(network)
    if home.exists() and not overwrite:
        raise DreamkitError(f"places365_{name} is converted already; add --overwrite to do it again")
    with terminal.Meter(quiet=quiet) as meter:
        prototxt = prototxt or _fetched(network.prototxt, meter)
        caffemodel = caffemodel or _fetched(network.caffemodel, meter)
    wanted = conversion.Wanted(
        preprocess=PREPROCESS,
        layers=network.layers,
        labels=network.labels,
        description=network.description,
        licence=LICENCE,
    )

    def run(tell: Callable[[str], None]) -> conversion.Converted:
        return conversion.from_caffe(prototxt, caffemodel, home, wanted, tell, overwrite=overwrite)

    show(f"places365_{name}", run, quiet=quiet)


def _network(name: str) -> Network:
    for network in NETWORKS:
        if name in (network.name, f"places365_{network.name}"):
            return network
    known = ", ".join(network.name for network in NETWORKS)
    raise DreamkitError(f"there is no network {name!r} of Places365; choose from {known}")


def _fetched(url: str, meter: terminal.Meter) -> Path:
    """The file at `url`, fetched into the cache where it is not there."""
    name = url.rpartition("/")[2]
    path = paths.cache() / "places365" / name
    if path.is_file():
        return path
    meter.task(f"fetching {url}")
    try:
        downloads.download(url, path, progress=meter.download)
    except DreamkitError as error:
        kind = "prototxt" if name.endswith("prototxt") else "caffemodel"
        raise DreamkitError(f"{error}; fetch it by hand and give it with --{kind} FILE") from error
    except OSError as error:
        raise DreamkitError(
            f"cannot write {path} ({error.strerror}); make room, or set DREAMKIT_HOME"
        ) from error
    _note(path)
    return path


def _note(path: Path) -> None:
    """Keeps a fetched file's hash, and warns where the same name had another one before.

    Nobody publishes the hashes, so what came first is all there is to compare with.
    """
    record = paths.data() / "places365" / SEEN
    seen = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    digest = downloads.digest(path)
    if seen.setdefault(path.name, digest) != digest:
        warnings.warn(
            f"{path.name} is another file than was fetched before ({digest}, not {seen[path.name]})",
            DreamkitWarning,
            stacklevel=2,
        )
    record.parent.mkdir(parents=True, exist_ok=True)
    new = record.with_suffix(".new")
    new.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
    new.replace(record)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command and leaves the process."""
    cli.run(app, PROGRAM, arguments)


if __name__ == "__main__":
    main()
