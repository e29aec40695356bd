"""What the commands of `dreamkit convert` share: their options, and how a conversion is shown.

Commands of plugins use it as well: see docs/plugins.md.
"""

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
    from dreamkit.convert.exported import ExportedModel
    from dreamkit.convert.options import ConversionOptions
    from dreamkit.convert.text_tower import TextFiles
    from dreamkit.models.providers import Preprocess

Name = Annotated[str, typer.Option("--name", help="Its name for --model: letters, digits, '.', '_', '-'.")]
Layers = Annotated[
    list[str] | None,
    typer.Option("-l", "--layers", help="The layers to dream by default, `a,b`. Default: one in the middle."),
]
Order = Annotated[
    str | None,
    typer.Option("--order", metavar="RGB|BGR", help="The order of channels that the network takes."),
]
Mean = Annotated[
    str | None,
    typer.Option("--mean", metavar="A,B,C", help="Subtracted from each pixel, 0 to 255, in that order."),
]
Scale = Annotated[
    str | None,
    typer.Option("--scale", metavar="S|A,B,C", help="The factor of each pixel after the mean is subtracted."),
]
Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="FILE", help="The names of its classes, one on each line.")
]
Fill = Annotated[
    str | None,
    typer.Option(
        "--fill", metavar="NUMBER", help="What the fourth channel of a network holds, after mean and scale."
    ),
]
FixedSize = Annotated[
    bool,
    typer.Option(
        "--fixed-size",
        help="Keep the whole network for the size of its pictures, and cut larger ones into windows.",
    ),
]
TextTower = Annotated[
    Path | None,
    typer.Option(
        "--text-tower",
        metavar="FILE",
        help="The text tower of a CLIP as an ONNX file, so that texts can be dreamed; with --tokenizer.",
    ),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option("--tokenizer", metavar="FILE", help="The text tower's tokenizer.json."),
]
Description = Annotated[str, typer.Option("--description", help="A line for `dreamkit models`.")]
Licence = Annotated[
    str, typer.Option("--licence", "--license", help="The terms of the weights, for its record.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a converted model of that name.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors and warnings.")]


def convert_exported(
    name: str,
    export: Callable[[Path, Callable[[str], None]], ExportedModel],
    *,
    framework: str,
    layers: list[str] | None = None,
    order: str | None = None,
    mean: str | None = None,
    scale: str | None = None,
    labels: Path | None = None,
    fill: str | None = None,
    fixed_size: bool = False,
    description: str = "",
    licence: str = "",
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Converts the ONNX file that `export` writes, shows progress and report, and keeps the result.

    What the user gave goes before what the exported model says of itself. Wrong options are refused before
    `export` is called.

    Args:
        name: what `--model` will take.
        export: called with a folder for the file, and a function that shows what is being done.
        framework: its name, for a warning if neither the user nor the model says how pixels are prepared.
        layers, order, mean, scale, labels, fill, fixed_size, description, licence, overwrite, quiet: the
            options.
    """
    folder = new_model_folder(name, overwrite=overwrite)
    from dataclasses import replace

    from dreamkit.convert import conversion
    from dreamkit.convert.options import TORCH

    given = options_given(
        TORCH,
        order,
        mean,
        scale,
        layers,
        labels,
        description,
        licence,
        fill,
        fixed_size=fixed_size,
    )
    exported: list[ExportedModel] = []

    def options(model: ExportedModel) -> ConversionOptions:
        exported.append(model)
        return replace(
            given,
            preprocess=preprocess_given(model.preprocess or TORCH, order, mean, scale),
            is_default=model.preprocess is None and given.is_default,
            description=given.description or _one_line(model.description),
            licence=given.licence or _one_line(model.licence),
        )

    result = show(
        name,
        lambda on_stage: conversion.from_exported(export, folder, options, on_stage, overwrite=overwrite),
        quiet=quiet,
    )
    if exported[0].preprocess is None and result.preprocess is not None:
        warn_of_defaults(framework, result.preprocess, {"--mean": mean, "--scale": scale})


def _number(option: str, text: str | None) -> float | None:
    """The finite number that an option gives, or None if it is not given."""
    numbers = _numbers(option, text)
    if numbers and len(numbers) > 1:
        raise ConfigError(f"{option} is {text!r}; it takes one number")
    return numbers[0] if numbers else None


def new_model_folder(name: str, *, overwrite: bool) -> Path:
    """The folder for a converted model with this name, if no other model has it."""
    from dreamkit.models import converted
    from dreamkit.models.registry import installed
    from dreamkit.names import RULE, is_name

    if not is_name(name) or ".." in name or len(name) > 100:
        raise ConfigError(f"--name is {name!r}; it takes at most 100 {RULE}, and no '..'")
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


def preprocess_given(
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


def options_given(
    default: Preprocess,
    order: str | None,
    mean: str | None,
    scale: str | None,
    layers: list[str] | None,
    labels: Path | None,
    description: str,
    licence: str,
    fill: str | None = None,
    *,
    fixed_size: bool = False,
    file_mean: tuple[float, ...] | None = None,
) -> ConversionOptions:
    """The options of a conversion, read and checked; for the first ones, see `preprocess_given`."""
    from dreamkit.convert.labels import read_labels
    from dreamkit.convert.options import ConversionOptions

    preprocess = preprocess_given(default, order, mean, scale, file_mean)
    names = [name.strip() for each in layers or [] for name in each.split(",")]
    if not all(names):
        raise ConfigError(f"--layers is {','.join(names)!r}; give layers with commas between them")
    return ConversionOptions(
        preprocess=preprocess,
        layers=names or None,
        labels=read_labels(labels) if labels else (),
        fill=_number("--fill", fill),
        fixed_size=fixed_size,
        is_default=(order, mean, scale, file_mean) == (None, None, None, None),
        description=_one_line(description),
        licence=_one_line(licence),
    )


def text_files(tower: Path | None, tokenizer: Path | None) -> TextFiles | None:
    """The files of a text tower that the options give.

    Raises:
        ConfigError: one of them is missing.
    """
    from dreamkit.convert.text_tower import TextFiles

    if tower is None and tokenizer is None:
        return None
    if tower is None or tokenizer is None:
        given, missing = ("tokenizer", "text-tower") if tower is None else ("text-tower", "tokenizer")
        raise ConfigError(
            f"--{given} is given without --{missing}; a text tower and its tokenizer go together"
        )
    return TextFiles(tower, tokenizer)


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()), 300)


def warn_of_defaults(framework: str, preprocess: Preprocess, values: Mapping[str, object]) -> None:
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
    if result.checked:
        terminal.say(result.checked)
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
