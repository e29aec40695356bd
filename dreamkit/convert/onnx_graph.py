"""An ONNX model of one size, evaluated by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from dreamkit.convert.onnx_operations import OPERATORS
from dreamkit.errors import ConvertError, first_line, shown

if TYPE_CHECKING:
    import onnx

_MOST_ROUNDS = 4096  # of a loop, which is unrolled


def evaluate(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """All tensors of a model, by name, for `inputs` of fully known shape.

    What does not depend on the inputs is computed at once and is a NumPy array; the rest are tensors. A
    sequence is a tuple of either.

    Raises:
        ConvertError: an operator is not known, or has a form that is not known.
    """
    values = {**_initializers(model.graph), **inputs}
    _run(model.graph.node, values)
    return values


def _initializers(graph: onnx.GraphProto) -> dict[str, Any]:
    from onnx import numpy_helper

    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def _run(nodes: Iterable[onnx.NodeProto], values: dict[str, Any]) -> None:
    """Adds the outputs of `nodes` to `values`."""
    from onnx import helper

    for node in nodes:
        what = f"the operation {node.op_type} {shown(node.output[0])}"
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        attributes |= {"outputs": len(node.output)} if node.op_type == "Split" else {}
        given = [values[name] if name else None for name in node.input]
        try:
            if node.op_type in _CONTROL:
                found = _CONTROL[node.op_type](given, attributes, values)
            elif node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
                raise ConvertError(f"{what} is not known; export the model without it")
            else:
                found = _computed(OPERATORS[node.op_type], given, attributes)
        except (NotImplementedError, ValueError, TypeError, IndexError, KeyError, tf.errors.OpError) as error:
            raise ConvertError(f"{what} cannot be computed ({first_line(error)[:200]})") from error
        values.update(zip(node.output, found if isinstance(found, list) else [found], strict=False))


def _computed(operator: Any, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    if any(tf.is_tensor(each) for each in tf.nest.flatten(list(inputs))):
        return operator(inputs, attributes)
    with tf.init_scope():  # outside of any graph, so that there is a value
        return tf.nest.map_structure(np.asarray, operator(inputs, attributes))


def _loop(inputs: Sequence[Any], attributes: Mapping[str, Any], outer: Mapping[str, Any]) -> list[Any]:
    """A loop whose rounds are the same for every picture, one after another."""
    body: onnx.GraphProto = attributes["body"]
    rounds, goes_on, *carried = inputs
    if rounds is None or int(rounds) > _MOST_ROUNDS:
        raise NotImplementedError(f"a loop of more than {_MOST_ROUNDS} rounds")
    if goes_on is not None and not bool(goes_on):
        rounds = 0
    collected: list[list[Any]] = [[] for _ in body.output[1 + len(carried) :]]
    for number in range(int(rounds)):
        names = [each.name for each in body.input]
        inside = dict(zip(names, [np.array(number), np.array(True), *carried], strict=True))
        goes_on, *results = _inside(body, {**outer, **inside})
        carried, rest = results[: len(carried)], results[len(carried) :]
        for each, value in zip(collected, rest, strict=True):
            each.append(value)
        if not bool(goes_on):
            break
    return [*carried, *(tf.stack(each) for each in collected)]


def _branch(inputs: Sequence[Any], attributes: Mapping[str, Any], outer: Mapping[str, Any]) -> list[Any]:
    """A choice that is the same for every picture."""
    if tf.is_tensor(inputs[0]):
        raise NotImplementedError("a choice that depends on the picture")
    return _inside(attributes["then_branch" if bool(inputs[0]) else "else_branch"], outer)


def _inside(graph: onnx.GraphProto, outer: Mapping[str, Any]) -> list[Any]:
    """The outputs of a graph inside a node, which also reads what is computed around it."""
    values = {**outer, **_initializers(graph)}
    _run(graph.node, values)
    return [values[each.name] for each in graph.output]


_CONTROL: Mapping[str, Callable[[Sequence[Any], Mapping[str, Any], Mapping[str, Any]], list[Any]]] = {
    "Loop": _loop,
    "If": _branch,
}
