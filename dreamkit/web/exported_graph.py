"""A network as a list of operations on plain arrays, for runtimes other than TensorFlow.

Each operation computes one activation, `(n, height, width, channels)`, from earlier ones. Activation 0 is the
picture, and operation `i` computes activation `i + 1`. A TensorFlow operation that the list cannot express is
an error that names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine.tf import graph
from dreamkit.engine.tf.graph import shapes, source
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ModelError
from dreamkit.web.graph_nodes import per_channel, sides, spans_channels, unsupported, window_attributes

_CHANNEL_AXIS = 3
_MOST_NEGATIVE = float(np.finfo(np.float32).min)  # JSON has no infinity
_PASS_THROUGH = frozenset(("Identity", "StopGradient", "PreventGradient", "CheckNumerics"))
_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
# Only their first input is an activation; the others may be computed from the size of the picture.
_SINGLE_INPUT = frozenset(
    ("Reshape", "Mean", "Pad", "PadV2", "MirrorPad", "SpaceToBatchND", "BatchToSpaceND")
)
_FUSED = ("relu", "relu6")  # activations that a convolution can end with


@dataclass
class Operation:
    """One activation.

    Attributes:
        kind: its name.
        inputs: indices of the activations that it reads.
        attributes: strides and other plain values.
        constants: kernels, biases and other float32 arrays, by name.
    """

    kind: str
    inputs: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportedGraph:
    """The operations of a network in order, and the index of each layer's activation."""

    operations: list[Operation]
    layers: dict[str, int]


def export(network: Network, layers: Sequence[str]) -> ExportedGraph:
    """Exports the part of `network` that computes `layers`.

    Raises:
        LayerError: there is no such layer.
        ModelError: it has an operation that cannot be exported.
    """
    forward = graph.frozen(network.cut(layers))
    graph_def = graph.folded_graph(forward)
    outputs = {layer: tensor.name for layer, tensor in zip(layers, forward.outputs, strict=True)}
    try:
        return read(graph_def, forward.inputs[0].name, outputs)
    except ModelError as error:
        raise ModelError(
            f"{network.provider.name} cannot be exported: {error}; export earlier layers"
        ) from error


def read(graph_def: Any, pixels: str, outputs: Mapping[str, str]) -> ExportedGraph:
    """The operations of a frozen graph.

    Args:
        graph_def: a GraphDef without functions.
        pixels: the name of its input.
        outputs: names of its output tensors, by layer.

    Raises:
        ModelError: it has an operation that cannot be exported.
    """
    if graph_def.library.function:
        raise ModelError("a graph with functions, such as grouped convolutions, is not supported")
    reader = _Reader(graph_def, source(pixels), [source(name) for name in outputs.values()])
    layers = {layer: reader.activation(name) for layer, name in outputs.items()}
    return ExportedGraph(reader.operations, layers)


class _Reader:
    """Reads the nodes that outputs need, inputs first."""

    def __init__(self, graph_def: Any, pixels: str, outputs: Sequence[str]) -> None:
        self._nodes = {node.name: node for node in graph_def.node}
        self._shapes = shapes(graph_def)
        self._users = Counter(
            self._origin(name)
            for node in graph_def.node
            if node.op not in _PASS_THROUGH or node.name in outputs
            for name in node.input
        )
        self._activations = {pixels: 0}
        self._constants: dict[str, NDArray[Any]] = {}
        self.operations: list[Operation] = []

    def activation(self, name: str) -> int:
        """The index of a tensor's activation; operations are read as far as it needs them."""
        pending = [self._origin(name)]
        while pending:
            key = pending[-1]
            if key in self._activations:
                pending.pop()
                continue
            missing = [each for each in self._sources(key) if each not in self._activations]
            if missing:
                pending.extend(missing)
                continue
            node = self._nodes[source(key)]
            self._activations[key] = self._read(node, int(key.partition(":")[2] or 0))
            pending.pop()
        return self._activations[self._origin(name)]

    def _origin(self, name: str) -> str:
        """The name of the tensor that `name` passes through unchanged."""
        name = name.removesuffix(":0")
        while (node := self._nodes[source(name)]).op in _PASS_THROUGH or (
            node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type
        ):
            name = node.input[0].removesuffix(":0")
        return name

    def _sources(self, key: str) -> list[str]:
        """The activations that a node reads."""
        node = self._nodes[source(key)]
        inputs = node.input[:1] if node.op in _SINGLE_INPUT else node.input
        origins = [self._origin(name) for name in inputs if not name.startswith("^")]
        return [each for each in origins if self._nodes[source(each)].op != "Const"]

    def _constant(self, name: str) -> NDArray[Any] | None:
        key = self._origin(name)
        node = self._nodes[source(key)]
        if node.op != "Const":
            return None
        if key not in self._constants:
            self._constants[key] = tf.make_ndarray(node.attr["value"].tensor)
        return self._constants[key]

    def _required_constant(self, node: Any, index: int) -> NDArray[Any]:
        """The constant that is input `index` of a node."""
        constant = self._constant(node.input[index])
        if constant is None:
            raise unsupported(node, "with values that depend on the picture")
        return constant

    def _read(self, node: Any, output: int) -> int:
        """Adds the operation of a node; returns the index of its activation."""
        if node.op in _ACTIVATIONS:
            return self._activation(node)
        read_node: Callable[[Any], int] | None = {
            "Conv2D": self._convolution,
            "DepthwiseConv2dNative": self._depthwise,
            "BiasAdd": self._sum,
            "Add": self._sum,
            "AddV2": self._sum,
            "AddN": self._sum,
            "Sub": self._difference,
            "Mul": self._product,
            "RealDiv": self._quotient,
            "ConcatV2": self._concat,
            "MaxPool": self._pool,
            "AvgPool": self._pool,
            "Pad": self._pad,
            "PadV2": self._pad,
            "Mean": self._mean,
            "Reshape": self._reshape,
            "LRN": self._lrn,
            "FusedBatchNormV3": self._batch_norm,
            "StridedSlice": self._slice,
        }.get(node.op)
        if read_node is not None:
            return read_node(node)
        if node.op in ("Split", "SplitV"):
            return self._split(node, output)
        raise unsupported(node)

    def _add(
        self,
        kind: str,
        inputs: Iterable[str],
        attributes: Mapping[str, Any] | None = None,
        **constants: NDArray[Any],
    ) -> int:
        """Adds an operation; returns the index of its activation."""
        indices = tuple(self._activations[self._origin(name)] for name in inputs)
        arrays = {name: np.asarray(each, np.float32) for name, each in constants.items()}
        self.operations.append(Operation(kind, indices, dict(attributes or {}), arrays))
        return len(self.operations)

    def _open_convolution(self, name: str, part: str) -> Operation | None:
        """The convolution that computes a tensor, where `part` can still be fused into it: nothing else reads
        it, and it has neither an activation nor that part."""
        key = self._origin(name)
        index = self._activations[key]
        if self._users[key] != 1 or not index:
            return None
        operation = self.operations[index - 1]
        is_open = (
            operation.kind in ("conv2d", "depthwise_conv2d")
            and "activation" not in operation.attributes
            and part not in operation.constants
        )
        return operation if is_open else None

    def _activation(self, node: Any) -> int:
        kind = _ACTIVATIONS[node.op]
        convolution = self._open_convolution(node.input[0], "activation") if kind in _FUSED else None
        if convolution is not None:
            convolution.attributes["activation"] = kind
            return self._activations[self._origin(node.input[0])]
        attributes = {"slope": node.attr["alpha"].f} if kind == "leaky_relu" else {}
        return self._add(kind, node.input[:1], attributes)

    def _convolution(self, node: Any) -> int:
        kernel = self._required_constant(node, 1)
        dilations = sides(node, "dilations")
        if dilations != [1, 1] and sides(node, "strides") != [1, 1]:
            raise unsupported(node, "with both strides and dilations")
        channels = self._channels(node.input[0])
        if channels is not None and channels != kernel.shape[2]:
            raise unsupported(node, "in groups")
        return self._add(
            "conv2d", node.input[:1], {**window_attributes(node), "dilations": dilations}, kernel=kernel
        )

    def _depthwise(self, node: Any) -> int:
        kernel = self._required_constant(node, 1)
        if kernel.shape[3] != 1:
            raise unsupported(node, f"with {kernel.shape[3]} kernels for each channel")
        if sides(node, "dilations") != [1, 1]:
            raise unsupported(node, "with dilations")
        return self._add("depthwise_conv2d", node.input[:1], window_attributes(node), kernel=kernel)

    def _sum(self, node: Any) -> int:
        constants = [each for each in map(self._constant, node.input) if each is not None]
        others = [name for name in node.input if self._constant(name) is None]
        if not constants:
            return self._add("add", others)
        if len(others) != 1 or len(constants) != 1:
            raise unsupported(node, "of several constants")
        bias = per_channel(node, constants[0])
        convolution = self._open_convolution(others[0], "bias")
        if convolution is not None:
            kernel = convolution.constants["kernel"]
            channels = kernel.shape[2 if convolution.kind == "depthwise_conv2d" else 3]
            if bias.size in (1, channels):
                convolution.constants["bias"] = np.broadcast_to(bias.astype(np.float32), (channels,))
                return self._activations[self._origin(others[0])]
        return self._add("add", others, addend=bias)

    def _difference(self, node: Any) -> int:
        constant = self._constant(node.input[1])
        if constant is not None:
            return self._add("add", node.input[:1], addend=per_channel(node, -constant))
        if self._constant(node.input[0]) is not None:
            raise unsupported(node, "from a constant")
        return self._add("subtract", node.input[:2])

    def _product(self, node: Any) -> int:
        constants = [each for each in map(self._constant, node.input) if each is not None]
        others = [name for name in node.input if self._constant(name) is None]
        if constants:
            return self._add("multiply", others, factor=per_channel(node, constants[0]))
        return self._add("multiply", others)

    def _quotient(self, node: Any) -> int:
        divisor = self._required_constant(node, 1).astype(np.float64)
        return self._add("multiply", node.input[:1], factor=per_channel(node, 1 / divisor))

    def _concat(self, node: Any) -> int:
        if int(self._required_constant(node, -1)) not in (_CHANNEL_AXIS, -1):
            raise unsupported(node, "along an axis other than channels")
        if any(self._constant(name) is not None for name in node.input[:-1]):
            raise unsupported(node, "with a constant")
        return self._add("concat", node.input[:-1])

    def _pool(self, node: Any) -> int:
        if spans_channels(node, "ksize"):
            raise unsupported(node, "over channels")
        kind = "max_pool" if node.op == "MaxPool" else "avg_pool"
        return self._add(kind, node.input[:1], {**window_attributes(node), "window": sides(node, "ksize")})

    def _pad(self, node: Any) -> int:
        widths = self._required_constant(node, 1).tolist()
        if widths[0] != [0, 0] or widths[3] != [0, 0]:
            raise unsupported(node, "of channels")
        value = float(self._required_constant(node, 2)) if node.op == "PadV2" else 0.0
        return self._add(
            "pad", node.input[:1], {"padding": widths[1] + widths[2], "value": max(value, _MOST_NEGATIVE)}
        )

    def _mean(self, node: Any) -> int:
        if sorted(self._required_constant(node, 1).reshape(-1).tolist()) != [1, 2]:
            raise unsupported(node, "over axes other than height and width")
        return self._add("mean", node.input[:1])

    def _reshape(self, node: Any) -> int:
        """Supports only the reshape that restores a mean's axes of length one; here a mean keeps them."""
        key = self._origin(node.input[0])
        index = self._activations[key]
        channels = self._channels(key)
        shape = self._shapes.get(node.name, [])
        is_mean = index and self.operations[index - 1].kind == "mean" and channels
        if not is_mean or shape[1:] != [1, 1, channels]:
            raise unsupported(node)
        return index

    def _lrn(self, node: Any) -> int:
        attributes = {name: node.attr[name].f for name in ("bias", "alpha", "beta")}
        return self._add("lrn", node.input[:1], {"radius": node.attr["depth_radius"].i, **attributes})

    def _batch_norm(self, node: Any) -> int:
        if node.attr["is_training"].b:
            raise unsupported(node, "in training mode")
        scale, offset, mean, variance = (
            self._required_constant(node, index).astype(np.float64) for index in range(1, 5)
        )
        factor = scale / np.sqrt(variance + node.attr["epsilon"].f)
        index = self._add("multiply", node.input[:1], factor=factor)
        self.operations.append(
            Operation("add", (index,), {}, {"addend": np.asarray(offset - mean * factor, np.float32)})
        )
        return len(self.operations)

    def _slice(self, node: Any) -> int:
        """Supports only slices of channels that keep all of the other axes."""
        begin, end, strides = (self._required_constant(node, index).tolist() for index in (1, 2, 3))
        masks = {
            name: node.attr[f"{name}_mask"].i
            for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        }
        rank = len(begin)
        channels = self._channels(node.input[0])
        whole = all(
            masks["ellipsis"] >> axis & 1
            or (masks["begin"] >> axis & 1 and masks["end"] >> axis & 1 and strides[axis] == 1)
            for axis in range(rank - 1)
        )
        has_channels = rank == 4 or masks["ellipsis"]
        if masks["new_axis"] or masks["shrink_axis"] or not whole or not has_channels or channels is None:
            raise unsupported(node, "along an axis other than channels")
        last = rank - 1
        selected = slice(
            None if masks["begin"] >> last & 1 else begin[last],
            None if masks["end"] >> last & 1 else end[last],
            strides[last],
        )
        return self._select(node, list(range(channels))[selected], channels)

    def _split(self, node: Any, output: int) -> int:
        axis, data = (0, 1) if node.op == "Split" else (2, 0)
        channels = self._channels(node.input[data])
        if int(self._required_constant(node, axis)) not in (_CHANNEL_AXIS, -1) or channels is None:
            raise unsupported(node, "along an axis other than channels")
        if node.op == "Split":
            sizes = [channels // node.attr["num_split"].i] * node.attr["num_split"].i
        else:
            sizes = self._required_constant(node, 1).tolist()
        start = sum(sizes[:output])
        return self._select(node, list(range(start, start + sizes[output])), channels, data)

    def _select(self, node: Any, selected: list[int], channels: int, data: int = 0) -> int:
        """Adds the operation that keeps the channels `selected`, in their order."""
        inputs = [node.input[data]]
        if selected == list(range(channels))[::-1]:
            return self._add("reverse_channels", inputs)
        if selected == list(range(selected[0], selected[-1] + 1)):
            return self._add(
                "slice_channels", inputs, {"begin": selected[0], "count": len(selected), "of": channels}
            )
        raise unsupported(node, "of channels that are not consecutive")

    def _channels(self, name: str) -> int | None:
        key = self._origin(name)
        shape = self._shapes.get(source(key)) if ":" not in key else None
        return None if not shape else shape[-1]
