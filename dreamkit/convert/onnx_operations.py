"""The operators of ONNX, computed by TensorFlow, for networks that take one size of picture.

Each function takes a node's inputs (None where one is left out) and its attributes, and returns its output or
outputs. Inputs are NumPy arrays, which are the same for every picture, or TensorFlow tensors of fully known
shape. Definitions: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Inputs = Sequence[Any]
Attributes = Mapping[str, Any]
Operator = Callable[[Inputs, Attributes], Any]


def _ints(value: Any) -> list[int]:
    return [int(each) for each in np.ravel(value)]


def _shape(value: Any) -> list[int]:
    return [int(each) for each in value.shape]


def _given(inputs: Inputs, index: int, default: Any = None) -> Any:
    """An optional input."""
    return inputs[index] if len(inputs) > index and inputs[index] is not None else default


def _axes(inputs: Inputs, attributes: Attributes, index: int = 1) -> list[int] | None:
    """The axes of a node, an attribute in older operator sets and an input in newer ones."""
    axes = attributes.get("axes", _given(inputs, index))
    return None if axes is None else _ints(axes)


# Arithmetic.


def _divide(inputs: Inputs, _: Attributes) -> Any:
    a, b = inputs
    if a.dtype in (np.int32, np.int64, tf.int32, tf.int64):  # ONNX rounds towards zero
        return tf.truncatediv(a, b)
    return tf.divide(a, b)


def _clip(inputs: Inputs, attributes: Attributes) -> Any:
    low = _given(inputs, 1, attributes.get("min"))
    high = _given(inputs, 2, attributes.get("max"))
    value = inputs[0] if low is None else tf.maximum(inputs[0], low)
    return value if high is None else tf.minimum(value, high)


def _cast(inputs: Inputs, attributes: Attributes) -> Any:
    from onnx import helper

    return tf.cast(inputs[0], helper.tensor_dtype_to_np_dtype(attributes["to"]))


def _gelu(inputs: Inputs, attributes: Attributes) -> Any:
    return tf.nn.gelu(inputs[0], approximate=attributes.get("approximate", b"none") == b"tanh")


def _fold(function: Callable[[Any, Any], Any]) -> Operator:
    """An operator of any number of inputs from a function of two."""

    def folded(inputs: Inputs, _: Attributes) -> Any:
        value = inputs[0]
        for each in inputs[1:]:
            value = function(value, each)
        return value

    return folded


def _length(values: Any, **options: Any) -> Any:
    # Not tf.math.reduce_euclidean_norm, which tf.vectorized_map does not know.
    return tf.sqrt(tf.reduce_sum(tf.square(values), **options))


def _plain(function: Callable[..., Any]) -> Operator:
    """An operator without attributes."""
    return lambda inputs, _: function(*inputs)


def _reduce(function: Callable[..., Any]) -> Operator:
    def reduced(inputs: Inputs, attributes: Attributes) -> Any:
        axes = _axes(inputs, attributes)
        if not axes and attributes.get("noop_with_empty_axes"):
            return inputs[0]
        return function(inputs[0], axis=axes or None, keepdims=bool(attributes.get("keepdims", 1)))

    return reduced


# Sizes and orders.


def _shape_of(inputs: Inputs, attributes: Attributes) -> Any:
    return np.array(_shape(inputs[0])[attributes.get("start", 0) : attributes.get("end")], np.int64)


def _reshape(inputs: Inputs, attributes: Attributes) -> Any:
    before, wanted = _shape(inputs[0]), _ints(inputs[1])
    if not attributes.get("allowzero"):
        wanted = [before[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return tf.reshape(inputs[0], wanted)


def _flatten(inputs: Inputs, attributes: Attributes) -> Any:
    shape, axis = _shape(inputs[0]), attributes.get("axis", 1)
    return tf.reshape(inputs[0], [math.prod(shape[:axis]), -1])


def _transpose(inputs: Inputs, attributes: Attributes) -> Any:
    return tf.transpose(inputs[0], attributes.get("perm"))


def _squeeze(inputs: Inputs, attributes: Attributes) -> Any:
    return tf.squeeze(inputs[0], _axes(inputs, attributes))


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Any:
    axes = _axes(inputs, attributes) or []
    rank = len(inputs[0].shape) + len(axes)
    shape = iter(_shape(inputs[0]))
    new = {axis % rank for axis in axes}
    return tf.reshape(inputs[0], [1 if axis in new else next(shape) for axis in range(rank)])


def _concat(inputs: Inputs, attributes: Attributes) -> Any:
    return tf.concat(list(inputs), attributes["axis"])


def _split(inputs: Inputs, attributes: Attributes) -> Any:
    axis = attributes.get("axis", 0)
    length = _shape(inputs[0])[axis]
    sizes = attributes.get("split", _given(inputs, 1))
    if sizes is None:
        part = -(-length // attributes["outputs"])
        sizes = [min(part, length - start) for start in range(0, length, part)]
    return tf.split(inputs[0], _ints(sizes), axis)


def _slice(inputs: Inputs, attributes: Attributes) -> Any:
    starts = _ints(attributes.get("starts", _given(inputs, 1)))
    ends = _ints(attributes.get("ends", _given(inputs, 2)))
    axes = _axes(inputs, attributes, 3) or list(range(len(starts)))
    steps = _ints(_given(inputs, 4, [1] * len(starts)))
    rank = len(inputs[0].shape)
    parts: list[Any] = [slice(None)] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Indices of Python, which also ends a slice behind either end of the axis.
        length = _shape(inputs[0])[axis]
        parts[axis % rank] = slice(max(start, -length - 1), None if end <= -length - 1 else end, step)
        if step > 0 and start < -length:
            parts[axis % rank] = slice(0, end, step)
    return inputs[0][tuple(parts)]


def _gather(inputs: Inputs, attributes: Attributes) -> Any:
    axis = attributes.get("axis", 0)
    indices = np.asarray(inputs[1])
    return tf.gather(inputs[0], np.where(indices < 0, indices + _shape(inputs[0])[axis], indices), axis=axis)


def _expand(inputs: Inputs, _: Attributes) -> Any:
    return tf.broadcast_to(inputs[0], np.broadcast_shapes(_shape(inputs[0]), _ints(inputs[1])))


def _pad(inputs: Inputs, attributes: Attributes) -> Any:
    rank = len(inputs[0].shape)
    pads = _ints(attributes.get("pads", _given(inputs, 1)))
    axes = [axis % rank for axis in _axes(inputs, {}, 3) or range(rank)]
    ends = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    paddings = [ends.get(axis, (0, 0)) for axis in range(rank)]
    mode = attributes.get("mode", b"constant")
    if mode == b"reflect":
        return tf.pad(inputs[0], paddings, "REFLECT")
    if mode != b"constant":
        raise NotImplementedError(f"a padding of mode {mode.decode(errors='replace')}")
    cropped = inputs[0][tuple(slice(max(0, -a), -max(0, -b) or None) for a, b in paddings)]
    value = np.ravel(_given(inputs, 2, attributes.get("value", 0.0)))
    return tf.pad(
        cropped,
        [(max(0, a), max(0, b)) for a, b in paddings],
        constant_values=tf.cast(value[0] if value.size else 0, cropped.dtype),
    )


def _insert(inputs: Inputs, _: Attributes) -> Any:
    """A sequence, which is a tuple here, with one more tensor."""
    sequence, value = inputs[0], inputs[1]
    place = int(np.ravel(_given(inputs, 2, len(sequence)))[0])
    place += len(sequence) if place < 0 else 0
    return (*sequence[:place], value, *sequence[place:])


def _concat_sequence(inputs: Inputs, attributes: Attributes) -> Any:
    join = tf.stack if attributes.get("new_axis") else tf.concat
    return join(list(inputs[0]), attributes["axis"])


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Any:
    from onnx import numpy_helper

    value = attributes.get("value")
    filled = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
    return np.full(_ints(inputs[0]), filled.ravel()[0], filled.dtype)


def _constant(_: Inputs, attributes: Attributes) -> Any:
    from onnx import numpy_helper

    if "value" in attributes:
        return numpy_helper.to_array(attributes["value"])
    ((name, value),) = attributes.items()
    return np.array(value, np.int64 if name.startswith("value_int") else np.float32)


def _scatter(inputs: Inputs, attributes: Attributes) -> Any:
    if attributes.get("reduction", b"none") != b"none":
        raise NotImplementedError("a reduction")
    return tf.tensor_scatter_nd_update(*inputs)


def _triangle(inputs: Inputs, attributes: Attributes) -> Any:
    ones = np.ones(_shape(inputs[0])[-2:], bool)
    offset = int(np.ravel(_given(inputs, 1, 0))[0])
    kept = np.triu(ones, offset) if attributes.get("upper", 1) else np.tril(ones, offset)
    return tf.where(kept, inputs[0], tf.zeros_like(inputs[0]))


def _blocks(to_space: bool) -> Operator:
    def moved(inputs: Inputs, attributes: Attributes) -> Any:
        count, channels, height, width = _shape(inputs[0])
        block = attributes["blocksize"]
        if not to_space:
            cells = tf.reshape(inputs[0], [count, channels, height // block, block, width // block, block])
            turned = tf.transpose(cells, [0, 3, 5, 1, 2, 4])
            return tf.reshape(turned, [count, -1, height // block, width // block])
        columns_first = attributes.get("mode", b"DCR") == b"CRD"
        inner = (
            [channels // block**2, block, block] if columns_first else [block, block, channels // block**2]
        )
        cells = tf.reshape(inputs[0], [count, *inner, height, width])
        turned = tf.transpose(cells, [0, 1, 4, 2, 5, 3] if columns_first else [0, 3, 4, 1, 5, 2])
        return tf.reshape(turned, [count, channels // block**2, height * block, width * block])

    return moved


# Products.


def _gemm(inputs: Inputs, attributes: Attributes) -> Any:
    product = tf.matmul(
        inputs[0],
        inputs[1],
        transpose_a=bool(attributes.get("transA")),
        transpose_b=bool(attributes.get("transB")),
    )
    product *= attributes.get("alpha", 1.0)
    bias = _given(inputs, 2)
    return product if bias is None else product + attributes.get("beta", 1.0) * bias


def _matmul(inputs: Inputs, _: Attributes) -> Any:
    a, b = inputs
    if len(b.shape) == 2 < len(a.shape):
        # As one product: with its own batch, oneDNN's kernel broadcasts the matrix, and can end the process.
        flat = tf.matmul(tf.reshape(a, [-1, _shape(a)[-1]]), b)
        return tf.reshape(flat, [*_shape(a)[:-1], _shape(b)[-1]])
    if min(len(a.shape), len(b.shape)) > 1:
        return tf.matmul(a, b)
    left = a[None] if len(a.shape) == 1 else a
    right = b[:, None] if len(b.shape) == 1 else b
    product = tf.matmul(left, right)
    product = product[..., 0] if len(b.shape) == 1 else product
    return product[..., 0, :] if len(a.shape) == 1 and len(b.shape) > 1 else product


def _einsum(inputs: Inputs, attributes: Attributes) -> Any:
    return tf.einsum(attributes["equation"].decode().replace(" ", ""), *inputs)


# Maps, batch x channels x height x width: TensorFlow computes them with channels last.


def _last(value: Any) -> Any:
    return tf.transpose(value, [0, 2, 3, 1])


def _first(value: Any) -> Any:
    return tf.transpose(value, [0, 3, 1, 2])


def _pads(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], attributes: Attributes
) -> list[tuple[int, int]]:
    """What a sliding window pads before and after each axis."""
    dilations = attributes.get("dilations", [1] * len(kernel))
    reach = [dilation * (side - 1) + 1 for dilation, side in zip(dilations, kernel, strict=True)]
    mode = attributes.get("auto_pad", b"NOTSET")
    if mode in (b"SAME_UPPER", b"SAME_LOWER"):
        missing = [
            max(0, (-(-length // stride) - 1) * stride + window - length)
            for length, stride, window in zip(size, strides, reach, strict=True)
        ]
        halves = [(each // 2, each - each // 2) for each in missing]
        return halves if mode == b"SAME_UPPER" else [pair[::-1] for pair in halves]
    pads = [0] * 2 * len(kernel) if mode == b"VALID" else attributes.get("pads", [0] * 2 * len(kernel))
    found = list(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
    if attributes.get("ceil_mode"):
        found = [
            (before, after + (-(length + before + after - window) % stride))
            for (before, after), length, window, stride in zip(found, size, reach, strides, strict=True)
        ]
    return found


def _conv(inputs: Inputs, attributes: Attributes) -> Any:
    value, weights = inputs[:2]
    kernel = _shape(weights)[2:]
    if len(kernel) != 2:
        raise NotImplementedError(f"a convolution along {len(kernel)} axes")
    strides = attributes.get("strides", [1, 1])
    pads = _pads(_shape(value)[2:], kernel, strides, attributes)
    options = {"padding": "VALID", "dilations": list(attributes.get("dilations", [1, 1]))}
    padded = tf.pad(_last(value), [(0, 0), *pads, (0, 0)])
    groups, channels = attributes.get("group", 1), _shape(value)[1]
    steps = [1, *strides, 1]
    if groups == 1:
        result = tf.nn.conv2d(padded, tf.transpose(weights, [2, 3, 1, 0]), strides=list(strides), **options)
    elif groups == channels and len(set(strides)) == 1:
        multiplier = _shape(weights)[0] // channels
        turned = tf.transpose(tf.reshape(weights, [channels, multiplier, *kernel]), [2, 3, 0, 1])
        # tf.vectorized_map takes a kernel only where it depends on the picture, as this does in form.
        turned += tf.stop_gradient(0 * padded[0, 0, 0, 0])
        result = tf.nn.depthwise_conv2d(padded, turned, strides=steps, **options)
    else:
        parts = zip(tf.split(padded, groups, 3), tf.split(weights, groups, 0), strict=True)
        result = tf.concat(
            [
                tf.nn.conv2d(part, tf.transpose(own, [2, 3, 1, 0]), strides=list(strides), **options)
                for part, own in parts
            ],
            3,
        )
    bias = _given(inputs, 2)
    return _first(result if bias is None else result + bias)


def _max_pool(inputs: Inputs, attributes: Attributes) -> Any:
    kernel = attributes["kernel_shape"]
    strides = attributes.get("strides", [1] * len(kernel))
    if set(attributes.get("dilations", [1])) != {1}:
        raise NotImplementedError("a dilated pool")
    pads = _pads(_shape(inputs[0])[2:], kernel, strides, attributes)
    least = tf.as_dtype(inputs[0].dtype).min
    padded = tf.pad(_last(inputs[0]), [(0, 0), *pads, (0, 0)], constant_values=least)
    return _first(tf.nn.max_pool2d(padded, kernel, strides, "VALID"))


def _average_pool(inputs: Inputs, attributes: Attributes) -> Any:
    kernel = attributes["kernel_shape"]
    strides = attributes.get("strides", [1] * len(kernel))
    size = _shape(inputs[0])[2:]
    pads = _pads(size, kernel, strides, attributes)
    pooled = tf.nn.avg_pool2d(tf.pad(_last(inputs[0]), [(0, 0), *pads, (0, 0)]), kernel, strides, "VALID")
    # What is counted: the picture, and its own padding if so wanted, but never what rounding up adds.
    own = _pads(size, kernel, strides, {**attributes, "ceil_mode": 0})
    padding = float(attributes.get("count_include_pad", 0))
    counted = np.pad(np.ones(size, np.float32), own, constant_values=padding)
    added = [(0, whole[1] - part[1]) for whole, part in zip(pads, own, strict=True)]
    counted = np.pad(counted, added)
    if counted.all():
        return _first(pooled)
    return _first(pooled / tf.nn.avg_pool2d(counted[None, :, :, None], kernel, strides, "VALID"))


def _batch_normalise(inputs: Inputs, attributes: Attributes) -> Any:
    value, scale, bias, mean, variance = inputs
    factor = scale / tf.sqrt(variance + attributes.get("epsilon", 1e-5))
    shape = [1, -1, *[1] * (len(value.shape) - 2)]
    return value * tf.reshape(factor, shape) + tf.reshape(bias - mean * factor, shape)


def _layer_normalise(inputs: Inputs, attributes: Attributes) -> Any:
    value = inputs[0]
    rank = len(value.shape)
    axes = list(range(attributes.get("axis", -1) % rank, rank))
    bias = _given(inputs, 2)
    result = _normalised(value, axes, attributes.get("epsilon", 1e-5)) * inputs[1]
    return result if bias is None else result + bias


def _instance_normalise(inputs: Inputs, attributes: Attributes) -> Any:
    value, scale, bias = inputs
    axes = list(range(2, len(value.shape)))
    shape = [1, -1, *[1] * len(axes)]
    normalised = _normalised(value, axes, attributes.get("epsilon", 1e-5))
    return normalised * tf.reshape(scale, shape) + tf.reshape(bias, shape)


def _group_normalise(inputs: Inputs, attributes: Attributes) -> Any:
    value, scale, bias = inputs
    before, groups = _shape(value), attributes["num_groups"]
    grouped = tf.reshape(value, [before[0], groups, -1])
    normalised = _normalised(grouped, [2], attributes.get("epsilon", 1e-5))
    shape = [1, -1, *[1] * (len(before) - 2)]
    if _shape(scale)[0] == groups != before[1]:  # before operator set 21
        by_group = normalised * tf.reshape(scale, [1, -1, 1]) + tf.reshape(bias, [1, -1, 1])
        return tf.reshape(by_group, before)
    return tf.reshape(normalised, before) * tf.reshape(scale, shape) + tf.reshape(bias, shape)


def _rms_normalise(inputs: Inputs, attributes: Attributes) -> Any:
    rank = len(inputs[0].shape)
    axes = list(range(attributes.get("axis", -1) % rank, rank))
    mean = tf.reduce_mean(tf.square(inputs[0]), axes, keepdims=True)
    return inputs[0] * tf.math.rsqrt(mean + attributes.get("epsilon", 1e-5)) * inputs[1]


def _normalised(value: Any, axes: list[int], epsilon: float) -> Any:
    mean = tf.reduce_mean(value, axes, keepdims=True)
    centred = value - mean
    return centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)


def _unit(inputs: Inputs, attributes: Attributes) -> Any:
    order = attributes.get("p", 2)
    axis = attributes.get("axis", -1)
    if order == 1:
        return inputs[0] / tf.reduce_sum(tf.abs(inputs[0]), axis, keepdims=True)
    return inputs[0] / tf.norm(inputs[0], axis=axis, keepdims=True)


def _resize(inputs: Inputs, attributes: Attributes) -> Any:
    before = _shape(inputs[0])
    sizes, scales = _given(inputs, 3), _given(inputs, 2)
    after = _ints(sizes) if sizes is not None else [int(a * s) for a, s in zip(before, scales, strict=True)]
    mode = attributes.get("mode", b"nearest").decode()
    place = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    whole = [new // old for old, new in zip(before[2:], after[2:], strict=True)]
    is_whole = [old * factor for old, factor in zip(before[2:], whole, strict=True)] == after[2:]
    if before[:2] != after[:2] or len(before) != 4:
        raise NotImplementedError("a resize of something else than height and width")
    floors = attributes.get("nearest_mode", b"round_prefer_floor") == b"floor"
    if mode == "nearest" and is_whole and (floors or place != "asymmetric"):
        return tf.repeat(tf.repeat(inputs[0], whole[0], 2), whole[1], 3)
    if mode in ("linear", "cubic") and place in ("half_pixel", "pytorch_half_pixel"):
        matrices = [
            _resampling(old, new, mode, attributes.get("cubic_coeff_a", -0.75))
            for old, new in zip(before[2:], after[2:], strict=True)
        ]
        return tf.einsum("bchw,yh,xw->bcyx", inputs[0], *matrices)
    raise NotImplementedError(f"a resize of mode {mode} and {place}")


def _resampling(old: int, new: int, mode: str, a: float) -> Any:
    """The matrix that resamples an axis of `old` places to `new`, with half-pixel centres (Keys 1981)."""
    matrix = np.zeros((new, old), np.float64)
    for row in range(new):
        centre = (row + 0.5) * old / new - 0.5
        first = math.floor(centre) - (mode == "cubic")
        for place in range(first, first + (4 if mode == "cubic" else 2)):
            distance = abs(centre - place)
            if mode == "linear":
                weight = max(0.0, 1 - distance)
            elif distance <= 1:
                weight = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
            else:
                weight = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
            matrix[row, min(max(place, 0), old - 1)] += weight
    return matrix.astype(np.float32)


def _softmax(function: Callable[..., Any]) -> Operator:
    def applied(inputs: Inputs, attributes: Attributes) -> Any:
        rank = len(inputs[0].shape)
        order = list(range(rank))
        order.append(order.pop(attributes.get("axis", -1) % rank))  # that axis last
        turned = tf.transpose(inputs[0], order)
        # As rows: oneDNN's kernel takes five axes at most.
        rows = function(tf.reshape(turned, [-1, _shape(turned)[-1]]))
        return tf.transpose(tf.reshape(rows, _shape(turned)), np.argsort(order))

    return applied


def _attribute_of(function: Callable[[Any, float], Any], name: str, default: float) -> Operator:
    return lambda inputs, attributes: function(inputs[0], attributes.get(name, default))


OPERATORS: Mapping[str, Operator] = {
    "Abs": _plain(tf.abs),
    "Add": _plain(tf.add),
    "And": _plain(tf.logical_and),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalise,
    "Cast": _cast,
    "CastLike": lambda inputs, _: tf.cast(inputs[0], inputs[1].dtype),
    "Ceil": _plain(tf.math.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "ConcatFromSequence": _concat_sequence,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Cos": _plain(tf.cos),
    "CumSum": lambda inputs, attributes: tf.cumsum(
        inputs[0],
        int(np.ravel(inputs[1])[0]),
        exclusive=bool(attributes.get("exclusive", 0)),
        reverse=bool(attributes.get("reverse", 0)),
    ),
    "DepthToSpace": _blocks(to_space=True),
    "Div": _divide,
    "Dropout": lambda inputs, _: tf.identity(inputs[0]),
    "Einsum": _einsum,
    "Elu": _attribute_of(lambda x, a: tf.where(x > 0, x, a * tf.math.expm1(tf.minimum(x, 0))), "alpha", 1.0),
    "Equal": _plain(tf.equal),
    "Erf": _plain(tf.math.erf),
    "Exp": _plain(tf.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _plain(tf.floor),
    "Gather": _gather,
    "GatherND": lambda inputs, attributes: tf.gather_nd(
        inputs[0], inputs[1], batch_dims=attributes.get("batch_dims", 0)
    ),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda inputs, _: tf.reduce_mean(inputs[0], [2, 3], keepdims=True),
    "GlobalMaxPool": lambda inputs, _: tf.reduce_max(inputs[0], [2, 3], keepdims=True),
    "Greater": _plain(tf.greater),
    "GreaterOrEqual": _plain(tf.greater_equal),
    "GroupNormalization": _group_normalise,
    "HardSigmoid": lambda inputs, attributes: tf.clip_by_value(
        inputs[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0, 1
    ),
    "HardSwish": lambda inputs, _: inputs[0] * tf.clip_by_value(inputs[0] / 6 + 0.5, 0, 1),
    "Identity": _plain(tf.identity),
    "InstanceNormalization": _instance_normalise,
    "LayerNormalization": _layer_normalise,
    "LeakyRelu": _attribute_of(lambda x, a: tf.where(x > 0, x, a * x), "alpha", 0.01),
    "Less": _plain(tf.less),
    "LessOrEqual": _plain(tf.less_equal),
    "Log": _plain(tf.math.log),
    "LogSoftmax": _softmax(tf.nn.log_softmax),
    "LpNormalization": _unit,
    "MatMul": _matmul,
    "Max": _fold(tf.maximum),
    "MaxPool": _max_pool,
    "Mean": lambda inputs, _: sum(inputs[1:], inputs[0]) / len(inputs),
    "Min": _fold(tf.minimum),
    "Mish": lambda inputs, _: inputs[0] * tf.tanh(tf.nn.softplus(inputs[0])),
    "Mod": lambda inputs, attributes: (tf.truncatemod if attributes.get("fmod") else tf.math.floormod)(
        inputs[0], inputs[1]
    ),
    "Mul": _plain(tf.multiply),
    "Neg": _plain(tf.negative),
    "Not": _plain(tf.logical_not),
    "Or": _plain(tf.logical_or),
    "PRelu": lambda inputs, _: tf.where(inputs[0] > 0, inputs[0], inputs[1] * inputs[0]),
    "Pad": _pad,
    "Pow": lambda inputs, _: tf.pow(inputs[0], tf.cast(inputs[1], inputs[0].dtype)),
    "RMSNormalization": _rms_normalise,
    "Range": lambda inputs, _: np.arange(*(np.ravel(each)[0] for each in inputs), dtype=inputs[0].dtype),
    "Reciprocal": _plain(tf.math.reciprocal),
    "ReduceL2": _reduce(_length),
    "ReduceMax": _reduce(tf.reduce_max),
    "ReduceMean": _reduce(tf.reduce_mean),
    "ReduceMin": _reduce(tf.reduce_min),
    "ReduceProd": _reduce(tf.reduce_prod),
    "ReduceSum": _reduce(tf.reduce_sum),
    "Relu": _plain(tf.nn.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Round": _plain(tf.round),
    "ScatterND": _scatter,
    "SequenceAt": lambda inputs, _: inputs[0][int(np.ravel(inputs[1])[0])],
    "SequenceEmpty": lambda _inputs, _attributes: (),
    "SequenceInsert": _insert,
    "Selu": _plain(tf.nn.selu),
    "Shape": _shape_of,
    "Sigmoid": _plain(tf.sigmoid),
    "Sign": _plain(tf.sign),
    "Sin": _plain(tf.sin),
    "Slice": _slice,
    "Softmax": _softmax(tf.nn.softmax),
    "Softplus": _plain(tf.nn.softplus),
    "SpaceToDepth": _blocks(to_space=False),
    "Split": _split,
    "Sqrt": _plain(tf.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(tf.subtract),
    "Sum": _fold(tf.add),
    "Tanh": _plain(tf.tanh),
    "Tile": lambda inputs, _: tf.tile(inputs[0], _ints(inputs[1])),
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
    "Where": _plain(tf.where),
}
