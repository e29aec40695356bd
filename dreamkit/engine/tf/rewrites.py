"""Rewrites of a network's graph: the same numbers, with faster gradients.

A rewrite replaces one node of a frozen graph by a function of a tensor. The last of the new nodes takes the
node's name, so the nodes that read it stay unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine.tf import graph

_FEW_CHANNELS = 4  # of a picture; TensorFlow is fast with more
_LEAST_SIDE = 5  # of a kernel; for a smaller one, rounding up to an even side costs what the rewrite saves
_MOST_BAND = 512  # channels; beyond, a matrix of all channels costs more than it saves
if TYPE_CHECKING:
    Rewrite = Callable[[tf.Tensor], tf.Tensor]


def rewrite_graph(graph_def: Any, *, keep_range: bool = False) -> Any:
    """The GraphDef with response normalisations and strided first convolutions replaced.

    Args:
        graph_def: frozen and folded, without calls of functions.
        keep_range: do not rewrite response normalisations, because TensorFlow will compute convolutions in
            16 bits, in which their sums of squares could overflow.
    """
    shapes = graph.shapes(graph_def)
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    result = tf.compat.v1.GraphDef(versions=graph_def.versions)
    for node in graph_def.node:
        rewrite = None
        if node.op == "LRN" and not keep_range:
            rewrite = _normalisation(node, shapes.get(node.name, ()))
        elif node.op == "Conv2D" and node.input[1] in constants:
            kernel = tf.make_ndarray(constants[node.input[1]].attr["value"].tensor)
            rewrite = _first_convolution(node, kernel)
        if rewrite is None:
            result.node.append(node)
        else:
            result.node.extend(replacement(node, rewrite, shapes[graph.source(node.input[0])]))
    return result


def response_normalisation(x: tf.Tensor, radius: int, bias: float, alpha: float, beta: float) -> tf.Tensor:
    """Local response normalisation, `x * (bias + alpha * sum of squares near) ** -beta`.

    The sums are a 1 x 1 convolution with a banded matrix: TensorFlow's gradient of LRN is a slow, plain loop.
    """
    places = np.arange(x.shape[-1])
    band = alpha * (np.abs(places[:, None] - places) <= radius)
    sums = tf.nn.conv2d(tf.square(x), tf.constant(band[None, None], x.dtype), 1, "VALID")
    return x * _power(tf.nn.bias_add(sums, tf.fill([x.shape[-1]], bias)), beta)


def _power(x: tf.Tensor, beta: float) -> tf.Tensor:
    """`x ** -beta`; the usual exponents by square roots, because `tf.pow` and its gradient are slow."""
    root = tf.math.rsqrt(x)
    if beta == 0.5:
        return root
    if beta == 0.75:
        return root * tf.sqrt(root)
    return tf.exp(-beta * tf.math.log(x))


def convolution_over_blocks(
    x: tf.Tensor, kernel: NDArray[np.float32], padding: str | Sequence[int] = "SAME"
) -> tf.Tensor:
    """A convolution of stride 2 as one of stride 1 over blocks of 2 x 2 pixels.

    TensorFlow's gradient of a convolution with few input channels and a stride is slow; this one has four
    times the channels, half the sides and no stride.

    A kernel with an even side must not leave a last row or column unread: padding cannot remove it.

    Args:
        x: of any size.
        kernel: `(height, width, in, out)`.
        padding: `SAME`, `VALID`, or top, bottom, left and right.
    """
    taps = np.asarray(kernel.shape[:2])
    blocks = (taps + 1) // 2
    widths = []
    for axis in (0, 1):
        size, tap, block = tf.shape(x)[1 + axis], int(taps[axis]), int(blocks[axis])
        if padding == "SAME":
            # TensorFlow's padding depends on whether the size is even.
            odd = tf.math.floormod(size, 2)
            count, before = (size + odd) // 2, (tap - 2 + odd) // 2
        else:
            before, after = (0, 0) if isinstance(padding, str) else padding[2 * axis : 2 * axis + 2]
            count = (size + before + after - tap) // 2 + 1
        widths.append([before, 2 * (count + block - 1) - size - before])
    padded = tf.pad(x, tf.stack([[0, 0], *map(tf.stack, widths), [0, 0]]))
    return tf.nn.conv2d(tf.nn.space_to_depth(padded, 2), tf.constant(kernel_of_blocks(kernel)), 1, "VALID")


def kernel_of_blocks(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel over blocks of 2 x 2 pixels that stands for `kernel` with a stride of 2."""
    taps = np.asarray(kernel.shape[:2])
    blocks = (taps + 1) // 2
    kernel = np.pad(
        kernel, [*((0, 2 * block - tap) for block, tap in zip(blocks, taps, strict=True)), (0, 0), (0, 0)]
    )
    parts = kernel.reshape(blocks[0], 2, blocks[1], 2, *kernel.shape[2:]).transpose(0, 2, 1, 3, 4, 5)
    blocked: NDArray[np.float32] = parts.reshape(*blocks, -1, kernel.shape[3])
    return blocked


def _normalisation(node: Any, shape: Sequence[int | None]) -> Rewrite | None:
    channels = shape[3] if len(shape) == 4 else None
    if channels is None or channels > _MOST_BAND or node.attr["bias"].f <= 0:
        return None
    options = {name: float(f"{node.attr[name].f:.6g}") for name in ("bias", "alpha", "beta")}
    return lambda x: response_normalisation(x, node.attr["depth_radius"].i, **options)


def _first_convolution(node: Any, kernel: NDArray[Any]) -> Rewrite | None:
    attributes = node.attr
    plain = (
        kernel.dtype == np.float32
        and kernel.shape[2] <= _FEW_CHANNELS
        and min(kernel.shape[:2]) >= _LEAST_SIDE
        and list(attributes["strides"].list.i) == [1, 2, 2, 1]
        and not set(attributes["dilations"].list.i) - {1}
        and attributes["data_format"].s in (b"", b"NHWC")
    )
    if not plain:
        return None
    padding: str | list[int] = attributes["padding"].s.decode()
    if padding == "EXPLICIT":
        padding = list(attributes["explicit_paddings"].list.i)[2:6]
    behind = (padding[1], padding[3]) if isinstance(padding, list) else (padding == "SAME",) * 2
    if not all(size % 2 or after for size, after in zip(kernel.shape[:2], behind, strict=True)):
        return None  # see `convolution_over_blocks`
    return lambda x: convolution_over_blocks(x, kernel, padding)


def replacement(node: Any, rewrite: Rewrite, shape: Sequence[int | None]) -> list[Any]:
    """The nodes that compute `rewrite` of the first input of `node`. The last one has the node's name."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, shape, name="x")
        # Without further nodes, because TensorFlow fuses a convolution with a bias directly behind it.
        names = {"x": node.input[0], rewrite(x).op.name: node.name}
    nodes = [each for each in graph.as_graph_def().node if each.name != "x"]
    for each in nodes:
        each.input[:] = [_renamed(name, node.name, names) for name in each.input]
        each.name = names.get(each.name, f"{node.name}/rewritten/{each.name}")
    return nodes


def _renamed(name: str, scope: str, names: dict[str, str]) -> str:
    own, colon, output = name.partition(":")
    return names.get(own, f"{scope}/rewritten/{own}") + colon + output
