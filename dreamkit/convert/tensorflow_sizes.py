"""The sizes of a TensorFlow graph's maps at any size of picture, by TensorFlow's own shape inference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dreamkit.convert.feature_maps import MAX_SIDE, comparison_sizes, rounded_up
from dreamkit.convert.tensorflow_frozen import PICTURE, source

_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
_SIDE = 1024  # of the picture that shows a stride, and half of another one
_NODE = re.compile(r"\{\{node ([^}]+)\}\}")  # in a message of TensorFlow


@dataclass(frozen=True)
class MapSizes:
    """The sizes of a map.

    Attributes:
        stride: pixels of the picture between neighbouring positions; 0 if there is one for the picture.
        min_size: the shortest side of a picture that has this map.
        multiple: the pictures that have this map are multiples of so many pixels.
    """

    stride: int
    min_size: int
    multiple: int


class _Sizes:
    def __init__(self, nodes: Mapping[str, Any], picture: str, channels: int) -> None:
        self._nodes, self._picture, self._channels = nodes, picture, channels
        self._known: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}
        self.multiple = 1  # to which sizes of pictures are rounded up

    def at(self, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """Height and width of the maps that exist for a picture of this height and width."""
        size = rounded_up(size, self.multiple)
        if size not in self._known:
            self._known[size] = self._infer(size)
        return self._known[size]

    def _infer(self, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
        import tensorflow as tf

        left = dict(self._nodes)
        while True:
            part = tf.compat.v1.GraphDef()
            part.node.extend(left.values())
            graph = tf.Graph()
            with graph.as_default():
                kind = tf.dtypes.as_dtype(self._nodes[self._picture].attr["dtype"].type)
                picture = tf.compat.v1.placeholder(kind, (1, *size, self._channels), PICTURE)
                try:
                    tf.graph_util.import_graph_def(part, {f"{self._picture}:0": picture}, name="")
                except ValueError as error:  # the message names the first node that has no size
                    found = _NODE.search(str(error))
                    if found is None or found[1] not in left:
                        return {}
                    left = self._without(left, {found[1]})
                else:
                    return self._sizes(graph, left)

    def _without(self, nodes: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
        """The nodes that need none of `names`."""
        lost = set(names)
        kept = {}
        for name, node in nodes.items():
            if name in lost or not lost.isdisjoint(map(source, node.input)):
                lost.add(name)
            else:
                kept[name] = node
        return kept

    def _sizes(self, graph: Any, nodes: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
        shapes = {}
        empty = set()
        for name in nodes:
            operation = graph.get_operation_by_name(PICTURE if name == self._picture else name)
            shape = operation.outputs[0].shape if operation.outputs else None
            if shape is not None and shape.rank and 0 in shape.as_list():
                empty.add(name)
            elif shape is not None and shape.rank == 4 and None not in shape.as_list():
                shapes[name] = (shape[1], shape[2])
        whole = self._without(nodes, empty) if empty else nodes
        return {name: size for name, size in shapes.items() if name in whole}


def find_sizes(
    nodes: Mapping[str, Any],
    picture: str,
    channels: int,
    names: Iterable[str],
    size: tuple[int, int],
) -> dict[str, MapSizes]:
    """The sizes of those nodes in `names` that are maps whose size follows the picture's, or is always one.

    `nodes` are those of the graph, each after those that it reads, `picture` its input, and `size` the height
    and width for which it was made. Maps where branches that are halved and enlarged again meet exist for
    pictures of some multiple only.
    """
    sizes = _Sizes(nodes, picture, channels)
    found: dict[str, MapSizes] = {}
    left = [name for name in names if name in sizes.at(size)]
    for multiple in _MULTIPLES:
        if not left or any(side % multiple for side in size):
            break
        sizes.multiple = multiple
        strides = _strides(sizes, left, size)
        least = _min_sizes(sizes, set(strides), _SIDE)
        found.update({name: MapSizes(strides[name], least[name], multiple) for name in strides})
        left = [name for name in left if name not in found]
    return found


def _strides(sizes: _Sizes, names: Sequence[str], size: tuple[int, int]) -> dict[str, int]:
    small, large = sizes.at((_SIDE, _SIDE)), sizes.at((2 * _SIDE, 2 * _SIDE))
    # Branches that are halved and enlarged again do not meet at sizes that become odd by halving.
    odd = [(_SIDE - 5, _SIDE - 11), (_SIDE - 37, _SIDE - 83), *comparison_sizes(size)[1:]]
    others = [sizes.at(each) for each in odd]
    found = {}
    for name in names:
        if name in small and name in large and all(name in each for each in others):
            grows = large[name][0] - small[name][0]
            if grows > 0 or large[name] == (1, 1):
                found[name] = round(_SIDE / grows) if grows > 0 else 0
    return found


def _min_sizes(sizes: _Sizes, names: set[str], side: int) -> dict[str, int]:
    """The least side from which on each map exists, by bisection. All exist at `side`."""
    found: dict[str, int] = {}

    def bisect(low: int, high: int, names: set[str]) -> None:
        """Finds the least sides of maps that do not exist at `low` and do at `high`."""
        if names and high - low == 1:
            found.update(dict.fromkeys(names, high))
        elif names:
            middle = (low + high) // 2
            there = sizes.at((middle, middle)).keys()
            bisect(low, middle, names & there)
            bisect(middle, high, names - there)

    bisect(0, min(side, MAX_SIDE), names)
    return found
