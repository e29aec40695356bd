"""What PyTorch's newer exporter writes for a change of strides alone: the same tensor, number by number.

Behind a pooling of maps whose channels lie last in memory, as in ConvNeXt, it flattens the result and gathers
all of its numbers in their order, in the shape that they had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.onnx_feature_maps import find_shapes
from dreamkit.convert.onnx_rewrites import copy

if TYPE_CHECKING:
    import onnx


def without_strides(model: onnx.ModelProto, size: tuple[int, int]) -> onnx.ModelProto:
    """`model` without such changes. `size` is the height and width for which it was made."""
    from onnx import helper, numpy_helper

    indices = {
        each.name: numpy_helper.to_array(each)
        for each in model.graph.initializer
        if each.data_type in (each.INT64, each.INT32)
    }
    flat = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Reshape"}
    gathers = {
        place: flat[node.input[0]]
        for place, node in enumerate(model.graph.node)
        if node.op_type == "Gather" and node.input[0] in flat and _counts_up(indices.get(node.input[1]))
    }
    if not gathers:
        return model
    shapes = find_shapes(model, size)
    result = copy(model)
    for place, name in gathers.items():
        node = result.graph.node[place]
        shape = indices[node.input[1]].shape
        if len(shapes.get(node.input[0], ())) == 1 and tuple(shapes.get(name, ())) == shape:
            node.CopyFrom(helper.make_node("Identity", [name], node.output, name=node.name))
    return result


def _counts_up(values: NDArray[np.int64] | None) -> bool:
    """Whether these are 0, 1, 2 and so on."""
    return values is not None and bool((values.ravel() == np.arange(values.size)).all())
