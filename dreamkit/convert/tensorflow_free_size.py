"""A TensorFlow graph that is computed on maps, so that it takes pictures of any size.

A classifier computes vectors from flattened or pooled maps. Here a vector stays a map of one position, batch
x 1 x 1 x channels. A product with a matrix is a convolution of it, or, behind a Flatten of a whole map, of
that map's size. What a file fixes to the size of its pictures otherwise is scaled with them, or left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from dreamkit.convert import tensorflow_operations as operations
from dreamkit.convert.tensorflow_frozen import PICTURE, FrozenGraph, source, tensor
from dreamkit.convert.tensorflow_nodes import Nodes
from dreamkit.models.safe_operations import FLOW

# What they make of maps of one position has one position.
_ONE_POSITION = {
    *operations.ELEMENTWISE,
    *operations.CONVOLUTIONS,
    *operations.SHAPED,
    "Softmax",
    "LogSoftmax",
}
Order: TypeAlias = Literal["map", "flat", "rows"]


class _LeftOutError(Exception):
    """A node cannot be computed for pictures of any size."""


@dataclass(frozen=True)
class _Map:
    """A tensor, batch x height x width x channels, with the sizes that it has at the size of the file.

    Attributes:
        shape: its sizes.
        order: what the file has in its place: the same (`map`), batch x all values (`flat`), or all positions
            of the batch x channels (`rows`).
    """

    shape: tuple[int, int, int, int]
    order: Order = "map"

    @property
    def is_vector(self) -> bool:
        """Whether it has one position in place of a vector."""
        return self.order != "map" and self.shape[1:3] == (1, 1)


@dataclass
class FreeGraph:
    """A graph for pictures of any size.

    Attributes:
        nodes: those that can be computed, each after those that it reads. The picture is of floats.
        maps: the tensors that are maps, with their channels.
        sized: the tensors that the graph in the file computes at its own size only, or differently at others.
        pooled: the tensors of one position, whatever the size of the picture.
        scores: those of `pooled` behind a weighted sum.
        left_out: why a node was left out, for the first of each branch.
    """

    nodes: Nodes
    maps: dict[str, int] = field(default_factory=dict)
    sized: set[str] = field(default_factory=set)
    pooled: set[str] = field(default_factory=set)
    scores: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)


def free_size(frozen: FrozenGraph) -> FreeGraph:
    """A graph for pictures of any size that computes the same at the size of the file."""
    return _Rewriter(frozen).result()


class _Rewriter:
    def __init__(self, frozen: FrozenGraph) -> None:
        self._frozen = frozen
        self._graph = frozen.imported([frozen.batch or 1, *frozen.size, frozen.channels])
        self._free = frozen.imported([None, None, None, frozen.channels])
        self._maps: dict[str, _Map] = {}
        self._varying: set[str] = {frozen.picture}  # the nodes that depend on the picture
        self._lost: set[str] = set()
        self._nodes = Nodes(lambda name: self._tensor(self._graph, name).dtype)
        self._found = FreeGraph(self._nodes)
        self._rules: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(operations.ELEMENTWISE, self._elementwise),
            **dict.fromkeys(operations.REDUCTIONS, self._reduce),
            **dict.fromkeys(operations.SHAPED, self._reshape),
            **dict.fromkeys(operations.RESIZES, self._resize),
            **dict.fromkeys(FLOW, self._flow),
            **dict.fromkeys(("Softmax", "LogSoftmax"), self._softmax),
            "MatMul": self._matmul,
            "ConcatV2": self._concatenate,
            "Conv2DBackpropInput": self._transposed,
            "StridedSlice": self._slice,
            "Slice": self._cut,
        }

    def result(self) -> FreeGraph:
        for node in self._frozen.graph_def.node:
            if node.name == self._frozen.picture:
                self._picture(node)
            elif self._varying.isdisjoint(map(source, node.input)):
                self._nodes.keep(node)
            else:
                self._varying.add(node.name)
                self._look_at(node)
        return self._found

    def _picture(self, node: Any) -> None:
        import tensorflow as tf

        made = copy.deepcopy(node)
        if self._frozen.type == "uint8":
            made.attr["dtype"].type = tf.float32.as_datatype_enum
        made.attr["shape"].shape.CopyFrom(
            tf.TensorShape([None, None, None, self._frozen.channels]).as_proto()
        )
        self._nodes.keep(made)
        self._maps[node.name] = _Map((self._frozen.batch or 1, *self._frozen.size, self._frozen.channels))

    def _look_at(self, node: Any) -> None:
        """Adds a node that depends on the picture, in another form if it needs one."""
        read = node.input[:1] if node.op in operations.SHAPED else node.input
        if not self._lost.isdisjoint(map(source, read)):
            self._lost.add(node.name)
            return
        try:
            self._rules.get(node.op, self._other)(node)
        except _LeftOutError as error:
            self._lost.add(node.name)
            self._found.left_out[node.name] = str(error)
            return
        if any(each in self._found.sized for each in node.input):
            self._found.sized.add(node.name)
        varying = [each for each in map(tensor, node.input) if source(each) in self._varying]
        if node.op in _ONE_POSITION:
            weighted = node.op in operations.CONVOLUTIONS
            varying = varying[:1] if node.op in operations.SHAPED else varying
            if all(each in self._found.pooled for each in varying):
                self._found.pooled.add(node.name)
                if weighted or any(each in self._found.scores for each in varying):
                    self._found.scores.add(node.name)
        made = self._maps.get(node.name)
        if made is None:
            shape = self._shape(node.name)
            if shape and len(shape) == 4:
                made = self._maps[node.name] = _Map((shape[0], shape[1], shape[2], shape[3]))
        if made is not None and (made.order == "map" or made.is_vector) and self._is_float(node.name):
            self._found.maps[node.name] = made.shape[3]

    # What is known of a tensor.

    def _shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor at the size of the file."""
        shape = self._tensor(self._graph, name).shape
        return tuple(shape.as_list()) if shape.is_fully_defined() else None

    def _tensor(self, graph: Any, name: str) -> Any:
        name = PICTURE if source(name) == self._frozen.picture else name
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")

    def _is_float(self, name: str) -> bool:
        return bool(self._tensor(self._graph, name).dtype.is_floating)

    def _value(self, name: str) -> Any:
        """The value of a constant tensor, or None."""
        import tensorflow as tf

        if source(name) in self._varying:
            return None
        return tf.get_static_value(self._tensor(self._graph, name))

    def _partial(self, name: str) -> list[int | None]:
        """What is known of a vector of sizes for pictures of any size."""
        import tensorflow as tf

        values = tf.get_static_value(self._tensor(self._free, name), partial=True)
        if values is None:
            return []
        return [None if each is None else int(each) for each in np.ravel(values)]

    def _view(self, name: str) -> _Map | None:
        """The map that a tensor is, if the file has another order of its values."""
        found = self._maps.get(tensor(name))
        return found if found is not None and found.order != "map" else None

    def _map_of(self, name: str) -> _Map:
        found = self._maps.get(tensor(name))
        if found is None or found.order != "map":
            raise _LeftOutError("it is behind a Flatten")
        return found

    def _same(self, node: Any, made: _Map) -> None:
        """The result of a node is what it reads: a map, or its values in another order."""
        self._nodes.same(node.name, node.input[0])
        self._maps[node.name] = made

    # The rules.

    def _other(self, node: Any) -> None:
        if any(self._view(each) for each in node.input):
            raise _LeftOutError("it is behind a Flatten")
        self._nodes.keep(node)

    def _flow(self, _: Any) -> None:
        raise _LeftOutError("it is a branch or a function that cannot be opened")

    def _elementwise(self, node: Any) -> None:
        views = [self._view(each) for each in node.input if source(each) in self._varying]
        constants = [self._shape(each) for each in node.input if source(each) not in self._varying]
        if self._is_cast_of_bytes(node):
            self._same(node, self._maps[tensor(node.input[0])])
            return
        if self._frozen.type == "uint8" and self._frozen.picture in map(tensor, node.input):
            if node.op != "Identity":
                raise _LeftOutError("it computes on whole numbers")
            self._same(node, self._maps[self._frozen.picture])
            return
        (first, *others) = views
        if any(each is None for each in views) and any(each is not None for each in views):
            raise _LeftOutError("it joins a map with a flattened one")
        result = self._shape(node.name)
        for shape in constants:
            if shape is None:
                raise _LeftOutError("a constant of unknown shape is in it")
            if first is not None:
                if int(np.prod(shape)) != 1 and (not shape or shape[-1] != first.shape[3]):
                    raise _LeftOutError("it has a number for each position")
                if len(shape) > 2:
                    raise _LeftOutError("it has a constant of several dimensions")
            elif result is not None and len(result) == 4 and any(side != 1 for side in shape[-3:-1]):
                raise _LeftOutError("it has a number for each position")
        if first is None:
            self._nodes.keep(node)
            return
        if any(each is None or each.order != first.order for each in others):
            raise _LeftOutError("it joins maps in different orders")
        shape = max((each.shape for each in views if each), key=lambda each: int(np.prod(each)))
        self._nodes.keep(node)
        self._maps[node.name] = _Map(shape, first.order)

    def _is_cast_of_bytes(self, node: Any) -> bool:
        import tensorflow as tf

        return (
            node.op == "Cast"
            and self._frozen.type == "uint8"
            and node.attr["SrcT"].type == tf.uint8.as_datatype_enum
            and node.attr["DstT"].type == tf.float32.as_datatype_enum
        )

    def _softmax(self, node: Any) -> None:
        view = self._view(node.input[0])
        if view is not None and view.order == "flat" and not view.is_vector:
            raise _LeftOutError("it is behind a Flatten")
        self._nodes.keep(node)
        if view is not None:
            self._maps[node.name] = view

    def _reduce(self, node: Any) -> None:
        """A mean over height and width is a map of one position, whether its axes stay or not."""
        shape, axes = self._shape(node.input[0]), self._value(node.input[1])
        if axes is None or shape is None or source(node.input[0]) not in self._varying:
            self._other(node)
            return
        axes_of = {int(each) % max(1, len(shape)) for each in np.ravel(axes)}
        keeps, view = node.attr["keep_dims"].b, self._view(node.input[0])
        if view is not None:
            if not view.is_vector or axes_of != {1} or not keeps:
                raise _LeftOutError("it is behind a Flatten")
            self._nodes.keep_with(node, 1, self._nodes.vector(f"{node.name}/axes", 3), "Tidx")
            self._maps[node.name] = _Map((*view.shape[:3], 1), view.order)
            return
        if len(shape) != 4 or axes_of != {1, 2}:
            self._nodes.keep(node)
            return
        made = copy.deepcopy(node)
        made.attr["keep_dims"].b = True
        self._nodes.keep(made)
        self._maps[node.name] = _Map((shape[0], 1, 1, shape[3]), "map" if keeps else "flat")
        self._found.pooled.add(node.name)

    def _reshape(self, node: Any) -> None:
        name, given, result = tensor(node.input[0]), self._shape(node.input[0]), self._shape(node.name)
        if given is None or result is None:
            self._other(node)
            return
        found = self._maps.get(name)
        if found is not None:
            batch, height, width, channels = found.shape
            order: Order | None = None
            if result == found.shape:
                order = "map"
            elif result == (batch, height * width * channels):
                order = "flat"
            elif result == (batch * height * width, channels):
                order = "rows"
            if order is not None:
                self._same(node, _Map(found.shape, order))
                if order == "flat" and name not in self._found.pooled:
                    self._found.sized.add(node.name)
                return
        if self._view(name) is not None:
            raise _LeftOutError("it depends on the size of the picture")
        if node.op == "Reshape" and source(node.input[1]) not in self._varying:
            # Height and width stay, as where channels are shuffled.
            if min(len(given), len(result)) < 4 or given[:3] != result[:3]:
                raise _LeftOutError("it depends on the size of the picture")
            self._reshape_channels(node, result[3:])
            self._found.sized.add(node.name)
            return
        if node.op == "Reshape" and self._lost.intersection(map(source, node.input)):
            raise _LeftOutError("it depends on the size of the picture")
        self._nodes.keep(node)

    def _reshape_channels(self, node: Any, channels: Sequence[int]) -> None:
        nodes, name = self._nodes, node.name
        sizes = nodes.sizes(name, node.input[0], 0, 3)
        shape = nodes.joined(name, sizes, nodes.vector(f"{name}/channels", *channels))
        nodes.keep_with(node, 1, shape, "Tshape")

    def _scaled(self, node: Any, of: str, sizes: Sequence[int]) -> str:
        """Adds height and width of a tensor times the factors that give `sizes` at the size of the file."""
        given = self._map_of(of).shape[1:3]
        if tensor(of) in self._found.pooled or any(
            size % side for size, side in zip(sizes, given, strict=True)
        ):
            raise _LeftOutError("it has a fixed size")
        self._found.sized.add(node.name)
        factors = [size // side for size, side in zip(sizes, given, strict=True)]
        return self._nodes.times(node.name, self._nodes.sizes(node.name, of, 1, 3), factors)

    def _resize(self, node: Any) -> None:
        """A map that is resized to a fixed size is resized by a factor."""
        self._map_of(node.input[0])
        sizes = self._partial(node.input[1])
        if len(sizes) != 2 or None in sizes:
            self._other(node)
            return
        scaled = self._scaled(node, node.input[0], [each or 0 for each in sizes])
        self._nodes.keep_with(node, 1, scaled)

    def _transposed(self, node: Any) -> None:
        """A transposed convolution, whose file can state the size of its result."""
        sizes, result = self._partial(node.input[0]), self._shape(node.name)
        if len(sizes) != 4 or None in sizes[1:3] or result is None:
            self._other(node)
            return
        nodes, name, picture = self._nodes, node.name, node.input[2]
        sides = self._scaled(node, picture, [each or 0 for each in sizes[1:3]])
        batch = nodes.sizes(name, picture, 0, 1)
        shape = nodes.joined(name, batch, sides, nodes.vector(f"{name}/channels", result[3]))
        nodes.keep_with(node, 0, shape)

    def _matmul(self, node: Any) -> None:
        """A product with a matrix: a convolution, of one position or of a whole flattened map."""
        name, weights = node.input[0], node.input[1]
        view, shape = self._view(name), self._shape(weights)
        if view is None or source(weights) in self._varying or shape is None or node.attr["transpose_a"].b:
            raise _LeftOutError("it is not a product of maps with weights")
        window = (1, 1) if view.order == "rows" else view.shape[1:3]
        rows, count = shape[::-1] if node.attr["transpose_b"].b else shape
        if rows != window[0] * window[1] * view.shape[3]:
            raise _LeftOutError("its weights have another size")
        if node.attr["transpose_b"].b:
            weights = self._nodes.transposed(node.name, weights)
        kernel = self._nodes.reshaped(node.name, weights, (*window, view.shape[3], count))
        self._nodes.make(
            node.name,
            "Conv2D",
            [name, kernel],
            T=self._tensor(self._graph, node.name).dtype,
            strides=[1, 1, 1, 1],
            padding=b"VALID",
        )
        batch, height, width, _ = view.shape
        sides = (height, width) if view.order == "rows" else (1, 1)
        self._maps[node.name] = _Map((batch, *sides, count), view.order)

    def _concatenate(self, node: Any) -> None:
        *parts, axis = node.input
        views = [self._view(each) for each in parts]
        vectors = [each for each in views if each is not None and each.is_vector]
        if not any(views):
            self._nodes.keep(node)
            return
        if len(vectors) < len(parts) or self._value(axis) not in (1, -1):
            raise _LeftOutError("it is behind a Flatten")
        last = len(parts)
        self._nodes.keep_with(node, last, self._nodes.number(f"{node.name}/axis", 3), "Tidx")
        channels = sum(each.shape[3] for each in vectors)
        self._maps[node.name] = _Map((*vectors[0].shape[:3], channels), vectors[0].order)

    def _slice(self, node: Any) -> None:
        """A part of a map, or the vector in a map of one position."""
        given, result = self._shape(node.input[0]), self._shape(node.name)
        found = self._maps.get(tensor(node.input[0]))
        if given and result and found and np.prod(given) == np.prod(result) and given != result:
            batch, height, width, channels = found.shape
            if (height, width) == (1, 1) and result in ((batch, channels), found.shape):
                self._same(node, _Map(found.shape, "map" if result == found.shape else "flat"))
                if tensor(node.input[0]) not in self._found.pooled:
                    self._found.sized.add(node.name)
                return
        if found is not None and found.order == "map" and given is not None and len(given) == 4:
            end, masked = self._value(node.input[2]), node.attr["end_mask"].i
            for axis in (1, 2):
                if end is None or (len(end) > axis and end[axis] > 0 and not masked >> axis & 1):
                    raise _LeftOutError("it cuts out a part of a fixed size")
        self._other(node)

    def _cut(self, node: Any) -> None:
        sizes = self._value(node.input[2])
        if self._maps.get(tensor(node.input[0])) and (
            sizes is None or any(each != -1 for each in np.ravel(sizes)[1:3])
        ):
            raise _LeftOutError("it cuts out a part of a fixed size")
        self._other(node)
