"""Builds small ONNX models."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32


class Network:
    """Builds an ONNX model. `add` takes an operation and its inputs: names, arrays, or nothing for `last`."""

    draw = np.random.default_rng(0)

    def __init__(self, dims=(1, 3, SIDE, SIDE), kind=TensorProto.FLOAT, opset=17):
        Network.draw = np.random.default_rng(0)  # each network is the same, whichever came before
        self.dims, self.kind, self.opset = dims, kind, opset
        self.nodes, self.weights = [], {}
        self.last, self.kind_out = "x", TensorProto.FLOAT

    def add(self, op, *inputs, name="", **options):
        output = name or f"{op}{len(self.nodes)}"
        names = []
        for number, each in enumerate(inputs or (self.last,)):
            if isinstance(each, np.ndarray):
                self.weights[f"{output}.{number}"] = each
                each = f"{output}.{number}"
            names.append(each)
        self.nodes.append(helper.make_node(op, names, [output], f"node_{output}", **options))
        self.last = output
        return self

    def convolution(self, channels, before, size=3, **options):
        kernel = normal(channels, before, size, size) / size
        self.add("Conv", self.last, kernel, normal(channels), pads=[size // 2] * 4, **options)
        return self.add("Relu")

    def model(self, ir=8):
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", self.kind, list(self.dims))],
            [helper.make_tensor_value_info(self.last, self.kind_out, None)],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=ir)
        return onnx.shape_inference.infer_shapes(made)  # with the output's shape, which a file has to have


def normal(*shape):
    return Network.draw.normal(size=shape).astype(np.float32)


def trunk(**options):
    """Sixteen channels, four pixels apart."""
    return Network(**options).convolution(8, 3, strides=[2, 2]).convolution(16, 8, strides=[2, 2])


def long(*values):
    return np.array(values, np.int64)


def gemm(network, count, before):
    return network.add("Gemm", network.last, normal(count, before), normal(count), transB=1)
