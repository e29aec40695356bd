"""A provider's network, ready to be dreamed: cut at the deepest layer asked for, frozen and folded.

Whatever a provider returns, a Keras model or a SavedModel, becomes one TensorFlow graph from pixels
to activations with its weights as constants. Grappler folds batch normalisation into the
convolutions *before* the graph is differentiated, so the backward pass is folded as well.

What that makes is kept in the cache. A network whose steps are there is not even loaded: it is, once
something is asked of it that they do not tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import function_pb2

from dreamkit.engine import without_collector
from dreamkit.engine.tf import cache_key, compiled_step, graph, model_info, rewrites
from dreamkit.engine.tf import exported_graph as programs
from dreamkit.engine.tf.compiled_cache import Shelf
from dreamkit.engine.tf.compiled_step import Ascent, Goal
from dreamkit.engine.tf.exported_graph import Program
from dreamkit.engine.tf.model_info import Facts, Forward, Source
from dreamkit.errors import LayerError, ModelError, NetworkMemoryError, did_you_mean, shown
from dreamkit.media import paths
from dreamkit.models.providers import ModelProvider

_SIDES = 1024, 2048  # of pictures whose maps tell a layer's stride
_FEW = 3  # layers that branches end in; with fewer, a depth is one of any layer


class Layer(NamedTuple):
    """A layer one can dream.

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


class Ascend(Protocol):
    """A compiled step."""

    def __call__(
        self,
        windows: NDArray[np.float32],
        pulls: NDArray[np.float32],
        fed: Sequence[NDArray[np.float32]] = (),
        device: str = "",
    ) -> Ascent:
        """The gradient of `windows`, computed on `device` or else where TensorFlow chooses."""


class Network:
    """A loaded network. Layers are named as the provider's model names them.

    Attributes:
        provider: where it came from.
        layers: the names of everything that can be dreamed, from the picture inwards.
        digest: SHA-256 of its weights.

    Terms are read by asking it: see `objectives.Names`.
    """

    def __init__(
        self,
        provider: ModelProvider,
        facts: Facts,
        source: Callable[[], Source],
        shelf: Shelf | None = None,
    ) -> None:
        """`source` loads the network, once it is needed; its compiled steps are kept on `shelf`."""
        self.provider = provider
        self.layers = tuple(facts.channels)
        self.digest = facts.digest
        self._facts = facts
        self._source = source
        self._shelf = shelf
        self._steps: dict[tuple[tuple[Goal, ...], int, str], compiled_step.Step | compiled_step.Nested] = {}
        self._compiled = 0

    @cached_property
    def forward(self) -> Forward:
        """Of layer names, the function from what the network eats to their activations."""
        return self._source().forward

    @property
    def traces(self) -> int:
        """How often a step of this network was compiled; one that was kept is not."""
        return self._compiled

    def ascent(self, goals: Sequence[Goal], border: int = 0, precision: str = "float32") -> Ascend:
        """The compiled step for `goals`: windows `(n, height, width, 3)`, pulls and what is fed, to `Ascent`.

        What is fed are, goal for goal, its counts, its places and the guide's features `(places, channels)`,
        as far as it has them. One trace serves every number and size of windows, and whatever is fed.

        Args:
            goals: what is raised.
            border: activations at the edges of a map that are not.
            precision: as `DreamConfig.precision`.

        Raises:
            LayerError: there is no such layer.
        """
        step = self._step(tuple(goals), border, precision)

        def ascend(
            windows: NDArray[np.float32],
            pulls: NDArray[np.float32],
            fed: Sequence[NDArray[np.float32]] = (),
            device: str = "",
        ) -> Ascent:
            try:
                with tf.device(device or None):
                    gradient, objectives, mean_squares = step(*map(tf.constant, (windows, pulls, *fed)))
            except tf.errors.OpError as error:
                if not _is_out_of_memory(error):
                    raise
                raise NetworkMemoryError(
                    f"too little memory for tiles of {windows.shape[2]} x {windows.shape[1]} pixels; "
                    "use a smaller --tile-size"
                ) from error
            return Ascent(
                gradient.numpy(),
                objectives.numpy().astype(np.float64),
                mean_squares.numpy().astype(np.float64),
            )

        return ascend

    def live_bytes(
        self, goals: Sequence[Goal], border: int, precision: str, shapes: Sequence[Sequence[int]]
    ) -> int:
        """The most that a step for `goals` holds at once, for inputs of these shapes, weights aside."""
        graph_def, names = self._step(tuple(goals), border, precision).graph
        return graph.live_bytes(graph_def, dict(zip(names, shapes, strict=True)))

    def _step(
        self, goals: tuple[Goal, ...], border: int, precision: str
    ) -> compiled_step.Step | compiled_step.Nested:
        key = goals, border, precision
        if key not in self._steps:
            self._steps[key] = self._kept_step(*key)
        return self._steps[key]

    def _kept_step(
        self, goals: tuple[Goal, ...], border: int, precision: str
    ) -> compiled_step.Step | compiled_step.Nested:
        key = f"step {border} {precision} {goals!r}"
        kept = self._shelf.get(key) if self._shelf else None
        if kept:
            return compiled_step.Step(function_pb2.FunctionDef.FromString(kept), precision)
        layers = list(dict.fromkeys(goal.layer for goal in goals))
        rewrite = partial(rewrites.rewritten, keep_range=precision == "mixed")
        with without_collector():
            forward = graph.fold(self._cut(layers), rewrite)
            function = compiled_step.compiled(forward, layers, goals, border, precision)
        self._compiled += 1
        definition = compiled_step.definition(function)
        if definition is None:
            return compiled_step.Nested(function)
        if self._shelf:
            self._shelf.put(key, definition.SerializeToString())
        return compiled_step.Step(definition, precision)

    def channels(self, layer: str) -> int:
        """How many channels `layer` has."""
        return self._facts.channels[layer]

    def at_depth(self, depth: float) -> str:
        """The layer at a share of the network's depth, 0 to 1, among those that branches end in.

        Depth is counted as in `Layer`. A network without branches has all its layers looked at.
        """
        depths, joins = self._depths
        among = joins if len(joins) >= _FEW else range(len(self.layers))
        return self.layers[min(among, key=lambda index: (abs(depths[index] - depth * max(depths)), -index))]

    @cached_property
    def _depths(self) -> tuple[list[int], list[int]]:
        """As `graphs.depths_of` has them, of all layers."""
        kept = self._shelf.get("depths") if self._shelf else None
        if kept:
            depths, joins = json.loads(kept)
            return depths, joins
        graph_def = self._cut(self.layers).graph.as_graph_def()
        if graph_def.library.function:
            graph_def = self._graph_def(self.layers)
        found = graph.depths_of(graph_def, len(self.layers))
        if self._shelf:
            self._shelf.put("depths", json.dumps(found).encode())
        return found

    def class_term(self, label: str | int) -> tuple[str, int]:
        """The layer and the channel whose activation is the score of a class, by its label or number.

        Labels are compared without case, an underscore being a space. Where one lists several names, any of
        them will do; of `/l/library/indoor`, `library indoor` and `indoor` as well.

        Raises:
            LayerError: the network has no class scores, or no such class.
        """
        provider = self.provider
        if provider.head not in self._facts.channels:
            raise LayerError(
                f"{provider.name} has no layer of class scores; choose a network with one, such as a "
                "converted classifier, or dream a channel: --layers LAYER:CHANNEL"
            )
        count = self._facts.channels[provider.head]
        text = str(label).strip()
        if text.isdecimal():
            if len(text) > 9 or int(text) >= count:
                raise LayerError(
                    f"{provider.name} has no class {shown(text)}; its classes are 0 to {count - 1}"
                )
            return provider.head, int(text)
        if not provider.labels:
            raise LayerError(f"{provider.name} has no labels; give a class by number, 0 to {count - 1}")
        names = {
            name: number
            for number, label in reversed(list(enumerate(provider.labels)))
            for name in _names_in(label)
        }
        (wanted, *_) = _names_in(text)
        if wanted not in names:
            raise LayerError(f"{provider.name} has no class {text!r}; {did_you_mean(wanted, names)}")
        return provider.head, names[wanted]

    def map_size(self, layer: str, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the map of `layer` for a whole picture of `size` (height, width)."""
        ((_, height, width, _),) = graph.output_shapes(self._graph_def([layer]), 1, size)
        return height, width

    def stride(self, layer: str) -> int:
        """Pixels of the picture between neighbouring activations of `layer`."""
        key = f"stride {layer}"
        kept = self._shelf.get(key) if self._shelf else None
        if kept:
            return int(kept)
        graph_def = self._graph_def([layer])
        ((_, small, _, _),), ((_, large, _, _),) = (
            graph.output_shapes(graph_def, 1, (side, side)) for side in _SIDES
        )
        found = _stride(small, large) if large > small else _SIDES[1]
        if self._shelf:
            self._shelf.put(key, str(found).encode())
        return found

    def forget(self) -> None:
        """Lets go of what was compiled: hundreds of steps, with their weights as constants, fill a memory."""
        self._steps.clear()

    def activations(
        self, layers: Sequence[str]
    ) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """The network to `layers`: RGB pixels 0 to 255, `(n, height, width, 3)`, to their activations,
        `(n, height, width, channels)` each.

        Raises:
            LayerError: there is no such layer.
        """
        forward = self._cut(layers)
        return lambda pixels: [layer.numpy() for layer in forward(tf.constant(pixels, tf.float32))]

    def program(self, layers: Sequence[str]) -> Program:
        """The network to `layers` as a list of operations.

        Raises:
            LayerError: there is no such layer.
            ModelError: it does something that a program cannot say.
        """
        forward = graph.frozen(self._cut(layers))
        graph_def = graph.folded_graph(forward)
        outputs = {layer: tensor.name for layer, tensor in zip(layers, forward.outputs, strict=True)}
        try:
            return programs.program(graph_def, forward.inputs[0].name, outputs)
        except ModelError as error:
            raise ModelError(
                f"{self.provider.name} cannot be exported: {error}; layers before that may be"
            ) from error

    @property
    def joins(self) -> list[str]:
        """The layers that several branches end in, from the picture inwards."""
        return [self.layers[index] for index in self._depths[1]]

    def min_size(self, layers: Iterable[str]) -> int:
        """The shortest side, in pixels, of a picture that `layers` can be dreamed in."""
        return max(self.provider.min_size, *(self._facts.min_sizes.get(name, 1) for name in layers))

    def least_side(self, layers: Sequence[str], most: int) -> int:
        """The shortest side, up to `most`, that `layers` can be computed of, found by trying."""
        graph_def = self._graph_def(layers)
        low = 0
        while most - low > 1:
            middle = (low + most) // 2
            try:
                shapes = graph.output_shapes(graph_def, len(layers), (middle, middle))
            except ValueError:  # TensorFlow's word for a size below one
                shapes = [[0]]
            low, most = (low, middle) if all(min(shape) > 0 for shape in shapes) else (middle, most)
        return most

    def describe(self) -> list[Layer]:
        """Every layer that can be dreamed, with its channels, stride and depth."""
        graph_def = self._graph_def(self.layers)
        small, large = (graph.output_shapes(graph_def, len(self.layers), (side, side)) for side in _SIDES)
        depths, _ = graph.depths_of(graph_def, len(self.layers))
        return [
            Layer(name, int(a[3]), _stride(a[1], b[1]), depth)
            for name, a, b, depth in zip(self.layers, small, large, depths, strict=True)
            if b[1] > a[1]
        ]

    def _graph_def(self, layers: Sequence[str]) -> Any:
        """The graph to `layers`, to look at: all nodes at one level, all shapes told."""
        function = self._cut(layers)
        if function.graph.as_graph_def().library.function or not self._facts.saved:
            function = graph.frozen(function)
        return function.graph.as_graph_def()

    def _cut(self, layers: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        """Pixels to the activations of `layers`, as a graph with nothing behind them."""
        for name in layers:
            if name not in self.layers:
                raise LayerError(
                    f"{self.provider.name} has no layer {name!r}; {did_you_mean(name, self.layers)}"
                )
        activations = self.forward(layers, constant=True)

        @tf.function(input_signature=[compiled_step.PIXELS], autograph=False)
        def forward(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = activations(self.provider.preprocess(pixels))
            return [
                tf.identity(tf.cast(output, tf.float32), f"layer_{i}") for i, output in enumerate(outputs)
            ]

        function = forward.get_concrete_function()
        return graph.flat(function) if self._facts.saved else function


def _stride(small: int, large: int) -> int:
    """Pixels between activations of a layer whose maps are `small` and `large` for pictures of `_SIDES`."""
    return round((_SIDES[1] - _SIDES[0]) / (large - small))


def load(provider: ModelProvider, weights: Path | None) -> Network:
    """Loads a provider's network, or what was kept of it.

    Args:
        weights: the file that holds its weights; None for the plan alone, or where it needs none.

    Raises:
        WeightsError: the file is damaged or of another network.
        ModelError: what the provider returned cannot be dreamed.
    """

    digest = paths.digest(weights) if weights else ""

    def source() -> Source:
        with without_collector():
            return model_info.of(provider, model_info.load(provider, weights), digest)

    owner = cache_key.of(provider, digest)
    shelf = Shelf(paths.cache() / "networks", owner) if owner else None
    kept = shelf.get("facts") if shelf else None
    if kept:
        facts = Facts(**json.loads(kept))
        if facts.saved:  # it is cheap to ask for, and the provider may have something to say of its files
            model_info.load(provider, weights)
        return Network(provider, facts, source, shelf)
    loaded = source()
    if weights is None and not loaded.facts.saved:
        shelf = None  # its weights may come from anywhere
    if shelf:
        shelf.put("facts", json.dumps(loaded.facts._asdict()).encode())
    return Network(provider, loaded.facts, lambda: loaded, shelf)


def _is_out_of_memory(error: tf.errors.OpError) -> bool:
    """TensorFlow's own word for it, or oneDNN's, whose status 1 is `dnnl_out_of_memory`."""
    return isinstance(error, tf.errors.ResourceExhaustedError) or (
        isinstance(error, tf.errors.AbortedError) and "Status: 1," in error.message
    )


def _names_in(label: str) -> list[str]:
    """All that a class can be called by its label: `/c/castle` or `kit fox, Vulpes macrotis`."""
    plain = " ".join(label.replace("_", " ").casefold().split())
    each = [name.strip() for name in plain.split(",")]
    below = [re.sub(r"^/\w/", "", name) for name in each]
    spaced = [name.replace("/", " ") for name in below]
    return list(dict.fromkeys([plain, *each, *below, *spaced, *(name.rpartition("/")[2] for name in below)]))
