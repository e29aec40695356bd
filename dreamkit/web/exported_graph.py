"""A network as a list of operations on plain numbers, for runtimes that are not TensorFlow's.

Each operation makes one activation, `(n, height, width, channels)`, of those before it; activation 0 is the
picture, and operation `i` makes activation `i + 1`. What a network does that the list has no
operation for is an error that names it.
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
from dreamkit.errors import ModelError, shown

_CHANNELS = 3  # the axis
_LEAST = float(np.finfo(np.float32).min)  # JSON has no infinity
_PASSED_ON = frozenset(("Identity", "StopGradient", "PreventGradient", "CheckNumerics"))
_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
# Their other inputs are numbers, which may be computed from the picture's size.
_OF_ONE = frozenset(("Reshape", "Mean", "Pad", "PadV2", "MirrorPad", "SpaceToBatchND", "BatchToSpaceND"))
_FUSED = ("relu", "relu6")  # that a convolution can end in


@dataclass
class Operation:
    """One activation.

    Attributes:
        kind: what is done.
        inputs: the activations that it is done to.
        attributes: strides and the like, plain values.
        constants: kernels, biases and other numbers, float32, by what they are.
    """

    kind: str
    inputs: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportedGraph:
    """A network's operations in order, and which activation each of its layers is."""

    operations: list[Operation]
    layers: dict[str, int]


def export(network: Network, layers: Sequence[str]) -> ExportedGraph:
    """`network` as far as `layers`, as a list of operations.

    Raises:
        LayerError: there is no such layer.
        ModelError: it does something that the list has no operation for.
    """
    forward = graph.frozen(network.cut(layers))
    graph_def = graph.folded_graph(forward)
    outputs = {layer: tensor.name for layer, tensor in zip(layers, forward.outputs, strict=True)}
    try:
        return read(graph_def, forward.inputs[0].name, outputs)
    except ModelError as error:
        raise ModelError(
            f"{network.provider.name} cannot be exported: {error}; layers before that may be"
        ) from error


def read(graph_def: Any, pixels: str, outputs: Mapping[str, str]) -> ExportedGraph:
    """The operations of a frozen graph.

    Args:
        graph_def: without functions.
        pixels: the name of its input.
        outputs: layers' names, and the names of the graph's tensors for them.

    Raises:
        ModelError: it does something that the list has no operation for.
    """
    if graph_def.library.function:
        raise ModelError("this network holds functions of its own, such as grouped convolutions")
    reader = _Reader(graph_def, source(pixels), [source(name) for name in outputs.values()])
    layers = {layer: reader.number(name) for layer, name in outputs.items()}
    return ExportedGraph(reader.operations, layers)


class _Reader:
    """Reads nodes as they are asked for, inputs first."""

    def __init__(self, graph_def: Any, pixels: str, outputs: Sequence[str]) -> None:
        self._nodes = {node.name: node for node in graph_def.node}
        self._shapes = shapes(graph_def)
        self._users = Counter(
            self._origin(name)
            for node in graph_def.node
            if node.op not in _PASSED_ON or node.name in outputs
            for name in node.input
        )
        self._numbers = {pixels: 0}
        self._constants: dict[str, NDArray[Any]] = {}
        self.operations: list[Operation] = []

    def number(self, name: str) -> int:
        """The activation that a tensor is."""
        waiting = [self._origin(name)]
        while waiting:
            key = waiting[-1]
            if key in self._numbers:
                waiting.pop()
                continue
            before = [each for each in self._sources(key) if each not in self._numbers]
            if before:
                waiting.extend(before)
                continue
            node = self._nodes[source(key)]
            self._numbers[key] = self._read(node, int(key.partition(":")[2] or 0))
            waiting.pop()
        return self._numbers[self._origin(name)]

    def _origin(self, name: str) -> str:
        """A tensor's own name, past any nodes that pass on what they are given."""
        name = name.removesuffix(":0")
        while (node := self._nodes[source(name)]).op in _PASSED_ON or (
            node.op == "Cast" and node.attr["SrcT"].type == node.attr["DstT"].type
        ):
            name = node.input[0].removesuffix(":0")
        return name

    def _sources(self, key: str) -> list[str]:
        """The activations that a node reads."""
        node = self._nodes[source(key)]
        among = node.input[:1] if node.op in _OF_ONE else node.input
        origins = [self._origin(name) for name in among if not name.startswith("^")]
        return [each for each in origins if self._nodes[source(each)].op != "Const"]

    def _constant(self, name: str) -> NDArray[Any] | None:
        key = self._origin(name)
        node = self._nodes[source(key)]
        if node.op != "Const":
            return None
        if key not in self._constants:
            self._constants[key] = tf.make_ndarray(node.attr["value"].tensor)
        return self._constants[key]

    def _known(self, node: Any, index: int) -> NDArray[Any]:
        found = self._constant(node.input[index])
        if found is None:
            raise _unsaid(node, "with numbers that depend on the picture")
        return found

    def _read(self, node: Any, output: int) -> int:
        if node.op in _ACTIVATIONS:
            return self._activation(node)
        reading: Callable[[Any], int] | None = {
            "Conv2D": self._convolution,
            "DepthwiseConv2dNative": self._depthwise,
            "BiasAdd": self._sum,
            "Add": self._sum,
            "AddV2": self._sum,
            "AddN": self._sum,
            "Sub": self._difference,
            "Mul": self._product,
            "RealDiv": self._quotient,
            "ConcatV2": self._joined,
            "MaxPool": self._pooled,
            "AvgPool": self._pooled,
            "Pad": self._padded,
            "PadV2": self._padded,
            "Mean": self._mean,
            "Reshape": self._reshaped,
            "LRN": self._lrn,
            "FusedBatchNormV3": self._normalised,
            "StridedSlice": self._sliced,
        }.get(node.op)
        if reading is not None:
            return reading(node)
        if node.op in ("Split", "SplitV"):
            return self._split(node, output)
        raise _unsaid(node)

    def _add(
        self,
        kind: str,
        inputs: Iterable[str],
        attributes: Mapping[str, Any] | None = None,
        **constants: NDArray[Any],
    ) -> int:
        numbers = tuple(self._numbers[self._origin(name)] for name in inputs)
        kept = {what: np.asarray(each, np.float32) for what, each in constants.items()}
        self.operations.append(Operation(kind, numbers, dict(attributes or {}), kept))
        return len(self.operations)

    def _open_convolution(self, name: str, closing: str) -> Operation | None:
        """The convolution that a tensor is, where nothing else reads it and it lacks `closing` still."""
        key = self._origin(name)
        number = self._numbers[key]
        if self._users[key] != 1 or not number:
            return None
        operation = self.operations[number - 1]
        is_open = (
            operation.kind in ("conv2d", "depthwise_conv2d")
            and "activation" not in operation.attributes
            and closing not in operation.constants
        )
        return operation if is_open else None

    def _activation(self, node: Any) -> int:
        kind = _ACTIVATIONS[node.op]
        convolution = self._open_convolution(node.input[0], "activation") if kind in _FUSED else None
        if convolution is not None:
            convolution.attributes["activation"] = kind
            return self._numbers[self._origin(node.input[0])]
        attributes = {"slope": node.attr["alpha"].f} if kind == "leaky_relu" else {}
        return self._add(kind, node.input[:1], attributes)

    def _convolution(self, node: Any) -> int:
        kernel = self._known(node, 1)
        dilations = _sides(node, "dilations")
        if dilations != [1, 1] and _sides(node, "strides") != [1, 1]:
            raise _unsaid(node, "with strides and dilations at once")
        channels = self._channels(node.input[0])
        if channels is not None and channels != kernel.shape[2]:
            raise _unsaid(node, "in groups")
        return self._add("conv2d", node.input[:1], {**_windowed(node), "dilations": dilations}, kernel=kernel)

    def _depthwise(self, node: Any) -> int:
        kernel = self._known(node, 1)
        if kernel.shape[3] != 1:
            raise _unsaid(node, f"with {kernel.shape[3]} kernels for each channel")
        if _sides(node, "dilations") != [1, 1]:
            raise _unsaid(node, "with dilations")
        return self._add("depthwise_conv2d", node.input[:1], _windowed(node), kernel=kernel)

    def _sum(self, node: Any) -> int:
        known = [each for each in map(self._constant, node.input) if each is not None]
        others = [name for name in node.input if self._constant(name) is None]
        if not known:
            return self._add("add", others)
        if len(others) != 1 or len(known) != 1:
            raise _unsaid(node, "of several constants")
        bias = _per_channel(node, known[0])
        convolution = self._open_convolution(others[0], "bias")
        if convolution is not None:
            kernel = convolution.constants["kernel"]
            channels = kernel.shape[2 if convolution.kind == "depthwise_conv2d" else 3]
            if bias.size in (1, channels):
                convolution.constants["bias"] = np.broadcast_to(bias.astype(np.float32), (channels,))
                return self._numbers[self._origin(others[0])]
        return self._add("add", others, addend=bias)

    def _difference(self, node: Any) -> int:
        known = self._constant(node.input[1])
        if known is not None:
            return self._add("add", node.input[:1], addend=_per_channel(node, -known))
        if self._constant(node.input[0]) is not None:
            raise _unsaid(node, "from a constant")
        return self._add("subtract", node.input[:2])

    def _product(self, node: Any) -> int:
        known = [each for each in map(self._constant, node.input) if each is not None]
        others = [name for name in node.input if self._constant(name) is None]
        if known:
            return self._add("multiply", others, factor=_per_channel(node, known[0]))
        return self._add("multiply", others)

    def _quotient(self, node: Any) -> int:
        known = self._known(node, 1).astype(np.float64)
        return self._add("multiply", node.input[:1], factor=_per_channel(node, 1 / known))

    def _joined(self, node: Any) -> int:
        if int(self._known(node, -1)) not in (_CHANNELS, -1):
            raise _unsaid(node, "along another axis than channels")
        if any(self._constant(name) is not None for name in node.input[:-1]):
            raise _unsaid(node, "with a constant")
        return self._add("concat", node.input[:-1])

    def _pooled(self, node: Any) -> int:
        if _sides(node, "ksize", whole=True) is None:
            raise _unsaid(node, "over channels")
        kind = "max_pool" if node.op == "MaxPool" else "avg_pool"
        return self._add(kind, node.input[:1], {**_windowed(node), "window": _sides(node, "ksize")})

    def _padded(self, node: Any) -> int:
        widths = self._known(node, 1).tolist()
        if widths[0] != [0, 0] or widths[3] != [0, 0]:
            raise _unsaid(node, "of channels")
        value = float(self._known(node, 2)) if node.op == "PadV2" else 0.0
        return self._add(
            "pad", node.input[:1], {"padding": widths[1] + widths[2], "value": max(value, _LEAST)}
        )

    def _mean(self, node: Any) -> int:
        if sorted(self._known(node, 1).reshape(-1).tolist()) != [1, 2]:
            raise _unsaid(node, "over other axes than height and width")
        return self._add("mean", node.input[:1])

    def _reshaped(self, node: Any) -> int:
        """Only what gives a mean its axes of length one back: they are kept here."""
        key = self._origin(node.input[0])
        number = self._numbers[key]
        channels = self._channels(key)
        shape = self._shapes.get(node.name, [])
        kept = number and self.operations[number - 1].kind == "mean" and channels
        if not kept or shape[1:] != [1, 1, channels]:
            raise _unsaid(node)
        return number

    def _lrn(self, node: Any) -> int:
        attributes = {name: node.attr[name].f for name in ("bias", "alpha", "beta")}
        return self._add("lrn", node.input[:1], {"radius": node.attr["depth_radius"].i, **attributes})

    def _normalised(self, node: Any) -> int:
        if node.attr["is_training"].b:
            raise _unsaid(node, "in training")
        scale, offset, mean, variance = (self._known(node, index).astype(np.float64) for index in range(1, 5))
        factor = scale / np.sqrt(variance + node.attr["epsilon"].f)
        number = self._add("multiply", node.input[:1], factor=factor)
        self.operations.append(
            Operation("add", (number,), {}, {"addend": np.asarray(offset - mean * factor, np.float32)})
        )
        return len(self.operations)

    def _sliced(self, node: Any) -> int:
        """Channels, taken from one end to the other; all of the other axes."""
        begin, end, strides = (self._known(node, index).tolist() for index in (1, 2, 3))
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
        reaches = rank == 4 or masks["ellipsis"]
        if masks["new_axis"] or masks["shrink_axis"] or not whole or not reaches or channels is None:
            raise _unsaid(node, "of anything but channels")
        last = rank - 1
        taken = slice(
            None if masks["begin"] >> last & 1 else begin[last],
            None if masks["end"] >> last & 1 else end[last],
            strides[last],
        )
        return self._take(node, list(range(channels))[taken], channels)

    def _split(self, node: Any, output: int) -> int:
        axis, data = (0, 1) if node.op == "Split" else (2, 0)
        channels = self._channels(node.input[data])
        if int(self._known(node, axis)) not in (_CHANNELS, -1) or channels is None:
            raise _unsaid(node, "of anything but channels")
        if node.op == "Split":
            sizes = [channels // node.attr["num_split"].i] * node.attr["num_split"].i
        else:
            sizes = self._known(node, 1).tolist()
        start = sum(sizes[:output])
        return self._take(node, list(range(start, start + sizes[output])), channels, data)

    def _take(self, node: Any, taken: list[int], channels: int, data: int = 0) -> int:
        inputs = [node.input[data]]
        if taken == list(range(channels))[::-1]:
            return self._add("reverse_channels", inputs)
        if taken == list(range(taken[0], taken[-1] + 1)):
            return self._add(
                "slice_channels", inputs, {"begin": taken[0], "count": len(taken), "of": channels}
            )
        raise _unsaid(node, "of channels that do not follow each other")

    def _channels(self, name: str) -> int | None:
        key = self._origin(name)
        shape = self._shapes.get(source(key)) if ":" not in key else None
        return None if not shape else shape[-1]


def _sides(node: Any, name: str, *, whole: bool = False) -> list[int] | None:
    """Height and width of a list of four; with `whole`, None where the others are not one."""
    values = list(node.attr[name].list.i) or [1, 1, 1, 1]
    return None if whole and (values[0] != 1 or values[3] != 1) else values[1:3]


def _windowed(node: Any) -> dict[str, Any]:
    """Strides, and the padding: `same`, `valid`, or top, bottom, left and right."""
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise _unsaid(node, "with channels first")
    padding: str | list[int] = node.attr["padding"].s.decode().lower()
    if padding == "explicit":
        padding = list(node.attr["explicit_paddings"].list.i)[2:6]
    return {"strides": _sides(node, "strides"), "padding": padding}


def _per_channel(node: Any, values: NDArray[Any]) -> NDArray[Any]:
    """A constant that is one number, or one for each channel where they differ."""
    if values.size > 1 and values.shape[-1] != values.size:
        raise _unsaid(node, "with a constant that differs from place to place")
    flat = values.reshape(-1)
    return flat[:1] if (flat == flat[0]).all() else flat


def _unsaid(node: Any, how: str = "") -> ModelError:
    return ModelError(f"it does {node.op} {how}".rstrip() + f" ({shown(node.name, 80)})")
