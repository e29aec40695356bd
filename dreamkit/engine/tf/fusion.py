"""A convolution, its offset and its ReLU as one operation, as TensorFlow's own optimiser fuses them.

The fused operation computes the same. It writes its result once; three operations write it three times and
read it twice. It has no gradient, so a step is fused as a whole, when its gradients are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreamkit.engine.tf import graph, private

_OUTPUTS = {"BiasAdd": "output", "AddV2": "z", "Relu": "activations"}
_Nodes = dict[str, Any]


def fused(definition: Any) -> Any:
    """A copy of a FunctionDef with fused convolutions, and without what its results do not need."""
    nodes = {node.name: node for node in definition.node_def}
    needed = graph.needed_by(nodes, [graph.source(name) for name in definition.ret.values()])
    nodes = {name: node for name, node in nodes.items() if name in needed}
    readers = _readers(nodes, definition.ret)
    outputs: dict[str, str] = {}
    for convolution in [node for node in nodes.values() if _can_fuse(node)]:
        outputs |= _fuse(convolution, nodes, readers)
    step = private.FunctionDef()
    step.signature.CopyFrom(definition.signature)
    step.attr.MergeFrom(definition.attr)
    for each in nodes.values():
        node = step.node_def.add()
        node.CopyFrom(each)
        node.attr.pop("_class", None)  # which may name a node that is gone
        node.input[:] = [outputs.get(name, name) for name in node.input]
    for key, name in definition.ret.items():
        step.ret[key] = outputs.get(name, name)
    return step


def _readers(nodes: _Nodes, results: Mapping[str, str]) -> dict[str, list[str]]:
    """Who reads each node, by name and once for each time; the empty name is that of a result."""
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    for reader, names in [*((node.name, node.input) for node in nodes.values()), ("", results.values())]:
        for name in names:
            if graph.source(name) in readers:
                readers[graph.source(name)].append(reader)
    return readers


def _can_fuse(node: Any) -> bool:
    """Whether a node is a convolution of the type and the order of axes that TensorFlow can fuse anywhere."""
    if node.op != "Conv2D":  # to ask another node for an attribute that it lacks would give it one
        return False
    return bool(node.attr["T"].type == private.FLOAT and node.attr["data_format"].s == b"NHWC")


def _fuse(convolution: Any, nodes: _Nodes, readers: Mapping[str, list[str]]) -> dict[str, str]:
    """Puts one node in the place of a convolution and what alone reads it: an offset, and a ReLU behind it.

    Returns the new name of its output by the old one; nothing where there is no offset.
    """
    offset = _only_reader(convolution, nodes, readers)
    numbers = None if offset is None else _numbers(offset, convolution, nodes)
    if offset is None or numbers is None:
        return {}
    chain, kinds = [convolution, offset], ["BiasAdd"]
    relu = _only_reader(offset, nodes, readers)
    if relu is not None and relu.op == "Relu":
        chain, kinds = [*chain, relu], [*kinds, "Relu"]
    last = chain[-1]
    node = private.fused_convolution(convolution, numbers, kinds)
    node.name = last.name
    for each in chain:
        del nodes[each.name]
    nodes[node.name] = node
    return {f"{last.name}:{_OUTPUTS[last.op]}:0": f"{node.name}:output:0"}


def _only_reader(node: Any, nodes: _Nodes, readers: Mapping[str, list[str]]) -> Any:
    """The one node that reads a node, once; None where others read it, or it is a result."""
    found = readers[node.name]
    return nodes.get(found[0]) if len(found) == 1 else None


def _numbers(offset: Any, convolution: Any, nodes: _Nodes) -> str | None:
    """The input of an offset, one number for each channel, which is added to a convolution; None for any
    other operation. Where the numbers have more axes, a constant without these is added to `nodes`."""
    others = [str(name) for name in offset.input if graph.source(name) != convolution.name]
    if len(others) != 1 or any(name.startswith("^") for name in (*offset.input, *convolution.input)):
        return None
    (name,) = others
    if offset.op == "BiasAdd":
        return name
    constant = nodes.get(graph.source(name))
    if offset.op != "AddV2" or constant is None:
        return None
    sides, kernel = (_sides(each) for each in (constant, nodes.get(graph.source(convolution.input[1]))))
    # One number for all channels, or more numbers than channels, are no offset: a sum would spread them.
    if not sides or len(sides) > 4 or any(side != 1 for side in sides[:-1]) or sides[-1:] != kernel[-1:]:
        return None
    flat = private.node_copy(constant)
    flat.name = f"{offset.name}/flat"
    del flat.attr["value"].tensor.tensor_shape.dim[:-1]
    nodes[flat.name] = flat
    return f"{flat.name}:output:0"


def _sides(constant: Any) -> list[int]:
    """The shape of a constant; none for a single number, and for what is no constant."""
    if constant is None or constant.op != "Const":
        return []
    return [axis.size for axis in constant.attr["value"].tensor.tensor_shape.dim]
