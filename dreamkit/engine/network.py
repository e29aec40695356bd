"""A provider's network, ready to be dreamed: cut at the deepest layer asked for, frozen and folded.

Whatever a provider returns, a Keras model or a SavedModel, becomes one TensorFlow graph from pixels
to activations with its weights as constants. Grappler folds batch normalisation into the
convolutions *before* the graph is differentiated, so the backward pass is folded as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.grappler import tf_optimizer

from dreamkit import folders
from dreamkit.errors import (
    LayerError,
    ModelError,
    NetworkMemoryError,
    WeightsError,
    did_you_mean,
    first_line,
    shown,
)
from dreamkit.providers import ModelProvider, SavedModel

Forward = Callable[[Sequence[str]], Callable[[tf.Tensor], list[tf.Tensor]]]

_PIXELS = tf.TensorSpec([None, None, None, 3], tf.float32, name="pixels")
_MOST_LIKENESSES = 1 << 22  # numbers held at once while places are compared with a guide's
_FEW = 3  # layers that branches end in; with fewer, a depth is one of any layer
_SMALL = 64  # numbers; fewer are no weights
_WEIGHTED_OPS = frozenset(
    (
        "Conv2D",
        "DepthwiseConv2dNative",
        "Conv2DBackpropInput",
        "MatMul",
        "BatchMatMulV2",
        "Einsum",
        # What is left of calls in a frozen graph are Keras' grouped convolutions.
        "PartitionedCall",
        "StatefulPartitionedCall",
    )
)


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


class Goal(NamedTuple):
    """What is raised in a layer, as far as it is compiled; numbers are fed to the step.

    Attributes:
        layer: its name.
        kind: the mean of the activations, the mean of their squares, or `match`: the mean over all places of
            the product with the most similar of a guide's features.
        counts: whether channels count differently; fed `(channels,)`.
        place: whether a single neuron is raised; fed `(windows, 2)`, row and column as shares of the window,
            negative where the neuron is not in it.
    """

    layer: str
    kind: Literal["mean", "mean-square", "match"]
    counts: bool = False
    place: bool = False

    @property
    def power(self) -> int:
        """How the objective goes with the size of the activations."""
        return 2 if self.kind == "mean-square" else 1


class Ascent(NamedTuple):
    """What one evaluation of windows gives; every array is NumPy's.

    Attributes:
        gradient: of the pulled objective with respect to the windows' pixels, `(n, height, width, 3)`.
        objectives: of each goal, summed over the windows, before any pull.
        mean_squares: of what each goal looks at, summed over the windows.
    """

    gradient: NDArray[np.float32]
    objectives: NDArray[np.float64]
    mean_squares: NDArray[np.float64]


class Network:
    """A loaded network. Layers are named as the provider's model names them.

    Attributes:
        provider: where it came from.
        forward: of layer names, the function from what the network eats to their activations.
        layers: the names of everything that can be dreamed, from the picture inwards.
        digest: SHA-256 of its weights.

    Terms are read by asking it: see `objectives.Names`.
    """

    def __init__(
        self,
        provider: ModelProvider,
        channels: Mapping[str, int],
        forward: Forward,
        digest: str,
        saved: SavedModel | None = None,
    ) -> None:
        self.provider = provider
        self._channels = channels
        self._min_sizes = saved.min_sizes if saved else {}
        self._is_nested = saved is not None  # a signature is a call to a call of the network
        self.layers = tuple(channels)
        self.digest = digest
        self.forward = forward
        self._ascents: dict[tuple[tuple[Goal, ...], int], tf.types.experimental.PolymorphicFunction] = {}

    @property
    def traces(self) -> int:
        """How often TensorFlow has traced a step of this network."""
        return sum(step.experimental_get_tracing_count() for step in self._ascents.values())

    def ascent(
        self, goals: Sequence[Goal], border: int = 0
    ) -> Callable[[NDArray[np.float32], NDArray[np.float32], Sequence[NDArray[np.float32]]], Ascent]:
        """The compiled step for `goals`: windows `(n, height, width, 3)`, pulls and what is fed, to `Ascent`.

        What is fed are, goal for goal, its counts, its places and the guide's features `(places, channels)`,
        as far as it has them. One trace serves every number and size of windows, and whatever is fed.

        Args:
            goals: what is raised.
            border: activations at the edges of a map that are not.

        Raises:
            LayerError: there is no such layer.
        """
        key = tuple(goals), border
        if key not in self._ascents:
            layers = list(dict.fromkeys(goal.layer for goal in goals))
            self._ascents[key] = _differentiated(fold(self._cut(layers)), layers, key[0], border)
        step = self._ascents[key]

        def ascend(
            windows: NDArray[np.float32], pulls: NDArray[np.float32], fed: Sequence[NDArray[np.float32]] = ()
        ) -> Ascent:
            try:
                gradient, objectives, mean_squares = step(
                    tf.constant(windows), tf.constant(pulls), tuple(map(tf.constant, fed))
                )
            except tf.errors.ResourceExhaustedError as error:
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

    def channels(self, layer: str) -> int:
        """How many channels `layer` has."""
        return self._channels[layer]

    def at_depth(self, depth: float) -> str:
        """The layer at a share of the network's depth, 0 to 1, among those that branches end in.

        Depth is counted as in `Layer`. A network without branches has all its layers looked at.
        """
        graph_def = self._cut(self.layers).graph.as_graph_def()
        if graph_def.library.function:
            graph_def = self._graph_def(self.layers)
        depths, joins = _depths(graph_def, len(self.layers))
        among = joins if len(joins) >= _FEW else range(len(self.layers))
        return self.layers[min(among, key=lambda index: (abs(depths[index] - depth * max(depths)), -index))]

    def class_term(self, label: str | int) -> tuple[str, int]:
        """The layer and the channel whose activation is the score of a class, by its label or number.

        Labels are compared without case, an underscore being a space. Where one lists several names, any of
        them will do; of `/l/library/indoor`, `library indoor` and `indoor` as well.

        Raises:
            LayerError: the network has no class scores, or no such class.
        """
        provider = self.provider
        if provider.head not in self._channels:
            raise LayerError(
                f"{provider.name} has no layer of class scores; choose a network with one, such as a "
                "converted classifier, or dream a channel: --layers LAYER:CHANNEL"
            )
        count = self._channels[provider.head]
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
        ((_, height, width, _),) = _output_shapes(self._graph_def([layer]), 1, size)
        return height, width

    def forget(self) -> None:
        """Lets go of what was compiled: hundreds of steps, with their weights as constants, fill a memory."""
        self._ascents.clear()

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

    def min_size(self, layers: Iterable[str]) -> int:
        """The shortest side, in pixels, of a picture that `layers` can be dreamed in."""
        return max(self.provider.min_size, *(self._min_sizes.get(name, 1) for name in layers))

    def least_side(self, layers: Sequence[str], most: int) -> int:
        """The shortest side, up to `most`, that `layers` can be computed of, found by trying."""
        graph_def = self._graph_def(layers)
        low = 0
        while most - low > 1:
            middle = (low + most) // 2
            try:
                shapes = _output_shapes(graph_def, len(layers), (middle, middle))
            except ValueError:  # TensorFlow's word for a size below one
                shapes = [[0]]
            low, most = (low, middle) if all(min(shape) > 0 for shape in shapes) else (middle, most)
        return most

    def describe(self) -> list[Layer]:
        """Every layer that can be dreamed, with its channels, stride and depth."""
        graph_def = self._graph_def(self.layers)
        small, large = (_output_shapes(graph_def, len(self.layers), (side, side)) for side in (1024, 2048))
        depths, _ = _depths(graph_def, len(self.layers))
        return [
            Layer(name, int(a[3]), round(1024 / (b[1] - a[1])), depth)
            for name, a, b, depth in zip(self.layers, small, large, depths, strict=True)
            if b[1] > a[1]
        ]

    def _graph_def(self, layers: Sequence[str]) -> Any:
        """The graph to `layers`, to look at: all nodes at one level, all shapes told."""
        function = self._cut(layers)
        if function.graph.as_graph_def().library.function or not self._is_nested:
            function = convert_variables_to_constants_v2(function)
        return function.graph.as_graph_def()

    def _cut(self, layers: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        """Pixels to the activations of `layers`, as a graph with nothing behind them."""
        for name in layers:
            if name not in self.layers:
                raise LayerError(
                    f"{self.provider.name} has no layer {name!r}; {did_you_mean(name, self.layers)}"
                )
        activations = self.forward(layers)

        @tf.function(input_signature=[_PIXELS], autograph=False)
        def forward(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = activations(self.provider.preprocess(pixels))
            return [
                tf.identity(tf.cast(output, tf.float32), f"layer_{i}") for i, output in enumerate(outputs)
            ]

        function = forward.get_concrete_function()
        return _flat(function) if self._is_nested else function


def load(provider: ModelProvider, weights: Path | None) -> Network:
    """Loads a provider's network.

    Args:
        weights: the file that holds its weights; None for the plan alone, or where it needs none.

    Raises:
        WeightsError: the file is damaged or of another network.
        ModelError: what the provider returned cannot be dreamed.
    """
    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"Keras runs on {keras.config.backend()} here and dreamkit needs TensorFlow; "
            "set KERAS_BACKEND=tensorflow before Python starts"
        )
    # Keras counts automatic layer names for each thread: in a fresh one `conv2d` is always the first.
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(provider.load, weights)
    try:
        source = loading.result()
    except Exception as error:
        if weights is None:
            raise
        raise WeightsError(
            f"{weights} holds no weights of {provider.name} ({first_line(error).split('. ')[0][:100]}); "
            "give a weights file that was made for this network, or name its network with --model"
        ) from error
    if isinstance(source, SavedModel):
        return _of_saved_model(provider, source)
    if isinstance(source, keras.Model):
        return _of_keras(provider, source, weights)
    raise ModelError(
        f"{provider.name} loads as {type(source).__name__}; a provider returns a Keras model or a SavedModel"
    )


def _of_keras(provider: ModelProvider, model: keras.Model, weights: Path | None) -> Network:
    if not getattr(model, "inputs", None):
        raise ModelError(f"{provider.name} is no functional Keras model, so it has no layers to cut at")
    if len(model.inputs) != 1:
        raise ModelError(f"{provider.name} has {len(model.inputs)} inputs; dreamkit feeds one picture")
    outputs = {
        layer.name: layer.output
        for layer in model.layers
        # A model inside the model keeps its layers to itself; a layer used twice stands for its first use.
        if not isinstance(layer, keras.layers.InputLayer | keras.Model)
        and len(getattr(layer.output, "shape", ())) == 4
    }

    def forward(layers: Sequence[str]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        try:
            cut = keras.Model(model.inputs, [outputs[name] for name in layers])
        except ValueError as error:
            raise LayerError(
                f"{provider.name}: {', '.join(layers)} cannot be reached from the picture "
                f"({first_line(error)[:120]})"
            ) from error
        if any(side is not None for side in model.inputs[0].shape[1:3]):
            # The same layers on an input of free size: a network built for 224 px dreams at any size.
            free = keras.Input((None, None, 3))
            cut = keras.models.clone_model(cut, input_tensors=[free], clone_function=lambda layer: layer)
        return lambda pixels: cast("list[tf.Tensor]", tf.nest.flatten(cut([pixels], training=False)))

    channels = {name: int(output.shape[-1]) for name, output in outputs.items()}
    return Network(provider, channels, forward, folders.digest(weights) if weights else _model_digest(model))


def _of_saved_model(provider: ModelProvider, saved: SavedModel) -> Network:
    try:
        model = tf.saved_model.load(str(saved.path))
        signature = model.signatures[saved.signature]
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{provider.name}: {saved.path} is no readable SavedModel ({first_line(error)})"
        ) from error
    missing = set(saved.outputs.values()) - set(signature.structured_outputs)
    if missing:
        raise ModelError(f"{provider.name}: {saved.path} has no output {', '.join(sorted(missing))}")
    (argument,) = signature.structured_input_signature[1]

    def forward(layers: Sequence[str]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        def activations(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = signature(**{argument: pixels})
            return [outputs[saved.outputs[name]] for name in layers]

        # The closure keeps `model`, and with it the variables, alive.
        activations.model = model  # type: ignore[attr-defined]
        return activations

    channels = {name: int(signature.structured_outputs[key].shape[-1]) for name, key in saved.outputs.items()}
    return Network(provider, channels, forward, saved.digest or _folder_digest(saved.path), saved)


def _flat(function: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """The same function with what it calls put in the calls' places, and nothing that no output needs.

    So the weights behind the deepest layer are never copied. What TensorFlow will not inline stays as it was.
    """
    flat = _grappled(function, ["function"], rewriter_config_pb2.RewriterConfig.ONE)
    if flat.library.function:
        return function
    for node in flat.node:  # a network has no effects, so nothing has to wait for any
        node.input[:] = [each for each in node.input if not each.startswith("^")]
    nodes = {node.name: node for node in flat.node}
    needed = _needed(nodes, [tensor.op.name for tensor in function.outputs])
    captured = {inner.op.name: outer for outer, inner in function.graph.captures}
    weights = {
        name: captured[name] for name in needed & captured.keys() if captured[name].dtype != tf.resource
    }
    variables = {name: captured[name] for name in needed & captured.keys() - weights.keys()}
    for name in needed:  # what a variable holds takes the place of its being read
        held = [
            each for each in (_origin(nodes, source) for source in nodes[name].input) if each in variables
        ]
        if held and nodes[name].op == "ReadVariableOp":
            dtype = tf.dtypes.as_dtype(nodes[name].attr["dtype"].type)
            weights[name] = tf.raw_ops.ReadVariableOp(resource=variables[held[0]], dtype=dtype)
        elif held and nodes[name].op != "Identity":
            return function
    part = tf.compat.v1.GraphDef(versions=flat.versions)
    part.node.extend(node for node in flat.node if node.name in needed)

    def imported() -> None:
        graph = tf.compat.v1.get_default_graph()
        held = {
            # Small ones are paddings and axes, without which no shape can be told.
            f"{name}:0": tf.constant(value.numpy())
            if value.shape.num_elements() < _SMALL
            else graph.capture(value)
            for name, value in weights.items()
        }
        tf.graph_util.import_graph_def(part, input_map=held, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    inputs = [tensor.name for tensor in function.inputs if tensor.op.name not in captured]
    return _between(wrapped, inputs, [tensor.name for tensor in function.outputs])


def _needed(nodes: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """The nodes that `names` depend on, themselves included."""
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(map(_source, nodes[name].input))
    return needed


def _origin(nodes: Mapping[str, Any], name: str) -> str:
    """The node that `name` stands for, past any that pass on what they are given."""
    name = _source(name)
    while nodes[name].op == "Identity":
        name = _source(nodes[name].input[0])
    return name


def _source(name: str) -> str:
    """The node that a node's input comes from: `^name` and `name:1` are ways to write `name`."""
    return name.lstrip("^").partition(":")[0]


def fold(function: tf.types.experimental.ConcreteFunction) -> tf.types.experimental.ConcreteFunction:
    """The same function with its weights as constants, and constants multiplied into convolutions.

    Only Grappler's constant folding and clean-up run: fused kernels have no gradient. A function that
    holds functions which TensorFlow will not inline, as Keras' grouped convolutions do, comes back as it
    was, since their gradients would be lost.
    """
    forward = convert_variables_to_constants_v2(function)
    if forward.graph.as_graph_def().library.function:
        return function
    passes = ["constfold", "dependency", "constfold", "dependency"]
    folded = _grappled(forward, passes, rewriter_config_pb2.RewriterConfig.TWO)
    imported = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(folded, name=""), [])
    inputs, outputs = ([tensor.name for tensor in tensors] for tensors in (forward.inputs, forward.outputs))
    return _between(imported, inputs, outputs)


def _grappled(function: tf.types.experimental.ConcreteFunction, passes: Sequence[str], times: Any) -> Any:
    """The GraphDef of `function` after `passes` of TensorFlow's optimiser, inputs and outputs kept."""
    graph_def = function.graph.as_graph_def()
    meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph_def, graph=function.graph)
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(tensor.name for tensor in [*function.inputs, *function.outputs])
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.optimizers.extend(passes)
    config.graph_options.rewrite_options.meta_optimizer_iterations = times
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def _between(wrapped: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The part of a wrapped function from the tensors named `inputs` to those named `outputs`."""
    graph = wrapped.graph
    return wrapped.prune(*([graph.as_graph_element(name) for name in names] for names in (inputs, outputs)))


def _differentiated(
    forward: tf.types.experimental.ConcreteFunction,
    layers: Sequence[str],
    goals: Sequence[Goal],
    border: int,
) -> tf.types.experimental.PolymorphicFunction:
    """The gradient step over `forward`, which computes `layers`: see `Ascent`."""
    specs = [
        tf.TensorSpec(shape, tf.float32)
        for goal in goals
        for shape, wanted in (
            ([None], goal.counts),
            ([None, 2], goal.place),
            ([None, None], goal.kind == "match"),
        )
        if wanted
    ]
    signature = [_PIXELS, tf.TensorSpec([None], tf.float32, name="pulls"), tuple(specs)]

    @tf.function(input_signature=signature, autograph=False)
    def step(
        pixels: tf.Tensor, pulls: tf.Tensor, fed: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            activations = dict(zip(layers, forward(pixels), strict=True))
            waiting = iter(fed)
            seen = [_measured(activations[goal.layer], goal, border, waiting) for goal in goals]
            objectives, mean_squares = (tf.stack(each) for each in zip(*seen, strict=True))
            pulled = tf.reduce_sum(objectives * pulls)
        return tape.gradient(pulled, pixels), objectives, mean_squares

    return step


def _measured(
    layer: tf.Tensor, goal: Goal, border: int, fed: Iterator[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """What `goal` raises in `layer`, and the mean square of what it looks at, summed over the windows.

    Each is a mean over one window, so that a window's gradient does not know how many share its batch.
    """
    counts = next(fed) if goal.counts else None
    there: tf.Tensor | float = 1.0
    if goal.place:
        layer, there = _neuron(layer, next(fed))
    area = tf.cast(tf.reduce_prod(tf.shape(layer)[1:3]), tf.float32)
    if border and not goal.place:
        layer = layer[:, border:-border, border:-border]

    def total(values: tf.Tensor, counts: tf.Tensor | None) -> tf.Tensor:
        sums = tf.reduce_sum(values, [1, 2])
        windows = tf.reduce_mean(sums, 1) if counts is None else tf.linalg.matvec(sums, counts)
        return tf.reduce_sum(there * windows) / area

    squares = tf.square(layer)
    weights = None if counts is None else tf.math.divide_no_nan(tf.abs(counts), tf.reduce_sum(tf.abs(counts)))
    mean_square = total(squares, weights)
    if goal.kind == "match":
        return total(layer * _most_alike(layer, next(fed)), None), mean_square
    return total(squares if goal.kind == "mean-square" else layer, counts), mean_square


def _neuron(layer: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The activations at `places`, shares of each window's map, as maps of one place; 0 for those outside."""
    sides = tf.shape(layer)[1:3]
    index = tf.clip_by_value(tf.cast(places * tf.cast(sides, tf.float32), tf.int32), 0, sides - 1)
    there = tf.cast(tf.reduce_all(places >= 0, axis=1), tf.float32)
    return tf.gather_nd(layer, index, batch_dims=1)[:, None, None, :], there


def _most_alike(layer: tf.Tensor, guide: tf.Tensor) -> tf.Tensor:
    """For each place of `layer`, the feature of `guide` `(places, channels)` with the largest product.

    Nothing flows back through the choice (google/deepdream's guided objective, 2015). Places are compared a
    few at a time, so that memory does not grow with their number times the guide's.
    """
    places = tf.stop_gradient(tf.reshape(layer, [-1, tf.shape(guide)[1]]))
    at_once = tf.maximum(1, _MOST_LIKENESSES // tf.shape(guide)[0])
    count = tf.shape(places)[0]
    padded = tf.pad(places, [[0, -count % at_once], [0, 0]])
    best = tf.map_fn(
        lambda few: tf.argmax(tf.matmul(few, guide, transpose_b=True), axis=1, output_type=tf.int32),
        tf.reshape(padded, [-1, at_once, tf.shape(guide)[1]]),
        parallel_iterations=1,
        fn_output_signature=tf.int32,
    )
    return tf.reshape(tf.gather(guide, tf.reshape(best, [-1])[:count]), tf.shape(layer))


def _names_in(label: str) -> list[str]:
    """All that a class can be called by its label: `/c/castle` or `kit fox, Vulpes macrotis`."""
    plain = " ".join(label.replace("_", " ").casefold().split())
    each = [name.strip() for name in plain.split(",")]
    below = [re.sub(r"^/\w/", "", name) for name in each]
    spaced = [name.replace("/", " ") for name in below]
    return list(dict.fromkeys([plain, *each, *below, *spaced, *(name.rpartition("/")[2] for name in below)]))


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(folders.digest(path).encode())
    return digest.hexdigest()


def _model_digest(model: keras.Model) -> str:
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _output_shapes(graph_def: Any, count: int, size: tuple[int, int]) -> list[Sequence[int]]:
    """The static shapes of the `count` outputs for one picture of `size` (height, width)."""
    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, [1, *size, 3])
        tf.graph_util.import_graph_def(graph_def, input_map={"pixels": pixels}, name="")
        return [graph.get_tensor_by_name(f"layer_{index}:0").shape.as_list() for index in range(count)]


def _depths(graph_def: Any, count: int) -> tuple[list[int], list[int]]:
    """For each output, the number of nodes with weights on the longest path to it; and the outputs that
    several branches end in."""
    depths: dict[str, int] = {}  # -1 for what does not come from the picture
    # A frozen graph lists nodes in no order, so each waits on a stack until its inputs are known.
    nodes = {node.name: node for node in graph_def.node}
    inputs = {name: [_source(each) for each in node.input] for name, node in nodes.items()}
    for index in range(count):
        stack = [f"layer_{index}"]
        while stack:
            name = stack[-1]
            waiting = [source for source in inputs[name] if source not in depths]
            if waiting:
                stack.extend(waiting)
                continue
            before = max((depths[source] for source in inputs[name]), default=-1)
            if name == "pixels":
                before = 0
            depths[stack.pop()] = before + (before >= 0 and nodes[name].op in _WEIGHTED_OPS)
    joins = [
        index
        for index in range(count)
        if sum(depths[source] > 0 for source in inputs[_origin(nodes, f"layer_{index}")]) > 1
    ]
    return [depths[f"layer_{index}"] for index in range(count)], joins
