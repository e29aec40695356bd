"""What an ONNX model computes from constants and from sizes that are the same for every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.onnx_feature_maps import find_shapes
from dreamkit.convert.onnx_rewrites import copy

if TYPE_CHECKING:
    import onnx

_FOLDED = frozenset(
    {
        *("Shape", "Gather", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Floor", "Ceil", "Min", "Max"),
        *("Concat", "Slice", "Unsqueeze", "Squeeze", "Cast", "Reshape", "Transpose", "ConstantOfShape"),
        *("Range", "Equal", "Where", "Expand", "ReduceProd", "Flatten", "Clip"),
    }
)
_MOST = 4096  # numbers of a value that is computed here
_ROUNDS = 100  # each finds the shapes behind what the one before has folded
_OTHER_BATCH = 7  # a batch that no model is made for: what depends on it is not constant


def with_constants(model: onnx.ModelProto, size: tuple[int, int]) -> onnx.ModelProto:
    """`model` with initializers for what is the same for every picture, such as half of a map's channels.

    `size` is the height and width for which it was made. If it takes no other, what it computes from that
    size is compared at twice the size alone: the padding there is its padding everywhere.
    """
    result = without_copies_of_weights(model)
    for _ in range(_ROUNDS):
        found = _constants(result, size)
        if not found:
            break
        nodes = [node for node in result.graph.node if found.keys().isdisjoint(node.output)]
        del result.graph.node[:]
        result.graph.node.extend(nodes)
        result.graph.initializer.extend(_tensor(name, value) for name, value in found.items())
    _scale_by_factors(result, size)
    return result


def _scale_by_factors(model: onnx.ModelProto, size: tuple[int, int]) -> None:
    """A map that is resized to a fixed size is resized by the factor that this is at the original size."""
    shapes, doubled = (find_shapes(model, each) for each in (size, (2 * size[0], 2 * size[1])))
    for node in model.graph.node:
        if node.op_type != "Resize" or len(node.input) < 4 or not node.input[3]:
            continue
        before, after = (shapes.get(name, ()) for name in (node.input[0], node.output[0]))
        is_map = len(before) == len(after) == 4
        if not is_map or doubled.get(node.output[0]) != after or doubled.get(node.input[0]) == before:
            continue
        factors = [new / old for new, old in zip(after, before, strict=True)]
        name = f"{node.output[0]}/factors"
        model.graph.initializer.append(_tensor(name, np.array(factors, np.float32)))
        node.input[:] = [node.input[0], "", name]


def without_copies_of_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights that several layers share are one initializer and copies of it by Identity."""
    result = copy(model)
    weights = {each.name for each in result.graph.initializer}
    outputs = {each.name for each in result.graph.output}
    same: dict[str, str] = {}
    nodes = []
    for node in result.graph.node:
        source = same.get(node.input[0], node.input[0]) if node.input else ""
        if node.op_type == "Identity" and source in weights and node.output[0] not in outputs:
            same[node.output[0]] = source
        else:
            nodes.append(node)
    for node in nodes:
        node.input[:] = [same.get(each, each) for each in node.input]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _constants(model: onnx.ModelProto, size: tuple[int, int]) -> dict[str, NDArray[Any]]:
    """The values of nodes that are the same for pictures of several sizes, and for batches of two."""
    height, width = size
    sizes = [size, (2 * height, 2 * width)]
    if not all(each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim[2:]):
        sizes.append((height + 1, width + 17))
    shapes = [find_shapes(model, each) for each in sizes]
    small = {each.name: each for each in model.graph.initializer if np.prod(each.dims) <= _MOST}
    values: list[dict[str, NDArray[Any]]] = [{} for _ in sizes]
    found = {}
    for node in model.graph.node:
        if node.op_type not in _FOLDED or len(node.output) != 1:
            continue
        for known, shape in zip(values, shapes, strict=True):
            value = _value(model, node, known, shape, small, other_batch=known is values[1])
            if value is not None:
                known[node.output[0]] = value
        first, *others = (known.get(node.output[0]) for known in values)
        if first is not None and all(each is not None and np.array_equal(first, each) for each in others):
            found[node.output[0]] = first
    return found


def _value(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: dict[str, NDArray[Any]],
    shapes: dict[str, list[int]],
    initializers: dict[str, onnx.TensorProto],
    *,
    other_batch: bool,
) -> NDArray[Any] | None:
    """What a node computes from values that are known; None where it cannot be told."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type == "Shape" and node.input[0] not in {*known, *initializers}:
        shape = shapes.get(node.input[0])
        if shape is None or node.attribute:
            return None
        batch = [_OTHER_BATCH] if other_batch else shape[:1]
        return np.array([*batch, *shape[1:]], np.int64)
    given = {}
    for name in filter(None, node.input):
        if name in known:
            given[name] = known[name]
        elif name in initializers:
            given[name] = numpy_helper.to_array(initializers[name])
        else:
            return None
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(each.dtype), None)
        for name, each in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(node.output[0])]
    one = helper.make_model(
        helper.make_graph([node], "node", inputs, outputs), opset_imports=model.opset_import
    )
    try:
        results: Any = ReferenceEvaluator(one).run(None, given)
        value = np.asarray(results[0])
    except Exception:  # of any type: the node is left as it is
        return None
    return value if value.size <= _MOST else None


def _tensor(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
