"""Changed copies of ONNX models: fewer outputs, plain names, no weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dreamkit.errors import ConvertError, shown

if TYPE_CHECKING:
    import onnx

_LARGE_BYTES = 4096  # a larger initializer holds weights, and a smaller one may hold a size or an axis


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def with_outputs(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """`model` with only these of its outputs, and only what they need."""
    result = copy(model)
    known = {each.name: each for each in model.graph.output}
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(inputs_of(node))
            nodes.append(node)
    del result.graph.node[:]
    result.graph.node.extend(reversed(nodes))
    for field in (result.graph.initializer, result.graph.input):
        kept = [each for each in field if each.name in needed]
        del field[:]
        field.extend(kept)
    del result.graph.output[:]
    result.graph.output.extend(known[name] for name in outputs)
    return result


def graphs_in(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def inputs_of(node: onnx.NodeProto) -> Iterator[str]:
    """The tensors that a node reads, also in graphs inside it."""
    yield from node.input
    for graph in graphs_in(node):
        for inner in graph.node:
            yield from inputs_of(inner)


def with_plain_names(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """`model` with names that every converter accepts, and the new name of each output.

    Raises:
        ConvertError: a node has a graph inside it.
    """
    result = copy(model)
    plain: dict[str, str] = {"": ""}
    graph = result.graph
    for each in (*graph.input, *graph.initializer, *graph.output):
        each.name = plain.setdefault(each.name, f"t{len(plain)}")
    for place, node in enumerate(graph.node):
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ConvertError(
                f"node {shown(node.name)}, a {node.op_type}, has a graph inside it; a network with loops or "
                "conditions cannot be converted"
            )
        node.name = f"n{place}"
        node.input[:] = [plain.setdefault(name, f"t{len(plain)}") for name in node.input]
        node.output[:] = [plain.setdefault(name, f"t{len(plain)}") for name in node.output]
    graph.name = "network"
    return result, {output.name: plain[output.name] for output in model.graph.output}


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with inputs in place of large weights: the same shapes, in little memory."""
    from onnx import helper

    result = copy(model)
    initializers = result.graph.initializer
    small = [each for each in initializers if each.ByteSize() <= _LARGE_BYTES]
    result.graph.input.extend(
        helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        for each in initializers
        if each.ByteSize() > _LARGE_BYTES
    )
    del initializers[:]
    initializers.extend(small)
    return result
