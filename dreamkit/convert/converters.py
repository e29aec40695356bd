"""The converters that come with dreamkit, as records like those of plugins."""

from __future__ import annotations

from collections.abc import Iterator

from dreamkit.plugins.converters import Converter
from dreamkit.plugins.hookspecs import hookimpl

_HELP = {
    "caffe": "Convert a Caffe model, without Caffe.",
    "onnx": "Convert an ONNX model of a network of pictures, as PyTorch exports it.",
    "keras": "Convert a Keras model, or a network of Keras Applications. Code in the file is not run.",
    "tensorflow": "Convert a TensorFlow SavedModel or frozen GraphDef. Code in the file is not run.",
}


@hookimpl
def dreamkit_converters() -> Iterator[Converter]:
    """One for each command."""
    for name, text in _HELP.items():
        yield Converter(name=name, help=text, command=f"dreamkit.cli.convert:{name}")
