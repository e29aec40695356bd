"""`dreamkit convert`: networks of other frameworks, brought over to be dreamed with."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit.cli import terminal
from dreamkit.errors import ConfigError, ConvertError, Interrupted, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dreamkit.convert.conversion import Converted, Wanted
    from dreamkit.models.providers import Preprocess

_Name = Annotated[
    str, typer.Option("--name", help="What --model shall call it: letters, digits, '.', '_', '-'.")
]
_Layers = Annotated[
    list[str] | None,
    typer.Option("-l", "--layers", help="The layers to dream by default, `a,b`. Default: one of the middle."),
]
_Order = Annotated[
    str | None,
    typer.Option("--order", metavar="RGB|BGR", help="The order of the channels that the network eats."),
]
_Mean = Annotated[
    str | None,
    typer.Option("--mean", metavar="A,B,C", help="What is taken from a pixel, 0 to 255, in that order."),
]
_Scale = Annotated[
    str | None,
    typer.Option("--scale", metavar="S|A,B,C", help="What a pixel is multiplied with, the mean taken."),
]
_Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="The names of its classes, one on each line.")
]
_Description = Annotated[str, typer.Option("--description", help="A line for `dreamkit models`.")]
_Licence = Annotated[
    str, typer.Option("--licence", "--license", help="The terms of the weights, for the record.")
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Put it in the place of a converted model of that name.")
]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors and warnings.")]


def caffe(
    prototxt: Annotated[Path, typer.Argument(help="The network's description, as deployed.")],
    caffemodel: Annotated[Path, typer.Argument(help="Its weights.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    mean_file: Annotated[
        Path | None,
        typer.Option(
            "--mean-file", metavar="BINARYPROTO", help="A mean image; each channel's average is taken."
        ),
    ] = None,
    scale: _Scale = None,
    labels: _Labels = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert a Caffe model, without Caffe.

    dreamkit convert caffe deploy.prototxt net.caffemodel --name net --mean 104,117,123
    """
    folder = _free(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.caffe.caffemodel import read_mean

    if mean is not None and mean_file is not None:
        raise ConfigError("--mean and --mean-file are both given; give one")
    given = None if mean_file is None else read_mean(mean_file)
    preprocess = _preprocess(conversion.CAFFE, order, mean, scale, given)
    wanted = _wanted(preprocess, layers, labels, description, licence)
    show(
        name,
        lambda tell: conversion.from_caffe(prototxt, caffemodel, folder, wanted, tell, overwrite=overwrite),
        quiet=quiet,
    )
    _assumed("Caffe", preprocess, {"--mean": mean or mean_file})


def onnx(
    file: Annotated[Path, typer.Argument(help="The ONNX file; weights beside it are found.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    scale: _Scale = None,
    labels: _Labels = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert an ONNX model of a convolutional network, as PyTorch exports it.

    dreamkit convert onnx resnet50.onnx --name resnet50_torch
    """
    folder = _free(name, overwrite=overwrite)
    from dreamkit.convert import conversion

    preprocess = _preprocess(conversion.TORCH, order, mean, scale)
    wanted = _wanted(preprocess, layers, labels, description, licence)
    show(
        name, lambda tell: conversion.from_onnx(file, folder, wanted, tell, overwrite=overwrite), quiet=quiet
    )
    _assumed("PyTorch", preprocess, {"--mean": mean, "--scale": scale})


def keras(
    file: Annotated[Path, typer.Argument(help="The .keras file of a functional or sequential model.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    scale: _Scale = None,
    labels: _Labels = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert a Keras model. Code in the file is not run.

    dreamkit convert keras mine.keras --name mine --mean 127.5,127.5,127.5 --scale 0.00784
    """
    folder = _free(name, overwrite=overwrite)
    from dreamkit.convert import conversion

    preprocess = _preprocess(conversion.KERAS, order, mean, scale)
    wanted = _wanted(preprocess, layers, labels, description, licence)
    show(
        name, lambda tell: conversion.from_keras(file, folder, wanted, tell, overwrite=overwrite), quiet=quiet
    )
    _assumed("Keras", preprocess, {"--mean": mean, "--scale": scale})


def _free(name: str, *, overwrite: bool) -> Path:
    """The folder of a model to be called `name`, if nothing else is called so."""
    from dreamkit.models import converted
    from dreamkit.models.providers import is_name
    from dreamkit.models.registry import Registry

    if not is_name(name) or ".." in name or len(name) > 100:
        raise ConfigError(
            f"--name is {name!r}; it takes at most 100 letters, digits, '_', '-' and single '.', and "
            "begins with one of the first two"
        )
    folder = converted.folder() / name
    if folder.exists():
        if not overwrite:
            raise ConvertError(
                f"there is a converted model {name!r}; choose another name, or add --overwrite"
            )
        return folder
    owner = Registry().owner(name)
    if owner:
        raise ConfigError(f"--name is {name!r}, and {owner} has a model of that name; choose another")
    return folder


def _preprocess(
    usual: Preprocess, order: str | None, mean: str | None, scale: str | None, mean_values: Any = None
) -> Preprocess:
    """What the options say of what the network eats, and what is usual where they say nothing."""
    from dreamkit.models.providers import Preprocess

    wanted = (order or usual.order).upper()
    if wanted not in ("RGB", "BGR"):
        raise ConfigError(f"--order is {order!r}; choose RGB or BGR")
    turned = -1 if wanted != usual.order else 1
    given_mean = mean_values or _numbers("--mean", mean) or usual.mean[::turned]
    if len(given_mean) != 3:
        raise ConfigError(f"the mean has {len(given_mean)} channels; it takes 3, in the order of {wanted}")
    given_scale = _numbers("--scale", scale) or usual.scale[::turned]
    if len(given_scale) not in (1, 3) or 0.0 in given_scale:
        raise ConfigError(f"--scale is {scale!r}; it takes one number or three, none of them 0")
    given_scale = given_scale * (3 // len(given_scale))
    return Preprocess(order=wanted, mean=given_mean, scale=given_scale)  # type: ignore[arg-type]


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    import math

    try:
        numbers = tuple(float(each) for each in text.split(","))
    except ValueError:
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise ConfigError(
            f"{option} is {text!r}; it takes finite numbers with commas between them, such as 104,117,123"
        )
    return numbers


def _wanted(
    preprocess: Preprocess, layers: list[str] | None, labels: Path | None, description: str, licence: str
) -> Wanted:
    from dreamkit.convert import conversion

    names = [name.strip() for each in layers or [] for name in each.split(",")]
    if not all(names):
        raise ConfigError(f"--layers is {','.join(names)!r}; name layers with commas between them")
    return conversion.Wanted(
        preprocess=preprocess,
        layers=names or None,
        labels=conversion.read_labels(labels) if labels else (),
        description=_one_line(description),
        licence=_one_line(licence),
    )


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()), 300)


def _assumed(whose: str, preprocess: Preprocess, given: Mapping[str, object]) -> None:
    """Says what is taken for granted: a wrong mean makes dull dreams and no error."""
    import warnings

    from dreamkit.errors import DreamkitWarning

    missing = [option for option, value in given.items() if value is None]
    if not missing:
        return
    mean, scale = (
        ",".join(f"{each:.5g}" for each in values) for values in (preprocess.mean, preprocess.scale)
    )
    warnings.warn(
        f"no {' and '.join(missing)} given, so {whose}'s usual is taken: "
        f"({preprocess.order} pixel - {mean}) * {scale}",
        DreamkitWarning,
        stacklevel=2,
    )


def show(name: str, convert: Callable[[Callable[[str], None]], Converted], *, quiet: bool) -> None:
    """Converts, and shows how it goes and what came of it; `name` is what `--model` takes then."""
    started = time.monotonic()
    with terminal.own_lines_only(verbose=False), _ended_tidily():
        try:
            with terminal.Meter(quiet=quiet) as meter:
                result = convert(meter.task)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was kept") from None
    report = result.report
    if quiet:
        return
    header, *rows = report.rows()
    terminal.table(rows, header)
    worst, error = report.worst
    typer.echo(f"worst of {len(rows)} blobs: {worst}, {error:.1e}; the limit is {report.limit:.0e}")
    typer.echo(
        f"converted in {time.monotonic() - started:.0f} s with at most {result.megabytes} MB of memory; "
        f"dreams {','.join(result.layers)} by default: dreamkit dream photo.jpg --model {name}"
    )


@contextmanager
def _ended_tidily() -> Iterator[None]:
    """Being told to end is no reason to leave anything behind, or a child that works on."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
