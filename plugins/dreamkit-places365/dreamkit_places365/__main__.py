"""`python -m dreamkit_places365 googlenet`: downloads a network's files, or takes yours, and converts it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from dreamkit import DreamkitError, DreamkitWarning, cli
from dreamkit.cli import terminal
from dreamkit.cli.conversions import show
from dreamkit.convert import conversion
from dreamkit.convert.options import ConversionOptions
from dreamkit.media import downloads, paths
from dreamkit_places365 import folder
from dreamkit_places365.networks import LICENCE, NETWORKS, PREPROCESS, Network

PROGRAM = "python -m dreamkit_places365"
HASHES = "sha256.json"  # of the downloaded files, by name

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(no_args_is_help=True)
def convert(
    name: Annotated[str, typer.Argument(help=f"Which network: {', '.join(each.name for each in NETWORKS)}.")],
    prototxt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its deploy prototxt, instead of a download.")
    ] = None,
    caffemodel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its weights, instead of a download.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Convert it again if it is converted already.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors and warnings.")] = False,
) -> None:
    """Set up a network of Places365: download it, convert it and compare it with the original."""
    network = _network(name)
    model_folder = folder(network)
    if model_folder.exists() and not overwrite:
        raise DreamkitError(f"places365_{name} is converted already; add --overwrite to do it again")
    with terminal.Meter(quiet=quiet) as meter:
        prototxt = prototxt or _downloaded(network.prototxt, meter)
        caffemodel = caffemodel or _downloaded(network.caffemodel, meter)
    options = ConversionOptions(
        preprocess=PREPROCESS,
        layers=network.layers,
        labels=network.labels,
        description=network.description,
        licence=LICENCE,
    )

    def run(on_stage: Callable[[str], None]) -> conversion.ConvertedModel:
        return conversion.from_caffe(
            prototxt, caffemodel, model_folder, options, on_stage, overwrite=overwrite
        )

    show(f"places365_{name}", run, quiet=quiet)


def _network(name: str) -> Network:
    for network in NETWORKS:
        if name in (network.name, f"places365_{network.name}"):
            return network
    known = ", ".join(network.name for network in NETWORKS)
    raise DreamkitError(f"Places365 has no network {name!r}; choose from {known}")


def _downloaded(url: str, meter: terminal.Meter) -> Path:
    """The file at `url`, downloaded into the cache if it is not there."""
    name = url.rpartition("/")[2]
    path = paths.cache() / "places365" / name
    if path.is_file():
        return path
    meter.task(f"downloading {url}")
    try:
        downloads.download(url, path, progress=meter.download)
    except DreamkitError as error:
        kind = "prototxt" if name.endswith("prototxt") else "caffemodel"
        raise DreamkitError(f"{error}; download it yourself and give it with --{kind} FILE") from error
    except OSError as error:
        raise DreamkitError(
            f"cannot write {path} ({error.strerror}); make room, or set DREAMKIT_HOME"
        ) from error
    _check_hash(path)
    return path


def _check_hash(path: Path) -> None:
    """Records the hash of a downloaded file, and warns if an earlier file of that name had another one.

    No hashes are published, so the first download is the only reference.
    """
    record = paths.data() / "places365" / HASHES
    hashes = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    digest = downloads.digest(path)
    if hashes.setdefault(path.name, digest) != digest:
        warnings.warn(
            f"{path.name} is not the file that was downloaded before: its hash is {digest}, not "
            f"{hashes[path.name]}",
            DreamkitWarning,
            stacklevel=2,
        )
    record.parent.mkdir(parents=True, exist_ok=True)
    new = record.with_suffix(".new")
    new.write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")
    new.replace(record)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command and exits."""
    cli.run(app, PROGRAM, arguments)


if __name__ == "__main__":
    main()
