"""Layers that join, cut and rearrange blobs, as ONNX: everything but Reshape, which is in `reshape`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import TypeVar

import numpy as np

from dreamkit.convert.caffe import arguments
from dreamkit.convert.caffe.net import Layer, format_shape, layer_error
from dreamkit.convert.caffe.onnx_graph import Blob, Dim, Graph

_TO_THE_END = np.iinfo(np.int64).max
_Size = TypeVar("_Size")


def identity(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Split, and Dropout, which does nothing outside training."""
    x = bottoms[0]
    for top in layer.tops:
        name = graph.add_node(layer, "Identity", [x.name], top)
        graph.add_blob(Blob(name, x.shape, x.dims, x.unflattened))


def concat(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params = bottoms[0], layer.params
    axis = params["axis"] if params["concat_dim"] is None else params["concat_dim"]
    axis = arguments.axis(layer, axis, x)
    for other in bottoms[1:]:
        if not _differ_only_in(x, other, axis):
            raise layer_error(
                layer,
                f"its bottoms are {format_shape(x.shape)} and {format_shape(other.shape)}; they may differ "
                f"only in axis {axis}",
            )
    size = sum(blob.shape[axis] for blob in bottoms)
    dim = _total(graph, layer, [blob.dims[axis] for blob in bottoms])
    shape, dims = _replace(x.shape, axis, size), _replace(x.dims, axis, dim)
    graph.add_top(layer, "Concat", [blob.name for blob in bottoms], shape, dims, axis=axis)


def _differ_only_in(a: Blob, b: Blob, axis: int) -> bool:
    same_rank = len(a.dims) == len(b.dims) and len(a.shape) == len(b.shape)
    return same_rank and _replace(a.shape, axis, 0) == _replace(b.shape, axis, 0)


def _replace(sizes: tuple[_Size, ...], axis: int, size: _Size) -> tuple[_Size, ...]:
    return (*sizes[:axis], size, *sizes[axis + 1 :])


def _total(graph: Graph, layer: Layer, sizes: Sequence[Dim]) -> Dim:
    """The sum of sizes, a new symbol if one of them is a symbol."""
    numbers = [size for size in sizes if isinstance(size, int)]
    if len(numbers) == len(sizes):
        return sum(numbers)
    return graph.new_symbol(layer, gcd(*map(graph.divisor, sizes)))


def slices(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Slice: consecutive parts of one axis."""
    x, params = bottoms[0], layer.params
    axis = params["axis"] if params["slice_dim"] is None else params["slice_dim"]
    axis = arguments.axis(layer, axis, x)
    bounds = _slice_bounds(layer, x, axis)
    dim, end_of_axis = x.dims[axis], x.shape[axis]
    for top, (begin, end) in zip(layer.tops, pairwise(bounds), strict=True):
        last = end == end_of_axis
        part: Dim = end - begin
        if last and isinstance(dim, str):
            part = dim if len(layer.tops) == 1 else graph.new_symbol(layer)
        constants = [
            graph.add_constant(layer, label, [value], np.int64)
            for label, value in (("from", begin), ("to", _TO_THE_END if last else end), ("axes", axis))
        ]
        name = graph.add_node(layer, "Slice", [x.name, *constants], top)
        graph.add_blob(Blob(name, _replace(x.shape, axis, end - begin), _replace(x.dims, axis, part)))


def _slice_bounds(layer: Layer, x: Blob, axis: int) -> list[int]:
    """Where the parts of a Slice begin and end: one number more than there are tops."""
    size, dim, count, points = x.shape[axis], x.dims[axis], len(layer.tops), layer.params["slice_point"]
    if not points:
        if size % count:
            raise layer_error(layer, f"axis {axis} of {size} cannot be sliced into {count} equal parts")
        if isinstance(dim, str) and count > 1:
            raise layer_error(
                layer,
                f"equal parts of axis {axis}, {dim}, would depend on the size of the picture; "
                "give slice_point",
            )
        points = [size // count * place for place in range(1, count)]
    bounds = [0, *points, size]
    if len(bounds) != count + 1 or any(a >= b for a, b in pairwise(bounds)):
        raise layer_error(
            layer, f"slice_point {format_shape(points)} does not make {count} parts of axis {axis} of {size}"
        )
    return bounds


def permute(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Permute: the axes in another order; those that are not named follow in their own."""
    x, order = bottoms[0], list(layer.params["order"])
    arguments.check_rank(layer, x)
    rank = len(x.shape)
    if len(set(order)) != len(order) or any(axis >= rank for axis in order):
        raise layer_error(
            layer, f"order {format_shape(order)} must name axes of {format_shape(x.shape)}, each at most once"
        )
    order += [axis for axis in range(rank) if axis not in order]
    shape, dims = tuple(x.shape[axis] for axis in order), tuple(x.dims[axis] for axis in order)
    graph.add_top(layer, "Transpose", [x.name], shape, dims, perm=order)


def crop(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Crop: the first bottom from `offset` on, at the size of the second."""
    x, other = bottoms[0], bottoms[1]
    axis = arguments.axis(layer, layer.params["axis"], x)
    if len({len(x.shape), len(other.shape), len(x.dims), len(other.dims)}) != 1:
        raise layer_error(
            layer,
            f"its bottoms are {format_shape(x.shape)} and {format_shape(other.shape)}; they must have the "
            "same number of axes",
        )
    axes = list(range(axis, len(x.shape)))
    offsets = _crop_offsets(layer, x, other, axes)
    begin = graph.add_constant(layer, "from", offsets, np.int64)
    sizes = graph.add_node(layer, "Shape", [other.name], start=axis)
    ends = graph.add_node(layer, "Add", [sizes, begin])
    inputs = [x.name, begin, ends, graph.add_constant(layer, "axes", axes, np.int64)]
    shape, dims = x.shape[:axis] + other.shape[axis:], x.dims[:axis] + other.dims[axis:]
    graph.add_top(layer, "Slice", inputs, shape, dims)


def _crop_offsets(layer: Layer, x: Blob, other: Blob, axes: Sequence[int]) -> list[int]:
    """Where a Crop begins on each of its axes."""
    given = list(layer.params["offset"])
    offsets = given if len(given) == len(axes) else (given or [0]) * len(axes)
    if len(offsets) != len(axes):
        raise layer_error(
            layer, f"it has {len(given)} offsets for {len(axes)} axes; give one, or one for each axis"
        )
    for axis, offset in zip(axes, offsets, strict=True):
        if offset + other.shape[axis] > x.shape[axis]:
            raise layer_error(
                layer,
                f"{format_shape(other.shape)} from {offset} on in axis {axis} goes beyond "
                f"{format_shape(x.shape)}",
            )
    return offsets
