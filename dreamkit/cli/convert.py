"""`dreamkit convert`: converts networks of other frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreamkit.cli import conversions
from dreamkit.errors import ConfigError

_APPLICATION = "keras:"  # before the name of a network of Keras Applications


def caffe(
    prototxt: Annotated[Path, typer.Argument(help="The network's deploy prototxt.")],
    caffemodel: Annotated[Path, typer.Argument(help="Its weights.")],
    name: conversions.Name,
    layers: conversions.Layers = None,
    order: conversions.Order = None,
    mean: conversions.Mean = None,
    mean_file: Annotated[
        Path | None,
        typer.Option(
            "--mean-file", metavar="BINARYPROTO", help="A mean image; the mean of each channel is used."
        ),
    ] = None,
    scale: conversions.Scale = None,
    labels: conversions.Labels = None,
    description: conversions.Description = "",
    licence: conversions.Licence = "",
    overwrite: conversions.Overwrite = False,
    quiet: conversions.Quiet = False,
) -> None:
    """Convert a Caffe model, without Caffe.

    dreamkit convert caffe deploy.prototxt net.caffemodel --name net --mean 104,117,123
    """
    folder = conversions.new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.caffe.caffemodel import read_mean
    from dreamkit.convert.options import CAFFE

    if mean is not None and mean_file is not None:
        raise ConfigError("--mean and --mean-file are both given; give one")
    file_mean = None if mean_file is None else read_mean(mean_file)
    options = conversions.options_given(
        CAFFE, order, mean, scale, layers, labels, description, licence, file_mean=file_mean
    )
    conversions.show(
        name,
        lambda on_stage: conversion.from_caffe(
            prototxt, caffemodel, folder, options, on_stage, overwrite=overwrite
        ),
        quiet=quiet,
    )
    conversions.warn_of_defaults("Caffe", options.preprocess, {"--mean": mean or mean_file})


def onnx(
    file: Annotated[Path, typer.Argument(help="The ONNX file; weights in files beside it are read too.")],
    name: conversions.Name,
    layers: conversions.Layers = None,
    order: conversions.Order = None,
    mean: conversions.Mean = None,
    scale: conversions.Scale = None,
    labels: conversions.Labels = None,
    fill: conversions.Fill = None,
    fixed_size: conversions.FixedSize = False,
    text_tower: conversions.TextTower = None,
    tokenizer: conversions.Tokenizer = None,
    description: conversions.Description = "",
    licence: conversions.Licence = "",
    overwrite: conversions.Overwrite = False,
    quiet: conversions.Quiet = False,
) -> None:
    """Convert an ONNX model of a network of pictures, as PyTorch exports it.

    dreamkit convert onnx resnet50.onnx --name resnet50_torch
    dreamkit convert onnx image.onnx --text-tower text.onnx --tokenizer tokenizer.json --name clip
    """
    folder = conversions.new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import BYTES, TORCH

    text = conversions.text_files(text_tower, tokenizer)
    options = conversions.options_given(
        TORCH, order, mean, scale, layers, labels, description, licence, fill, fixed_size=fixed_size
    )
    result = conversions.show(
        name,
        lambda on_stage: conversion.from_onnx(
            file, folder, options, on_stage, overwrite=overwrite, text=text
        ),
        quiet=quiet,
    )
    used = result.preprocess or options.preprocess
    if used != BYTES or not options.is_default:
        conversions.warn_of_defaults("PyTorch", used, {"--mean": mean, "--scale": scale})


def keras(
    file: Annotated[
        Path,
        typer.Argument(
            help="The .keras or .h5 file of a functional or sequential model, or keras:NAME, as in "
            "keras:MobileNetV2, for a network of Keras Applications."
        ),
    ],
    name: conversions.Name,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="imagenet|random|FILE", help="For keras:NAME. Default: imagenet."),
    ] = None,
    layers: conversions.Layers = None,
    order: conversions.Order = None,
    mean: conversions.Mean = None,
    scale: conversions.Scale = None,
    fill: conversions.Fill = None,
    labels: conversions.Labels = None,
    description: conversions.Description = "",
    licence: conversions.Licence = "",
    overwrite: conversions.Overwrite = False,
    quiet: conversions.Quiet = False,
) -> None:
    """Convert a Keras model, or a network of Keras Applications. Code in the file is not run.

    dreamkit convert keras mine.keras --name mine --mean 127.5,127.5,127.5 --scale 0.00784
    """
    folder = conversions.new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import KERAS

    options = conversions.options_given(KERAS, order, mean, scale, layers, labels, description, licence, fill)
    application = str(file).removeprefix(_APPLICATION)
    if application != str(file):
        conversions.show(
            name,
            lambda on_stage: conversion.from_application(
                application, weights or "imagenet", folder, options, on_stage, overwrite=overwrite
            ),
            quiet=quiet,
        )
        return
    if weights is not None:
        raise ConfigError("--weights is for keras:NAME; a file has its own weights")
    conversions.show(
        name,
        lambda on_stage: conversion.from_keras(file, folder, options, on_stage, overwrite=overwrite),
        quiet=quiet,
    )
    conversions.warn_of_defaults("Keras", options.preprocess, {"--mean": mean, "--scale": scale})


def tensorflow(
    path: Annotated[Path, typer.Argument(help="A SavedModel folder, or the .pb file of a frozen GraphDef.")],
    name: conversions.Name,
    layers: conversions.Layers = None,
    order: conversions.Order = None,
    mean: conversions.Mean = None,
    scale: conversions.Scale = None,
    fill: conversions.Fill = None,
    labels: conversions.Labels = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="The one to use of a SavedModel that has several."),
    ] = None,
    description: conversions.Description = "",
    licence: conversions.Licence = "",
    overwrite: conversions.Overwrite = False,
    quiet: conversions.Quiet = False,
) -> None:
    """Convert a TensorFlow SavedModel or frozen GraphDef. Code in the file is not run.

    dreamkit convert tensorflow saved/ --name mine --mean 127.5,127.5,127.5 --scale 0.00784
    """
    folder = conversions.new_model_folder(name, overwrite=overwrite)
    from dreamkit.convert import conversion
    from dreamkit.convert.options import KERAS

    options = conversions.options_given(KERAS, order, mean, scale, layers, labels, description, licence, fill)
    result = conversions.show(
        name,
        lambda on_stage: conversion.from_tensorflow(
            path, folder, options, on_stage, signature=signature, overwrite=overwrite
        ),
        quiet=quiet,
    )
    if result.preprocess is None:
        conversions.warn_of_defaults("TensorFlow", options.preprocess, {"--mean": mean, "--scale": scale})
