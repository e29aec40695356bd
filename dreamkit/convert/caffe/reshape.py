"""Flatten and Reshape as ONNX, if the result has a meaning at any size of picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Dim, Graph
from dreamkit.convert.caffe.shapes import identity

_SAME, _REST = 0, -1  # in a target: the size of the same axis of the input, and whatever is left


def flatten(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Flatten: the axes from `axis` to `end_axis` become one."""
    x = bottoms[0]
    begin = arguments.axis(layer, layer.params["axis"], x)
    end = arguments.axis(layer, layer.params["end_axis"], x)
    if begin > end:
        raise layer_error(layer, f"axis {begin} is after end_axis {end}")
    target = [*[_SAME] * begin, _REST, *x.shape[end + 1 :]]
    _add_reshape(graph, layer, x, target, range(begin, end + 1))


def reshape(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Reshape: a new shape for the axes from `axis` on; 0 keeps a size and -1 takes what is left."""
    x, params = bottoms[0], layer.params
    sizes, rank = (params["shape"] or {}).get("dim") or [], len(x.shape)
    begin = params["axis"] if params["axis"] >= 0 else rank + 1 + params["axis"]
    end = rank if params["num_axes"] == -1 else begin + params["num_axes"]
    if not 0 <= begin <= end <= rank:
        raise layer_error(
            layer,
            f"axis {params['axis']} and num_axes {params['num_axes']} do not fit {format_shape(x.shape)}",
        )
    if sizes.count(_REST) > 1 or any(size < _REST for size in sizes):
        raise layer_error(layer, f"shape {format_shape(sizes)} has more than one unknown size")
    if any(size == _SAME and begin + place >= end for place, size in enumerate(sizes)):
        raise layer_error(
            layer, f"shape {format_shape(sizes)} keeps an axis that {format_shape(x.shape)} does not have"
        )
    target = [*[_SAME] * begin, *sizes, *x.shape[end:]]
    _add_reshape(graph, layer, x, target, range(begin, end))


def _add_reshape(graph: Graph, layer: Layer, x: Blob, target: list[int], replaced: range) -> None:
    """Gives `x` the shape `target`, in which `_SAME` and `_REST` stand for sizes.

    The axes `replaced` get new sizes; those before and after keep theirs. A number in `target` must be
    right at any size of picture.
    """
    shape = _original_shape(layer, x, target)
    if len(x.shape) != len(x.dims):
        if shape != x.shape:
            arguments.check_rank(layer, x)
        identity(graph, layer, [x])
        return
    kept = _kept_axes(layer, x, target, shape, replaced)
    dims = _dims(graph, layer, x, target, shape, kept)
    flat = replaced == range(1, len(x.shape)) and target == [_SAME, _REST]
    if flat:
        # Equal to a Reshape, and converters can handle it at an unknown size.
        name = graph.add_node(layer, "Flatten", [x.name], layer.tops[0])
    else:
        sizes = [_SAME if axis in kept else size for axis, size in enumerate(target)]
        constant = graph.add_constant(layer, "shape", sizes, np.int64)
        name = graph.add_node(layer, "Reshape", [x.name, constant], layer.tops[0])
    graph.add_blob(Blob(name, shape, dims, x if flat else None))


def _original_shape(layer: Layer, x: Blob, target: Sequence[int]) -> tuple[int, ...]:
    """The shape in Caffe at the original input size."""
    sizes = [x.shape[axis] if size == _SAME else size for axis, size in enumerate(target)]
    known, total = prod(size for size in sizes if size != _REST), prod(x.shape)
    fits = known and (total % known == 0 if _REST in sizes else total == known)
    if not fits:
        raise layer_error(layer, f"{format_shape(x.shape)} cannot be given the shape {format_shape(sizes)}")
    return tuple(total // known if size == _REST else size for size in sizes)


def _kept_axes(
    layer: Layer, x: Blob, target: Sequence[int], shape: Sequence[int], replaced: range
) -> set[int]:
    """The axes of the result that have the size of the same axis of `x` at any size of picture."""
    # An axis that stays in place keeps its size, even if the target gives it as a number.
    same = [a == b for a, b in zip(shape, x.shape, strict=False)]
    kept = {
        axis
        for axis, size in enumerate(target)
        if size == _SAME or (size != _REST and all(same[: axis + 1]) and axis < len(same))
    }
    if len(target) == len(x.shape):
        return kept | set(range(replaced.stop, len(target)))
    if any(isinstance(size, str) for size in x.dims[replaced.stop :]):
        raise layer_error(
            layer,
            f"it moves {format_shape(x.dims[replaced.stop :])} to another axis, which works only at one "
            "size of picture",
        )
    return kept


def _dims(
    graph: Graph, layer: Layer, x: Blob, target: Sequence[int], shape: Sequence[int], kept: set[int]
) -> tuple[Dim, ...]:
    """The dims of the result."""
    merged = [size for axis, size in enumerate(x.dims) if axis not in kept]
    symbolic = any(isinstance(size, str) for size in merged)
    fixed = prod(size for axis, size in enumerate(shape) if axis not in kept and target[axis] != _REST)
    divisor = prod(graph.divisor(size) for size in merged)
    if symbolic and (_REST not in target or divisor % fixed):
        raise layer_error(
            layer,
            f"shape {format_shape(shape)} works only at one size of picture; write 0 for a size that stays, "
            "or -1 for one of them",
        )

    def dim(axis: int, size: int) -> Dim:
        if axis in kept:
            return x.dims[axis]
        if target[axis] == _REST and symbolic:
            return graph.new_symbol(layer, divisor // fixed)
        return size

    return tuple(dim(axis, size) for axis, size in enumerate(shape))
