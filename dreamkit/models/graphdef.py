"""Frozen TensorFlow 1 graphs of convolutional networks, read as data: no code in them ever runs.

Only operations on an allow-list are read, never a function library. Every number is checked before its use.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dreamkit.errors import ModelError, first_line, shown
from dreamkit.models.architecture import INPUT, Operation

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 28
_MOST_NODES = 2_000
_MOST_NUMBERS = 1 << 25  # in all constants that are read
_MOST_CHANNELS = 1 << 16
_ALLOWED = {
    *("Const", "Placeholder", "Identity", "Conv2D", "BiasAdd", "MatMul", "Relu", "LRN", "MaxPool", "AvgPool"),
    *("Concat", "Reshape", "Softmax"),
}
_PADDINGS = {b"SAME": "same", b"VALID": "valid"}


def read(data: bytes, source: str) -> tuple[list[Operation], dict[str, NDArray[Any]]]:
    """The operations of a GraphDef and the arrays of its convolutions, as `architecture.model` takes them.

    A convolution has the name of the operation that adds its bias. A matrix product behind an average pool
    becomes a 1 x 1 convolution of the pool's input: its mean over all places is the same number, and it takes
    pictures of any size. Operations behind another reshaping, or a softmax, are left out.

    Args:
        data: the contents of the file.
        source: its name in messages.

    Raises:
        ModelError: it is damaged, is not such a graph, or has an operation that is not on the allow-list.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2  # as tf.compat.v1.GraphDef, without all of TensorFlow

    if len(data) > _MOST_BYTES:
        raise ModelError(f"{source} is too large for a graph: {len(data)} bytes")
    try:
        graph = graph_pb2.GraphDef.FromString(data)
    except DecodeError as error:
        raise ModelError(f"{source} is damaged or not a TensorFlow graph") from error
    if graph.library.function or graph.library.gradient:
        raise ModelError(f"{source} contains functions; dreamkit reads graphs without them")
    if len(graph.node) > _MOST_NODES:
        raise ModelError(f"{source} holds {len(graph.node)} operations; at most {_MOST_NODES} are read")
    try:
        return _Reader(graph.node).read()
    except (IndexError, ValueError, TypeError) as error:
        raise ModelError(
            f"{source} is damaged or of a kind dreamkit does not read ({first_line(error)[:120]})"
        ) from error


class _Reader:
    """Reads nodes in the order of the file, which is from the picture inwards in a frozen graph."""

    def __init__(self, nodes: Iterable[Any]) -> None:
        self._nodes: dict[str, Any] = {}
        for node in nodes:
            if node.name in self._nodes:
                raise ValueError(f"two operations have the name {shown(node.name)}")
            self._nodes[node.name] = node
        self._numbers = 0
        self._known: dict[str, str] = {}  # node -> its operation
        self._channels: dict[str, int] = {INPUT: 3}
        # Convolutions that wait for their bias: node -> input, weights.
        self._pending: dict[str, tuple[str, str]] = {}
        self._flat: dict[str, str] = {}  # reshaped maps of one place: node -> input of the pool
        self._pooled: dict[str, str] = {}
        self._found: list[Operation] = []
        self._arrays: dict[str, NDArray[Any]] = {}

    def read(self) -> tuple[list[Operation], dict[str, NDArray[Any]]]:
        for node in self._nodes.values():
            if node.op not in _ALLOWED:
                raise ValueError(f"operation {shown(node.op)}")
            if node.op == "Placeholder":
                if INPUT in self._known.values():
                    raise ValueError("it has two inputs")
                self._known[node.name] = INPUT
        for node in self._nodes.values():
            getattr(self, f"_{node.op.lower()}", self._skip)(node)
        if not self._found:
            raise ValueError("it has no layers")
        return self._found, self._arrays

    def _skip(self, node: Any) -> None:
        """For constants, which other nodes read, and operations behind a head."""

    def _input(self, node: Any, index: int = 0) -> str | None:
        return self._known.get(_name(node.input[index]))

    def _constant(self, name: str, kind: str = "f") -> NDArray[Any]:
        """The numbers of a constant, of NumPy's `kind`: floats `f` or integers `i`."""
        import numpy as np
        from tensorflow.python.framework import tensor_util  # whose MakeNdarray is tf.make_ndarray

        node = self._nodes.get(_name(name))
        for _ in self._nodes:  # a circle of identities ends here
            if node is None or node.op != "Identity":
                break
            node = self._nodes.get(_name(node.input[0]))
        if node is None or node.op != "Const":
            raise ValueError(f"{shown(name)} is not a constant")
        tensor = node.attr["value"].tensor
        sides = [side.size for side in tensor.tensor_shape.dim]
        # A tensor may give one number for a shape that would fill the memory.
        self._numbers += math.prod(sides)
        if min(sides, default=1) < 1 or self._numbers > _MOST_NUMBERS:
            raise ValueError(f"{shown(node.name)} has the shape {shown(str(sides))}")
        array: NDArray[Any] = tensor_util.MakeNdarray(tensor)
        if array.dtype.kind != kind or not np.isfinite(array).all():
            raise ValueError(f"{shown(node.name)} holds something other than finite numbers")
        return array

    def _add(self, node: Any, kind: str, inputs: tuple[str, ...], channels: int, **options: Any) -> None:
        if node.name == INPUT or channels > _MOST_CHANNELS:
            raise ValueError(f"operation {shown(node.name)} with {channels} channels")
        self._found.append(Operation(node.name, kind, inputs, options))
        self._known[node.name] = node.name
        self._channels[node.name] = channels

    def _add_like_input(self, node: Any, kind: str, **options: Any) -> None:
        """Adds an operation with as many channels as its input."""
        before = self._input(node)
        if before is not None:
            self._add(node, kind, (before,), self._channels[before], **options)

    def _identity(self, node: Any) -> None:
        before = self._input(node)
        if before is not None:
            self._known[node.name] = before

    def _conv2d(self, node: Any) -> None:
        if self._input(node) is not None:
            self._pending[node.name] = str(self._input(node)), node.input[1]

    def _biasadd(self, node: Any) -> None:
        before = _name(node.input[0])
        if before not in self._pending:
            return
        given, weights = self._pending[before]
        multiplied = self._nodes[before]
        kernel, bias = self._constant(weights), self._constant(node.input[1])
        if multiplied.op == "MatMul":
            kernel, options = kernel[None, None], {"stride": 1, "padding": "same"}
        else:
            options = {"stride": _stride(multiplied), "padding": _padding(multiplied)}
        if kernel.ndim != 4 or kernel.shape[2] != self._channels[given] or bias.shape != kernel.shape[3:]:
            raise ValueError(f"{shown(node.name)} has weights of shape {kernel.shape}")
        self._arrays[f"{node.name}/kernel"], self._arrays[f"{node.name}/bias"] = kernel, bias
        self._add(node, "convolution", (given,), kernel.shape[3], **options)

    def _relu(self, node: Any) -> None:
        self._add_like_input(node, "relu")

    def _maxpool(self, node: Any) -> None:
        self._add_like_input(node, "max_pool", **_window(node))

    def _avgpool(self, node: Any) -> None:
        before = self._input(node)
        if before is not None:
            self._pooled[node.name] = before

    def _lrn(self, node: Any) -> None:
        numbers = {name: float(f"{node.attr[name].f:.6g}") for name in ("bias", "alpha", "beta")}
        radius = int(node.attr["depth_radius"].i)
        # With smaller numbers, a division by zero is possible.
        sound = all(0 <= number < 1e6 for number in numbers.values()) and numbers["bias"] > 0
        if not sound or not 0 <= radius <= _MOST_CHANNELS:
            raise ValueError(f"{shown(node.name)} normalises with {radius}, {numbers}")
        self._add_like_input(node, "response_normalisation", radius=radius, **numbers)

    def _concat(self, node: Any) -> None:
        if self._constant(node.input[0], "i").tolist() != 3:
            raise ValueError(f"{shown(node.name)} joins along another axis than the channels'")
        names = [self._known.get(_name(name)) for name in node.input[1:]]
        inputs = tuple(name for name in names if name is not None)
        if len(inputs) == len(names):
            self._add(node, "concatenate", inputs, sum(self._channels[name] for name in inputs))

    def _reshape(self, node: Any) -> None:
        pooled = self._pooled.get(_name(node.input[0]))
        if pooled is not None and self._constant(node.input[1], "i").tolist() == [-1, self._channels[pooled]]:
            self._flat[node.name] = pooled

    def _matmul(self, node: Any) -> None:
        before = self._flat.get(_name(node.input[0]))
        if before is not None and not node.attr["transpose_a"].b and not node.attr["transpose_b"].b:
            self._pending[node.name] = before, node.input[1]


def _name(text: str) -> str:
    """The node that an input names: `name`, `name:0`, or `^name` for a control dependency."""
    return text.lstrip("^").partition(":")[0]


def _padding(node: Any) -> str:
    padding = node.attr["padding"].s
    if padding not in _PADDINGS:
        raise ValueError(f"{shown(node.name)} has the padding {padding!r:.40}")
    return _PADDINGS[padding]


def _stride(node: Any) -> int:
    if node.attr["data_format"].s not in (b"", b"NHWC") or set(node.attr["dilations"].list.i) - {1}:
        raise ValueError(f"{shown(node.name)} has dilations or an order of axes that dreamkit does not read")
    one, down, right, last = node.attr["strides"].list.i
    if (one, last) != (1, 1) or down != right or not 1 <= down <= 64:
        raise ValueError(f"{shown(node.name)} has strides {one}, {down}, {right}, {last}")
    return int(down)


def _window(node: Any) -> dict[str, Any]:
    one, height, width, last = node.attr["ksize"].list.i
    if (one, last) != (1, 1) or height != width or not 1 <= height <= 64:
        raise ValueError(f"{shown(node.name)} has windows {one}, {height}, {width}, {last}")
    return {"size": int(height), "stride": _stride(node), "padding": _padding(node)}
