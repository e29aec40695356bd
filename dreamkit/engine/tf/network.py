"""A provider's network, ready for dreams: cut at the deepest layer in use, frozen and folded.

A provider's Keras model or SavedModel becomes one TensorFlow graph from pixels to activations, with its
weights as constants. Grappler folds batch normalisation into the convolutions *before* the graph is
differentiated, so the backward pass is folded as well.

A cache on disk keeps compiled steps, and the package holds some of built-in networks. A network is loaded
only when something is needed that is in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dreamkit.engine.process import collector_paused
from dreamkit.engine.profile import BUILDING, CACHE, FILLING, HASHING, IMPORT, OFF, TRACING, Unmeasured
from dreamkit.engine.tf import (
    cache_key,
    compiled_step,
    fusion,
    graph,
    packaged_steps,
    private,
    provider_source,
    rewrites,
)
from dreamkit.engine.tf.compiled_cache import CompiledCache
from dreamkit.engine.tf.compiled_step import CompiledStep, NestedStep, ObjectiveSpec, RunStep, StepResult
from dreamkit.engine.tf.gradients import TRUE, Gradients, with_gradients
from dreamkit.engine.tf.layer_probe import LayerProbe
from dreamkit.engine.tf.model_info import Forward, LoadedNetwork, ModelInfo
from dreamkit.engine.tf.packaged_steps import PackagedSteps
from dreamkit.errors import ConfigError, LayerError, NetworkMemoryError
from dreamkit.media import paths
from dreamkit.models import labels
from dreamkit.models.providers import ModelProvider
from dreamkit.models.unknown_layer import unknown_layer
from dreamkit.plugins import registry
from dreamkit.terms import DEPTHS

_MOST_STEPS = 8  # that a network keeps in memory: each holds its weights, and a sheet may have hundreds


class Network:
    """A network. Its layers have the names that the provider's model gives them.

    It implements `terms.LayerNames`.

    Attributes:
        provider: its provider.
        layers: the names of all layers that can be dreamed, from the picture inwards.
        digest: SHA-256 of its weights.
        probe: sizes, strides and depths of its layers.
    """

    def __init__(
        self,
        provider: ModelProvider,
        info: ModelInfo,
        load: Callable[[], LoadedNetwork],
        cache: CompiledCache | None = None,
        packaged: PackagedSteps | None = None,
        profile: Unmeasured = OFF,
    ) -> None:
        """`load` loads the network when it is needed. `cache` keeps its compiled steps; `packaged` are those
        that come with dreamkit."""
        self.provider = provider
        self.layers = tuple(info.channels)
        self.digest = info.digest
        known = packaged.stride if packaged else None
        self.probe = LayerProbe(self.layers, self._graph_def, cache, known)
        self._info, self._load, self._cache = info, load, cache
        self._packaged, self._profile = packaged, profile
        self._steps: dict[
            tuple[tuple[ObjectiveSpec, ...], int, str, Gradients], CompiledStep | NestedStep
        ] = {}
        self._compiled = 0

    @cached_property
    def forward(self) -> Forward:
        """Makes functions from preprocessed pixels to the activations of layers."""
        return self._load().forward

    @property
    def traces(self) -> int:
        """How many steps of this network were compiled, and found neither in the cache nor in the package."""
        return self._compiled

    def step(
        self,
        specs: Sequence[ObjectiveSpec],
        border: int = 0,
        precision: str = "float32",
        gradients: Gradients = TRUE,
    ) -> RunStep:
        """The compiled step for `specs`: from windows `(n, height, width, 3)`,
        weights and feeds to a `StepResult`.

        Feeds are, spec by spec, channel weights, places and a guide's features `(places, channels)`, those
        of them that the spec has. One trace serves every number and size of windows, and all feeds.

        Args:
            specs: what is maximised.
            border: activations at the edges of a map that are left out.
            precision: as `DreamConfig.precision`.
            gradients: which ones the network has.

        Raises:
            LayerError: a layer does not exist.
            ConfigError: the network cannot have these gradients.
        """
        step = self._step(tuple(specs), border, precision, gradients)

        def run(
            windows: NDArray[np.float32],
            weights: NDArray[np.float32],
            feeds: Sequence[NDArray[np.float32]] = (),
            device: str = "",
        ) -> StepResult:
            try:
                with private.on_device(device):
                    arguments = map(private.tensor, (windows, weights, *feeds))
                    gradient, objectives, mean_squares = step(*arguments)
            except private.OpError as error:
                if not _is_out_of_memory(error):
                    for spec in specs:
                        registry.blame(registry.OBJECTIVES, spec.objective, error)
                    raise
                raise NetworkMemoryError(
                    f"too little memory for tiles of {windows.shape[2]} x {windows.shape[1]} pixels; "
                    "use a smaller --tile-size"
                ) from error
            return StepResult(
                gradient.numpy(),
                objectives.numpy().astype(np.float64),
                mean_squares.numpy().astype(np.float64),
            )

        return run

    def live_bytes(
        self,
        specs: Sequence[ObjectiveSpec],
        border: int,
        precision: str,
        shapes: Sequence[Sequence[int]],
        gradients: Gradients = TRUE,
    ) -> int:
        """The peak memory of a step for `specs`, in bytes, without the network's weights.

        `shapes` are those of the step's inputs: windows, weights and feeds.
        """
        graph_def, names = self._step(tuple(specs), border, precision, gradients).graph
        return graph.live_bytes(graph_def, dict(zip(names, shapes, strict=True)))

    def _step(
        self, specs: tuple[ObjectiveSpec, ...], border: int, precision: str, gradients: Gradients = TRUE
    ) -> CompiledStep | NestedStep:
        key = specs, border, precision, gradients
        step = self._steps.pop(key, None) or self._cached_step(*key)
        self._steps[key] = step  # as the last one
        while len(self._steps) > _MOST_STEPS:
            del self._steps[next(iter(self._steps))]
        return step

    def _cached_step(
        self, specs: tuple[ObjectiveSpec, ...], border: int, precision: str, gradients: Gradients
    ) -> CompiledStep | NestedStep:
        keys = [spec.key for spec in specs]
        cache = self._cache if None not in keys else None
        key = step_key(keys, border, precision, gradients)
        # The fused operation was not tried on a GPU, and the rewrite to 16 bits does its own.
        fuses = precision != "mixed" and not private.has_gpu()
        kept_under = f"fused {key}" if fuses else key
        with self._profile.span(CACHE):
            cached = cache.get(kept_under) if cache else None
            if cached and compiled_step.is_step(cached):
                return CompiledStep(cached, precision)
        definition = None
        if self._packaged:
            with self._profile.span(FILLING):
                definition = self._packaged.step(key)
        if definition is None:
            function = self.traced_step(specs, border, precision, gradients)
            definition = compiled_step.function_def(function)
            if definition is None:
                return NestedStep(function)
        with self._profile.span(CACHE):
            if fuses:
                definition = fusion.fused(definition)
            data = definition.SerializeToString()
            if cache and private.computes_only(definition):
                cache.put(kept_under, data)
            return CompiledStep(data, precision)

    def traced_step(
        self,
        specs: Sequence[ObjectiveSpec],
        border: int = 0,
        precision: str = "float32",
        gradients: Gradients = TRUE,
    ) -> tf.types.experimental.ConcreteFunction:
        """As `step`, traced and differentiated anew, as TensorFlow's function."""
        layers = list(dict.fromkeys(spec.layer for spec in specs))
        with self._profile.span(TRACING), collector_paused():
            forward = self._folded(layers, precision, gradients)
            function = compiled_step.build_step(forward, layers, specs, border, precision)
        self._compiled += 1
        return function

    def _folded(
        self, layers: Sequence[str], precision: str, gradients: Gradients
    ) -> Callable[[tf.Tensor], Sequence[tf.Tensor]]:
        """The graph to `layers`, folded and rewritten, with these gradients."""
        where = f"{self.provider.name} up to {' and '.join(layers)}"

        def rewrite(graph_def: Any) -> Any:
            rewritten = rewrites.rewrite_graph(graph_def, keep_range=precision == "mixed")
            return with_gradients(rewritten, gradients, where)

        function = self.cut(layers)
        folded = graph.fold(function, rewrite)
        if folded is function and gradients != TRUE:
            raise ConfigError(
                f"{where} calls functions, such as grouped convolutions, whose gradients dreamkit cannot "
                "replace; set redirected_relu to 0 and pooling to max"
            )
        return folded

    def channels(self, layer: str) -> int:
        """How many channels `layer` has."""
        return self._info.channels[layer]

    def at_depth(self, depth: float) -> str:
        """The layer at a share of the network's depth, 0 to 1: see `LayerProbe.at_depth`."""
        return self.probe.at_depth(depth)

    def class_term(self, label: str | int) -> tuple[str, int]:
        """The layer and the channel of a class: see `labels.class_term`.

        Raises:
            LayerError: the network has no class scores, or no such class.
        """
        return labels.class_term(self.provider, self._info.channels.get(self.provider.head, 0), label)

    def unknown_layer(self, name: str) -> LayerError:
        """The error for a layer that the network does not have, with layers to choose from."""
        main = self.probe.main_layers(self.provider.layers)
        return unknown_layer(self.provider, name, self.layers, main, tuple(DEPTHS))

    def clear_steps(self) -> None:
        """Frees all compiled steps. They contain weights, so hundreds of them would fill the memory."""
        self._steps.clear()

    def activations(
        self, layers: Sequence[str]
    ) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """The function from RGB pixels 0 to 255, `(n, height, width, 3)`, to the activations of `layers`,
        `(n, height, width, channels)` each.

        Raises:
            LayerError: a layer does not exist.
        """
        forward = self.cut(layers)
        return lambda pixels: [layer.numpy() for layer in forward(tf.constant(pixels, tf.float32))]

    def min_size(self, layers: Iterable[str]) -> int:
        """The shortest side, in pixels, of a picture in which `layers` can be dreamed."""
        return max(self.provider.min_size, *(self._info.min_sizes.get(name, 1) for name in layers))

    def _graph_def(self, layers: Sequence[str]) -> Any:
        """The graph to `layers` without calls of functions, for reading shapes and depths."""
        function = self.cut(layers)
        if function.graph.as_graph_def().library.function or not self._info.saved:
            function = graph.frozen(function)
        return function.graph.as_graph_def()

    def cut(self, layers: Sequence[str]) -> tf.types.experimental.ConcreteFunction:
        """The graph from pixels to the activations of `layers`, without deeper layers.

        Raises:
            LayerError: a layer does not exist.
        """
        for name in layers:
            if name not in self.layers:
                raise self.unknown_layer(name)
        activations = self.forward(layers, constant=True)

        @tf.function(input_signature=[compiled_step.pictures_spec("pixels")], autograph=False)
        def forward(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = activations(self.provider.preprocess(pixels))
            return [
                tf.identity(tf.cast(output, tf.float32), f"layer_{i}") for i, output in enumerate(outputs)
            ]

        with self._profile.span(TRACING):
            function = forward.get_concrete_function()
            return graph.inlined(function) if self._info.saved else function


def load(provider: ModelProvider, weights: Path | None, profile: Unmeasured = OFF) -> Network:
    """Loads a provider's network, or its description from the cache.

    Args:
        provider: of the network.
        weights: the weights file; None for the architecture alone, or if the provider needs no file.
        profile: of the command.

    Raises:
        WeightsError: the file is damaged or of another network.
        ModelError: dreamkit cannot dream with what the provider returned.
    """
    with profile.span(HASHING):
        digest = paths.digest(weights) if weights else ""

    def load_network() -> LoadedNetwork:
        with profile.span(IMPORT):
            from dreamkit.engine.tf import model_source  # and Keras, which a kept step does without
        with profile.span(BUILDING), collector_paused():
            return model_source.describe(provider, model_source.load(provider, weights), digest)

    with profile.span(CACHE):
        owner = cache_key.cache_key(provider, digest)
        cache = CompiledCache(paths.cache() / "networks", owner) if owner else None
        info = cache.get_plain("info", ModelInfo.from_plain) if cache else None
        packaged = packaged_steps.of(provider, weights)
    if info is not None:
        if info.saved:  # the provider checks its files
            with profile.span(HASHING):
                provider_source.of(provider, weights)
        return Network(provider, info, load_network, cache, packaged, profile)
    if packaged:
        with profile.span(FILLING):
            info = packaged.info(digest)
    if info is not None:
        if cache:
            cache.put_plain("info", info._asdict())
        return Network(provider, info, load_network, cache, packaged, profile)
    loaded = load_network()
    if weights is None and not loaded.info.saved:
        cache = None  # its weights may come from a source that the key does not cover
    if cache:
        cache.put_plain("info", loaded.info._asdict())
    return Network(provider, loaded.info, lambda: loaded, cache, profile=profile)


def step_key(
    keys: Sequence[str | None], border: int = 0, precision: str = "float32", gradients: Gradients = TRUE
) -> str:
    """The key of a step among those of a network, by the keys of its specs."""
    return f"step {border} {precision} {tuple(gradients)!r} {keys!r}"


def _is_out_of_memory(error: Any) -> bool:
    """Whether TensorFlow or oneDNN ran out of memory; oneDNN's status 1 is `dnnl_out_of_memory`."""
    return isinstance(error, private.ResourceExhaustedError) or (
        isinstance(error, private.AbortedError) and "Status: 1," in error.message
    )
