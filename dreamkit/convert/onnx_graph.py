"""An ONNX model of one size, evaluated by TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from dreamkit.convert.onnx_operations import OPERATORS
from dreamkit.errors import ConvertError, first_line, shown

if TYPE_CHECKING:
    import onnx


def evaluate(model: onnx.ModelProto, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """All tensors of a model, by name, for `inputs` of fully known shape.

    What does not depend on the inputs is computed at once and is a NumPy array; the rest are tensors. A
    sequence is a tuple of either.

    Raises:
        ConvertError: an operator is not known, or has a form that is not known.
    """
    from onnx import helper, numpy_helper

    values: dict[str, Any] = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    values |= inputs
    for node in model.graph.node:
        operator = OPERATORS.get(node.op_type)
        if operator is None or node.domain not in ("", "ai.onnx"):
            raise ConvertError(
                f"the operation {node.op_type} {shown(node.output[0])} is not known; export the model "
                "without it"
            )
        given = [values[name] if name else None for name in node.input]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        attributes |= {"outputs": len(node.output)} if node.op_type == "Split" else {}
        try:
            found = _computed(operator, given, attributes)
        except (NotImplementedError, ValueError, TypeError, IndexError, KeyError, tf.errors.OpError) as error:
            raise ConvertError(
                f"the operation {node.op_type} {shown(node.output[0])} cannot be computed "
                f"({first_line(error)[:200]})"
            ) from error
        outputs = found if isinstance(found, list) else [found]
        values.update(zip(node.output, outputs, strict=False))
    return values


def _computed(operator: Any, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    if any(tf.is_tensor(each) for each in tf.nest.flatten(list(inputs))):
        return operator(inputs, attributes)
    with tf.init_scope():  # outside of any graph, so that there is a value
        return tf.nest.map_structure(np.asarray, operator(inputs, attributes))
