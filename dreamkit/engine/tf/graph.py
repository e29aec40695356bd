"""Transformations of TensorFlow graphs (inlining, freezing, folding), and their shapes and depths."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from dreamkit.engine.tf import private

_SMALL = 64  # numbers; smaller constants are not weights
_WEIGHTED_OPS = frozenset(
    (
        "Conv2D",
        "DepthwiseConv2dNative",
        "Conv2DBackpropInput",
        "MatMul",
        "BatchMatMulV2",
        "Einsum",
        # The only calls in a frozen graph are Keras' grouped convolutions.
        "PartitionedCall",
        "StatefulPartitionedCall",
    )
)


def inlined(function: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """The same function with the functions that it calls inlined, and without unneeded nodes.

    So the weights behind the deepest layer are never copied. Functions that TensorFlow cannot inline stay.
    """
    flat = _optimised(function.graph.as_graph_def(), function, ["function"], private.RewriterConfig.ONE)
    if flat.library.function:
        return function
    for node in flat.node:  # a network has no side effects, so no node must wait for one
        node.input[:] = [each for each in node.input if not each.startswith("^")]
    nodes = {node.name: node for node in flat.node}
    needed = needed_by(nodes, [tensor.op.name for tensor in function.outputs])
    captured = {inner.op.name: outer for outer, inner in function.graph.captures}
    weights = {
        name: captured[name] for name in needed & captured.keys() if captured[name].dtype != tf.resource
    }
    variables = {name: captured[name] for name in needed & captured.keys() - weights.keys()}
    for name in needed:  # each read of a variable is replaced by its value
        read = [each for each in (origin(nodes, source) for source in nodes[name].input) if each in variables]
        if read and nodes[name].op == "ReadVariableOp":
            dtype = tf.dtypes.as_dtype(nodes[name].attr["dtype"].type)
            weights[name] = tf.raw_ops.ReadVariableOp(resource=variables[read[0]], dtype=dtype)
        elif read and nodes[name].op != "Identity":
            return function
    part = tf.compat.v1.GraphDef(versions=flat.versions)
    part.node.extend(node for node in flat.node if node.name in needed)

    def imported() -> None:
        graph = tf.compat.v1.get_default_graph()
        values = {
            # Small ones are paddings and axes, which shapes depend on.
            f"{name}:0": tf.constant(value.numpy())
            if value.shape.num_elements() < _SMALL
            else graph.capture(value)
            for name, value in weights.items()
        }
        tf.graph_util.import_graph_def(part, input_map=values, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    inputs = [tensor.name for tensor in function.inputs if tensor.op.name not in captured]
    return _subgraph(wrapped, inputs, [tensor.name for tensor in function.outputs])


def frozen(function: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """The same function with its weights as constants."""
    return private.freeze(function) if function.captured_inputs else function


def fold(
    function: tf.types.experimental.ConcreteFunction,
    rewrite: Callable[[Any], Any] = lambda graph_def: graph_def,
) -> Callable[[tf.Tensor], Sequence[tf.Tensor]]:
    """The same function, for use in another graph: frozen, with constants multiplied into convolutions.

    So its gradient is folded as well. `rewrite` is a function from the folded GraphDef to another one with
    the same inputs and outputs.

    Only Grappler's constant folding and clean-up run: fused kernels have no gradient. A function with calls
    that TensorFlow cannot inline, such as Keras' grouped convolutions, is returned unchanged, because their
    gradients would be lost.
    """
    forward = frozen(function)
    if forward.graph.as_graph_def().library.function:
        return function  # type: ignore[no-any-return]
    folded = rewrite(folded_graph(forward))
    (pixels,), outputs = forward.inputs, [tensor.name for tensor in forward.outputs]

    def folded_function(pixels_in: tf.Tensor) -> Sequence[tf.Tensor]:
        return tf.graph_util.import_graph_def(  # type: ignore[no-any-return]
            folded, input_map={pixels.name: pixels_in}, return_elements=outputs, name=""
        )

    return folded_function


def folded_graph(forward: tf.types.experimental.ConcreteFunction) -> Any:
    """The GraphDef of a frozen function, with constant expressions computed."""
    times = private.RewriterConfig.TWO
    return _optimised(forward.graph.as_graph_def(), forward, ["constfold", "dependency"], times)


def needed_by(nodes: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """The nodes that `names` depend on, including `names`. `nodes` lacks the arguments of a function."""
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            waiting.extend(map(source, nodes[name].input))
    return needed


def origin(nodes: Mapping[str, Any], name: str) -> str:
    """The node whose output `name` is, behind any identities."""
    name = source(name)
    while nodes[name].op == "Identity":
        name = source(nodes[name].input[0])
    return name


def source(name: str) -> str:
    """The node that an input names: `name`, `name:1`, or `^name` for a control dependency."""
    return name.lstrip("^").partition(":")[0]


def _optimised(
    graph_def: Any, function: tf.types.experimental.ConcreteFunction, passes: Sequence[str], times: Any
) -> Any:
    """The GraphDef of `function` after `passes` of TensorFlow's optimiser, inputs and outputs kept."""
    meta_graph = tf.compat.v1.MetaGraphDef(graph_def=graph_def)
    kept = private.CollectionDef()
    kept.node_list.value.extend(tensor.name for tensor in [*function.inputs, *function.outputs])
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.optimizers.extend(passes)
    config.graph_options.rewrite_options.meta_optimizer_iterations = times
    return private.optimize(config, meta_graph)


def _subgraph(wrapped: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of a wrapped function from the tensors named `inputs` to those named `outputs`."""
    graph = wrapped.graph
    return wrapped.prune(*([graph.as_graph_element(name) for name in names] for names in (inputs, outputs)))


def shapes(graph_def: Any) -> dict[str, list[int | None]]:
    """The static shapes of the first output of all nodes."""
    graph = private.graph_of(graph_def, {})
    found = {each.name: each.outputs[0].shape for each in graph.get_operations() if each.outputs}
    return {name: shape.as_list() for name, shape in found.items() if shape.rank is not None}


def output_shapes(graph_def: Any, count: int, size: tuple[int, int]) -> list[Sequence[int]]:
    """The static shapes of the `count` outputs for one picture of `size` (height, width)."""
    graph = private.graph_of(graph_def, {"pixels": [1, *size, 3]})
    return [graph.get_tensor_by_name(f"layer_{index}:0").shape.as_list() for index in range(count)]


def live_bytes(graph_def: Any, inputs: Mapping[str, Sequence[int]]) -> int:
    """The most bytes that a graph has in memory at once, with `inputs` of these shapes.

    It counts the inputs, and every result until its last reader has run; not constants, nor results of
    unknown shape. Nodes run in the order in which they become ready, which is about what TensorFlow does.
    """
    operations = private.graph_of(graph_def, inputs).get_operations()
    sources = {each: {tensor.op for tensor in each.inputs} for each in operations}
    users = {each: {user for tensor in each.outputs for user in tensor.consumers()} for each in operations}
    sizes = {each: _bytes(each) for each in operations}
    waiting = {each: len(sources[each]) for each in operations}
    needed = {each: len(users[each]) for each in operations}
    ready = deque(each for each in operations if not waiting[each])
    live = most = 0
    while ready:
        each = ready.popleft()
        live += sizes[each]
        most = max(most, live)
        for source in sources[each]:
            needed[source] -= 1
            live -= sizes[source] if not needed[source] else 0
        for user in users[each]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return most


def _bytes(operation: tf.Operation) -> int:
    """The size of an operation's results."""
    if operation.type == "Const":
        return 0
    known = [tensor for tensor in operation.outputs if tensor.shape.is_fully_defined()]
    return sum(tensor.shape.num_elements() * tensor.dtype.size for tensor in known)


def layer_depths(graph_def: Any, count: int) -> tuple[list[int], list[int]]:
    """The depth of each output, and the indices of the outputs that several branches end in.

    A depth is the number of nodes with weights on the longest path to the output.
    """
    depths: dict[str, int] = {}  # -1 for nodes that do not depend on the picture
    # The nodes of a frozen graph are in no order, so each waits on a stack until its inputs are known.
    nodes = {node.name: node for node in graph_def.node}
    inputs = {name: [source(each) for each in node.input] for name, node in nodes.items()}
    for index in range(count):
        stack = [f"layer_{index}"]
        while stack:
            name = stack[-1]
            waiting = [source for source in inputs[name] if source not in depths]
            if waiting:
                stack.extend(waiting)
                continue
            before = max((depths[source] for source in inputs[name]), default=-1)
            if name == "pixels":
                before = 0
            depths[stack.pop()] = before + (before >= 0 and nodes[name].op in _WEIGHTED_OPS)
    joins = [
        index
        for index in range(count)
        if sum(depths[source] > 0 for source in inputs[origin(nodes, f"layer_{index}")]) > 1
    ]
    return [depths[f"layer_{index}"] for index in range(count)], joins
