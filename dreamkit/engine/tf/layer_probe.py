"""Sizes, strides and depths of a network's layers, read from its graph or from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from dreamkit.engine.tf import graph
from dreamkit.engine.tf.compiled_cache import CompiledCache

_SIDES = 1024, 2048  # of the pictures whose maps show a layer's stride
_FEW_JOINS = 3  # with fewer layers that branches end in, a depth is looked up among all layers
_FEW_STEPS = 6  # along the depth of a network without branches


class Layer(NamedTuple):
    """A layer that can be dreamed.

    Attributes:
        name: what `--layers` takes.
        channels: number of feature maps.
        stride: pixels of the picture between neighbouring activations.
        depth: number of layers with weights on the longest path from the picture to this one.
    """

    name: str
    channels: int
    stride: int
    depth: int


class LayerProbe:
    """Reads the properties of a network's layers from its graph."""

    def __init__(
        self,
        layers: Sequence[str],
        graph_def: Callable[[Sequence[str]], Any],
        cache: CompiledCache | None,
        known_stride: Callable[[str], int | None] | None = None,
    ) -> None:
        """`graph_def` returns the graph to some of the layers, with outputs `layer_0`, `layer_1`, ...;
        `known_stride` the stride of a layer, where it is known without the graph."""
        self._layers, self._graph_def, self._cache = layers, graph_def, cache
        self._known_stride = known_stride

    def at_depth(self, depth: float) -> str:
        """The layer at a share of the network's depth, 0 to 1, among those that branches end in.

        `Layer` defines the depth. In a network without branches, all layers are candidates.
        """
        depths, joins = self._depths
        among = joins if len(joins) >= _FEW_JOINS else range(len(self._layers))
        wanted = depth * max(depths)
        return self._layers[min(among, key=lambda index: (abs(depths[index] - wanted), -index))]

    @property
    def joins(self) -> list[str]:
        """The layers that several branches end in, from the picture inwards."""
        return [self._layers[index] for index in self._depths[1]]

    def main_layers(self, defaults: Iterable[str]) -> list[str]:
        """The layers worth choosing, from the picture inwards: those that branches end in.

        In a network without branches, these are its default layers and some along its depth.
        """
        if len(self.joins) >= _FEW_JOINS:
            return self.joins
        chosen = {*defaults, *(self.at_depth(share / _FEW_STEPS) for share in range(_FEW_STEPS + 1))}
        return [name for name in self._layers if name in chosen]

    def map_size(self, layer: str, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the map of `layer` for a whole picture of `size` (height, width)."""
        ((_, height, width, _),) = graph.output_shapes(self._graph_def([layer]), 1, size)
        return height, width

    def stride(self, layer: str) -> int:
        """Pixels of the picture between neighbouring activations of `layer`."""
        key = f"stride {layer}"
        cached = self._cache.get_plain(key, int) if self._cache else None
        if cached:
            return cached
        found = (self._known_stride(layer) if self._known_stride else None) or self._measured_stride(layer)
        if self._cache:
            self._cache.put_plain(key, found)
        return found

    def _measured_stride(self, layer: str) -> int:
        graph_def = self._graph_def([layer])
        ((_, small, _, _),), ((_, large, _, _),) = (
            graph.output_shapes(graph_def, 1, (side, side)) for side in _SIDES
        )
        return _stride(small, large) if large > small else _SIDES[1]

    def smallest_side(self, layers: Sequence[str], most: int) -> int:
        """The shortest side of a picture, up to `most`, for which `layers` can be computed; by bisection."""
        graph_def = self._graph_def(layers)
        low = 0
        while most - low > 1:
            middle = (low + most) // 2
            try:
                shapes = graph.output_shapes(graph_def, len(layers), (middle, middle))
            except ValueError:  # TensorFlow raises it for a size below one
                shapes = [[0]]
            low, most = (low, middle) if all(min(shape) > 0 for shape in shapes) else (middle, most)
        return most

    def describe(self) -> list[Layer]:
        """Every layer that can be dreamed, with its channels, stride and depth."""
        graph_def = self._graph_def(self._layers)
        small, large = (graph.output_shapes(graph_def, len(self._layers), (side, side)) for side in _SIDES)
        depths, _ = graph.layer_depths(graph_def, len(self._layers))
        return [
            Layer(name, int(a[3]), _stride(a[1], b[1]), depth)
            for name, a, b, depth in zip(self._layers, small, large, depths, strict=True)
            if b[1] > a[1]
        ]

    @cached_property
    def _depths(self) -> tuple[list[int], list[int]]:
        """The result of `graph.layer_depths` for all layers."""
        cached = self._cache.get_plain("depths", self._checked_depths) if self._cache else None
        if cached:
            return cached
        found = graph.layer_depths(self._graph_def(self._layers), len(self._layers))
        if self._cache:
            self._cache.put_plain("depths", found)
        return found

    def _checked_depths(self, plain: Any) -> tuple[list[int], list[int]]:
        depths, joins = plain
        if len(depths) != len(self._layers) or any(each not in range(len(depths)) for each in joins):
            raise ValueError("it has the depths of other layers")
        return [int(each) for each in depths], [int(each) for each in joins]


def _stride(small: int, large: int) -> int:
    """Pixels between activations of a layer whose maps are `small` and `large` for pictures of `_SIDES`."""
    return round((_SIDES[1] - _SIDES[0]) / (large - small))
