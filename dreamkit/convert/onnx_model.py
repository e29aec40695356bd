"""An ONNX model of a network that looks at pictures: read, made free of size, measured, cut."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.convert import sandbox
from dreamkit.convert.maps import MOST_SIDE, USUAL_SIDE, Kind, Map
from dreamkit.errors import ConvertError, first_line, shown

if TYPE_CHECKING:
    import onnx

MOST_BYTES = (1 << 31) - 1  # of one protobuf message
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Concat", "Add", "Sum", "Max"), "join"),
    **dict.fromkeys(
        ("Relu", "LeakyRelu", "PRelu", "Elu", "Clip", "Sigmoid", "Tanh", "HardSwish"), "activation"
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "softmax"),
}
_LARGE = 4096  # bytes of an initializer that is weights, and no size or axis


@dataclass(frozen=True)
class Plain:
    """A model in a file, ready to be converted: one input, N x 3 x height x width with only the 3 fixed.

    Attributes:
        file: where it is. All its names are plain ones, since converters refuse some signs.
        names: the model's outputs, each with its plain name in the file.
        size: the height and width that it was made for.
        maps: what can be dreamed of it, in the outputs' order.
    """

    file: Path
    names: Mapping[str, str]
    size: tuple[int, int]
    maps: Mapping[str, Map]


def prepare(model: onnx.ModelProto, name: str, folder: Path, size: tuple[int, int] | None = None) -> Plain:
    """Frees `model` of the size it was made for and writes it to `folder`; see `trace`."""
    traced, given, maps = trace(model, name, size)
    plain, names = renamed(traced)
    file = folder / "plain.onnx"
    write(plain, file)
    return Plain(file, names, given, maps)


def prepare_file(path: Path, folder: Path, tell: sandbox.Tell) -> Plain:
    """The same for a model in a file, in a child process: not all that reads ONNX is proof against files.

    Raises:
        ConvertError: the file cannot be read, is no ONNX model, or holds one that cannot be dreamed.
    """
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise ConvertError(f"cannot read {path}; give the path of an ONNX file")
    answer = sandbox.call(
        f"{__name__}:read_and_prepare",
        tell,
        model_bytes=os.path.getsize(path),
        path=Path(path),
        shown_path=str(path),
        folder=folder,
    )
    maps = {name: Map(**each) for name, each in answer["maps"].items()}
    return Plain(Path(answer["file"]), answer["names"], (answer["size"][0], answer["size"][1]), maps)


def read_and_prepare(tell: sandbox.Tell, path: str, shown_path: str, folder: str) -> dict[str, Any]:
    """In the child: see `prepare_file`."""
    tell(f"reading {os.path.basename(path)}")
    plain = prepare(read(Path(path), shown_path), shown_path, Path(folder))
    return {**asdict(plain), "file": str(plain.file)}


def read(path: Path, name: str) -> onnx.ModelProto:
    """The model in an ONNX file, with the weights that lie in files beside it. `name` is it in messages.

    Raises:
        ConvertError: the file cannot be read, is damaged or no ONNX model, or is of an old kind.
    """
    import onnx
    import onnx.inliner

    if os.path.getsize(path) > MOST_BYTES:
        raise ConvertError(f"{name} is larger than 2 GB, which no ONNX file is; give an ONNX file")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    # Protobuf's and ONNX's own errors have no base in common.
    except Exception as error:
        raise ConvertError(f"{name} is damaged or no ONNX model ({first_line(error)[:200]})") from error
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    if opset < 11:
        raise ConvertError(
            f"{name} is of ONNX operator set {opset}; export it again with 11 or later (17 is a good one)"
        )
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            raise ConvertError(
                f"{name} holds a {shown(f'{node.domain}.{node.op_type}')}, which is not ONNX's own"
            )
    return model


def trace(
    model: onnx.ModelProto, name: str, size: tuple[int, int] | None = None
) -> tuple[onnx.ModelProto, tuple[int, int], dict[str, Map]]:
    """`model` for a picture of any size, the height and width it was made for, and what it computes.

    A model that was exported at one size is freed of it; what is fixed to that size by a Reshape, as a
    classifier is, gives no map and is left out. Where the model's outputs are to be all there is, give the
    `size` it was made for; else everything it computes is looked at. `name` is the model's in messages.

    Raises:
        ConvertError: it does not take one batch of RGB pictures, or computes no map at other sizes.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    dims = _picture(model, name).type.tensor_type.shape.dim
    given = size or (dims[2].dim_value or USUAL_SIDE, dims[3].dim_value or USUAL_SIDE)
    if max(given) > MOST_SIDE:
        raise ConvertError(
            f"{name} is made for pictures of {given[1]} x {given[0]}; at most {MOST_SIDE} on each side can "
            "be converted: write a smaller size into it"
        )
    for place, symbol in ((0, "batch"), (2, "height"), (3, "width")):
        _picture(made, name).type.tensor_type.shape.dim[place].dim_param = symbol
    names = [output.name for output in graph.output]
    if size is None:
        names = [output for node in graph.node for output in node.output if output]
    del graph.value_info[:]
    found = _measured(_without_weights(made), _picture(model, name).name, names, given)
    if not found:
        raise ConvertError(
            f"{name} computes no feature maps, batch x channels x height x width, that follow the picture's "
            "size; give a convolutional network"
        )
    del graph.output[:]
    graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", each.channels, None, None])
        for name, each in found.items()
    )
    return cut(made, list(found)), given, found


def _picture(model: onnx.ModelProto, name: str) -> Any:
    """The input of `model` that is a batch of pictures."""
    import onnx

    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    if len(inputs) != 1:
        raise ConvertError(f"{name} has {len(inputs)} inputs; dreamkit feeds one picture")
    tensor = inputs[0].type.tensor_type
    dims = tensor.shape.dim
    if tensor.elem_type != onnx.TensorProto.FLOAT or len(dims) != 4 or dims[1].dim_value != 3:
        takes = " x ".join(each.dim_param or str(each.dim_value) for each in dims)
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ConvertError(
            f"{name} takes {kind} {shown(takes) or 'of unknown shape'}; dreamkit feeds pictures, float "
            "batch x 3 x height x width"
        )
    return inputs[0]


def write(model: onnx.ModelProto, file: Path) -> None:
    """Writes `model` to a file.

    Raises:
        ConvertError: it is larger than an ONNX file can be, or cannot be written.
    """
    import onnx

    if model.ByteSize() > MOST_BYTES:
        raise ConvertError("the network is larger than 2 GB, which no ONNX file is; it cannot be converted")
    try:
        onnx.save(model, file)
    except OSError as error:
        raise ConvertError(f"cannot write {file} ({first_line(error)}); make room, or set TMPDIR") from error


def cut(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """`model` with `outputs` alone, and nothing that they do not need."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    known = {each.name: each for each in model.graph.output}
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(_read_by(node))
            nodes.append(node)
    del made.graph.node[:]
    made.graph.node.extend(reversed(nodes))
    for field in (made.graph.initializer, made.graph.input):
        kept = [each for each in field if each.name in needed]
        del field[:]
        field.extend(kept)
    del made.graph.output[:]
    made.graph.output.extend(known[name] for name in outputs)
    return made


def renamed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """`model` with plain names, since converters refuse some signs; and each output's plain name."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    plain: dict[str, str] = {"": ""}
    graph = made.graph
    for each in (*graph.input, *graph.initializer, *graph.output):
        each.name = plain.setdefault(each.name, f"t{len(plain)}")
    for place, node in enumerate(graph.node):
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ConvertError(
                f"node {shown(node.name)} is a {node.op_type} with a graph inside; a network with loops or "
                "conditions cannot be converted"
            )
        node.name = f"n{place}"
        node.input[:] = [plain.setdefault(name, f"t{len(plain)}") for name in node.input]
        node.output[:] = [plain.setdefault(name, f"t{len(plain)}") for name in node.output]
    graph.name = "network"
    return made, {output.name: plain[output.name] for output in model.graph.output}


def _read_by(node: Any) -> Iterable[str]:
    """What a node reads, the graphs inside it included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield from _read_by(inner)


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with large weights as inputs: all their shapes, none of their numbers."""
    import onnx

    small = onnx.ModelProto()
    large = {each.name for each in model.graph.initializer if each.ByteSize() > _LARGE}
    small.CopyFrom(model)
    for place in range(len(small.graph.initializer) - 1, -1, -1):
        each = small.graph.initializer[place]
        if each.name in large:
            info = onnx.helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
            del small.graph.initializer[place]
            small.graph.input.append(info)
    return small


def _measured(
    model: onnx.ModelProto, picture: str, names: Sequence[str], size: tuple[int, int]
) -> dict[str, Map]:
    """Each of `names` that is a map at `size`, with the least side at which it and all before it are.

    That is the least from which on it is a map at every larger side up to `size`, by bisection.
    """
    parents = {output: node for node in model.graph.node for output in node.output}
    kernels = {node.output[0]: window for node in model.graph.node if (window := _window(node, model))}

    def maps(sides: tuple[int, int]) -> dict[str, list[int]]:
        """The shapes of the maps that there are of two pictures of this size."""
        shapes = _shapes(model, picture, [*parents], sides)
        shapes[picture] = [2, 3, *sides]
        empty: set[str] = set()
        for name, node in parents.items():
            is_empty = len(shapes.get(name, ())) > 2 and min(shapes[name]) <= 0
            seen = shapes.get(node.input[0], [])[2:] if node.input else []
            # The size of a map that is smaller than its window is rounded towards zero, up to one.
            is_empty = is_empty or any(map(int.__lt__, seen, kernels.get(name, ())))
            if is_empty or any(each in empty for each in node.input):
                empty.add(name)
        return {
            name: shapes[name]
            for name in names
            if name not in empty and len(shapes.get(name, ())) == 4 and shapes[name][0] == 2
        }

    side = max(size)
    square, double = maps((side, side)), maps((2 * side, 2 * side))
    # A map has as many channels at any size, and its sides follow the picture's, or are one always.
    found = {
        name: (shape[1], double[name][2] - square[name][2])
        for name, shape in maps(size).items()
        if name in square
        and name in double
        and square[name][1] == double[name][1] == shape[1]
        and (double[name][2] > square[name][2] or double[name][2:] == [1, 1])
    }
    least: dict[str, int] = {}

    def bisect(low: int, high: int, among: set[str]) -> None:
        """Finds the least side of each of `among`: they are no maps at `low`, and maps at `high`."""
        if high - low == 1:
            least.update(dict.fromkeys(among, high))
        elif among:
            middle = (low + high) // 2
            there = among & maps((middle, middle)).keys()
            bisect(low, middle, there)
            bisect(middle, high, among - there)

    bisect(0, side, set(found))
    kinds: dict[str, Kind] = {}
    for node in model.graph.node:
        for output in node.output:
            kinds[output] = _kind(node, parents)
            # What an activation makes of a sum is what the branches end in, not the sum itself.
            if kinds[output] == "activation" and kinds.get(node.input[0]) == "join":
                kinds[node.input[0]], kinds[output] = "other", "join"
    return {
        name: Map(channels, round(side / grows) if grows else 0, least[name], kinds[name])
        for name, (channels, grows) in found.items()
    }


def _window(node: Any, model: onnx.ModelProto) -> list[int]:
    """The least height and width that a sliding window wants of what it reads; empty for another node."""
    if node.op_type not in ("Conv", "MaxPool", "AveragePool", "LpPool"):
        return []
    from onnx import helper

    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    kernel = given.get("kernel_shape")
    if kernel is None:
        dims = [each.dims for each in model.graph.initializer if each.name == node.input[1]]
        large = [each.type.tensor_type.shape.dim for each in model.graph.input if each.name == node.input[1]]
        kernel = [*dims[0]][2:] if dims else [each.dim_value for each in large[0]][2:] if large else []
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return []
    dilations, pads = given.get("dilations", [1] * len(kernel)), given.get("pads", [0] * 2 * len(kernel))
    ends = pads[len(kernel) :]
    return [
        dilation * (size - 1) + 1 - begin - end
        for size, dilation, begin, end in zip(kernel, dilations, pads, ends, strict=False)
    ]


def _kind(node: Any, computed: Container[str]) -> Kind:
    """What a node's result is; a sum with a constant joins nothing."""
    kind = _KINDS.get(node.op_type, "other")
    return "other" if kind == "join" and sum(each in computed for each in node.input) < 2 else kind


def _shapes(
    model: onnx.ModelProto, picture: str, names: Iterable[str], sides: tuple[int, int]
) -> dict[str, list[int]]:
    """The shapes of float tensors for two pictures of this height and width, as far as they can be told."""
    import onnx

    (dims,) = (each.type.tensor_type.shape.dim for each in model.graph.input if each.name == picture)
    for place, value in zip((0, 2, 3), (2, *sides), strict=True):
        dims[place].dim_value = value
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
    tensors = {each.name: each.type.tensor_type for each in inferred}
    return {
        name: [dim.dim_value for dim in tensor.shape.dim]
        for name, tensor in tensors.items()
        if tensor.elem_type == onnx.TensorProto.FLOAT
        and all(dim.HasField("dim_value") for dim in tensor.shape.dim)
    }
