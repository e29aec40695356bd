"""The weights of a Caffe network: caffemodels and mean images, in protobuf's wire format."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np

from dreamkit.convert.caffe import schema
from dreamkit.convert.caffe.net import Layer, Net, Weight, format_shape
from dreamkit.convert.caffe.protobuf import Record
from dreamkit.convert.caffe.wire_format import parse_wire
from dreamkit.convert.files import check_regular, read_file, refuse_other_kinds
from dreamkit.errors import ConvertError, did_you_mean, first_line, shown

MAX_MEAN_BYTES = 256 << 20  # of a mean image; one of 256 pixels has 800,000


def add_weights(net: Net, path: Path) -> Net:
    """`net` with the weights in the caffemodel at `path`. Each array is copied once.

    Raises:
        ConvertError: the file cannot be read, is damaged, is not a caffemodel or belongs to another network.
    """
    refuse_other_kinds(path, "caffemodel", "a caffemodel in Caffe's binary format")
    records = _layer_blobs(_mapped(path), path)
    return replace(net, layers=tuple(_with_weights(layer, records, path) for layer in net.layers))


def read_mean(path: Path) -> tuple[float, ...]:
    """The mean of each channel of a mean image (`.binaryproto`), in the file's order, usually BGR.

    Raises:
        ConvertError: the file cannot be read or is not such an image.
    """
    refuse_other_kinds(path, "mean", "a mean image of Caffe, a .binaryproto")
    data = read_file(path, "mean file", MAX_MEAN_BYTES)
    image = _array(parse_wire(memoryview(data), schema.BLOB, str(path)), f"the array in mean file {path}")
    if image.ndim not in (3, 4) or (image.ndim == 4 and len(image) != 1) or not image.size:
        raise ConvertError(f"mean file {path} holds an array of {format_shape(image.shape)}; give one image")
    return tuple(float(each) for each in image.reshape(*image.shape[-3:]).mean((1, 2), np.float64))


def weight_count(layer: Layer) -> int | None:
    """How many arrays a layer has in a caffemodel, or None if its type is unknown."""
    if layer.type not in schema.PARAM_FIELDS:
        return None
    if layer.type in ("Convolution", "Deconvolution", "InnerProduct"):
        return 2 if layer.params["bias_term"] else 1
    if layer.type == "Scale":
        return (len(layer.bottoms) == 1) + bool(layer.params["bias_term"])
    if layer.type == "Bias":
        return int(len(layer.bottoms) == 1)
    return {"BatchNorm": 3, "PReLU": 1}.get(layer.type, 0)


def _mapped(path: Path) -> memoryview:
    """The bytes of a caffemodel, mapped into memory and not read. The map closes with its last view."""
    try:
        check_regular(path, "caffemodel")
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise ConvertError(f"cannot read caffemodel {path} ({first_line(error)})") from error


def _layer_blobs(data: memoryview, path: Path) -> dict[str, list[Record]]:
    """The blobs of each layer that has any."""
    model = parse_wire(data, schema.MODEL, str(path))
    if any("layer" in record for record in model.get("layers", [])):
        raise ConvertError(f"caffemodel {path} {schema.V0_FORMAT}")
    records = [*model.get("layers", []), *model.get("layer", [])]
    if not records:
        raise ConvertError(f"{path} has no layers; give a caffemodel")
    return {record.get("name", ""): record["blobs"] for record in records if "blobs" in record}


def _with_weights(layer: Layer, blobs: Mapping[str, Sequence[Record]], path: Path) -> Layer:
    found, expected = blobs.get(layer.name, []), weight_count(layer)
    if expected == 0:  # an array can still be there: some types had one in the past
        return layer
    if expected not in (None, len(found)):
        raise ConvertError(
            f"layer {shown(layer.name)}, line {layer.line}, a {layer.type}, needs {expected} arrays of "
            f"weights; caffemodel {path} {_describe_found(layer.name, blobs)}"
        )
    weights = tuple(
        _array(blob, f"caffemodel {path}: array {place} of layer {shown(layer.name)}")
        for place, blob in enumerate(found)
    )
    return replace(layer, weights=weights)


def _describe_found(name: str, blobs: Mapping[str, Sequence[Record]]) -> str:
    if name in blobs:
        return f"has {len(blobs[name])}"
    if not blobs:
        return "has no weights at all"
    return f"has none under that name; {did_you_mean(shown(name), map(shown, blobs))}"


def _array(blob: Record, description: str) -> Weight:
    """A blob as an array. Its shape is checked against the numbers in the file before memory is taken.

    `description` names the array in error messages.
    """
    values = blob.get("data", blob.get("double_data", np.empty(0, np.float32)))
    sides = [blob.get(side, 0) for side in ("num", "channels", "height", "width")]
    shape = blob["shape"].get("dim", []) if "shape" in blob else sides if any(sides) else [len(values)]
    if len(shape) > schema.MAX_AXES or any(size < 0 for size in shape) or prod(shape) != len(values):
        raise ConvertError(
            f"{description} should be {format_shape(shape)} and has {len(values)} numbers; download it again"
        )
    return np.array(values, np.float32).reshape(shape)
