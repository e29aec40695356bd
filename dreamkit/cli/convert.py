"""`dreamkit convert`: converts networks of other frameworks."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit.cli import terminal
from dreamkit.errors import ConfigError, ConvertError, Interrupted, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dreamkit.convert.conversion import ConvertedModel
    from dreamkit.convert.options import ConversionOptions
    from dreamkit.models.providers import Preprocess

_APPLICATION = "keras:"  # before the name of a network of Keras Applications
_Name = Annotated[str, typer.Option("--name", help="Its name for --model: letters, digits, '.', '_', '-'.")]
_Layers = Annotated[
    list[str] | None,
    typer.Option("-l", "--layers", help="The layers to dream by default, `a,b`. Default: one in the middle."),
]
_Order = Annotated[
    str | None,
    typer.Option("--order", metavar="RGB|BGR", help="The order of channels that the network takes."),
]
_Mean = Annotated[
    str | None,
    typer.Option("--mean", metavar="A,B,C", help="Subtracted from each pixel, 0 to 255, in that order."),
]
_Scale = Annotated[
    str | None,
    typer.Option("--scale", metavar="S|A,B,C", help="The factor of each pixel after the mean is subtracted."),
]
_Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="The names of its classes, one on each line.")
]
_Fill = Annotated[
    str | None,
    typer.Option(
        "--fill", metavar="NUMBER", help="What the fourth channel of a network holds, after mean and scale."
    ),
]
_Description = Annotated[str, typer.Option("--description", help="A line for `dreamkit models`.")]
_Licence = Annotated[
    str, typer.Option("--licence", "--license", help="The terms of the weights, for its record.")
]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a converted model of that name.")]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors and warnings.")]


def caffe(
    prototxt: Annotated[Path, typer.Argument(help="The network's deploy prototxt.")],
    caffemodel: Annotated[Path, typer.Argument(help="Its weights.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    mean_file: Annotated[
        Path | None,
        typer.Option(
            "--mean-file", metavar="BINARYPROTO", help="A mean image; the mean of each channel is used."
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
    folder = _new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.caffe.caffemodel import read_mean
    from dreamkit.convert.options import CAFFE

    if mean is not None and mean_file is not None:
        raise ConfigError("--mean and --mean-file are both given; give one")
    file_mean = None if mean_file is None else read_mean(mean_file)
    preprocess = _preprocess(CAFFE, order, mean, scale, file_mean)
    options = _options(preprocess, layers, labels, description, licence)
    show(
        name,
        lambda on_stage: conversion.from_caffe(
            prototxt, caffemodel, folder, options, on_stage, overwrite=overwrite
        ),
        quiet=quiet,
    )
    _warn_of_defaults("Caffe", preprocess, {"--mean": mean or mean_file})


def onnx(
    file: Annotated[Path, typer.Argument(help="The ONNX file; weights in files beside it are read too.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    scale: _Scale = None,
    labels: _Labels = None,
    fill: _Fill = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert an ONNX model of a convolutional network, as PyTorch exports it.

    dreamkit convert onnx resnet50.onnx --name resnet50_torch
    """
    folder = _new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import BYTES, TORCH

    preprocess = _preprocess(TORCH, order, mean, scale)
    is_default = (order, mean, scale) == (None, None, None)
    options = _options(preprocess, layers, labels, description, licence, fill, is_default=is_default)
    result = show(
        name,
        lambda on_stage: conversion.from_onnx(file, folder, options, on_stage, overwrite=overwrite),
        quiet=quiet,
    )
    used = result.preprocess or preprocess
    if used != BYTES or not is_default:
        _warn_of_defaults("PyTorch", used, {"--mean": mean, "--scale": scale})


def keras(
    file: Annotated[
        Path,
        typer.Argument(
            help="The .keras or .h5 file of a functional or sequential model, or keras:NAME, as in "
            "keras:MobileNetV2, for a network of Keras Applications."
        ),
    ],
    name: _Name,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="imagenet|random|FILE", help="For keras:NAME. Default: imagenet."),
    ] = None,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    scale: _Scale = None,
    fill: _Fill = None,
    labels: _Labels = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert a Keras model, or a network of Keras Applications. Code in the file is not run.

    dreamkit convert keras mine.keras --name mine --mean 127.5,127.5,127.5 --scale 0.00784
    """
    folder = _new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import KERAS

    preprocess = _preprocess(KERAS, order, mean, scale)
    is_default = (order, mean, scale) == (None, None, None)
    options = _options(preprocess, layers, labels, description, licence, fill, is_default=is_default)
    application = str(file).removeprefix(_APPLICATION)
    if application != str(file):
        show(
            name,
            lambda on_stage: conversion.from_application(
                application, weights or "imagenet", folder, options, on_stage, overwrite=overwrite
            ),
            quiet=quiet,
        )
        return
    if weights is not None:
        raise ConfigError("--weights is for keras:NAME; a file has its own weights")
    show(
        name,
        lambda on_stage: conversion.from_keras(file, folder, options, on_stage, overwrite=overwrite),
        quiet=quiet,
    )
    _warn_of_defaults("Keras", preprocess, {"--mean": mean, "--scale": scale})


def tensorflow(
    path: Annotated[Path, typer.Argument(help="A SavedModel folder, or the .pb file of a frozen GraphDef.")],
    name: _Name,
    layers: _Layers = None,
    order: _Order = None,
    mean: _Mean = None,
    scale: _Scale = None,
    fill: _Fill = None,
    labels: _Labels = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="The one to use of a SavedModel that has several."),
    ] = None,
    description: _Description = "",
    licence: _Licence = "",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Convert a TensorFlow SavedModel or frozen GraphDef. Code in the file is not run.

    dreamkit convert tensorflow saved/ --name mine --mean 127.5,127.5,127.5 --scale 0.00784
    """
    folder = _new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import KERAS

    preprocess = _preprocess(KERAS, order, mean, scale)
    is_default = (order, mean, scale) == (None, None, None)
    options = _options(preprocess, layers, labels, description, licence, fill, is_default=is_default)
    result = show(
        name,
        lambda on_stage: conversion.from_tensorflow(
            path, folder, options, on_stage, signature=signature, overwrite=overwrite
        ),
        quiet=quiet,
    )
    if result.preprocess is None:
        _warn_of_defaults("TensorFlow", preprocess, {"--mean": mean, "--scale": scale})


def _number(option: str, text: str | None) -> float | None:
    """The finite number that an option gives, or None if it is not given."""
    numbers = _numbers(option, text)
    if numbers and len(numbers) > 1:
        raise ConfigError(f"{option} is {text!r}; it takes one number")
    return numbers[0] if numbers else None


def _new_model_folder(name: str, *, overwrite: bool) -> Path:
    """The folder for a converted model with this name, if no other model has it."""
    from dreamkit.models import converted
    from dreamkit.models.registry import installed
    from dreamkit.names import is_name

    if not is_name(name) or ".." in name or len(name) > 100:
        raise ConfigError(
            f"--name is {name!r}; it takes at most 100 letters, digits, '_', '-' and single '.', and "
            "must begin with a letter or digit"
        )
    folder = converted.folder() / name
    if folder.exists():
        if not overwrite:
            raise ConvertError(
                f"there is a converted model {name!r}; choose another name, or add --overwrite"
            )
        return folder
    owner = installed().owner(name)
    if owner:
        raise ConfigError(f"--name is {name!r}, but {owner} has a model of that name; choose another")
    return folder


def _preprocess(
    default: Preprocess,
    order: str | None,
    mean: str | None,
    scale: str | None,
    file_mean: tuple[float, ...] | None = None,
) -> Preprocess:
    """The preprocessing that the options give, with `default` for what they leave out."""
    from dreamkit.models.providers import Preprocess

    channel_order = (order or default.order).upper()
    if channel_order not in ("RGB", "BGR"):
        raise ConfigError(f"--order is {order!r}; choose RGB or BGR")
    direction = 1 if channel_order == default.order else -1
    means = file_mean or _numbers("--mean", mean) or default.mean[::direction]
    if len(means) != 3:
        raise ConfigError(f"the mean has {len(means)} channels; it takes 3, in the order {channel_order}")
    scales = _numbers("--scale", scale) or default.scale[::direction]
    if len(scales) not in (1, 3) or 0.0 in scales:
        raise ConfigError(f"--scale is {scale!r}; it takes one number or three, none of them 0")
    scales = scales * (3 // len(scales))
    return Preprocess(order=channel_order, mean=means, scale=scales)  # type: ignore[arg-type]


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """The finite numbers that an option gives, or None if it is not given."""
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


def _options(
    preprocess: Preprocess,
    layers: list[str] | None,
    labels: Path | None,
    description: str,
    licence: str,
    fill: str | None = None,
    *,
    is_default: bool = False,
) -> ConversionOptions:
    from dreamkit.convert.labels import read_labels
    from dreamkit.convert.options import ConversionOptions

    names = [name.strip() for each in layers or [] for name in each.split(",")]
    if not all(names):
        raise ConfigError(f"--layers is {','.join(names)!r}; give layers with commas between them")
    return ConversionOptions(
        preprocess=preprocess,
        layers=names or None,
        labels=read_labels(labels) if labels else (),
        fill=_number("--fill", fill),
        is_default=is_default,
        description=_one_line(description),
        licence=_one_line(licence),
    )


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()), 300)


def _warn_of_defaults(framework: str, preprocess: Preprocess, values: Mapping[str, object]) -> None:
    """Warns of options that were not given: a wrong mean makes dull dreams and no error."""
    import warnings

    from dreamkit.errors import DreamkitWarning

    missing = [option for option, value in values.items() if value is None]
    if not missing:
        return
    mean, scale = (
        ",".join(f"{each:.5g}" for each in values) for values in (preprocess.mean, preprocess.scale)
    )
    warnings.warn(
        f"no {' and '.join(missing)} given, so the default for {framework} is used: "
        f"({preprocess.order} pixel - {mean}) * {scale}",
        DreamkitWarning,
        stacklevel=2,
    )


def show(
    name: str, convert: Callable[[Callable[[str], None]], ConvertedModel], *, quiet: bool
) -> ConvertedModel:
    """Converts, shows progress and report, and returns the result. `name` is what `--model` takes."""
    started = time.monotonic()
    with terminal.own_lines_only(verbose=False), _cleaned_up_on_sigterm():
        try:
            with terminal.Meter(quiet=quiet) as meter:
                result = convert(meter.task)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was kept") from None
    report = result.report
    if quiet:
        return result
    header, *rows = report.rows()
    terminal.table(rows, header)
    worst, error = report.worst
    if result.kept:
        terminal.say(result.kept)
    terminal.say(f"largest error of {len(rows)} blobs: {worst}, {error:.1e}; the limit is {report.limit:.0e}")
    terminal.say(
        f"converted in {time.monotonic() - started:.0f} s with at most {result.megabytes} MB of memory; "
        f"dreams {','.join(result.layers)} by default: dreamkit dream photo.jpg --model {name}"
    )
    return result


@contextmanager
def _cleaned_up_on_sigterm() -> Iterator[None]:
    """Turns SIGTERM into an exit that ends the child process and removes temporary files."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
