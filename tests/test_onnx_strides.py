"""A tensor that PyTorch's exporter flattens and gathers again, number by number, is the tensor itself."""

from __future__ import annotations

import numpy as np
import pytest

from dreamkit.convert.onnx_strides import without_strides

onnx = pytest.importorskip("onnx")
TensorProto, helper, numpy_helper = onnx.TensorProto, onnx.helper, onnx.numpy_helper


def gathered(indices):
    """A network that pools a picture, flattens the result and gathers these of its numbers."""
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
                helper.make_node("Reshape", ["pooled", "any"], ["flat"]),
                helper.make_node("Gather", ["flat", "indices"], ["y"], axis=0),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [
                numpy_helper.from_array(np.array([-1]), "any"),
                numpy_helper.from_array(np.array(indices), "indices"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    )


def test_numbers_in_their_order_and_shape_are_the_tensor():
    found = without_strides(gathered(np.arange(3).reshape(1, 3, 1, 1)), (8, 8))
    last = found.graph.node[-1]
    assert (last.op_type, list(last.input), list(last.output)) == ("Identity", ["pooled"], ["y"])


@pytest.mark.parametrize("indices", [[[[[0]], [[2]], [[1]]]], [[[[0, 1, 2]]]], [0, 1, 2], [[[[0]], [[1]]]]])
def test_any_other_numbers_stay_as_they_are(indices):
    found = without_strides(gathered(indices), (8, 8))
    assert [node.op_type for node in found.graph.node] == ["GlobalAveragePool", "Reshape", "Gather"]
