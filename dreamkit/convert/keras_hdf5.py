"""Keras models in HDF5 files, `.h5`, of Keras 1, 2 and 3. What could run code is refused before it is loaded.

Keras 3 wrote what it reads itself; tf_keras, which is Keras 2, reads the others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dreamkit.convert import keras_1
from dreamkit.errors import ConvertError, first_line, shown
from dreamkit.installation import extra_command

_MAGIC = b"\x89HDF\r\n\x1a\n"
_MODELS = "Model", "Functional", "Sequential", "InputLayer"
_CODE = "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"
# A function of TensorFlow that a layer of tf_keras calls by its name: only those that compute.
_FUNCTION_LAYERS = "TFOpLambda", "SlicingOpLambda"
_FUNCTIONS = "math.", "nn.", "__operators__."
_MORE_FUNCTIONS = "concat", "reshape", "cast", "pad", "transpose", "clip_by_value", "image.resize"
# Only training needs them.
_TRAINING_FIELDS = "_initializer", "_regularizer", "_constraint"


@dataclass(frozen=True)
class Description:
    """What an HDF5 file says of its model: the version of Keras that wrote it, and its configuration."""

    version: str
    config: dict[str, Any]

    @property
    def is_keras_3(self) -> bool:
        return self.version.startswith("3")


def is_hdf5(file: Path) -> bool:
    """Whether a file begins as HDF5 does."""
    try:
        with open(file, "rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read(file: str, max_bytes: int) -> Description:
    """The description of the model in a file, whose data sets take at most `max_bytes`.

    Raises:
        ConvertError: the file is damaged, has weights alone, refers to other files or is too large.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            _check_contents(file, opened, max_bytes)
            text, version = opened.attrs.get("model_config"), opened.attrs.get("keras_version", "1")
        if text is None:
            raise ConvertError(
                f"{file} has weights and no model_config, which describes the network; load the weights into "
                "the model in Python, and save it with model.save('NAME.keras')"
            )
        config = json.loads(_text(text))
    except (OSError, ValueError, KeyError, RuntimeError, RecursionError, TypeError) as error:
        raise ConvertError(
            f"{file} is damaged or not a Keras model ({first_line(error)[:100]}); save the model again"
        ) from error
    if not isinstance(config, dict):
        raise ConvertError(f"{file} is damaged: its model_config is not a table; save the model again")
    return Description(_text(version), config)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _check_contents(file: str, opened: Any, max_bytes: int) -> None:
    import h5py

    links: list[tuple[str, Any]] = []
    opened.visititems_links(lambda name, link: links.append((name, link)))
    total = 0
    for name, link in links:
        array: Any = opened[name] if isinstance(link, h5py.HardLink) else None
        is_array = isinstance(array, h5py.Dataset)
        if isinstance(link, h5py.ExternalLink) or (is_array and (array.external or array.is_virtual)):
            raise ConvertError(f"{file} refers to another file at {shown(name)}; save the model again")
        if is_array:
            total += math.prod(array.shape or ()) * array.dtype.itemsize
    if total > max_bytes:
        raise ConvertError(f"{file} has {total >> 20} MB of data; {max_bytes >> 20} MB can be converted")


def check_layers(file: str, config: Any, layers: Any) -> None:
    """Refuses layers that are code: Lambda, and classes that `layers`, the module of a Keras, does not have.

    Raises:
        ConvertError: the configuration has such a layer.
    """
    for kind, fields in _layers_of(config):
        name, function = shown(str(fields.get("name"))), fields.get("function")
        known = getattr(layers, kind, None)
        if kind in _FUNCTION_LAYERS and not _only_computes(function):
            what = f"calls {shown(str(function))}"
        elif kind in _CODE:
            what = f"is a {kind}"
        elif kind not in (*_MODELS, *_FUNCTION_LAYERS) and not isinstance(known, type):
            what = f"is a {shown(kind)}, which is not a layer of Keras"
        else:
            continue
        raise ConvertError(
            f"{file}: layer {name} {what}; custom layers and Lambda layers are code, which is not run: write "
            "a plugin for such a model"
        )


def _only_computes(function: Any) -> bool:
    return isinstance(function, str) and (function.startswith(_FUNCTIONS) or function in _MORE_FUNCTIONS)


def _layers_of(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The class and the fields of each layer in a configuration: what has a class and fields with a name."""
    if isinstance(config, list):
        for each in config:
            yield from _layers_of(each)
    elif isinstance(config, dict):
        kind, fields = config.get("class_name"), config.get("config")
        if (
            isinstance(kind, str)
            and isinstance(fields, dict | list)
            and kind not in ("DTypePolicy", "Policy")
        ):
            yield kind, fields if isinstance(fields, dict) else {}
        for key, each in config.items():
            if not key.endswith(_TRAINING_FIELDS):
                yield from _layers_of(each)


def load(file: str, description: Description) -> Any:
    """The model of Keras 1 or 2 in a file, as tf_keras reads it.

    Raises:
        ConvertError: tf_keras is not installed, or a layer is code.
    """
    if find_spec("tf_keras") is None:
        raise ConvertError(
            f"{file} was written by Keras {shown(description.version, 20)}; reading it needs tf_keras, which "
            f"is not installed; run: {extra_command('convert')}"
        )
    import h5py
    import tf_keras
    from tf_keras.src.saving.legacy import hdf5_format, model_config

    config = _without_training(description.config)
    if description.version.startswith("1"):
        config = keras_1.translated(config)
    check_layers(file, config, tf_keras.layers)
    model = model_config.model_from_config(config)
    with h5py.File(file, "r") as opened:
        hdf5_format.load_weights_from_hdf5_group(opened["model_weights"], model)
    return model


def _without_training(config: Any) -> Any:
    """A configuration without what only training needs, and without modules to import classes from."""
    if isinstance(config, list):
        return [_without_training(each) for each in config]
    if not isinstance(config, dict):
        return config
    fields = config.get("config")
    if config.get("class_name") in ("DTypePolicy", "Policy") and isinstance(fields, dict):
        return fields.get("name", "float32")
    dropped = ("module", "registered_name", "build_config", "type_spec")
    return {
        key: _without_training(each)
        for key, each in config.items()
        if key not in dropped and not key.endswith(_TRAINING_FIELDS)
    }
