"""A GraphDef of the structure of Google's inception5h, from the same network's Caffe model."""

from __future__ import annotations

from functools import partial

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from dreamkit.convert.caffe.reader import read_net

CLASSES = 1008


def add_node(graph_def, name, op, *inputs, **attributes):
    """Adds a node of floats with attributes of the kinds that their Python values tell; returns its name."""
    made = graph_def.node.add(name=name, op=op, input=inputs)
    value = attributes.get("value")
    kind = tf.float32 if value is None else tf.as_dtype(value.dtype)
    made.attr["dtype" if op in ("Const", "Placeholder") else "T"].type = kind.as_datatype_enum
    if op == "Concat":
        made.attr["N"].i = len(inputs) - 1
    for key, value in attributes.items():
        if isinstance(value, list):
            made.attr[key].list.i.extend(value)
        elif isinstance(value, np.ndarray):
            made.attr[key].tensor.CopyFrom(tf.make_tensor_proto(value))
        elif isinstance(value, bytes):
            made.attr[key].s = value
        elif isinstance(value, int):
            made.attr[key].i = value
        else:
            made.attr[key].f = value
    return name


def graph(folder):
    """The serialised graph of the network in `folder`, named as Google named it."""
    net = read_net(folder / "inception5h.prototxt", folder / "inception5h.caffemodel")
    graph_def = graph_pb2.GraphDef()

    node = partial(add_node, graph_def)

    def constant(name, value):
        node(name, "Const", value=np.asarray(value))

    node("input", "Placeholder")
    tops = {"data": "input"}
    for layer in net.layers:
        inputs = [tops[bottom] for bottom in layer.bottoms]
        match layer.type:
            case "Convolution":
                kernel, bias = (np.asarray(blob, np.float32) for blob in layer.weights)
                if layer.name == "conv2d0":  # Caffe's eats BGR
                    kernel = kernel[:, ::-1]
                stride = ([*layer.params["stride"], 1])[0]
                constant(f"{layer.name}_w", kernel.transpose(2, 3, 1, 0))
                constant(f"{layer.name}_b", bias)
                name = f"{layer.name}_pre_relu"
                node(
                    f"{name}/conv",
                    "Conv2D",
                    *inputs,
                    f"{layer.name}_w",
                    strides=[1, stride, stride, 1],
                    padding=b"SAME",
                )
                made = node(name, "BiasAdd", f"{name}/conv", f"{layer.name}_b")
            case "ReLU":
                made = node(layer.tops[0], "Relu", *inputs)
            case "Pooling" if layer.params["pool"] == "MAX":
                stride = ([*layer.params["stride"], 1])[0]
                made = node(
                    layer.name,
                    "MaxPool",
                    *inputs,
                    ksize=[1, 3, 3, 1],
                    strides=[1, stride, stride, 1],
                    padding=b"SAME",
                )
            case "Pooling":
                made = node(
                    layer.name, "AvgPool", *inputs, ksize=[1, 7, 7, 1], strides=[1, 1, 1, 1], padding=b"VALID"
                )
            case "LRN":
                options = layer.params
                alpha = options["alpha"] / options["local_size"]
                made = node(
                    layer.name,
                    "LRN",
                    *inputs,
                    depth_radius=options["local_size"] // 2,
                    bias=options["k"],
                    alpha=alpha,
                    beta=options["beta"],
                )
            case "Concat":
                constant(f"{layer.name}/concat_dim", np.int32(3))
                made = node(layer.name, "Concat", f"{layer.name}/concat_dim", *inputs)
            case "InnerProduct":
                kernel, bias = (np.asarray(blob, np.float32) for blob in layer.weights)
                constant(f"{layer.name}_w", kernel.T)
                constant(f"{layer.name}_b", bias)
                constant("avgpool0/reshape/shape", np.array([-1, len(kernel.T)], np.int32))
                node("avgpool0/reshape", "Reshape", *inputs, "avgpool0/reshape/shape")
                name = f"{layer.name}_pre_activation"
                node(f"{name}/matmul", "MatMul", "avgpool0/reshape", f"{layer.name}_w")
                made = node(name, "BiasAdd", f"{name}/matmul", f"{layer.name}_b")
            case "Softmax":
                made = node("softmax2", "Softmax", *inputs)
                node("output2", "Identity", made)
            case _:
                continue
        for top in layer.tops:
            tops[top] = made
    return graph_def.SerializeToString()
