"""ONNX models as they are found, in the one form that conversion reads: a recent operator set, weights that
are no inputs, 32-bit floats, and one input of RGB pictures, batch x 3 x height x width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.onnx_rewrites import copy
from dreamkit.convert.options import LUMINANCE
from dreamkit.errors import ConvertError, first_line, shown

if TYPE_CHECKING:
    import onnx

_MIN_OPSET, _OPSET = 11, 17  # the least that is converted as it is, and what older ones become
_IR = 4  # from which on weights need not be inputs
_DOMAINS = ("", "ai.onnx")  # of ONNX's own operations
_TYPES = ("float16", "bfloat16", "float32", "float64", "uint8")
_WRAPPED = "dreamkit_picture"


@dataclass(frozen=True)
class PictureInput:
    """What a model takes, for feeding the original.

    Attributes:
        name: of the input.
        channels: of its pictures: 1 (grey), 3 or 4.
        channels_last: whether it takes batch x height x width x channels.
        type: NumPy's name of its type, such as float32 or uint8.
        fill: the value of the fourth channel.
        order: of the colours that it is fed, RGB or BGR.
    """

    name: str
    channels: int = 3
    channels_last: bool = False
    type: str = "float32"
    fill: float = 0.0
    order: str = "RGB"

    def from_rgb(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """What the model takes for a batch of pictures, `(n, 3, height, width)` after preprocessing."""
        if self.channels == 1:
            batch = np.einsum("nchw,c->nhw", batch, np.array(LUMINANCE[self.order], np.float32))[:, None]
        elif self.channels == 4:
            batch = np.concatenate([batch, np.full_like(batch[:, :1], self.fill)], axis=1)
        if self.channels_last:
            batch = np.moveaxis(batch, 1, -1)
        if self.type == "uint8":
            batch = np.rint(batch).astype(np.uint8)
        return np.ascontiguousarray(batch)


def with_recent_operators(model: onnx.ModelProto, description: str) -> onnx.ModelProto:
    """`model` with an operator set that is converted, its weights as initializers that are no inputs.

    Raises:
        ConvertError: it has operations that are not ONNX's own, or cannot be upgraded.
    """
    import onnx.version_converter

    for node in model.graph.node:
        if node.domain not in _DOMAINS:
            raise ConvertError(
                f"{description} has a {shown(f'{node.domain}.{node.op_type}')}, which is not one of ONNX's "
                "own operations"
            )
    opset = max((each.version for each in model.opset_import if each.domain in _DOMAINS), default=1)
    if opset < _MIN_OPSET:
        try:
            model = onnx.version_converter.convert_version(model, _OPSET)
        except Exception as error:  # ONNX's errors have no common base
            raise ConvertError(
                f"{description} has ONNX operator set {opset}, which cannot be upgraded to {_OPSET} "
                f"({first_line(error)[:120]}); export it again with {_MIN_OPSET} or later"
            ) from error
    result = copy(model)
    weights = {each.name for each in result.graph.initializer}
    inputs = [each for each in result.graph.input if each.name not in weights]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    result.ir_version = max(result.ir_version, _IR)
    _constants_to_initializers(result)
    _without_ceil(result)
    return result


def _constants_to_initializers(model: onnx.ModelProto) -> None:
    """Constants of nodes are initializers: shape inference and converters know those everywhere."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in model.graph.node:
        values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type != "Constant" or not values or "sparse_value" in values or "value_string" in values:
            nodes.append(node)
            continue
        ((name, value),) = values.items()
        if name == "value":
            tensor = value
        else:
            kind = np.float32 if name.startswith("value_float") else np.int64
            tensor = numpy_helper.from_array(np.asarray(value, kind))
        kept = model.graph.initializer.add()
        kept.CopyFrom(tensor)
        kept.name = node.output[0]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _without_ceil(model: onnx.ModelProto) -> None:
    """Pools that round their size up get padding at the end instead, which onnx2tf knows at any size.

    A maximum does not see padding. A window that is at least as long as its stride begins in the map.
    """
    from onnx import helper

    for node in model.graph.node:
        values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        kernel, strides = values.get("kernel_shape", []), values.get("strides", [1, 1])
        if node.op_type != "MaxPool" or not values.get("ceil_mode") or len(kernel) != 2:
            continue
        if any(size < stride for size, stride in zip(kernel, strides, strict=True)):
            continue
        pads = list(values.get("pads", [0, 0, 0, 0]))
        pads[2:] = [pad + stride - 1 for pad, stride in zip(pads[2:], strides, strict=True)]
        kept = [each for each in node.attribute if each.name not in ("ceil_mode", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads)])


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with 32-bit floats in place of 16-bit and 64-bit ones."""
    from onnx import TensorProto, numpy_helper

    others = TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE
    result = copy(model)

    def converted(tensor: onnx.TensorProto) -> None:
        if tensor.data_type in others:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), name))

    for tensor in result.graph.initializer:
        converted(tensor)
    for node in result.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                converted(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i in others:
                attribute.i = TensorProto.FLOAT
    for value in (*result.graph.input, *result.graph.output):
        if value.type.tensor_type.elem_type in others:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del result.graph.value_info[:]
    return result


def with_rgb_input(
    model: onnx.ModelProto, description: str, fill: float | None, order: str = "RGB"
) -> tuple[onnx.ModelProto, PictureInput]:
    """`model` with an input of pictures, batch x 3 x height x width, and what it takes itself.

    Grey is the luminance of what the preprocessing makes, in the order RGB or BGR. `fill` is the value of a
    fourth channel.

    Raises:
        ConvertError: it does not take one batch of pictures.
    """
    from onnx import TensorProto, helper, numpy_helper

    value = _picture_input(model, description)
    tensor = value.type.tensor_type
    dims = [each.dim_value for each in tensor.shape.dim]
    given = f"{description} takes {_describe(tensor)}"
    kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    if kind not in _TYPES:
        raise ConvertError(f"{given}; dreamkit feeds pictures of floats or of uint8")
    channels, channels_last = _channels(dims, given, fill)
    picture = PictureInput(value.name, channels, channels_last, kind, fill or 0.0, order)
    model = in_float32(model)
    taken = _picture_input(model, description)
    if picture.channels == 3 and not picture.channels_last and picture.type != "uint8":
        return model, picture
    result = copy(model)
    nodes: list[onnx.NodeProto] = []
    name = _WRAPPED
    if picture.channels == 1:
        kernel = np.array(LUMINANCE[order], np.float32).reshape(1, 3, 1, 1)
        result.graph.initializer.append(numpy_helper.from_array(kernel, f"{_WRAPPED}_luminance"))
        nodes.append(helper.make_node("Conv", [name, f"{_WRAPPED}_luminance"], [f"{_WRAPPED}_grey"]))
    elif picture.channels == 4:
        # A convolution, because a constant plane of the picture's size would need its shape.
        kernel = np.eye(4, 3, dtype=np.float32).reshape(4, 3, 1, 1)
        bias = np.array([0, 0, 0, picture.fill], np.float32)
        for part, array in (("kernel", kernel), ("bias", bias)):
            result.graph.initializer.append(numpy_helper.from_array(array, f"{_WRAPPED}_{part}"))
        read = [name, f"{_WRAPPED}_kernel", f"{_WRAPPED}_bias"]
        nodes.append(helper.make_node("Conv", read, [f"{_WRAPPED}_filled"]))
    if picture.channels_last:
        before = nodes[-1].output[0] if nodes else name
        nodes.append(helper.make_node("Transpose", [before], [f"{_WRAPPED}_nhwc"], perm=[0, 2, 3, 1]))
    rest = [node for node in result.graph.node if not _is_cast_of(node, value.name)]
    last = nodes[-1].output[0] if nodes else name
    renamed = {value.name: last}
    for node in result.graph.node:
        if _is_cast_of(node, value.name):  # of whole numbers to floats, which the picture has
            renamed[node.output[0]] = last
    for node in rest:
        node.input[:] = [renamed.get(each, each) for each in node.input]
    del result.graph.node[:]
    result.graph.node.extend([*nodes, *rest])
    shape = [None, 3, *((dims[1], dims[2]) if picture.channels_last else (dims[2], dims[3]))]
    made = helper.make_tensor_value_info(_WRAPPED, TensorProto.FLOAT, [each or None for each in shape])
    inputs = [made if each.name == taken.name else each for each in result.graph.input]
    del result.graph.input[:]
    result.graph.input.extend(inputs)
    return result, picture


def _is_cast_of(node: onnx.NodeProto, name: str) -> bool:
    return node.op_type == "Cast" and node.input[0] == name


def _picture_input(model: onnx.ModelProto, description: str) -> Any:
    """The one input of `model`."""
    if len(model.graph.input) != 1:
        raise ConvertError(f"{description} has {len(model.graph.input)} inputs; dreamkit feeds one picture")
    return model.graph.input[0]


def _channels(dims: list[int], given: str, fill: float | None) -> tuple[int, bool]:
    """How many channels an input of these sizes has, 0 for unknown ones, and whether they come last."""
    possible = (1, 3, 4)
    if len(dims) == 4 and dims[1] in possible and not (dims[3] in possible and dims[1] not in possible):
        channels, last = dims[1], False
    elif len(dims) == 4 and dims[3] in possible:
        channels, last = dims[3], True
    else:
        raise ConvertError(
            f"{given}; dreamkit feeds pictures, batch x 3 x height x width: also with 1 or 4 channels, and "
            "with the channels last"
        )
    if fill is not None and channels != 4:
        raise ConvertError(f"{given}; --fill is for a fourth channel")
    if channels == 4 and fill is None:
        raise ConvertError(f"{given}; say what the fourth channel holds, after preprocessing: --fill 0")
    return channels, last


def _describe(tensor: Any) -> str:
    from onnx import TensorProto

    shape = " x ".join(each.dim_param or str(each.dim_value) for each in tensor.shape.dim)
    return f"{TensorProto.DataType.Name(tensor.elem_type).lower()} {shown(shape) or 'of unknown shape'}"
