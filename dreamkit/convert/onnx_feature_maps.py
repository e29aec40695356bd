"""The feature maps of an ONNX model, found by ONNX's shape inference at several sizes of picture."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dreamkit.convert.feature_maps import FeatureMap, Kept, Kind, comparison_sizes, rounded_up
from dreamkit.convert.onnx_layouts import as_exported, is_dense
from dreamkit.convert.onnx_rewrites import without_weights
from dreamkit.errors import shown

if TYPE_CHECKING:
    import onnx

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Concat", "Add", "Sum", "Max"), "join"),
    **dict.fromkeys(
        ("Relu", "LeakyRelu", "PRelu", "Elu", "Clip", "Sigmoid", "Tanh", "HardSwish"), "activation"
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "softmax"),
    **dict.fromkeys(("Gemm", "MatMul"), "dense"),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "LpNormalization"), "normalisation"),
}
_CONVOLUTIONS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_ANSWERS = frozenset(
    {
        *("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK", "Identity", "Dropout"),
        *("Flatten", "Reshape", "Squeeze", "Shape", "Transpose"),
    }
)
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_SAME_SIZE = ("Concat", "Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Mean")
_WINDOW_OPS = ("Conv", "MaxPool", "AveragePool", "LpPool")
_BATCH = 2  # not one, which is also the first size of constants


def find_feature_maps(
    model: onnx.ModelProto, picture: str, names: Sequence[str], size: tuple[int, int]
) -> dict[str, FeatureMap]:
    """The feature maps among the tensors `names` of a model.

    A feature map is batch x channels x height x width, has the same channels at every size of picture, and
    height and width that follow the picture's or are always one. `picture` is the name of the input and
    `size` the height and width for which the model was made. Maps where branches that are halved and enlarged
    again meet exist for pictures of some multiple only.
    """
    shapes = _ShapeInference(without_weights(model), picture)
    kinds, ends = find_kinds(model), Ends(model)
    found: dict[str, FeatureMap] = {}
    left = [name for name in names if name in shapes.maps(names, size)]
    for multiple in _MULTIPLES:
        if not left or any(side % multiple for side in size):
            break
        shapes.multiple = multiple
        side = rounded_up((max(size), max(size)), multiple)[0]
        growth = _find_growth(shapes, left, size)
        min_sizes = _find_min_sizes(shapes, set(growth), side)
        for name, (channels, grows) in growth.items():
            stride = round(side / grows) if grows else 0
            kind, is_end = kinds[name], ends.is_end(name)
            found[name] = FeatureMap(channels, stride, min_sizes[name], kind, is_end, multiple)
        left = [name for name in left if name not in found]
    return {name: found[name] for name in names if name in found}


def count_kept(before: onnx.ModelProto, after: onnx.ModelProto, maps: Container[str]) -> Kept:
    """How much of the network `before` is in `after`, whose tensors have the same names.

    `maps` are the tensors that are maps at the size for which it was made.
    """
    kept = {output for node in after.graph.node for output in node.output}
    computed = {output for node in before.graph.node for output in node.output}
    convolutions = _convolutions(before)
    joins = [node for node in before.graph.node if _kind(node, computed) == "join" and node.output[0] in maps]

    def share(nodes: Sequence[onnx.NodeProto]) -> tuple[int, int]:
        return sum(not kept.isdisjoint(node.output) for node in nodes), len(nodes)

    found = share(convolutions)
    stopped = ""
    if found[0] < found[1]:
        reached = {each.name for each in before.graph.input}
        for node in before.graph.node:
            if reached.isdisjoint(node.input):
                continue
            if kept.isdisjoint(node.output):
                stopped = f"{node.op_type} {shown(node.output[0])}"
                break
            reached.update(node.output)
    return Kept(found, share(joins), stopped)


def count_convolutions(model: onnx.ModelProto) -> int:
    """How many convolutions a model has, dense layers among them."""
    return len(_convolutions(model))


def _convolutions(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    weights = {each.name for each in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in _CONVOLUTIONS and not weights.isdisjoint(node.input)
    ]


class Ends:
    """Which tensors nothing of a model follows but what makes an answer of class scores."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def is_end(self, name: str) -> bool:
        readers = [*self._readers.get(name, ()), *self._readers.get(as_exported(name), ())]
        return all(node.op_type in _ANSWERS and all(map(self.is_end, node.output)) for node in readers)


def find_shapes(model: onnx.ModelProto, size: tuple[int, int]) -> dict[str, list[int]]:
    """The shapes of a model's input and float tensors, for one picture of this height and width."""
    (picture,) = (each.name for each in model.graph.input)
    shapes = _ShapeInference(without_weights(model), picture, batch=1).infer(size)
    return {**shapes, picture: [1, 3, *size]}


class _ShapeInference:
    """The shapes of a model's tensors at any size of picture."""

    def __init__(self, model: onnx.ModelProto, picture: str, batch: int = _BATCH) -> None:
        self._model, self._picture, self._batch = model, picture, batch
        self.multiple = 1  # to which sizes of pictures are rounded up
        self._producers = {output: node for node in model.graph.node for output in node.output}
        windows = {node.output[0]: _min_input(node, model) for node in model.graph.node}
        self._min_inputs = {name: window for name, window in windows.items() if window}

    def maps(self, names: Iterable[str], size: tuple[int, int]) -> dict[str, list[int]]:
        """The shapes of those `names` that are four-dimensional and not empty, for pictures of this size."""
        size = rounded_up(size, self.multiple)
        shapes = self.infer(size)
        shapes[self._picture] = [_BATCH, 3, *size]
        empty: set[str] = set()
        for name, node in self._producers.items():
            if self._is_empty(name, node, shapes) or any(each in empty for each in node.input):
                empty.add(name)
        return {
            name: shapes[name]
            for name in names
            if name not in empty and len(shapes.get(name, ())) == 4 and shapes[name][0] == _BATCH
        }

    def _is_empty(self, name: str, node: onnx.NodeProto, shapes: Mapping[str, list[int]]) -> bool:
        if len(shapes.get(name, ())) > 2 and min(shapes[name]) <= 0:
            return True
        if node.op_type in _SAME_SIZE and not _fit([shapes[each] for each in node.input if each in shapes]):
            return True
        # ONNX rounds the size of a map that is smaller than its window towards zero, and so up to one.
        sides = shapes.get(node.input[0], [])[2:] if node.input else []
        return any(map(int.__lt__, sides, self._min_inputs.get(name, ())))

    def infer(self, size: tuple[int, int]) -> dict[str, list[int]]:
        """The shapes of float tensors that ONNX can infer."""
        import onnx

        inputs, outputs = self._model.graph.input, self._model.graph.output
        (dims,) = (each.type.tensor_type.shape.dim for each in inputs if each.name == self._picture)
        for axis, value in zip((0, 2, 3), (self._batch, *size), strict=True):
            dims[axis].dim_value = value
        del outputs[:]
        outputs.extend(onnx.helper.make_empty_tensor_value_info(name) for name in self._producers)
        inferred = onnx.shape_inference.infer_shapes(self._model, data_prop=True).graph.output
        tensors = {each.name: each.type.tensor_type for each in inferred}
        return {
            name: [dim.dim_value for dim in tensor.shape.dim]
            for name, tensor in tensors.items()
            if tensor.elem_type == onnx.TensorProto.FLOAT
            and all(dim.HasField("dim_value") for dim in tensor.shape.dim)
        }


def _odd_sizes(side: int) -> list[tuple[int, int]]:
    """Sizes of at least half of `side` that become odd by halving, after different numbers of it."""
    least = side // 2
    return [
        tuple(max(least, side - each) for each in pair)  # type: ignore[misc]
        for pair in ((5, 11), (37, 83))
    ]


def _fit(shapes: Sequence[Sequence[int]]) -> bool:
    """Whether maps can be joined: each side is the same in all, or one. ONNX infers a size otherwise, too."""
    maps = [shape[2:] for shape in shapes if len(shape) == 4]
    return all(len({side for side in sides if side != 1}) <= 1 for sides in zip(*maps, strict=True))


def _find_growth(
    shapes: _ShapeInference, names: Sequence[str], size: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """The channels of each feature map, and by how much it grows if a square picture is doubled."""
    side = max(size)
    square, double = shapes.maps(names, (side, side)), shapes.maps(names, (2 * side, 2 * side))
    # Branches that are halved and enlarged again meet at multiples of some size only.
    odd = [shapes.maps(names, each) for each in (*comparison_sizes(size)[1:], *_odd_sizes(2 * side))]
    return {
        name: (shape[1], double[name][2] - square[name][2])
        for name, shape in shapes.maps(names, size).items()
        if name in square
        and name in double
        and all(name in each for each in odd)
        and square[name][1] == double[name][1] == shape[1]
        and (double[name][2] > square[name][2] or double[name][2:] == [1, 1])
    }


def _find_min_sizes(shapes: _ShapeInference, names: set[str], side: int) -> dict[str, int]:
    """The least side from which on each map exists, by bisection. All exist at `side`."""
    min_sizes: dict[str, int] = {}

    def bisect(low: int, high: int, names: set[str]) -> None:
        """Finds the least sides of maps that do not exist at `low` and do at `high`."""
        if high - low == 1:
            min_sizes.update(dict.fromkeys(names, high))
        elif names:
            middle = (low + high) // 2
            found = shapes.maps(names, (middle, middle)).keys()
            bisect(low, middle, names & found)
            bisect(middle, high, names - found)

    bisect(0, side, names)
    return min_sizes


def find_kinds(model: onnx.ModelProto) -> dict[str, Kind]:
    """What computes each tensor."""
    computed = {output for node in model.graph.node for output in node.output}
    kinds: dict[str, Kind] = {}
    for node in model.graph.node:
        for output in node.output:
            kinds[output] = _kind(node, computed)
            # If an activation follows a join, the branches end in the activation.
            if kinds[output] == "activation" and kinds.get(node.input[0]) == "join":
                kinds[node.input[0]], kinds[output] = "other", "join"
    return kinds


def _kind(node: onnx.NodeProto, computed: Container[str]) -> Kind:
    """The kind of a node's result. A sum with a constant is not a join."""
    kind = "dense" if is_dense(node) else _KINDS.get(node.op_type, "other")
    return "other" if kind == "join" and sum(each in computed for each in node.input) < 2 else kind


def _min_input(node: onnx.NodeProto, model: onnx.ModelProto) -> list[int]:
    """The least height and width that a sliding window needs; empty for any other node."""
    if node.op_type not in _WINDOW_OPS:
        return []
    from onnx import helper

    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return []
    kernel = attributes.get("kernel_shape") or _kernel_of_weights(node, model)
    dilations = attributes.get("dilations", [1] * len(kernel))
    pads = attributes.get("pads", [0] * 2 * len(kernel))
    ends = pads[len(kernel) :]
    return [
        dilation * (size - 1) + 1 - begin - end
        for size, dilation, begin, end in zip(kernel, dilations, pads, ends, strict=False)
    ]


def _kernel_of_weights(node: onnx.NodeProto, model: onnx.ModelProto) -> Sequence[Any]:
    """The height and width of a convolution's weights, which are an initializer or an input."""
    for initializer in model.graph.initializer:
        if initializer.name == node.input[1]:
            return list(initializer.dims)[2:]
    for each in model.graph.input:
        if each.name == node.input[1]:
            return [dim.dim_value for dim in each.type.tensor_type.shape.dim][2:]
    return []
