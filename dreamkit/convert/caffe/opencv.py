"""OpenCV's importer of Caffe models as a reference implementation.

A damaged file can end the process: call it in a child process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dreamkit.convert.activations import Activations
from dreamkit.convert.caffe import schema
from dreamkit.convert.caffe.net import Layer, Net
from dreamkit.convert.caffe.protobuf import Record, with_defaults
from dreamkit.convert.caffe.prototxt import is_included, net_state, read_text
from dreamkit.convert.caffe.text_format import parse_text
from dreamkit.errors import ConvertError, first_line
from dreamkit.installation import extra_command

_UNSUPPORTED_TYPES = ("Bias", "Exp", "Log")  # OpenCV computes them differently or not at all


def version() -> str:
    """Its name and version.

    Raises:
        ConvertError: OpenCV is not installed, cannot be loaded or does not read Caffe models.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConvertError(
            f"OpenCV cannot be loaded ({first_line(error)}); run: {extra_command('convert')}. On a server "
            "without a screen, replace opencv-python by opencv-python-headless<5"
        ) from error
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise ConvertError(f"OpenCV {cv2.__version__} does not read Caffe models; install opencv-python<5")
    return f"OpenCV {cv2.__version__}"


def unsupported_blobs(net: Net) -> set[str]:
    """The blobs that cannot be compared: OpenCV ignores parameters of a layer that they depend on."""
    blobs: set[str] = set()
    for layer in net.layers:
        if _is_unsupported(layer) or blobs.intersection(layer.bottoms):
            blobs.update(layer.tops)
    return blobs


def _is_unsupported(layer: Layer) -> bool:
    return (
        layer.type in _UNSUPPORTED_TYPES
        or (layer.type == "InnerProduct" and layer.params["transpose"])
        or (layer.type == "Slice" and not layer.params["slice_point"])
    )


def compute(prototxt: Path, caffemodel: Path, net: Net, inputs: Activations) -> Activations:
    """Every blob of `net`, computed by OpenCV from the two files.

    Raises:
        ConvertError: OpenCV does not read them.
    """
    import cv2

    try:
        # Not by their paths: on Windows, OpenCV opens none with characters beyond ASCII.
        contents = np.fromfile(prototxt, np.uint8), np.memmap(caffemodel, np.uint8, "r")
        reference = cv2.dnn.readNetFromCaffe(*contents)
        reference.enableFusion(False)
        for name, array in inputs.items():
            reference.setInput(array, name)
        # OpenCV names a convolution after its top, also returns where a maximum is, and returns one output
        # for a Split.
        known = set(reference.getLayerNames())
        names = [layer.name if layer.name in known else layer.tops[0] for layer in net.layers]
        outputs: Any = dict(zip(names, reference.forwardAndRetrieve(names), strict=True))
    except cv2.error as error:
        raise ConvertError(f"OpenCV does not read this network ({first_line(error)[:200]})") from error
    return {
        top: outputs[name][min(place, len(outputs[name]) - 1)]
        for name, layer in zip(names, net.layers, strict=True)
        for place, top in enumerate(layer.tops)
    }


def prototxt_without_k(path: Path) -> str:
    """The text of a prototxt in which no LRN has a `k`, which OpenCV ignores.

    (k + s)^-b is k^-b (1 + s / k)^-b: an LRN with alpha / k, and a Power after it.

    Raises:
        ConvertError: the file cannot be read or is not a prototxt.
    """
    text = read_text(path)
    record = parse_text(text, schema.NET, str(path))
    state = net_state(record)
    # From the end, so that the spans of earlier layers stay valid.
    for layer in reversed([*record.get("layer", []), *record.get("layers", [])]):
        params = with_defaults(layer.get("lrn_param", {}), schema.PARAMS["lrn_param"])
        k, region = params["k"], params["norm_region"]
        has_k = layer.get("type") == "LRN" and k > 0 and k != 1 and region == "ACROSS_CHANNELS"
        if has_k and is_included(layer, state):
            begin, end = layer.span
            fields = _lrn_and_power(layer, params, v1="layers" in record)
            text = f"{text[:begin]}{fields} {text[end:]}"
    return text


def _lrn_and_power(layer: Record, params: dict[str, Any], *, v1: bool) -> str:
    """The fields of an LRN with k = 1, and a Power layer after it, up to its closing bracket."""
    name, top, k = layer.get("name", ""), next(iter(layer.get("top", [])), ""), params["k"]
    keyword, lrn, power = ("layers", "LRN", "POWER") if v1 else ("layer", '"LRN"', '"Power"')
    between = _quote(f"{top}:k")
    bottoms = " ".join(f"bottom: {_quote(each)}" for each in layer.get("bottom", []))
    return (
        f"name: {_quote(f'{name}:k')} type: {lrn} {bottoms} top: {between} lrn_param {{ "
        f"local_size: {params['local_size']} alpha: {params['alpha'] / k!r} beta: {params['beta']!r} }} }} "
        f"{keyword} {{ name: {_quote(name)} type: {power} bottom: {between} "
        f"top: {_quote(top)} power_param {{ scale: {k ** -params['beta']!r} }}"
    )


def _quote(name: str) -> str:
    """`name` as a string in a prototxt."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else _escape(c) for c in name) + '"'


def _escape(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())
