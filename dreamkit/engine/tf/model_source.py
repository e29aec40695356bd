"""A provider's Keras model or SavedModel, as functions from pixels to the activations of its layers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from dreamkit.engine.tf import private, provider_source
from dreamkit.engine.tf.model_info import LoadedNetwork, ModelInfo
from dreamkit.errors import LayerError, ModelError, first_line
from dreamkit.media import paths
from dreamkit.models import safe_operations
from dreamkit.models.providers import ModelProvider, SavedModel


def load(provider: ModelProvider, weights: Path | None) -> Any:
    """Lets the provider load its network: a Keras model or a `SavedModel`.

    Raises:
        WeightsError: the file is damaged or of another network.
        ModelError: dreamkit cannot dream with what the provider returned.
        Exception: any other error of the provider is a bug, and gets a note that names its plugin.
    """
    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"Keras runs on {keras.config.backend()} here and dreamkit needs TensorFlow; "
            "set KERAS_BACKEND=tensorflow before Python starts"
        )
    source = provider_source.of(provider, weights)
    if not isinstance(source, SavedModel | keras.Model):
        raise ModelError(
            f"{provider.name} loads as {type(source).__name__}; "
            "load must return a Keras model or a dreamkit.SavedModel"
        )
    return source


def describe(provider: ModelProvider, loaded: Any, digest: str) -> LoadedNetwork:
    """The result of `load`, as functions to its layers. `digest` is the hash of the weights file, if any.

    Raises:
        ModelError: dreamkit cannot dream with it.
    """
    if isinstance(loaded, SavedModel):
        return _from_saved_model(provider, loaded)
    return _from_keras(provider, loaded, digest)


def _from_keras(provider: ModelProvider, model: keras.Model, digest: str) -> LoadedNetwork:
    if not getattr(model, "inputs", None):
        raise ModelError(f"{provider.name} is not a functional Keras model, so its layers cannot be reached")
    check_input(model, provider.name)
    outputs = {
        layer.name: layer.output
        for layer in model.layers
        # Layers of a model inside the model cannot be reached. A layer used twice stands for its first use.
        if not isinstance(layer, keras.layers.InputLayer | keras.Model)
        and len(getattr(layer.output, "shape", ())) == 4
    }

    def forward(layers: Sequence[str], *, constant: bool = False) -> Callable[[tf.Tensor], list[tf.Tensor]]:
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
        values = [variable.numpy() for variable in cut.variables] if constant else []

        def activations(pixels: tf.Tensor) -> list[tf.Tensor]:
            constants = zip(cut.variables, map(tf.constant, values), strict=False)
            with keras.StatelessScope(state_mapping=list(constants)):
                return cast("list[tf.Tensor]", tf.nest.flatten(cut([pixels], training=False)))

        return activations

    channels = {name: int(output.shape[-1]) for name, output in outputs.items()}
    return LoadedNetwork(ModelInfo(channels, digest or _model_digest(model)), forward)


def check_input(model: keras.Model, name: str) -> None:
    """Refuses a model that does not take RGB pictures. Messages call it `name`.

    Raises:
        ModelError: it has several inputs, or one that is not batch x height x width x 3.
    """
    if len(model.inputs) != 1:
        raise ModelError(f"{name} has {len(model.inputs)} inputs; dreamkit feeds one picture")
    shape = model.inputs[0].shape
    if len(shape) != 4 or shape[-1] not in (3, None):
        takes = " x ".join("any" if size is None else str(size) for size in shape)
        raise ModelError(
            f"{name} takes {takes}; dreamkit feeds RGB, batch x height x width x 3: build the model with "
            "an RGB input, and a layer that turns RGB into what it takes"
        )


def _from_saved_model(provider: ModelProvider, saved: SavedModel) -> LoadedNetwork:
    if not saved.is_trusted and (problem := _more_than_computing(saved.path / "saved_model.pb")):
        raise ModelError(f"{saved.path} {problem}; convert the network yourself, or remove its folder")
    try:
        model = tf.saved_model.load(str(saved.path))
        signature = model.signatures[saved.signature]
    except Exception as error:
        # For files that are damaged, or made to be, TensorFlow raises errors of any type.
        if saved.is_trusted and not isinstance(error, OSError | KeyError | ValueError):
            raise
        raise ModelError(
            f"{provider.name}: {saved.path} is not a readable SavedModel ({first_line(error)})"
        ) from error
    missing = set(saved.outputs.values()) - set(signature.structured_outputs)
    if missing:
        raise ModelError(f"{provider.name}: {saved.path} has no output {', '.join(sorted(missing))}")
    (argument,) = signature.structured_input_signature[1]

    def forward(layers: Sequence[str], *, constant: bool = False) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        del constant  # its variables are read where the graph is made flat

        def activations(pixels: tf.Tensor) -> list[tf.Tensor]:
            outputs = signature(**{argument: pixels})
            return [outputs[saved.outputs[name]] for name in layers]

        # The closure keeps `model`, and with it the variables, alive.
        activations.model = model  # type: ignore[attr-defined]
        return activations

    channels = {name: int(signature.structured_outputs[key].shape[-1]) for name, key in saved.outputs.items()}
    digest = saved.digest or _folder_digest(saved.path)
    return LoadedNetwork(ModelInfo(channels, digest, saved=True, min_sizes=dict(saved.min_sizes)), forward)


def _more_than_computing(file: Path) -> str:
    """What is wrong with the graph of a SavedModel that may do more than compute; empty for any other."""
    try:
        return safe_operations.problem_when_loaded(private.SavedModelDef.FromString(file.read_bytes()))
    except (OSError, DecodeError):
        return "has no readable graph"


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(paths.digest(path).encode())
    return digest.hexdigest()


def _model_digest(model: keras.Model) -> str:
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
