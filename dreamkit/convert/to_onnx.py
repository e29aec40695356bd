"""A Caffe network as an ONNX model that takes pictures of any size.

Batch, height and width are symbols from the input to every output. What Caffe fixes to the size a net
was trained at is written so that it holds at any: rounding up, divisors of averages, inner products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import e, gcd, log, prod
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dreamkit.convert.caffe import Layer, Net, Weight
from dreamkit.errors import ConvertError, did_you_mean, shown

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8  # ONNX Runtime 1.12 and later read it
BATCH, HEIGHT, WIDTH = "batch", "height", "width"
LOWEST = float(np.finfo(np.float32).min)  # where Caffe begins to look for a maximum
_END = np.iinfo(np.int64).max

Dim = int | str  # a size, or the symbol of one


@dataclass(frozen=True)
class Blob:
    """One tensor: `own` is its shape in Caffe at the net's own input size, `dims` that in the model.

    They have one rank, except where an inner product became a convolution: Caffe's N x M is
    batch x M x height x width there. `flattens` is what it was flattened from, if it was.
    """

    name: str
    own: tuple[int, ...]
    dims: tuple[Dim, ...]
    flattens: Blob | None = None


def to_onnx(net: Net, blobs: Sequence[str] | None = None) -> onnx.ModelProto:
    """`net` as a float32 ONNX model in NCHW: its inputs, and `blobs` (all where None) as its outputs.

    Outputs have the blobs' names, in the net's order. What no output depends on is left out.

    Raises:
        ConvertError: a blob is unknown, or some layer that is needed is of an unknown type, has no or
            misshapen weights, cannot be computed at its own input size or not at any other.
    """
    from onnx import TensorProto, helper

    wanted = _wanted(net, blobs)
    layers = _needed(net, wanted)
    read = {bottom for layer in layers for bottom in layer.bottoms}
    graph = Graph(_names={*net.inputs, *net.blobs})
    inputs = [graph.input(name, shape) for name, shape in net.inputs.items() if name in read]
    for layer in layers:
        _convert(graph, layer)

    def info(blob: Blob) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(blob.name, TensorProto.FLOAT, blob.dims)

    made = helper.make_graph(
        graph.nodes,
        net.name or "caffe",
        [info(blob) for blob in inputs],
        [info(graph.blobs[name]) for name in wanted],
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="dreamkit")


def convertible(net: Net) -> list[str]:
    """The blobs that depend on no layer of an unknown type, in order."""
    beyond: set[str] = set()
    for layer in net.layers:
        if layer.type not in LAYERS or beyond.intersection(layer.bottoms):
            beyond.update(layer.tops)
    return [blob for blob in net.blobs if blob not in beyond]


def _wanted(net: Net, blobs: Sequence[str] | None) -> list[str]:
    """The outputs, in the net's order."""
    for blob in blobs or ():
        if blob not in net.blobs:
            known = did_you_mean(shown(blob), map(shown, net.blobs))
            raise ConvertError(f"the network computes no blob {shown(blob)}; {known}")
    return [blob for blob in net.blobs if blobs is None or blob in blobs]


def _needed(net: Net, wanted: Sequence[str]) -> list[Layer]:
    """The layers that `wanted` depend on, in the net's order."""
    needed, layers = set(wanted), []
    for layer in reversed(net.layers):
        if needed.intersection(layer.tops):
            needed.update(layer.bottoms)
            layers.append(layer)
    return layers[::-1]


def _convert(graph: Graph, layer: Layer) -> None:
    convert = LAYERS.get(layer.type)
    if convert is None:
        _fail(
            layer,
            f"its type is unknown; {did_you_mean(shown(layer.type), LAYERS)}; or name --layers before it",
        )
    if not layer.bottoms or not layer.tops:
        _fail(layer, f"it needs a bottom and a top and has {len(layer.bottoms)} and {len(layer.tops)}")
    if len(layer.tops) > 1 and layer.type not in ("Slice", "Split"):
        _fail(layer, f"it has {len(layer.tops)} tops where there can be one")
    needs = {"Eltwise": 2, "Crop": 2}.get(layer.type, 1)
    if len(layer.bottoms) < needs:
        _fail(layer, f"it has {len(layer.bottoms)} bottoms and needs {needs}")
    convert(graph, layer, [graph.blobs[name] for name in layer.bottoms])


def _fail(layer: Layer, problem: str) -> NoReturn:
    raise ConvertError(f"layer {shown(layer.name)}, line {layer.line}, a {shown(layer.type)}: {problem}")


@dataclass
class Graph:
    """An ONNX graph in the making."""

    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _symbols: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _factors: dict[str, int] = field(default_factory=dict)

    def input(self, name: str, shape: tuple[int, ...]) -> Blob:
        """An input: its first axis is a symbol, and of four the last two are."""
        dims: tuple[Dim, ...] = (BATCH, *shape[1:])
        if len(shape) == 4:
            others = [blob for blob in self.blobs.values() if len(blob.own) == 4]
            # Inputs of one size are added to each other and compared: they stay of one size.
            alike = [blob.dims[2:] for blob in others if blob.own[2:] == shape[2:]]
            of = f"_of_{name}" if others else ""
            dims = (BATCH, shape[1], *(alike[0] if alike else (HEIGHT + of, WIDTH + of)))
        return self.put(Blob(name, shape, dims))

    def put(self, blob: Blob) -> Blob:
        self.blobs[blob.name] = blob
        return blob

    def fresh(self, base: str) -> str:
        """A name that no tensor has, and no symbol made here."""
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}:{count}"
        self._names.add(name)
        return name

    def constant(self, layer: Layer, what: str, values: Any, dtype: Any = np.float32) -> str:
        """An initializer of `values`, called after the layer."""
        from onnx import numpy_helper

        name = self.fresh(f"{layer.name}:{what}")
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(
        self, layer: Layer, op: str, inputs: Sequence[str], output: str | None = None, **given: Any
    ) -> str:
        """One operation; the name of its output, which is `output` where it is a blob's."""
        from onnx import helper

        output = output or self.fresh(f"{layer.name}:{op.lower()}")
        self.nodes.append(
            helper.make_node(op, inputs, [output], name=self.fresh(f"{layer.name}:{op}"), **given)
        )
        return output

    def top(self, layer: Layer, op: str, inputs: Sequence[str], like: Blob, **given: Any) -> Blob:
        """The operation that writes a layer's one top, which has the shape of `like`."""
        return self.put(Blob(self.node(layer, op, inputs, layer.tops[0], **given), like.own, like.dims))

    def moved(self, size: Dim, offset: int, stride: int, times: int = 1) -> Dim:
        """floor((size * times + offset) / stride) + 1, the same symbol for the same."""
        if isinstance(size, int):
            return (size * times + offset) // stride + 1
        if (offset, stride, times) == (-1, 1, 1):
            return size
        base = size.split(":")[0]
        key = (size, offset, stride, times)
        return self._symbols.setdefault(key, f"{base}:{len(self._symbols) + 1}")

    def unknown(self, layer: Layer, factor: int = 1) -> str:
        """A symbol for a size that nothing else has, a multiple of `factor` always."""
        symbol = self.fresh(f"{layer.tops[0]}:length")
        self._factors[symbol] = factor
        return symbol

    def factor(self, size: Dim) -> int:
        """What `size` is a multiple of, whatever the size of the picture."""
        return size if isinstance(size, int) else self._factors.get(size, 1)


# ------------------------------------------------------------------------------------ what layers ask


def _weight(layer: Layer, place: int, shape: tuple[int, ...]) -> Weight:
    """One array of weights in the shape it must have; axes of one are Caffe's old way to fill up four."""
    if place >= len(layer.weights):
        _fail(layer, f"it has no weights; read the network with its caffemodel, {_x(shape)} are expected")
    found = layer.weights[place]
    if [size for size in found.shape if size != 1] != [size for size in shape if size != 1]:
        _fail(
            layer,
            f"its array {place} of weights is {_x(found.shape)} where {_x(shape)} is expected; "
            "is the caffemodel that of this prototxt?",
        )
    return found.reshape(shape)


def _x(shape: Sequence[Dim]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _map(layer: Layer, blob: Blob) -> tuple[int, int, int]:
    """Channels, height and width of what must be a map; the sizes are Caffe's own."""
    if len(blob.dims) != 4 or not isinstance(blob.dims[1], int):
        _fail(layer, f"it works on batch x channels x height x width; {shown(blob.name)} is {_x(blob.dims)}")
    height, width = blob.own[2:] if len(blob.own) == 4 else (1, 1)
    return blob.dims[1], height, width


def _axis(layer: Layer, axis: int, blob: Blob, *, most: int = 0) -> int:
    """`axis` counted from the front; `most` is 1 where the end is an axis too."""
    rank = len(blob.own)
    if not -rank <= axis < rank + most:
        _fail(layer, f"it has no axis {axis}; {shown(blob.name)} has {rank}")
    return axis % rank if axis < 0 else axis


def _same_rank(layer: Layer, blob: Blob) -> None:
    if len(blob.own) != len(blob.dims):
        _fail(layer, "it rearranges what an inner product returns, which holds only at one size of picture")


def _both(layer: Layer, name: str, default: int | None = None) -> tuple[int, int]:
    """A parameter of height and width: kernel, stride, pad or dilation."""
    sizes = layer.params[f"{name}_size" if name == "kernel" else name]
    high, wide = layer.params.get(f"{name}_h"), layer.params.get(f"{name}_w")
    if high is not None or wide is not None:
        sizes = [high if high is not None else default, wide if wide is not None else default]
    sizes = sizes or [default]
    least = 0 if name == "pad" else 1
    if len(sizes) > 2 or any(size is None or not least <= size < 1 << 16 for size in sizes):
        _fail(
            layer,
            f"{name} is {_x([str(size) for size in sizes])}; give one size from {least} to 65535, or two",
        )
    return sizes[0], sizes[-1]


def _moved(
    graph: Graph,
    layer: Layer,
    blob: Blob,
    channels: int,
    offset: Sequence[int],
    stride: Sequence[int],
    times: Sequence[int] = (1, 1),
) -> tuple[tuple[int, ...], tuple[Dim, ...]]:
    """Own shape and dims of what a sliding window makes of `blob`."""
    _, *sides = _map(layer, blob)
    moves = list(zip(offset, stride, times, strict=True))
    own = [graph.moved(side, *move) for side, move in zip(sides, moves, strict=True)]
    dims = [graph.moved(side, *move) for side, move in zip(blob.dims[2:], moves, strict=True)]
    if any(isinstance(size, int) and size < 1 for size in (*own, *dims)):
        _fail(
            layer, f"its window is larger than {shown(blob.name)}, which is {_x(sides)} at the net's own size"
        )
    return (blob.own[0], channels, *own), (blob.dims[0], channels, *dims)  # type: ignore[arg-type]


def _along(values: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    """`values` shaped so that they are broadcast over axes of `rank` from `axis` on."""
    return values.reshape(*values.shape, *[1] * (rank - axis - values.ndim))


# ------------------------------------------------------------------------------------- layers: windows


def _window_layer(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Convolution and Deconvolution."""
    (x, *_), params = bottoms, layer.params
    channels, _, _ = _map(layer, x)
    outputs, group = params["num_output"] or 0, params["group"]
    kernel, stride = _both(layer, "kernel"), _both(layer, "stride", 1)
    pad, dilation = _both(layer, "pad", 0), _both(layer, "dilation", 1)
    if params["axis"] not in (1, -3):
        _fail(layer, f"axis is {params['axis']}; only 1 can be converted")
    if not outputs or not group or channels % group or outputs % group:
        _fail(layer, f"{channels} channels cannot become num_output {outputs} in {group} groups")
    up = layer.type == "Deconvolution"
    # How far a dilated kernel reaches, less the padding.
    reach = [d * (k - 1) + 1 - 2 * p for d, k, p in zip(dilation, kernel, pad, strict=True)]
    if up:  # s (i - 1) + reach
        shape = (channels, outputs // group, *kernel)
        offset = [r - s - 1 for r, s in zip(reach, stride, strict=True)]
        own, dims = _moved(graph, layer, x, outputs, offset, (1, 1), stride)
    else:
        shape = (outputs, channels // group, *kernel)
        own, dims = _moved(graph, layer, x, outputs, [-r for r in reach], stride)
    inputs = [x.name, graph.constant(layer, "weights", _weight(layer, 0, shape))]
    if params["bias_term"]:
        inputs.append(graph.constant(layer, "bias", _weight(layer, 1, (outputs,))))
    given = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": pad * 2,
        "dilations": dilation,
        "group": group,
    }
    graph.top(layer, "ConvTranspose" if up else "Conv", inputs, Blob("", own, dims), **given)


def _inner_product(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """A convolution whose window is the whole map at the net's own size: it slides over a larger one."""
    x, params = bottoms[0], layer.params
    x = x.flattens or x
    outputs, axis = params["num_output"] or 0, _axis(layer, params["axis"], x)
    if not outputs:
        _fail(layer, "it has no num_output")
    on_map = axis == 1 and len(x.dims) == 4
    if not on_map:
        _flat_inner_product(graph, layer, x, axis)
        return
    channels, *kernel = _map(layer, x)
    count = channels * prod(kernel)
    weights = _weight(layer, 0, (count, outputs) if params["transpose"] else (outputs, count))
    weights = weights.T if params["transpose"] else weights
    own, dims = _moved(graph, layer, x, outputs, [-side for side in kernel], (1, 1))
    inputs = [x.name, graph.constant(layer, "weights", weights.reshape(outputs, channels, *kernel))]
    if params["bias_term"]:
        inputs.append(graph.constant(layer, "bias", _weight(layer, 1, (outputs,))))
    graph.top(layer, "Conv", inputs, Blob("", own[:2], dims), kernel_shape=kernel)


def _flat_inner_product(graph: Graph, layer: Layer, x: Blob, axis: int) -> None:
    """An inner product over axes that are of one size always."""
    _same_rank(layer, x)
    if any(isinstance(size, str) for size in x.dims[axis:]):
        _fail(
            layer,
            f"{shown(x.name)} is {_x(x.dims)}; an inner product from axis {axis} on holds only at one size",
        )
    outputs, count = layer.params["num_output"], prod(x.own[axis:])
    stored = (count, outputs) if layer.params["transpose"] else (outputs, count)
    weights = _weight(layer, 0, stored)
    weights = weights if layer.params["transpose"] else weights.T
    flat = graph.constant(layer, "shape", [*[0] * axis, count], np.int64)
    name = graph.node(layer, "Reshape", [x.name, flat])
    like = Blob("", (*x.own[:axis], outputs), (*x.dims[:axis], outputs))
    inputs = [name, graph.constant(layer, "weights", weights)]
    if layer.params["bias_term"]:
        bias = graph.constant(layer, "bias", _weight(layer, 1, (outputs,)))
        inputs = [graph.node(layer, "MatMul", inputs), bias]
    graph.top(layer, "Add" if layer.params["bias_term"] else "MatMul", inputs, like)


def pool_end(kernel: int, stride: int, pad: int, padded: bool) -> int:
    """How much padding at the end makes rounding down what Caffe's rounding up is, at every size.

    ceil((i - k) / s) is floor((i + s - 1 - k) / s). Where a side is padded, Caffe drops a last window
    that begins in the padding at the end: ceil((i + 2p - k) / s) + 1 windows become at most
    ceil((i + p) / s). The smaller of them is floor((i + p + end - k) / s) + 1 with this end.
    """
    end = pad + stride - 1
    return min(end, kernel - 1) if padded else end


def _pooling(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params = bottoms[0], layer.params
    channels, _, _ = _map(layer, x)
    average = params["pool"] == "AVE"
    if params["pool"] == "STOCHASTIC":
        _fail(layer, "stochastic pooling draws at random and cannot be converted; MAX and AVE can")
    if params["global_pooling"]:
        like = Blob("", (x.own[0], channels, 1, 1), (x.dims[0], channels, 1, 1))
        graph.top(layer, f"Global{'Average' if average else 'Max'}Pool", [x.name], like)
        return
    kernel, stride, pad = _both(layer, "kernel"), _both(layer, "stride", 1), _both(layer, "pad", 0)
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        _fail(layer, f"pad {_x(pad)} must be less than the kernel, {_x(kernel)}")
    ends = [pool_end(k, s, p, any(pad)) for k, s, p in zip(kernel, stride, pad, strict=True)]
    offset = [p + end - k for p, end, k in zip(pad, ends, kernel, strict=True)]
    like = Blob("", *_moved(graph, layer, x, channels, offset, stride))
    window = {"kernel_shape": kernel, "strides": stride}
    if not average:
        padded = _padded(graph, layer, x.name, pad, ends, LOWEST)
        graph.top(layer, "MaxPool", [padded], like, **window)
    elif all(end <= p for p, end in zip(pad, ends, strict=True)):
        # No window reaches past Caffe's padding, so all divide by the whole kernel.
        graph.top(layer, "AveragePool", [_padded(graph, layer, x.name, pad, ends, 0.0)], like, **window)
    else:
        _clipped_average(graph, layer, x, like, pad, ends, window)


def _padded(
    graph: Graph, layer: Layer, name: str, begin: Sequence[int], end: Sequence[int], value: float
) -> str:
    """`name` with more rows and columns around it, all of one value."""
    if not any((*begin, *end)):
        return name
    pads = graph.constant(layer, "pads", [0, 0, *begin, 0, 0, *end], np.int64)
    return graph.node(layer, "Pad", [name, pads, graph.constant(layer, "padding", value)])


def _clipped_average(
    graph: Graph,
    layer: Layer,
    x: Blob,
    like: Blob,
    pad: Sequence[int],
    ends: Sequence[int],
    window: Mapping[str, Any],
) -> None:
    """Averages over windows that reach past the padded map: only what lies within it is counted.

    Both the map and a map of ones are averaged, the ones being 1 in Caffe's padding and 0 past it.
    """
    total = graph.node(layer, "AveragePool", [_padded(graph, layer, x.name, pad, ends, 0.0)], **window)
    first = graph.node(
        layer,
        "Slice",
        [
            x.name,
            *(
                graph.constant(layer, what, [v], np.int64)
                for what, v in (("from", 0), ("to", 1), ("axis", 1))
            ),
        ],
    )
    ones = graph.node(layer, "Mul", [first, graph.constant(layer, "zero", 0.0)])
    ones = graph.node(layer, "Add", [ones, graph.constant(layer, "one", 1.0)])
    inner = [min(p, end) for p, end in zip(pad, ends, strict=True)]
    ones = _padded(graph, layer, ones, pad, inner, 1.0)
    ones = _padded(graph, layer, ones, (0, 0), [end - p for p, end in zip(inner, ends, strict=True)], 0.0)
    share = graph.node(layer, "AveragePool", [ones], **window)
    # A kernel smaller than its stride can lie past the map as a whole; Caffe divides nothing by nothing.
    least = graph.constant(layer, "least", 1 / prod(window["kernel_shape"]))
    graph.top(layer, "Div", [total, graph.node(layer, "Max", [share, least])], like)


def _lrn(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params = bottoms[0], layer.params
    _map(layer, x)
    size, alpha, beta = params["local_size"], params["alpha"], params["beta"]
    if size % 2 == 0 or size > 1 << 16:
        _fail(layer, f"local_size is {size}; it must be odd")
    if params["norm_region"] == "ACROSS_CHANNELS":
        # Both divide alpha by the size.
        graph.top(layer, "LRN", [x.name], x, size=size, alpha=alpha, beta=beta, bias=params["k"])
        return
    # Caffe takes the average over the window with its padding, and no k: (1 + alpha mean(x^2))^-beta.
    half = [size // 2] * 2
    squares = graph.node(layer, "Mul", [x.name, x.name])
    squares = _padded(graph, layer, squares, half, half, 0.0)
    mean = graph.node(layer, "AveragePool", [squares], kernel_shape=[size, size], strides=[1, 1])
    scale = graph.node(layer, "Mul", [mean, graph.constant(layer, "alpha", alpha)])
    scale = graph.node(layer, "Add", [scale, graph.constant(layer, "one", 1.0)])
    scale = graph.node(layer, "Pow", [scale, graph.constant(layer, "beta", beta)])
    graph.top(layer, "Div", [x.name, scale], x)


# ------------------------------------------------------------------------------- layers: number by number


def _unary(op: str) -> Callable[[Graph, Layer, list[Blob]], None]:
    def convert(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
        graph.top(layer, op, [bottoms[0].name], bottoms[0])

    return convert


def _relu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    slope = layer.params["negative_slope"]
    given = {"alpha": slope} if slope else {}
    graph.top(layer, "LeakyRelu" if slope else "Relu", [bottoms[0].name], bottoms[0], **given)


def _prelu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x = bottoms[0]
    slopes = _weight(layer, 0, () if layer.params["channel_shared"] else (_channels(layer, x),))
    slope = graph.constant(
        layer, "slope", _along(slopes, 1, len(x.dims)) if slopes.ndim else slopes.reshape(1)
    )
    graph.top(layer, "PRelu", [x.name, slope], x)


def _channels(layer: Layer, x: Blob) -> int:
    if len(x.dims) < 2 or not isinstance(x.dims[1], int):
        _fail(layer, f"{shown(x.name)} is {_x(x.dims)} and has no channels")
    return x.dims[1]


def _elu(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    graph.top(layer, "Elu", [bottoms[0].name], bottoms[0], alpha=layer.params["alpha"])


def _shifted(graph: Graph, layer: Layer, x: Blob) -> str:
    """shift + scale x, as far as there is anything to do."""
    name, scale, shift = x.name, layer.params["scale"], layer.params["shift"]
    if scale != 1:
        name = graph.node(layer, "Mul", [name, graph.constant(layer, "scale", scale)])
    if shift:
        name = graph.node(layer, "Add", [name, graph.constant(layer, "shift", shift)])
    return name


def _power(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    name, power = _shifted(graph, layer, bottoms[0]), layer.params["power"]
    if power == 1:
        graph.top(layer, "Identity", [name], bottoms[0])
    else:
        graph.top(layer, "Pow", [name, graph.constant(layer, "power", power)], bottoms[0])


def _base(layer: Layer) -> float:
    """The natural logarithm of the base; -1 stands for e."""
    base: float = layer.params["base"]
    if base != -1 and not 0 < base < float("inf"):
        _fail(layer, f"base is {base}; it must be above 0, or -1 for e")
    return log(e if base == -1 else base)


def _exp(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    name, base = _shifted(graph, layer, bottoms[0]), _base(layer)
    if base != 1:
        name = graph.node(layer, "Mul", [name, graph.constant(layer, "base", base)])
    graph.top(layer, "Exp", [name], bottoms[0])


def _log(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    name, base = _shifted(graph, layer, bottoms[0]), _base(layer)
    if not base:
        _fail(layer, "base is 1, to which there is no logarithm")
    if base == 1:
        graph.top(layer, "Log", [name], bottoms[0])
    else:
        divisor = graph.constant(layer, "base", base)
        graph.top(layer, "Div", [graph.node(layer, "Log", [name]), divisor], bottoms[0])


def _batch_norm(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """(x - mean) / sqrt(variance + eps) with the stored statistics, which share a factor to divide by."""
    x = bottoms[0]
    channels = _channels(layer, x)
    mean, variance = _weight(layer, 0, (channels,)), _weight(layer, 1, (channels,))
    factor = float(_weight(layer, 2, ()))
    factor = 1 / factor if factor else 0.0
    values = {
        "scale": np.ones(channels),
        "bias": np.zeros(channels),
        "mean": mean * factor,
        "variance": variance * factor,
    }
    inputs = [graph.constant(layer, what, array) for what, array in values.items()]
    graph.top(layer, "BatchNormalization", [x.name, *inputs], x, epsilon=layer.params["eps"])


def _scale(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Scale, with or without a bias, and Bias."""
    x, params = bottoms[0], layer.params
    axis = _axis(layer, params["axis"], x)
    name, shape = x.name, _covered(layer, x, axis)
    steps = ["Add"] if layer.type == "Bias" else ["Mul", "Add"] if params["bias_term"] else ["Mul"]
    place = 0
    for step in steps:
        if step == steps[0] and len(bottoms) > 1:
            operand = _broadcast(graph, layer, bottoms[1], axis, x)
            shape = bottoms[1].own
        else:
            values = _along(_weight(layer, place, shape), axis, len(x.dims))
            operand, place = graph.constant(layer, step.lower(), values), place + 1
        last = step == steps[-1]
        name = (
            graph.top(layer, step, [name, operand], x).name
            if last
            else graph.node(layer, step, [name, operand])
        )


def _covered(layer: Layer, x: Blob, axis: int) -> tuple[int, ...]:
    """The shape of a Scale's or Bias's own weights."""
    if len(layer.bottoms) > 1:
        return ()
    count = layer.params["num_axes"]
    end = len(x.own) if count == -1 else axis + count
    if not axis <= end <= len(x.own):
        _fail(
            layer, f"axis {axis} and num_axes {count} are more than the {len(x.own)} axes of {shown(x.name)}"
        )
    if any(isinstance(size, str) for size in x.dims[axis:end]):
        _fail(
            layer, f"its weights cover axes {axis} to {end - 1} of {_x(x.dims)}, which holds only at one size"
        )
    return x.own[axis:end]


def _broadcast(graph: Graph, layer: Layer, other: Blob, axis: int, x: Blob) -> str:
    """The second bottom with axes of one behind its own, so that it begins at `axis` of x."""
    if other.own != x.own[axis : axis + len(other.own)]:
        _fail(layer, f"{shown(other.name)}, {_x(other.own)}, does not fit {_x(x.own)} from axis {axis} on")
    behind = len(x.dims) - axis - len(other.dims)
    if behind <= 0:
        return other.name
    rank = len(other.dims)
    axes = graph.constant(layer, "axes", list(range(rank, rank + behind)), np.int64)
    return graph.node(layer, "Unsqueeze", [other.name, axes])


def _eltwise(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params = bottoms[0], layer.params
    for other in bottoms[1:]:
        if other.own != x.own or len(other.dims) != len(x.dims):
            _fail(layer, f"its bottoms are {_x(x.own)} and {_x(other.own)}; they must be alike")
    names, coefficients = [blob.name for blob in bottoms], params["coeff"]
    if params["operation"] == "SUM" and coefficients:
        if len(coefficients) != len(names):
            _fail(layer, f"it has {len(coefficients)} coeff for {len(names)} bottoms")
        names = [
            name if c == 1 else graph.node(layer, "Mul", [name, graph.constant(layer, "coeff", c)])
            for name, c in zip(names, coefficients, strict=True)
        ]
    op = {"SUM": "Add", "PROD": "Mul", "MAX": "Max"}[params["operation"]]
    name = names[0]
    for other_name in names[1:-1]:
        name = graph.node(layer, op, [name, other_name])
    graph.top(layer, op, [name, names[-1]], x)


def _softmax(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x = bottoms[0]
    graph.top(layer, "Softmax", [x.name], x, axis=_axis(layer, layer.params["axis"], x))


# ------------------------------------------------------------------------------------- layers: shapes


def _concat(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params = bottoms[0], layer.params
    axis = _axis(layer, params["axis"] if params["concat_dim"] is None else params["concat_dim"], x)
    for other in bottoms[1:]:
        alike = len(other.dims) == len(x.dims) and len(other.own) == len(x.own)
        if not alike or any(
            a != b for at, (a, b) in enumerate(zip(x.own, other.own, strict=True)) if at != axis
        ):
            _fail(
                layer,
                f"its bottoms are {_x(x.own)} and {_x(other.own)}; they may differ in axis {axis} alone",
            )
    sizes = [blob.dims[axis] for blob in bottoms]
    total: Dim = graph.unknown(layer, gcd(*map(graph.factor, sizes)))
    if all(isinstance(size, int) for size in sizes):
        total = sum(size for size in sizes if isinstance(size, int))
    own = (*x.own[:axis], sum(blob.own[axis] for blob in bottoms), *x.own[axis + 1 :])
    like = Blob("", own, (*x.dims[:axis], total, *x.dims[axis + 1 :]))
    graph.top(layer, "Concat", [blob.name for blob in bottoms], like, axis=axis)


def _slice(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, params, count = bottoms[0], layer.params, len(layer.tops)
    axis = _axis(layer, params["axis"] if params["slice_dim"] is None else params["slice_dim"], x)
    size, dim, points = x.own[axis], x.dims[axis], params["slice_point"]
    if not points:
        if size % count:
            _fail(layer, f"axis {axis} of {size} cannot be sliced into {count} equal parts")
        if isinstance(dim, str) and count > 1:
            _fail(layer, f"equal parts of axis {axis}, {dim}, differ with the size; give slice_point")
        points = [size // count * place for place in range(1, count)]
    bounds = [0, *points, size]
    if len(bounds) != count + 1 or any(a >= b for a, b in pairwise(bounds)):
        _fail(layer, f"slice_point {_x(points)} does not make {count} parts of axis {axis} of {size}")
    for top, begin, end in zip(layer.tops, bounds, bounds[1:], strict=False):
        last = end == size
        part: Dim = end - begin
        if last and isinstance(dim, str):
            part = dim if count == 1 else graph.unknown(layer)
        name = _cut(graph, layer, x.name, [begin], [_END if last else end], [axis], top)
        own = (*x.own[:axis], end - begin, *x.own[axis + 1 :])
        graph.put(Blob(name, own, (*x.dims[:axis], part, *x.dims[axis + 1 :])))


def _cut(
    graph: Graph,
    layer: Layer,
    name: str,
    begin: Sequence[int],
    end: Sequence[int],
    axes: Sequence[int],
    top: str,
) -> str:
    given = (("from", begin), ("to", end), ("axes", axes))
    constants = [graph.constant(layer, what, values, np.int64) for what, values in given]
    return graph.node(layer, "Slice", [name, *constants], top)


def _identity(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Split and Dropout, which does nothing but in training."""
    x = bottoms[0]
    for top in layer.tops:
        graph.put(Blob(graph.node(layer, "Identity", [x.name], top), x.own, x.dims, x.flattens))


def _flatten(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x = bottoms[0]
    begin = _axis(layer, layer.params["axis"], x)
    end = _axis(layer, layer.params["end_axis"], x)
    if begin > end:
        _fail(layer, f"axis {begin} is after end_axis {end}")
    _reshaped(graph, layer, x, [*[0] * begin, -1, *x.own[end + 1 :]], range(begin, end + 1))


def _reshape(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """Caffe's Reshape: 0 keeps a size, -1 takes what is left, of the axes from `axis` on."""
    x, params = bottoms[0], layer.params
    given = (params["shape"] or {}).get("dim") or []
    rank = len(x.own)
    begin = params["axis"] if params["axis"] >= 0 else rank + 1 + params["axis"]
    end = rank if params["num_axes"] == -1 else begin + params["num_axes"]
    if not 0 <= begin <= end <= rank:
        _fail(
            layer,
            f"axis {params['axis']} and num_axes {params['num_axes']} do not fit {_x(x.own)}",
        )
    if given.count(-1) > 1 or any(size < -1 for size in given):
        _fail(layer, f"shape {_x(given)} has more than one size to find out")
    if any(size == 0 and begin + at >= end for at, size in enumerate(given)):
        _fail(layer, f"shape {_x(given)} keeps an axis that {_x(x.own)} has not")
    spec = [*[0] * begin, *given, *x.own[end:]]
    _reshaped(graph, layer, x, spec, range(begin, end))


def _reshaped(graph: Graph, layer: Layer, x: Blob, spec: list[int], over: range) -> None:
    """`x` in the shape `spec` has, where 0 is the size of the same axis of x and -1 what is left.

    `over` are the axes that are given a new shape; those before and behind are kept. What is written
    as a number must be that number at any size.
    """
    own = [x.own[at] if size == 0 else size for at, size in enumerate(spec)]
    rest, whole = prod(size for size in own if size != -1), prod(x.own)
    if (whole % rest if -1 in own else rest != whole) if rest else True:
        _fail(layer, f"{_x(x.own)} cannot be given the shape {_x(own)}")
    own = [whole // rest if size == -1 else size for size in own]
    if len(x.own) != len(x.dims):
        if tuple(own) != x.own:
            _same_rank(layer, x)
        _identity(graph, layer, [x])
        return
    # What stays where it was is kept whatever its size, also where it is written as a number.
    same = [a == b for a, b in zip(own, x.own, strict=False)]
    kept = {
        at
        for at, size in enumerate(spec)
        if size == 0 or (size != -1 and all(same[: at + 1]) and at < len(same))
    }
    behind = len(x.own) - over.stop
    if len(spec) == len(x.own):
        kept |= set(range(over.stop, len(spec)))
    elif any(isinstance(size, str) for size in x.dims[len(x.dims) - behind :][:behind]):
        _fail(
            layer,
            f"it moves {_x(x.dims[over.stop :])} to another axis, which holds only at one size of picture",
        )
    lost = [size for at, size in enumerate(x.dims) if at not in kept]
    fixed = prod(size for at, size in enumerate(own) if at not in kept and spec[at] != -1)
    known = prod(graph.factor(size) for size in lost)
    if any(isinstance(size, str) for size in lost) and (-1 not in spec or known % fixed):
        _fail(
            layer,
            f"shape {_x(own)} holds only at one size of picture; write a size it keeps as 0, or one as -1",
        )
    shape = [0 if at in kept else size for at, size in enumerate(spec)]
    symbolic = any(isinstance(size, str) for size in lost)
    dims: list[Dim] = [
        x.dims[at]
        if at in kept
        else graph.unknown(layer, known // fixed)
        if spec[at] == -1 and symbolic
        else size
        for at, size in enumerate(own)
    ]
    flat = over == range(1, len(x.own)) and spec == [0, -1]
    if flat:
        # Says the same as a Reshape, and converters know how to do it at a size they are not told.
        name = graph.node(layer, "Flatten", [x.name], layer.tops[0])
    else:
        sizes = graph.constant(layer, "shape", shape, np.int64)
        name = graph.node(layer, "Reshape", [x.name, sizes], layer.tops[0])
    graph.put(Blob(name, tuple(own), tuple(dims), x if flat else None))


def _permute(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    x, order = bottoms[0], list(layer.params["order"])
    _same_rank(layer, x)
    if len(set(order)) != len(order) or any(axis >= len(x.own) for axis in order):
        _fail(layer, f"order {_x(order)} does not name each of the {len(x.own)} axes of {_x(x.own)} once")
    order += [axis for axis in range(len(x.own)) if axis not in order]
    like = Blob("", tuple(x.own[axis] for axis in order), tuple(x.dims[axis] for axis in order))
    graph.top(layer, "Transpose", [x.name], like, perm=order)


def _crop(graph: Graph, layer: Layer, bottoms: list[Blob]) -> None:
    """The first bottom, cut to the size that the second has, from `offset` on."""
    x, other, given = bottoms[0], bottoms[1], layer.params["offset"]
    axis = _axis(layer, layer.params["axis"], x)
    if len(x.own) != len(other.own) or len(x.dims) != len(other.dims) or len(x.own) != len(x.dims):
        _fail(layer, f"its bottoms are {_x(x.own)} and {_x(other.own)}; they must have as many axes")
    axes = list(range(axis, len(x.own)))
    offsets = given if len(given) == len(axes) else (given or [0]) * len(axes)
    if len(offsets) != len(axes):
        _fail(layer, f"it has {len(given)} offset for {len(axes)} axes; give one or each")
    for at, offset in zip(axes, offsets, strict=True):
        if offset + other.own[at] > x.own[at]:
            _fail(layer, f"{_x(other.own)} from {offset} on in axis {at} reaches past {_x(x.own)}")
    begin = graph.constant(layer, "from", offsets, np.int64)
    sizes = graph.node(layer, "Shape", [other.name], start=axis)
    ends = graph.node(layer, "Add", [sizes, begin])
    inputs = [x.name, begin, ends, graph.constant(layer, "axes", axes, np.int64)]
    graph.top(
        layer, "Slice", inputs, Blob("", x.own[:axis] + other.own[axis:], x.dims[:axis] + other.dims[axis:])
    )


LAYERS: dict[str, Callable[[Graph, Layer, list[Blob]], None]] = {
    "AbsVal": _unary("Abs"),
    "BatchNorm": _batch_norm,
    "Bias": _scale,
    "Concat": _concat,
    "Convolution": _window_layer,
    "Crop": _crop,
    "Deconvolution": _window_layer,
    "Dropout": _identity,
    "ELU": _elu,
    "Eltwise": _eltwise,
    "Exp": _exp,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Log": _log,
    "PReLU": _prelu,
    "Permute": _permute,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": _relu,
    "Reshape": _reshape,
    "Scale": _scale,
    "Sigmoid": _unary("Sigmoid"),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _identity,
    "TanH": _unary("Tanh"),
}
