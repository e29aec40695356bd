"""A Caffe network in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConvertError, shown

Weight = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        name, type: as the prototxt has them.
        line: where the prototxt describes it.
        bottoms, tops: the names of the blobs that it reads and writes; see `Net`.
        params: the parameter message of its type with the defaults filled in; `{}` if the type has none.
        weights: its arrays; empty if the network was read without a caffemodel.
    """

    name: str
    type: str
    line: int
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()


@dataclass(frozen=True, eq=False)
class Net:
    """A network for inference: layers in the order of computation, every blob written once.

    In Caffe a layer can work in place, which gives its blob a second value. Here the last value keeps the
    blob's name, as Caffe's blob ends with it. An earlier value is called `blob@layer` after the layer that
    writes it: for `conv1` with a ReLU in place, `conv1` is the output of the ReLU and `conv1@conv1` its
    input.

    Attributes:
        name: as the prototxt has it, or empty.
        inputs: the inputs that a layer reads, with their shapes in the prototxt.
        layers: every layer that inference needs.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    layers: tuple[Layer, ...]

    @property
    def blobs(self) -> tuple[str, ...]:
        """The blobs that the layers write, in order."""
        return tuple(top for layer in self.layers for top in layer.tops)


def layer_error(layer: Layer, problem: str) -> ConvertError:
    """An error that names a layer, its line and its type."""
    return ConvertError(f"layer {shown(layer.name)}, line {layer.line}, a {shown(layer.type)}: {problem}")


def format_shape(shape: Sequence[int | str]) -> str:
    """A shape for an error message: `96 x 3 x 7 x 7`."""
    if not len(shape):
        return "()"
    return " x ".join(map(str, shape[:8])) + (" x ..." if len(shape) > 8 else "")
