"""The compiled step: a network's gradient with respect to windows of pixels, in one call of TensorFlow."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine import process
from dreamkit.engine.tf import cache_key, private
from dreamkit.engine.tf.objectives.mean import mean
from dreamkit.errors import PluginError
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Objective

_TOGETHER = 2  # batches of tiles on a processor: operations of one alone leave some of its threads idle
_SCALE = 2.0**16  # the activations' gradients, below a millionth, would vanish in float16
_OUTPUTS = [private.FLOAT] * 3  # the fields of a `StepResult`
_numbers = count()


class ObjectiveSpec(NamedTuple):
    """The part of an objective in a layer that is compiled. Its numbers are fed to the step at every call.

    Attributes:
        layer: its name.
        objective: what grows in it.
        channel_weights: whether each channel has a weight; fed `(channels,)`.
        place: whether a single neuron is maximised; fed `(windows, 2)`, row and column as shares of the
            window, negative where the neuron is not in it.
        options: those of the objective, with their values.
    """

    layer: str
    objective: Objective
    channel_weights: bool = False
    place: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def guided(self) -> bool:
        """Whether it takes a guide's features; fed `(places, channels)`."""
        return "guide" in self.objective.takes

    @property
    def beside(self) -> bool:
        """Whether it compares with the photograph; the step is fed its windows, `(n, height, width, 3)`."""
        return "photograph" in self.objective.takes

    @property
    def key(self) -> str | None:
        """All that its compiled step depends on, beside the network and dreamkit's own code; None where the
        objective is not in an installed package: the values of a caller's own variables are in no key."""
        objectives = registry.installed(registry.OBJECTIVES)
        name = self.objective.name
        code: str | None = "built in"
        if not objectives.is_built_in(self.objective):
            is_plugins = objectives.is_third_party(self.objective)
            code = cache_key.code(self.objective.value) if is_plugins else None
        return code and repr((self.layer, name, code, *self[2:]))


class StepResult(NamedTuple):
    """The result of one step over a batch of windows, as NumPy arrays.

    Attributes:
        gradient: of the weighted sum of objectives by the windows' pixels, `(n, height, width, 3)`.
        objectives: the objective of each spec, summed over the windows, without its weight.
        mean_squares: the mean squared activation of each spec's layer, summed over the windows.
    """

    gradient: NDArray[np.float32]
    objectives: NDArray[np.float64]
    mean_squares: NDArray[np.float64]


class RunStep(Protocol):
    """A compiled step."""

    def __call__(
        self,
        windows: NDArray[np.float32],
        weights: NDArray[np.float32],
        feeds: Sequence[NDArray[np.float32]] = (),
        device: str = "",
    ) -> StepResult:
        """The gradient of `windows`, computed on `device` or else where TensorFlow chooses."""


class CompiledStep:
    """A step as one flat function, from pixels, weights and feeds to the parts of a `StepResult`.

    Its graph is small and already folded, so TensorFlow's own optimiser does not run: it would take a second
    or two before the first step, and gain nothing.
    """

    def __init__(self, data: bytes, precision: str = "float32") -> None:
        """`data` is a serialised FunctionDef; it gets a new name."""
        # Names of functions are global in a process, and the same step may exist twice in it.
        self._name = name = f"dreamkit_step_{next(_numbers)}"
        private.add_function(name, data)
        weakref.finalize(self, private.remove_function, name, len(data))
        self._config = _config(precision)

    @property
    def graph(self) -> tuple[Any, list[str]]:
        """The step as a GraphDef, and the names of its inputs."""
        definition = private.get_function(self._name)
        return private.function_graph(definition), [
            argument.name for argument in definition.signature.input_arg
        ]

    def __call__(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        return private.call(self._name, arguments, _OUTPUTS, self._config)


class NestedStep:
    """A step that calls other functions, such as a loop. TensorFlow runs it like any function."""

    def __init__(self, function: tf.types.experimental.ConcreteFunction) -> None:
        self._function = function

    @property
    def graph(self) -> tuple[Any, list[str]]:
        """See `CompiledStep.graph`."""
        own = len(self._function.inputs) - len(self._function.captured_inputs)
        names = [tensor.op.name for tensor in self._function.inputs[:own]]
        return self._function.graph.as_graph_def(), names

    def __call__(self, *arguments: tf.Tensor) -> list[tf.Tensor]:
        pixels, weights, *feeds = arguments
        return list(self._function(pixels, weights, tuple(feeds)))


def _config(precision: str) -> bytes:
    """TensorFlow's rewrites of a step before it runs: none, or 16-bit casts where they are safe."""
    config = private.ConfigProto()
    options = config.graph_options.rewrite_options
    if precision == "mixed":
        options.optimizers.extend(["auto_mixed_precision", "auto_mixed_precision_onednn_bfloat16"])
        options.auto_mixed_precision = private.RewriterConfig.ON  # float16 on a GPU
        options.auto_mixed_precision_onednn_bfloat16 = private.RewriterConfig.ON
        options.meta_optimizer_iterations = private.RewriterConfig.ONE
        options.min_graph_nodes = -1
    else:
        options.disable_meta_optimizer = True
    return config.SerializeToString()  # type: ignore[no-any-return]


def devices() -> list[str]:
    """The devices that compute a batch of tiles each at the same time: all GPUs if there are several, else
    TensorFlow's default. A processor with several threads is there twice."""
    gpus = private.gpus()
    if gpus:
        return gpus if len(gpus) > 1 else [""]
    return [""] * min(_TOGETHER, private.threads() or process.cores())


def pictures_spec(name: str) -> tf.TensorSpec:
    """The type of an argument that takes pictures of any number and size."""
    return tf.TensorSpec([None, None, None, 3], tf.float32, name=name)


def build_step(
    forward: Callable[[tf.Tensor], Sequence[tf.Tensor]],
    layers: Sequence[str],
    specs: Sequence[ObjectiveSpec],
    border: int,
    precision: str = "float32",
) -> tf.types.experimental.ConcreteFunction:
    """The gradient step over `forward`, which computes `layers`: see `StepResult`."""
    beside = any(spec.beside for spec in specs)
    feed_specs = [pictures_spec("photograph")] if beside else []
    feed_specs += [
        tf.TensorSpec(shape, tf.float32)
        for spec in specs
        for shape, wanted in (
            ([None], spec.channel_weights),
            ([None, 2], spec.place),
            ([None, None], spec.guided),
        )
        if wanted
    ]
    weights_spec = tf.TensorSpec([None], tf.float32, name="weights")
    signature = [pictures_spec("pixels"), weights_spec, tuple(feed_specs)]

    @tf.function(input_signature=signature, autograph=False)
    def step(
        pixels: tf.Tensor, weights: tf.Tensor, feeds: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        activations = dict(zip(layers, forward(pixels), strict=True))
        remaining = iter(feeds)
        photograph: dict[str, tf.Tensor] = {}
        if beside:  # a second time through the network, which no gradient comes back through
            photograph = dict(zip(layers, forward(next(remaining)), strict=True))
        values = [
            _objective(activations[spec.layer], spec, border, remaining, photograph.get(spec.layer))
            for spec in specs
        ]
        objectives, mean_squares = (tf.stack(each) for each in zip(*values, strict=True))
        total = tf.reduce_sum(objectives * weights)
        if precision == "mixed":
            (gradient,) = tf.gradients(_SCALE * total, pixels)
            return gradient / _SCALE, objectives, mean_squares
        (gradient,) = tf.gradients(total, pixels)
        return gradient, objectives, mean_squares

    return step.get_concrete_function()


def is_step(data: bytes) -> bool:
    """Whether the bytes are a serialised FunctionDef of a step, which does no more than compute."""
    definition = private.parse_function(data)
    if definition is None or not private.computes_only(definition):
        return False
    arguments = [each.type for each in definition.signature.input_arg]
    results = [each.type for each in definition.signature.output_arg]
    return len(arguments) >= 2 and {*arguments} == {private.FLOAT} and results == _OUTPUTS


def function_def(function: tf.types.experimental.ConcreteFunction) -> Any:
    """The FunctionDef of a traced step, with all its weights; None if it calls other functions."""
    found = function.function_def
    calls = (
        attribute.HasField("func") or attribute.list.func
        for node in found.node_def
        for attribute in node.attr.values()
    )
    return None if function.captured_inputs or any(calls) else found


def _objective(
    layer: tf.Tensor,
    spec: ObjectiveSpec,
    border: int,
    feeds: Iterator[tf.Tensor],
    photograph: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The value of `spec` in `layer`, and the mean square of the activations, both summed over the windows.

    Each is a mean over one window, so that a window's gradient does not depend on the size of the batch.
    """
    channel_weights = next(feeds) if spec.channel_weights else None
    inside: tf.Tensor | float = 1.0
    beside = photograph if spec.beside else None
    if spec.place:
        at = next(feeds)
        layer, inside = _neuron(layer, at)
        beside = None if beside is None else _neuron(beside, at)[0]
    places = tf.cast(tf.reduce_prod(tf.shape(layer)[1:3]), tf.float32)
    if border and not spec.place:
        layer = layer[:, border:-border, border:-border]
        beside = None if beside is None else beside[:, border:-border, border:-border]

    shares = None
    if channel_weights is not None:
        sizes = tf.abs(channel_weights)
        shares = tf.math.divide_no_nan(sizes, tf.reduce_sum(sizes))
    squares = mean(tf.square(layer), channel_weights=shares, places=1.0)
    given = {"channel_weights": channel_weights, "places": places}
    if spec.guided:
        given["guide"] = next(feeds)
    if beside is not None:
        given["photograph"] = tf.stop_gradient(beside)
    value = _value(spec, layer, given)
    return tf.reduce_sum(inside * value), tf.reduce_sum(inside * squares) / places


def _value(spec: ObjectiveSpec, activations: tf.Tensor, given: dict[str, tf.Tensor | None]) -> tf.Tensor:
    """What the objective's function returns, one number for each window.

    Raises:
        PluginError: it returned something else, or a plugin's function raised an error.
    """
    objective = spec.objective
    if "channel_weights" not in objective.takes and given["channel_weights"] is not None:
        chosen = tf.where(given["channel_weights"] != 0)[:, 0]
        activations = tf.gather(activations, chosen, axis=3)
        if "photograph" in given:
            given = {**given, "photograph": tf.gather(given["photograph"], chosen, axis=3)}
    feeds = {name: each for name, each in given.items() if name in objective.takes}
    with registry.blamed(registry.OBJECTIVES, objective):
        value = tf.convert_to_tensor(objective.value(activations, **feeds, **dict(spec.options)))
    if value.dtype != tf.float32 or value.shape.rank != 1:
        shape = value.shape if value.shape.rank is not None else "unknown"
        raise PluginError(
            f"the objective {objective.name} returned {value.dtype.name} of shape {shape}; it must return "
            "one float32 for each window, such as tf.reduce_mean(activations, axis=[1, 2, 3])"
        )
    return value


def _neuron(layer: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The activations at `places`, which are shares of each window's map.

    Returns:
        Maps of one place, and for each window 1 if the neuron is in it, else 0.
    """
    sides = tf.shape(layer)[1:3]
    index = tf.clip_by_value(tf.cast(places * tf.cast(sides, tf.float32), tf.int32), 0, sides - 1)
    inside = tf.cast(tf.reduce_all(places >= 0, axis=1), tf.float32)
    return tf.gather_nd(layer, index, batch_dims=1)[:, None, None, :], inside
