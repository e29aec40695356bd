"""What a layer computes with, checked: weights, feature maps, axes, window sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from dreamkit.convert.caffe.net import Layer, Weight, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Dim, Graph
from dreamkit.errors import shown

_MAX_WINDOW = (1 << 16) - 1  # pixels


def weight(layer: Layer, place: int, shape: tuple[int, ...]) -> Weight:
    """The array of weights at `place`, in this shape. Axes of 1 are ignored: old files pad shapes to four.

    Raises:
        ConvertError: the layer has no such array, or it has another shape.
    """
    if place >= len(layer.weights):
        raise layer_error(
            layer,
            f"it has no weights and needs {format_shape(shape)}; read the network with its caffemodel",
        )
    found = layer.weights[place]
    if [size for size in found.shape if size != 1] != [size for size in shape if size != 1]:
        raise layer_error(
            layer,
            f"its array {place} of weights is {format_shape(found.shape)} and must be {format_shape(shape)}; "
            "is the caffemodel that of this prototxt?",
        )
    return found.reshape(shape)


def feature_map(layer: Layer, blob: Blob) -> tuple[int, int, int]:
    """Channels, original height and original width of a blob that must be a feature map.

    Raises:
        ConvertError: it is not batch x channels x height x width.
    """
    if len(blob.dims) != 4 or not isinstance(blob.dims[1], int):
        raise layer_error(
            layer,
            f"it works on batch x channels x height x width; {shown(blob.name)} is {format_shape(blob.dims)}",
        )
    height, width = blob.shape[2:] if len(blob.shape) == 4 else (1, 1)
    return blob.dims[1], height, width


def channels(layer: Layer, blob: Blob) -> int:
    """The channels of a blob of any rank.

    Raises:
        ConvertError: it has no channels.
    """
    if len(blob.dims) < 2 or not isinstance(blob.dims[1], int):
        raise layer_error(layer, f"{shown(blob.name)} is {format_shape(blob.dims)} and has no channels")
    return blob.dims[1]


def axis(layer: Layer, number: int, blob: Blob) -> int:
    """An axis of `blob`, counted from the front; a negative `number` counts from the end.

    Raises:
        ConvertError: there is no such axis.
    """
    rank = len(blob.shape)
    if not -rank <= number < rank:
        raise layer_error(layer, f"it has no axis {number}; {shown(blob.name)} has {rank}")
    return number % rank


def check_rank(layer: Layer, blob: Blob) -> None:
    """Refuses the output of an inner product that became a convolution.

    Raises:
        ConvertError: Caffe and the ONNX model have `blob` in different ranks.
    """
    if len(blob.shape) != len(blob.dims):
        raise layer_error(
            layer, "it rearranges the output of an inner product, which works only at one size of picture"
        )


def height_and_width(layer: Layer, name: str, default: int | None = None) -> tuple[int, int]:
    """A parameter with a vertical and a horizontal value: `kernel`, `stride`, `pad` or `dilation`.

    Raises:
        ConvertError: it is missing, has more than two values or one that is out of range.
    """
    sizes = layer.params[f"{name}_size" if name == "kernel" else name]
    vertical, horizontal = layer.params.get(f"{name}_h"), layer.params.get(f"{name}_w")
    if vertical is not None or horizontal is not None:
        sizes = [default if size is None else size for size in (vertical, horizontal)]
    sizes = sizes or [default]
    least = 0 if name == "pad" else 1
    if len(sizes) > 2 or any(size is None or not least <= size <= _MAX_WINDOW for size in sizes):
        raise layer_error(
            layer,
            f"{name} is {format_shape([str(size) for size in sizes])}; give one size from {least} to "
            f"{_MAX_WINDOW}, or two",
        )
    return sizes[0], sizes[-1]


def windows(
    graph: Graph,
    layer: Layer,
    blob: Blob,
    channels: int,
    offset: Sequence[int],
    stride: Sequence[int],
    factor: Sequence[int] = (1, 1),
) -> tuple[tuple[int, ...], tuple[Dim, ...]]:
    """The shape and dims of the output of a sliding window; see `Graph.window_count`.

    Raises:
        ConvertError: `blob` is not a feature map, or the window is larger than it.
    """
    _, *sides = feature_map(layer, blob)
    steps = list(zip(offset, stride, factor, strict=True))
    shape = [graph.window_count(side, *step) for side, step in zip(sides, steps, strict=True)]
    dims = [graph.window_count(side, *step) for side, step in zip(blob.dims[2:], steps, strict=True)]
    if any(isinstance(size, int) and size < 1 for size in (*shape, *dims)):
        raise layer_error(
            layer,
            f"its window is larger than {shown(blob.name)}, which is {format_shape(sides)} at the "
            "prototxt's size",
        )
    return (blob.shape[0], channels, *shape), (blob.dims[0], channels, *dims)  # type: ignore[arg-type]


def broadcastable(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    """`values` with axes of 1 at the end, to broadcast over an array of `rank` from `axis` on."""
    return values.reshape(*values.shape, *[1] * (rank - axis - values.ndim))
