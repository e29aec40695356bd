"""What an ONNX model computes on flattened, transposed or regrouped maps, computed on the maps themselves.

Exporters write a classifier as Flatten and Gemm, ConvNeXt's blocks on batch x height x width x channels, and
a channel shuffle as Reshape, Transpose and Reshape. All of these are operations on maps, batch x channels x
height x width, at any size of picture: convolutions of one position (or, behind a Flatten of a whole map, of
its size), normalisation over channels, and a permutation of channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.onnx_rewrites import copy

if TYPE_CHECKING:
    import onnx

Layout: TypeAlias = Literal["flat", "last", "groups", "shuffled"]
Shapes: TypeAlias = Mapping[str, Sequence[int]]
_OURS = "dreamkit/"  # before the names of nodes that are made here
_INNER = f"{_OURS}inner/"  # before those of parts of an operation
_ALIASES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Identity")
_UNARY = frozenset(
    {
        *("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Clip"),
        *("Softplus", "Softsign", "Erf", "Exp", "Sqrt", "Abs", "Neg", "Mish", "Gelu", "ThresholdedRelu"),
        *("Reciprocal", "Cast"),
    }
)
_BINARY = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu"})
_TO_LAST, _TO_FIRST, _SHUFFLE = [0, 2, 3, 1], [0, 3, 1, 2], [0, 2, 1, 3, 4]


def as_exported(name: str) -> str:
    """The new name of the tensor that is computed as it was exported, beside the map `name`."""
    return f"{name}/as_exported"


def is_dense(node: onnx.NodeProto) -> bool:
    """Whether a node was a product with a matrix, such as a classifier."""
    return node.op_type == "Conv" and node.name.startswith(_OURS) and not is_inner(node)


def is_inner(node: onnx.NodeProto) -> bool:
    """Whether a node computes a part of one operation of the original, of no meaning by itself."""
    return node.name.startswith(_INNER)


@dataclass(frozen=True)
class _View:
    """A tensor that holds the values of a map in another order.

    Attributes:
        map: the name of the map.
        layout: `flat` (batch x channels * height * width), `last` (batch x height x width x channels),
            `groups` (batch x groups x channels of each x height x width), or `shuffled`, its transposition.
        shape: the channels, height and width of the map, at the size for which the model was made.
        groups: of channels.
    """

    map: str
    layout: Layout
    shape: tuple[int, int, int]
    groups: int = 1


def on_maps(model: onnx.ModelProto, shapes: Shapes) -> tuple[onnx.ModelProto, dict[str, str]]:
    """`model` with operations on maps in place of those on other orders of their values.

    `shapes` are those of its tensors at the size for which it was made. A tensor that has become a map keeps
    its name. Also returns the layout that each of them had, `flat` or `last`.
    """
    rewriter = _Rewriter(model, shapes)
    for node in model.graph.node:
        rewriter.add(node)
    return rewriter.result()


class _Rewriter:
    def __init__(self, model: onnx.ModelProto, shapes: Shapes) -> None:
        from onnx import numpy_helper

        self._model, self._shapes = model, shapes
        self._arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        self._views: dict[str, _View] = {}
        self._layouts: dict[str, str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._made: list[onnx.TensorProto] = []
        self._replaced: set[str] = set()
        self._renamed: dict[str, str] = {}
        self._computed = {output for node in model.graph.node for output in node.output}
        self._computed.update(each.name for each in model.graph.input)

    def add(self, node: onnx.NodeProto) -> None:
        """Adds what a node computes on maps, if it can be, and the node, unless nobody reads it then."""
        self._look_at(node)
        if self._replaced.isdisjoint(node.output):
            self._nodes.append(node)

    def result(self) -> tuple[onnx.ModelProto, dict[str, str]]:
        result = copy(self._model)
        # What reads the other order of a tensor that is a map now reads it under another name.
        names = {name: as_exported(name) for name in self._layouts}
        del result.graph.node[:]
        result.graph.node.extend(self._nodes)
        for node in result.graph.node:
            others = {} if node.name.startswith(_OURS) else names
            node.input[:] = [self._renamed.get(each, others.get(each, each)) for each in node.input]
            node.output[:] = [others.get(each, each) for each in node.output]
        result.graph.initializer.extend(self._made)
        return result, self._layouts

    # Which nodes have a counterpart.

    def _look_at(self, node: onnx.NodeProto) -> bool:
        """Whether a node is a view or computes on views; then so is its output, or it is a map."""
        if len(node.output) != 1 or not node.input:
            return False
        view = self._views.get(node.input[0])
        if view is None:
            begins = {"Flatten": self._flatten, "Reshape": self._reshape, "Transpose": self._transpose}
            begins |= {"ReduceMean": self._pool, "Squeeze": self._flatten}
            begin = begins.get(node.op_type)
            if begin is not None:
                return begin(node)
            return node.op_type in _BINARY and (self._binary(node) or self._scale(node))
        if node.op_type in _ALIASES and view.layout == "flat":
            return self._alias(node, view)
        if node.op_type in ("Dropout", "Identity"):
            return self._see(node, view)
        table: dict[str, Callable[[onnx.NodeProto, _View], bool]] = {
            "Transpose": self._transpose_back,
            "Reshape": self._reshape_back,
            "Gemm": self._dense,
            "MatMul": self._dense,
            "LayerNormalization": self._normalise,
            "Softmax": self._softmax,
            "LogSoftmax": self._softmax,
            "BatchNormalization": self._same,
            "ReduceMean": self._reduce,
        }
        if node.op_type in table:
            return table[node.op_type](node, view)
        if view.layout not in ("flat", "last"):
            return False
        if node.op_type in _UNARY:
            return self._same(node, view)
        return node.op_type in _BINARY and self._binary(node)

    def _see(self, node: onnx.NodeProto, view: _View) -> bool:
        """The output of a node is a view, and nothing is computed for it."""
        self._views[node.output[0]] = view
        return True

    # From a map to a view.

    def _map_shape(self, name: str) -> tuple[int, int, int] | None:
        shape = self._shapes.get(name, ())
        return (shape[1], shape[2], shape[3]) if len(shape) == 4 and name in self._computed else None

    def _flatten(self, node: onnx.NodeProto) -> bool:
        shape, flat = self._map_shape(node.input[0]), self._shapes.get(node.output[0], ())
        if shape is None or len(flat) != 2 or flat[1] != int(np.prod(shape)):
            return False
        return self._see(node, _View(node.input[0], "flat", shape))

    def _reshape(self, node: onnx.NodeProto) -> bool:
        shape, after = self._map_shape(node.input[0]), self._shapes.get(node.output[0], ())
        if shape is None:
            return False
        channels, height, width = shape
        if len(after) == 5 and tuple(after[3:]) == (height, width) and after[1] * after[2] == channels:
            return self._see(node, _View(node.input[0], "groups", shape, after[1]))
        return self._flatten(node)

    def _transpose(self, node: onnx.NodeProto) -> bool:
        shape = self._map_shape(node.input[0])
        if shape is None or _attribute(node, "perm") != _TO_LAST:
            return False
        return self._see(node, _View(node.input[0], "last", shape))

    def _pool(self, node: onnx.NodeProto) -> bool:
        """A mean over height and width without them is a flattened global pool."""
        shape = self._map_shape(node.input[0])
        axes = self._axes(node)
        if shape is None or axes is None or {each % 4 for each in axes} != {2, 3}:
            return False
        if _attribute(node, "keepdims", 1):
            return False
        pooled = self._add("GlobalAveragePool", [node.input[0]], f"{node.output[0]}/pooled")
        return self._see(node, _View(pooled, "flat", (shape[0], 1, 1)))

    def _axes(self, node: onnx.NodeProto) -> list[int] | None:
        axes = _attribute(node, "axes")
        if axes is None and len(node.input) > 1 and node.input[1] in self._arrays:
            axes = self._arrays[node.input[1]].tolist()
        return None if axes is None else list(axes)

    # From a view to a map.

    def _transpose_back(self, node: onnx.NodeProto, view: _View) -> bool:
        perm = _attribute(node, "perm")
        if view.layout == "groups" and perm == _SHUFFLE:
            return self._see(node, replace(view, layout="shuffled"))
        if view.layout != "last" or perm != _TO_FIRST:
            return False
        return self._rename(node, view)

    def _reshape_back(self, node: onnx.NodeProto, view: _View) -> bool:
        if view.layout != "shuffled" or tuple(self._shapes.get(node.output[0], ()))[1:] != view.shape:
            return False
        order = np.arange(view.shape[0]).reshape(view.groups, -1).T.ravel()
        indices = self._constant(f"{node.output[0]}/order", order.astype(np.int64))
        return self._replace(node, "Gather", [view.map, indices], axis=1)

    def _alias(self, node: onnx.NodeProto, view: _View) -> bool:
        shape = self._shapes.get(node.output[0], ())
        count = int(np.prod(view.shape))
        if tuple(shape[1:]) == view.shape and view.shape[1:] == (1, 1):
            return self._rename(node, view)
        return count in shape and int(np.prod(shape[1:] or [0])) == count and self._see(node, view)

    def _replace(self, node: onnx.NodeProto, op: str, inputs: Sequence[str], **options: Any) -> bool:
        """The output of a node is a map, which an operation on maps gives."""
        self._replaced.add(self._add(op, inputs, node.output[0], **options))
        return True

    def _rename(self, node: onnx.NodeProto, view: _View) -> bool:
        """The output of a node is the map of a view again."""
        self._replaced.add(node.output[0])
        self._renamed[node.output[0]] = self._renamed.get(view.map, view.map)
        return True

    # On views.

    def _make(
        self, node: onnx.NodeProto, view: _View, op: str, inputs: Sequence[str], **options: Any
    ) -> bool:
        """Adds an operation on maps in place of a node on views of them."""
        name = node.output[0]
        self._layouts[name] = "flat" if view.layout == "flat" else "last"
        self._add(op, inputs, name, **options)
        self._views[name] = replace(view, map=name)
        return True

    def _same(self, node: onnx.NodeProto, view: _View) -> bool:
        if node.op_type == "BatchNormalization" and (view.layout != "flat" or view.shape[1:] != (1, 1)):
            return False
        options = {each.name: _attribute(node, each.name) for each in node.attribute}
        return self._make(node, view, node.op_type, [view.map, *node.input[1:]], **options)

    def _dense(self, node: onnx.NodeProto, view: _View) -> bool:
        """A product with a matrix: a convolution, of one position or of the whole flattened map."""
        weights = self._arrays.get(node.input[1])
        bias = self._arrays.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        options = {each.name: _attribute(node, each.name) for each in node.attribute}
        if (
            weights is None
            or weights.ndim != 2
            or options.get("transA")
            or view.layout not in ("flat", "last")
        ):
            return False
        if len(node.input) > 2 and node.input[2] and bias is None:
            return False
        matrix = weights if options.get("transB") else weights.T  # out x in
        window = view.shape if view.layout == "flat" else (view.shape[0], 1, 1)
        if matrix.shape[1] != int(np.prod(window)):
            return False
        name, count = node.output[0], matrix.shape[0]
        kernel = (matrix * np.float32(options.get("alpha", 1.0))).reshape(count, *window)
        inputs = [view.map, self._constant(f"{name}/kernel", kernel.astype(np.float32))]
        if bias is not None:
            whole = np.broadcast_to(bias.ravel() * np.float32(options.get("beta", 1.0)), (count,))
            inputs.append(self._constant(f"{name}/bias", whole.astype(np.float32)))
        size = (1, 1) if view.layout == "flat" else view.shape[1:]
        made = replace(view, shape=(count, *size))
        return self._make(node, made, "Conv", inputs, kernel_shape=list(window[1:]))

    def _binary(self, node: onnx.NodeProto) -> bool:
        """Arithmetic of views of one layout, or of a view with a constant for each channel."""
        views = [self._views.get(each) for each in node.input]
        found = [view for view in views if view is not None]
        if not found or any(view.layout != found[0].layout for view in found):
            return False
        first = found[0]
        if first.layout not in ("flat", "last"):
            return False
        for place in _places_of_map(node):
            constant = self._arrays.get(node.input[1 - place])
            if views[place] is None or constant is None or constant.size == 1:
                continue
            if self._is_of_channels(constant, first):
                inputs = self._affine(node, first.map, constant)
                if inputs:
                    return self._make(node, first, "BatchNormalization", inputs, epsilon=0.0)
        inputs = []
        for name, view in zip(node.input, views, strict=True):
            if view is not None:
                inputs.append(view.map)
                continue
            array = self._arrays.get(name)
            if array is None or not self._is_of_channels(array, first):
                return False
            flat = array.reshape(1) if array.size == 1 else array.reshape(1, -1, 1, 1)
            inputs.append(self._constant(f"{node.output[0]}/{name}", np.ascontiguousarray(flat)))
        shape = max((view.shape for view in found), key=lambda each: int(np.prod(each)))
        return self._make(node, replace(first, shape=shape), node.op_type, inputs)

    def _scale(self, node: onnx.NodeProto) -> bool:
        """Arithmetic of a map with a constant for each channel."""
        for place in _places_of_map(node):
            shape, array = self._map_shape(node.input[place]), self._arrays.get(node.input[1 - place])
            if shape is None or array is None or array.size == 1:
                continue
            if array.size != shape[0] or array.ndim < 3 or array.shape[-3] != array.size:
                continue
            inputs = self._affine(node, node.input[place], array)
            return bool(inputs) and self._replace(node, "BatchNormalization", inputs, epsilon=0.0)
        return False

    def _affine(self, node: onnx.NodeProto, name: str, array: NDArray[Any]) -> list[str]:
        """The inputs of the normalisation that adds or multiplies by a constant for each channel.

        onnx2tf takes a constant of batch x channels x 1 x 1 for another order of axes.
        """
        constant = array.ravel().astype(np.float32)
        none, one = np.zeros_like(constant), np.ones_like(constant)
        values = {
            "Mul": (constant, none),
            "Div": (np.divide(one, constant, out=none + np.inf, where=constant != 0), none),
            "Add": (one, constant),
            "Sub": (one, -constant),
        }.get(node.op_type)
        if values is None:
            return []
        return [name, *self._normal(node.output[0], *values)]

    @staticmethod
    def _is_of_channels(array: NDArray[Any], view: _View) -> bool:
        one_position = view.layout == "last" or view.shape[1:] == (1, 1)
        of_channels = array.size == view.shape[0] and array.shape[-1] == array.size and one_position
        return array.size == 1 or of_channels

    def _softmax(self, node: onnx.NodeProto, view: _View) -> bool:
        axis = _attribute(node, "axis", -1)
        rank = 2 if view.layout == "flat" else 4
        if view.layout not in ("flat", "last") or axis % rank != rank - 1:
            return False
        if view.layout == "flat" and view.shape[1:] != (1, 1):
            return False
        return self._make(node, view, node.op_type, [view.map], axis=1)

    def _reduce(self, node: onnx.NodeProto, view: _View) -> bool:
        """A mean over height and width of a map with its channels last."""
        axes = self._axes(node)
        if view.layout != "last" or axes is None or {each % 4 for each in axes} != {1, 2}:
            return False
        if _attribute(node, "keepdims", 1):
            return self._make(
                node, replace(view, shape=(view.shape[0], 1, 1)), "GlobalAveragePool", [view.map]
            )
        pooled = self._add("GlobalAveragePool", [view.map], f"{node.output[0]}/pooled")
        return self._see(node, _View(pooled, "flat", (view.shape[0], 1, 1)))

    def _normalise(self, node: onnx.NodeProto, view: _View) -> bool:
        """Layer normalisation over channels (Ba et al. 2016, arXiv 1607.06450)."""
        rank = 2 if view.layout == "flat" else 4
        if view.layout not in ("flat", "last") or _attribute(node, "axis", -1) % rank != rank - 1:
            return False
        if view.layout == "flat" and view.shape[1:] != (1, 1):
            return False
        arrays = [self._arrays.get(each) for each in node.input[1:]]
        if any(each is None or each.size != view.shape[0] for each in arrays):
            return False
        # As convolutions, because onnx2tf takes batch x 1 x height x width for another order of axes.
        name, count = node.output[0], view.shape[0]
        share = np.full((count, count, 1, 1), 1 / count, np.float32)
        centre = np.eye(count, dtype=np.float32)[..., None, None] - share
        epsilon = np.full(count, _attribute(node, "epsilon", 1e-5), np.float32)
        apart = self._part("Conv", [view.map, self._constant(f"{name}/centre", centre)], f"{name}/apart")
        square = self._part("Mul", [apart, apart], f"{name}/square")
        mean = [
            self._constant(f"{name}/{each}", value) for each, value in (("share", share), ("eps", epsilon))
        ]
        spread = self._part("Conv", [square, *mean], f"{name}/spread")
        root = self._part("Sqrt", [spread], f"{name}/root")
        normal = self._part("Div", [apart, root], f"{name}/normal")
        scale, bias = (*(each for each in arrays if each is not None), np.zeros(count, np.float32))[:2]
        inputs = [normal, *self._normal(name, scale.ravel(), bias.ravel())]
        return self._make(node, view, "BatchNormalization", inputs, epsilon=0.0)

    def _normal(self, name: str, scale: NDArray[Any], bias: NDArray[Any]) -> list[str]:
        """The constants of a batch normalisation that only multiplies and adds."""
        values = scale, bias, np.zeros_like(scale), np.ones_like(scale)
        parts = zip(("scale", "bias", "zero", "one"), values, strict=True)
        return [self._constant(f"{name}/{key}", each.astype(np.float32)) for key, each in parts]

    # What is made.

    def _add(self, op: str, inputs: Sequence[str], output: str, **options: Any) -> str:
        from onnx import helper

        given = {key: value for key, value in options.items() if value is not None}
        self._nodes.append(helper.make_node(op, list(inputs), [output], f"{_OURS}{output}", **given))
        return output

    def _part(self, op: str, inputs: Sequence[str], output: str) -> str:
        """As `_add`, for a part of one operation of the original."""
        self._add(op, inputs, output)
        self._nodes[-1].name = f"{_INNER}{output}"
        return output

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._made.append(numpy_helper.from_array(array, name))
        return name


def _places_of_map(node: onnx.NodeProto) -> Sequence[int]:
    """Which inputs of an arithmetic node can be a map if the other one is a constant for each channel."""
    return (0, 1) if node.op_type in ("Add", "Mul") else (0,)


def _attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    from onnx import helper

    for each in node.attribute:
        if each.name == name:
            value = helper.get_attribute_value(each)
            return value if isinstance(value, int | float | bytes) else list(value)
    return default
