"""The feature maps of a TensorFlow graph for pictures of any size: sizes, strides, kinds and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from dreamkit.convert import tensorflow_free_size
from dreamkit.convert.feature_maps import FeatureMap, Kept, Kind
from dreamkit.convert.keras_input import PictureInput
from dreamkit.convert.tensorflow_frozen import FrozenGraph, source
from dreamkit.convert.tensorflow_names import layer_names
from dreamkit.convert.tensorflow_operations import CONVOLUTIONS
from dreamkit.convert.tensorflow_sizes import find_sizes
from dreamkit.errors import ConvertError, shown
from dreamkit.models.safe_operations import words

_JOINS = ("Concat", "ConcatV2", "Add", "AddV2", "AddN", "Maximum")
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(_JOINS, "join"),
    **dict.fromkeys(("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh"), "activation"),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "softmax"),
    "MatMul": "dense",
}
# Their results hold the same numbers as what they read.
_ALIASES = ("Placeholder", "Identity", "Reshape", "Squeeze", "ExpandDims", "StridedSlice", "Cast")
_BIASES = ("BiasAdd", "BiasAddV1", "Add", "AddV2", "Identity")
_ANSWERS = words(
    """
    Softmax LogSoftmax Sigmoid ArgMax TopK TopKV2 Identity Reshape Squeeze Shape StridedSlice Pack
    """
)


class FreeSizeModel:
    """A network for pictures of any size. Only for a child process: it loads TensorFlow.

    Attributes:
        tensors: the tensors of the file that are layers, by their names; `feature_maps` finds them.
        variables: the weights.
    """

    def __init__(self, frozen: FrozenGraph, prepare: PictureInput) -> None:
        import tensorflow as tf

        self._frozen, self._prepare = frozen, prepare
        self._free = tensorflow_free_size.free_size(frozen)
        self._originals = {node.name: node for node in frozen.graph_def.node}
        self._readers: dict[str, list[Any]] = {}
        for node in frozen.graph_def.node:
            for each in node.input:
                self._readers.setdefault(source(each), []).append(node)
        self._tensors = [name for name in self._free.maps if self._originals[source(name)].op not in _ALIASES]
        needed = self._needed(self._tensors)
        self._weights = {
            name: tf.Variable(value, trainable=False)
            for name, value in frozen.weights.items()
            if name in needed
        }
        self.tensors: dict[str, str] = {}
        self.variables = list(self._weights.values())

    @property
    def sized(self) -> list[str]:
        """The layers that the file computes at its own size only."""
        return [name for name, each in self.tensors.items() if each in self._free.sized]

    def _needed(self, names: Iterable[str]) -> set[str]:
        """The nodes of the graph for any size that the tensors `names` need."""
        needed: set[str] = set()
        waiting = [source(each) for each in names]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(map(source, self._free.nodes[name].input))
        return needed

    def forward(self, maps: Mapping[str, FeatureMap]) -> Callable[[Any], list[Any]]:
        """The function from preprocessed RGB pixels to the maps.

        Each is computed from pixels that are padded below and at the right to a multiple of its own.
        """
        parts = {
            multiple: self._part([name for name, each in maps.items() if each.multiple == multiple])
            for multiple in sorted({each.multiple for each in maps.values()})
        }

        def activations(pixels: Any) -> list[Any]:
            found: dict[str, Any] = {}
            for multiple, part in parts.items():
                found.update(part(_padded(pixels, multiple)))
            return [found[name] for name in maps]

        return activations

    def _part(self, names: Sequence[str]) -> Callable[[Any], dict[str, Any]]:
        import tensorflow as tf

        tensors = [self.tensors[name] for name in names]
        needed = self._needed(tensors) | {self._frozen.picture}
        part = tf.compat.v1.GraphDef(versions=self._frozen.graph_def.versions)
        part.node.extend(each for name, each in self._free.nodes.items() if name in needed)
        kind = "float32" if self._frozen.type == "uint8" else self._frozen.type
        weights = {name: each for name, each in self._weights.items() if name in needed}

        def activations(pixels: Any) -> dict[str, Any]:
            values = {f"{self._frozen.picture}:0": tf.cast(self._prepare(pixels), kind)}
            values.update({f"{name}:0": tf.convert_to_tensor(each) for name, each in weights.items()})
            found = tf.graph_util.import_graph_def(
                part, values, return_elements=[f"{each}:0" for each in tensors], name="network"
            )
            return {name: tf.cast(each, tf.float32) for name, each in zip(names, found, strict=True)}

        return activations

    def feature_maps(self, path: str) -> dict[str, FeatureMap]:
        """The maps whose size follows that of the picture, and scores of one position behind them.

        Raises:
            ConvertError: there are none.
        """
        frozen = self._frozen
        needed = self._needed(self._tensors) | {frozen.picture}
        nodes = {name: each for name, each in self._free.nodes.items() if name in needed}
        sizes = find_sizes(nodes, frozen.picture, frozen.channels, self._tensors, frozen.size)
        tensors = [name for name in self._tensors if name in sizes]
        spread = [place for place, name in enumerate(tensors) if sizes[name].stride]
        if not spread:
            raise ConvertError(
                f"{path} has no feature maps, batch x height x width x channels, whose size follows that of "
                f"the picture{self._where_it_stops}; give a convolutional network"
            )
        # Before the last map, those of one position are the gates of squeeze-and-excitation.
        tensors = [
            name
            for place, name in enumerate(tensors)
            if sizes[name].stride or (place > spread[-1] and name in self._free.scores)
        ]
        operations = {name: self._originals[name].op for name in tensors}
        self.tensors = layer_names(tensors, operations, set(filter(self._is_end, tensors)))
        return {
            name: FeatureMap(
                self._free.maps[each],
                sizes[each].stride,
                sizes[each].min_size,
                self._kind(each),
                self._is_end(each),
                sizes[each].multiple,
            )
            for name, each in self.tensors.items()
        }

    @cached_property
    def _varying(self) -> set[str]:
        """The nodes that depend on the picture."""
        found = {self._frozen.picture}
        for node in self._frozen.graph_def.node:
            if not found.isdisjoint(map(source, node.input)):
                found.add(node.name)
        return found

    def _is_end(self, name: str) -> bool:
        """Whether nothing follows a tensor but what makes an answer of class scores."""
        readers = self._readers.get(source(name), ())
        return all(node.op in _ANSWERS and self._is_end(node.name) for node in readers)

    def _is_join(self, node: Any) -> bool:
        varying = [each for each in node.input if source(each) in self._varying]
        return node.op in _JOINS and len(varying) > 1

    def _kind(self, name: str) -> Kind:
        """What computes a tensor. A sum with a constant is not a join."""
        node = self._originals[source(name)]
        if self._is_join(node):
            readers = self._readers.get(source(name), ())
            # If an activation follows, the branches end in the activation.
            return "other" if any(_KINDS.get(each.op) == "activation" for each in readers) else "join"
        before = [self._originals[source(each)] for each in node.input if source(each) in self._varying]
        kind = _KINDS.get(node.op, "other")
        if kind == "activation" and any(map(self._is_join, before)):
            return "join"
        if node.op in _BIASES and len(before) == 1 and before[0].op == "MatMul":
            return "dense"
        return "other" if kind == "join" else kind

    def count_kept(self, maps: Mapping[str, FeatureMap]) -> Kept:
        """How much of the file's network is kept, as maps or on the way to them."""
        needed = self._needed(self.tensors[name] for name in maps)
        varying = [node for node in self._frozen.graph_def.node if node.name in self._varying]
        convolutions = [node for node in varying if node.op in CONVOLUTIONS and self._has_weights(node)]
        joins = [node for node in varying if self._is_join(node) and node.name in self._spatial]

        def share(nodes: Sequence[Any]) -> tuple[int, int]:
            return sum(node.name in needed for node in nodes), len(nodes)

        kept = share(convolutions)
        stopped = ""
        if kept[0] < kept[1]:
            name = next(iter(self._free.left_out), "")
            stopped = f"{self._originals[name].op} {shown(name)}" if name else ""
        return Kept(kept, share(joins), stopped)

    def _has_weights(self, node: Any) -> bool:
        return any(source(each) not in self._varying for each in node.input)

    @cached_property
    def _spatial(self) -> set[str]:
        """The nodes whose results are maps at the size of the file."""
        graph = self._frozen.imported([self._frozen.batch or 1, *self._frozen.size, self._frozen.channels])
        return {
            each.name for each in graph.get_operations() if each.outputs and each.outputs[0].shape.rank == 4
        }

    @property
    def _where_it_stops(self) -> str:
        """The end of a message: the first operation that cannot be computed for pictures of any size."""
        for name, reason in self._free.left_out.items():
            return f" (stopped at {self._originals[name].op} {shown(name)}: {shown(reason, 100)})"
        return ""


def _padded(pixels: Any, multiple: int) -> Any:
    """Pictures with zeros, which the preprocessing makes of the mean, below and at the right."""
    import tensorflow as tf

    if multiple == 1:
        return pixels
    height, width = tf.unstack(tf.shape(pixels)[1:3])
    return tf.pad(pixels, [[0, 0], [0, -height % multiple], [0, -width % multiple], [0, 0]])
