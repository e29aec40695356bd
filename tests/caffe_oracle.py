"""Caffe's layers in NumPy, written as loops from their definitions: slow, simple, and right at any size."""

from __future__ import annotations

from math import ceil, log

import numpy as np


def pooled_size(size, kernel, stride, pad, padded):
    """The number of windows along a side: rounded up, without a last one that begins beyond the padding."""
    count = ceil((size + 2 * pad - kernel) / stride) + 1
    return count - 1 if padded and (count - 1) * stride >= size + pad else count


def convolution(x, weights, bias, stride, pad, dilation, group):
    x = np.pad(x.astype(np.float64), [(0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2])
    outputs, each, *kernel = weights.shape
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    high, wide = ((size - s) // t + 1 for size, s, t in zip(x.shape[2:], span, stride, strict=True))
    result = np.zeros((len(x), outputs, high, wide))
    for output in range(outputs):
        first = output // (outputs // group) * each
        for i in range(high):
            for j in range(wide):
                top, left = i * stride[0], j * stride[1]
                window = x[
                    :,
                    first : first + each,
                    top : top + span[0] : dilation[0],
                    left : left + span[1] : dilation[1],
                ]
                result[:, output, i, j] = (window * weights[output]).sum((1, 2, 3))
    return result + bias.reshape(1, -1, 1, 1)


def deconvolution(x, weights, bias, stride, pad, dilation, group):
    """Each number of `x` adds the kernel times itself to the numbers below the kernel."""
    channels, each, *kernel = weights.shape
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [s * (size - 1) + c for s, size, c in zip(stride, x.shape[2:], span, strict=True)]
    result = np.zeros((len(x), each * group, *sizes))
    for channel in range(channels):
        first = channel // (channels // group) * each
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                rows = slice(i * stride[0], i * stride[0] + span[0], dilation[0])
                columns = slice(j * stride[1], j * stride[1] + span[1], dilation[1])
                add = x[:, channel, i, j].reshape(-1, 1, 1, 1) * weights[channel]
                result[:, first : first + each, rows, columns] += add
    result = result[:, :, pad[0] : sizes[0] - pad[0], pad[1] : sizes[1] - pad[1]]
    return result + bias.reshape(1, -1, 1, 1)


def pooling(x, kernel, stride, pad, average):
    sides = [pooled_size(*each, any(pad)) for each in zip(x.shape[2:], kernel, stride, pad, strict=True)]
    result = np.full((*x.shape[:2], *sides), np.finfo(np.float32).min, np.float64)
    for i in range(sides[0]):
        for j in range(sides[1]):
            begin = [at * s - p for at, s, p in zip((i, j), stride, pad, strict=True)]
            end = [
                min(b + k, size + p) for b, k, size, p in zip(begin, kernel, x.shape[2:], pad, strict=True)
            ]
            divisor = (end[0] - begin[0]) * (end[1] - begin[1])
            window = x[:, :, max(begin[0], 0) : end[0], max(begin[1], 0) : end[1]]
            if average:
                result[:, :, i, j] = window.sum((2, 3)) / divisor if window.size else 0
            elif window.size:
                result[:, :, i, j] = window.max((2, 3))
    return result


def lrn(x, p):
    size, half, squares, result = (
        p["local_size"],
        p["local_size"] // 2,
        np.square(x, dtype=np.float64),
        np.zeros(x.shape),
    )
    if p["norm_region"] == "ACROSS_CHANNELS":
        for channel in range(x.shape[1]):
            near = squares[:, max(channel - half, 0) : channel + half + 1].sum(1)
            result[:, channel] = x[:, channel] / (p["k"] + p["alpha"] / size * near) ** p["beta"]
        return result
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            near = squares[:, :, max(i - half, 0) : i + half + 1, max(j - half, 0) : j + half + 1].sum((2, 3))
            result[:, :, i, j] = x[:, :, i, j] / (1 + p["alpha"] / size**2 * near) ** p["beta"]
    return result


def height_and_width(p, name, default):
    sizes = p["kernel_size" if name == "kernel" else name] or [default]
    high, wide = p.get(f"{name}_h"), p.get(f"{name}_w")
    if high is None and wide is None:
        return sizes[0], sizes[-1]
    return (default if high is None else high), (default if wide is None else wide)


def broadcastable(values, axis, x):
    return values.reshape(*values.shape, *[1] * (x.ndim - axis % x.ndim - values.ndim))


def compute(layer, xs, kernels):
    """The tops of one layer. `kernels` keeps the size of the first map of each inner product."""
    p, w, x = layer.params, layer.weights, xs[0]
    match layer.type:
        case "Convolution" | "Deconvolution":
            bias = w[1] if p["bias_term"] else np.zeros(p["num_output"])
            options = [
                height_and_width(p, name, d) for name, d in (("stride", 1), ("pad", 0), ("dilation", 1))
            ]
            return [
                (convolution if layer.type[0] == "C" else deconvolution)(x, w[0], bias, *options, p["group"])
            ]
        case "InnerProduct":
            weights = w[0].T if p["transpose"] else w[0]
            bias = w[1] if p["bias_term"] else np.zeros(p["num_output"])
            if p["axis"] != 1 or x.ndim == 2:
                return [x.reshape(*x.shape[: p["axis"]], -1) @ weights.T + bias]
            kernel = kernels.setdefault(layer.name, x.shape[2:])
            weights = weights.reshape(-1, x.shape[1], *kernel)
            return [convolution(x, weights, bias, (1, 1), (0, 0), (1, 1), 1)]
        case "Pooling" if p["global_pooling"]:
            return [x.mean((2, 3), keepdims=True) if p["pool"] == "AVE" else x.max((2, 3), keepdims=True)]
        case "Pooling":
            options = [height_and_width(p, name, d) for name, d in (("kernel", 0), ("stride", 1), ("pad", 0))]
            return [pooling(x, *options, p["pool"] == "AVE")]
        case "LRN":
            return [lrn(x, p)]
        case "ReLU":
            return [np.where(x > 0, x, x * p["negative_slope"])]
        case "PReLU":
            return [np.where(x > 0, x, x * broadcastable(w[0].reshape(-1), 1, x))]
        case "ELU":
            return [np.where(x > 0, x, p["alpha"] * np.expm1(np.minimum(x, 0)))]
        case "Sigmoid":
            return [1 / (1 + np.exp(-x))]
        case "TanH":
            return [np.tanh(x)]
        case "AbsVal":
            return [np.abs(x)]
        case "Power":
            return [(p["shift"] + p["scale"] * x) ** p["power"]]
        case "Exp":
            return [(np.e if p["base"] == -1 else p["base"]) ** (p["shift"] + p["scale"] * x)]
        case "Log":
            return [np.log(p["shift"] + p["scale"] * x) / (1 if p["base"] == -1 else log(p["base"]))]
        case "BatchNorm":
            mean, variance = (broadcastable(each / w[2], 1, x) for each in w[:2])
            return [(x - mean) / np.sqrt(variance + p["eps"])]
        case "Scale":
            factor, *bias = ([xs[1]] if len(xs) > 1 else []) + list(w)
            result = x * broadcastable(factor, p["axis"], x)
            return [result + broadcastable(bias[0], p["axis"], x) if bias else result]
        case "Bias":
            return [x + broadcastable(xs[1] if len(xs) > 1 else w[0], p["axis"], x)]
        case "Eltwise" if p["operation"] == "SUM":
            return [sum(c * each for c, each in zip(p["coeff"] or [1] * len(xs), xs, strict=True))]
        case "Eltwise":
            return [(np.prod if p["operation"] == "PROD" else np.max)(xs, 0)]
        case "Concat":
            return [np.concatenate(xs, p["axis"] if p["concat_dim"] is None else p["concat_dim"])]
        case "Slice":
            axis = p["axis"] if p["slice_dim"] is None else p["slice_dim"]
            return np.split(x, p["slice_point"] or len(layer.tops), axis)
        case "Split" | "Dropout":
            return [x] * len(layer.tops)
        case "Flatten":
            end = p["end_axis"] % x.ndim
            return [x.reshape(*x.shape[: p["axis"]], -1, *x.shape[end + 1 :])]
        case "Reshape":
            begin = p["axis"] % (x.ndim + 1)
            end = x.ndim if p["num_axes"] == -1 else begin + p["num_axes"]
            new = [size or x.shape[begin + at] for at, size in enumerate(p["shape"]["dim"])]
            return [x.reshape(*x.shape[:begin], *new, *x.shape[end:])]
        case "Permute":
            rest = [axis for axis in range(x.ndim) if axis not in p["order"]]
            return [x.transpose([*p["order"], *rest])]
        case "Crop":
            axis = p["axis"] % x.ndim
            offsets = (
                p["offset"] if len(p["offset"]) == x.ndim - axis else (p["offset"] or [0]) * (x.ndim - axis)
            )
            cut = [slice(o, o + size) for o, size in zip(offsets, xs[1].shape[axis:], strict=True)]
            return [x[(..., *cut)]]
        case "Softmax":
            raised = np.exp(x - x.max(p["axis"], keepdims=True))
            return [raised / raised.sum(p["axis"], keepdims=True)]
    raise AssertionError(layer.type)


def forward(net, inputs, kernels):
    """Every blob of `net`. Call it at the original size first, and pass the same `kernels` to later calls."""
    blobs = dict(inputs)
    for layer in net.layers:
        result = compute(layer, [blobs[name] for name in layer.bottoms], kernels)
        blobs.update(zip(layer.tops, result, strict=True))
    return blobs
