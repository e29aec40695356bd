"""The feature maps of a Keras model for pictures of any size: sizes, strides, kinds and functions to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dreamkit.convert import keras_forward, keras_graph
from dreamkit.convert.feature_maps import MAX_SIDE, FeatureMap, Kind, default_layer
from dreamkit.convert.keras_graph import Graph, Operation, is_one_position
from dreamkit.convert.keras_input import PictureInput
from dreamkit.errors import ConvertError, shown
from dreamkit.models.providers import ModelProvider, Preprocess

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Concatenate", "Add", "Average", "Maximum"), "join"),
    "Softmax": "softmax",
    **dict.fromkeys(("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU"), "activation"),
}


class FreeSizeModel:
    """A model for pictures of any size. Only for a child process: it loads TensorFlow."""

    def __init__(self, graph: Graph, prepare: PictureInput) -> None:
        import tensorflow as tf

        self._graph, self._prepare = graph, prepare
        self._compute = keras_forward.FreeSize(graph)
        shapes: dict[Operation, int] = {}

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)], autograph=False)
        def find_shapes(pixels: Any) -> None:
            maps = self._compute(prepare(pixels))
            shapes.update({each: values.shape[-1] for each, values in maps.items()})

        find_shapes.get_concrete_function()
        self._channels = {
            name: int(shapes[each])
            for name, each in graph.names.items()
            if shapes.get(each) and self._is_feature(each)
        }

    def _is_feature(self, operation: Operation) -> bool:
        """Whether the output is a map in the original, or scores."""
        return len(operation.output_shapes[0]) == 4 or self._graph.has_scores(operation)

    def forward(self, layers: Sequence[str], *, constant: bool = False) -> Any:
        """The function from preprocessed RGB pixels to the maps of `layers`; see `model_info.Forward`.

        The probe asks for constants, and needs only shapes.
        """
        import tensorflow as tf

        def activations(pixels: Any) -> list[Any]:
            maps = self._compute(self._prepare(pixels), shapes_only=constant)
            return [tf.cast(maps[self._graph.names[name]], tf.float32) for name in layers]

        return activations

    @property
    def _network(self) -> Network:
        from dreamkit.engine.tf.model_info import LoadedNetwork, ModelInfo
        from dreamkit.engine.tf.network import Network

        info = ModelInfo(self._channels, "")
        provider = ModelProvider(name="original", load=lambda _: None, preprocess=Preprocess(), layers={})
        return Network(provider, info, lambda: LoadedNetwork(info, self.forward))

    def feature_maps(self, file: str, layers: list[str] | None) -> dict[str, FeatureMap]:
        """The maps whose size follows that of the picture, and scores of one position behind them."""
        network = self._network
        found = network.probe.describe() if self._channels else []
        if not found:
            raise ConvertError(
                f"{file} has no feature maps whose size follows that of the picture{self.where_it_stops}"
            )
        strides = {each.name: each.stride for each in found}
        names = list(self._channels)
        names = [
            name
            for place, name in enumerate(names)
            if name in strides
            or (place > names.index(found[-1].name) and self._graph.has_scores(self._graph.names[name]))
        ]
        scores = {name for name in names if self._graph.has_scores(self._graph.names[name])}
        sides: dict[str, int] = {}
        for group in (
            [name for name in names if name not in scores],
            [name for name in names if name in scores],
        ):
            if group:
                sides.update(dict.fromkeys(group, network.probe.smallest_side(group, MAX_SIDE)))
        maps = {
            name: FeatureMap(
                self._channels[name], strides.get(name, 0), sides[name], self._kind(self._graph.names[name])
            )
            for name in names
        }
        defaults = [name for name in layers or [default_layer(maps)] if name in maps]
        if defaults:
            min_size = network.probe.smallest_side(defaults, MAX_SIDE)
            maps.update({name: replace(maps[name], min_size=min_size) for name in defaults})
        return maps

    def _kind(self, operation: Operation) -> Kind:
        """What an operation computes, from its type and its activation function."""
        kind = _KINDS.get(operation.type, "other")
        activation = operation.activation
        if operation is keras_forward.scores_before_probabilities(self._graph):
            activation = "linear"
        if kind == "activation" and activation == "softmax":
            return "softmax"
        return "activation" if kind == "other" and activation != "linear" else kind

    def count_kept(self, maps: Mapping[str, FeatureMap]) -> tuple[int, int]:
        """How many convolutions are kept, as maps or on the way to them, and how many the original has."""
        convolutions = {
            name: each for name, each in self._graph.names.items() if each.type in keras_graph.CONVOLUTIONS
        }
        # Those of one position are the gates of squeeze-and-excitation, which are computed but not dreamed.
        kept = [
            name
            for name, each in convolutions.items()
            if name in maps or (name in self._channels and is_one_position(each.output_shapes[0]))
        ]
        return len(kept), len(convolutions)

    @property
    def where_it_stops(self) -> str:
        """The end of a message: the first operation that cannot be computed for pictures of any size."""
        for operation, reason in self._compute.failures.items():
            return f" (stopped at {operation.type} {shown(operation.path[-1])}: {shown(reason, 100)})"
        return ""
