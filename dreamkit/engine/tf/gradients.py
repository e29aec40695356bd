"""Gradients of a network that differ from the true ones: of ReLUs that are silent, and of max pooling.

Both are set on the nodes of a frozen GraphDef, before the step differentiates it. What the network computes
stays the same, except with average pooling.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dreamkit.engine.tf import graph, rewrites
from dreamkit.errors import ConfigError

REDIRECTED, SMOOTH = "DreamkitRedirectedRelu", "DreamkitSmoothMaxPool"
_MOST = {"Relu": np.inf, "Relu6": 6.0}  # the ReLUs, and the value above which each is flat
_EPSILON = 1e-2  # of a mean activation; Lucid's
_PADDING = np.finfo(np.float32).min / 2  # what is below pads a map before its maximum


class Gradients(NamedTuple):
    """Which gradients a step has.

    Attributes:
        redirected_relu: whether silent ReLUs pass on what would raise them.
        pooling: as `DreamConfig.pooling`.
    """

    redirected_relu: bool = False
    pooling: str = "max"


TRUE = Gradients()


def with_gradients(graph_def: Any, gradients: Gradients, where: str) -> Any:
    """The GraphDef with these gradients; a copy, unless they are the true ones.

    Args:
        graph_def: frozen and folded, without calls of functions.
        gradients: which ones.
        where: the network and its layers, for messages.

    Raises:
        ConfigError: it has no node whose gradient would change.
    """
    if gradients == TRUE:
        return graph_def
    _register()
    result = tf.compat.v1.GraphDef()
    result.CopyFrom(graph_def)
    relus = [node for node in result.node if node.op in _MOST]
    pools = [node for node in result.node if node.op == "MaxPool" and _is_plain(node)]
    if gradients.redirected_relu:
        if not relus:
            raise ConfigError(f"{where} has no ReLU, so redirected_relu has no effect; set it to 0")
        for node in relus:
            node.attr["_gradient_op_type"].s = REDIRECTED.encode()
    if gradients.pooling != "max":
        if not pools:
            raise ConfigError(
                f"{where} has no max pooling, so pooling {gradients.pooling} has no effect; set it to max"
            )
        if gradients.pooling == "average":
            return _averaged(result, pools)
        for node in pools:
            node.attr["_gradient_op_type"].s = SMOOTH.encode()
    return result


@cache
def _register() -> None:
    """Tells TensorFlow the gradients' names, once in a process. A kept step does not need them."""
    tf.RegisterGradient(REDIRECTED)(redirected_relu)
    tf.RegisterGradient(SMOOTH)(smooth_max_pool)


def redirected_relu(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """The gradient of a ReLU, or, for each window in which it would let nothing through, what would bring
    the units back to where they have a slope: up from below, and for ReLU6 down from above."""
    x, most = operation.inputs[0], _MOST[operation.type]
    none = tf.zeros_like(gradient)
    true = tf.where((x > 0) & (x < most), gradient, none)
    back = ((x <= 0) & (gradient > 0)) | ((x >= most) & (gradient < 0))
    axes = tf.range(1, tf.rank(x))
    silent = tf.reduce_all(tf.equal(true, 0), axes, keepdims=True)
    return tf.where(silent & back, gradient, true)


def smooth_max_pool(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """The gradient of the mean of all activations under the pooling, weighted by their own sizes, in place of
    their maximum's: so not one activation alone gets it, but all that are strong."""
    x = tf.where(operation.inputs[0] > _PADDING, operation.inputs[0], 0.0)
    window = [operation.get_attr(name) for name in ("ksize", "strides", "padding")]
    squares = tf.nn.avg_pool2d(tf.square(x), *window)
    sizes = tf.nn.avg_pool2d(tf.abs(x), *window) + _EPSILON
    (smooth,) = tf.gradients(squares / sizes, operation.inputs[0], gradient)
    return smooth


def _averaged(graph_def: Any, pools: list[Any]) -> Any:
    """The GraphDef with means in place of the maxima of `pools`, without what only pads the map."""
    shapes = graph.shapes(graph_def)
    names = {node.name for node in pools}
    result = tf.compat.v1.GraphDef(versions=graph_def.versions)
    for node in graph_def.node:
        if node.name not in names:
            result.node.append(node)
            continue
        sizes = [list(node.attr[name].list.i) for name in ("ksize", "strides")]
        window = *sizes, node.attr["padding"].s.decode()

        def average(x: tf.Tensor, window: tuple[Any, ...] = window) -> tf.Tensor:
            inside = x > _PADDING
            share = tf.nn.avg_pool2d(tf.cast(inside[..., :1], x.dtype), *window)
            return tf.nn.avg_pool2d(tf.where(inside, x, 0.0), *window) / share

        result.node.extend(rewrites.replacement(node, average, shapes[graph.source(node.input[0])]))
    return result


def _is_plain(node: Any) -> bool:
    return node.attr["data_format"].s in (b"", b"NHWC") and node.attr["padding"].s in (b"SAME", b"VALID")
