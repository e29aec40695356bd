"""An ONNX graph under construction, with the shape of every blob at any size of picture.

Batch, height and width are symbols. Two sizes have the same symbol only if they are always equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamkit.convert.caffe.net import Layer

if TYPE_CHECKING:
    import onnx

OPSET = 17
IR_VERSION = 8  # ONNX Runtime 1.12 and later read it
BATCH, HEIGHT, WIDTH = "batch", "height", "width"

Dim = int | str  # a size, or its symbol


@dataclass(frozen=True)
class Blob:
    """A tensor.

    `shape` and `dims` have the same rank, unless an inner product became a convolution: its N x M in Caffe
    is batch x M x height x width in the ONNX model.

    Attributes:
        name: its name in the network and in the ONNX model.
        shape: in Caffe, at the original input size, which the prototxt gives.
        dims: in the ONNX model.
        unflattened: the blob that was flattened to this one, if this is the output of a Flatten.
    """

    name: str
    shape: tuple[int, ...]
    dims: tuple[Dim, ...]
    unflattened: Blob | None = None


@dataclass
class Graph:
    """Nodes, initializers and blobs so far. `names` are taken: no new tensor or symbol gets one of them."""

    names: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)
    _window_symbols: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _divisors: dict[str, int] = field(default_factory=dict)

    def add_input(self, name: str, shape: tuple[int, ...]) -> Blob:
        """An input. Its first axis becomes a symbol, and the last two of four."""
        dims: tuple[Dim, ...] = (BATCH, *shape[1:])
        if len(shape) == 4:
            others = [blob for blob in self.blobs.values() if len(blob.shape) == 4]
            # Inputs of the same size can be added to each other: they must keep the same symbols.
            same = [blob.dims[2:] for blob in others if blob.shape[2:] == shape[2:]]
            suffix = f"_of_{name}" if others else ""
            dims = (BATCH, shape[1], *(same[0] if same else (HEIGHT + suffix, WIDTH + suffix)))
        return self.add_blob(Blob(name, shape, dims))

    def add_blob(self, blob: Blob) -> Blob:
        self.blobs[blob.name] = blob
        return blob

    def unique_name(self, base: str) -> str:
        """`base`, or `base:2`, `base:3` and so on if it is taken."""
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}:{count}"
        self.names.add(name)
        return name

    def add_constant(self, layer: Layer, label: str, values: Any, dtype: Any = np.float32) -> str:
        """Adds an initializer; returns its name."""
        from onnx import numpy_helper

        name = self.unique_name(f"{layer.name}:{label}")
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add_node(
        self, layer: Layer, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        """Adds an operation; returns the name of its output, which is `output` if that is given."""
        from onnx import helper

        output = output or self.unique_name(f"{layer.name}:{op.lower()}")
        name = self.unique_name(f"{layer.name}:{op}")
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def add_top(
        self,
        layer: Layer,
        op: str,
        inputs: Sequence[str],
        shape: tuple[int, ...],
        dims: tuple[Dim, ...],
        **attributes: Any,
    ) -> Blob:
        """Adds the operation that computes a layer's only top, which has this shape and these dims."""
        return self.add_blob(Blob(self.add_node(layer, op, inputs, layer.tops[0], **attributes), shape, dims))

    def add_top_like(
        self, layer: Layer, op: str, inputs: Sequence[str], like: Blob, **attributes: Any
    ) -> Blob:
        """The same, for a top of the shape and dims of `like`."""
        return self.add_top(layer, op, inputs, like.shape, like.dims, **attributes)

    def window_count(self, size: Dim, offset: int, stride: int, factor: int = 1) -> Dim:
        """floor((size * factor + offset) / stride) + 1; the same symbol for the same arguments."""
        if isinstance(size, int):
            return (size * factor + offset) // stride + 1
        if (offset, stride, factor) == (-1, 1, 1):
            return size
        base = size.split(":")[0]
        key = (size, offset, stride, factor)
        return self._window_symbols.setdefault(key, f"{base}:{len(self._window_symbols) + 1}")

    def new_symbol(self, layer: Layer, divisor: int = 1) -> str:
        """A symbol for a size that is always a multiple of `divisor`, and equal to no other."""
        symbol = self.unique_name(f"{layer.tops[0]}:length")
        self._divisors[symbol] = divisor
        return symbol

    def divisor(self, size: Dim) -> int:
        """A number that divides `size` at any size of picture."""
        return size if isinstance(size, int) else self._divisors.get(size, 1)
