"""A Keras model in a `.keras` file, read in a child process without running code from the file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamkit.convert import sandbox, saved_model, verify
from dreamkit.convert.activations import Activations
from dreamkit.convert.feature_maps import (
    DEFAULT_SIDE,
    MAX_SIDE,
    FeatureMap,
    Kind,
    comparison_sizes,
    default_layer,
)
from dreamkit.convert.files import refuse_other_kinds
from dreamkit.convert.parity import Report
from dreamkit.errors import ConvertError, first_line
from dreamkit.models.providers import ModelProvider, Preprocess

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

_MAX_BYTES = 8 << 30  # of the unpacked file
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Concatenate", "Add", "Average", "Maximum"), "join"),
    "Softmax": "softmax",
    **dict.fromkeys(("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU"), "activation"),
}


def check_file(file: Path) -> None:
    """Refuses a file that is not in the `.keras` format.

    Raises:
        ConvertError: it cannot be read, is not a `.keras` file or unpacks to more than any network needs.
    """
    refuse_other_kinds(file, "keras", "a .keras file, as model.save('NAME.keras') of Keras 3 writes it")
    if os.path.exists(file) and not os.path.isfile(file):
        raise ConvertError(f"cannot read {file}: it is not a regular file; give a .keras file")
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {each.filename: each.file_size for each in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConvertError(
            f"cannot read {file} as a .keras file ({getattr(error, 'strerror', None) or first_line(error)}); "
            "save the model with model.save('NAME.keras') of Keras 3"
        ) from error
    if "config.json" not in sizes or "model.weights.h5" not in sizes:
        raise ConvertError(
            f"{file} is not a .keras file; save the model with model.save('NAME.keras') of Keras 3"
        )
    if sum(sizes.values()) > _MAX_BYTES:
        raise ConvertError(
            f"{file} unpacks to {sum(sizes.values()) >> 20} MB; more than "
            f"{_MAX_BYTES >> 20} MB cannot be converted"
        )


def save(
    file: Path, folder: Path, layers: list[str] | None, on_stage: sandbox.OnStage
) -> tuple[tuple[int, int], dict[str, FeatureMap]]:
    """Writes the model in `file` to `folder` as a SavedModel; returns its size and its feature maps.

    `layers` are those to dream by default: their common least side is found, and that of all layers.

    Raises:
        ConvertError: the model cannot be read or dreamed.
    """
    result = sandbox.call(
        f"{__name__}:read_and_write",
        on_stage,
        model_bytes=file.stat().st_size,
        file=file,
        folder=folder,
        layers=layers,
    )
    height, width = result["size"]
    return (height, width), {name: FeatureMap(**each) for name, each in result["maps"].items()}


def compare(
    file: Path,
    folder: Path,
    maps: Mapping[str, FeatureMap],
    preprocess: Preprocess,
    on_stage: sandbox.OnStage,
) -> Report:
    """Compares the SavedModel in `folder` with the model in `file` as Keras computes it.

    Raises:
        ConvertError: they differ.
    """
    result = sandbox.call(
        f"{__name__}:compare_with_keras",
        on_stage,
        model_bytes=file.stat().st_size,
        file=file,
        folder=folder,
        min_sizes={name: each.min_size for name, each in maps.items()},
        preprocess=asdict(preprocess),
    )
    report = Report.from_dict(result)
    report.check()
    return report


def read_and_write(
    on_stage: sandbox.OnStage, file: str, folder: str, layers: list[str] | None
) -> dict[str, Any]:
    """In the child process: see `save`."""
    on_stage("reading the Keras model")
    network, model = _load(file)
    maps = _feature_maps(file, network, model, layers)
    on_stage("writing the SavedModel")
    saved_model.write(network.forward(list(maps)), list(maps), folder, model.variables)
    return {"size": _size(model), "maps": {name: asdict(each) for name, each in maps.items()}}


def _feature_maps(file: str, network: Network, model: Any, layers: list[str] | None) -> dict[str, FeatureMap]:
    found = network.probe.describe() if network.layers else []
    if not found:
        raise ConvertError(f"{file} has no feature maps whose size follows that of the picture")
    kinds = {layer.name: _kind(layer) for layer in model.layers}
    min_size = network.probe.smallest_side([each.name for each in found], MAX_SIDE)
    maps = {each.name: FeatureMap(each.channels, each.stride, min_size, kinds[each.name]) for each in found}
    defaults = [name for name in layers or [default_layer(maps)] if name in maps]
    if defaults:
        min_size = network.probe.smallest_side(defaults, MAX_SIDE)
        maps.update({name: replace(maps[name], min_size=min_size) for name in defaults})
    return maps


def _kind(layer: Any) -> Kind:
    """What a layer computes, from its type and its activation function."""
    kind = _KINDS.get(type(layer).__name__, "other")
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if kind == "activation" and activation == "softmax":
        return "softmax"
    return "activation" if kind == "other" and activation != "linear" else kind


def compare_with_keras(
    on_stage: sandbox.OnStage,
    file: str,
    folder: str,
    min_sizes: Mapping[str, int],
    preprocess: Mapping[str, Any],
) -> dict[str, Any]:
    """In the child process: see `compare`."""
    import keras

    original, model = _load(file)
    size = _size(model)
    comparison = verify.Comparison(folder, min_sizes, Preprocess(**preprocess), size, on_stage)

    def compute(batch: Any, names: list[str]) -> Activations:
        pixels = keras.ops.convert_to_tensor(np.moveaxis(batch, 1, -1))
        activations = original.forward(names)(pixels)
        return {
            name: np.moveaxis(np.asarray(each), -1, 1) for name, each in zip(names, activations, strict=True)
        }

    for each in (size, *comparison_sizes(size)):
        comparison.run(f"Keras {keras.__version__}", compute, each, comparison.names_at(each))
    return comparison.result()


def _load(file: str) -> tuple[Network, Any]:
    """The model in `file`, as a network and as itself."""
    import keras

    from dreamkit.engine.tf import model_info, network

    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # Keras passes on the errors of the layer that it cannot create.
    except Exception as error:
        raise ConvertError(
            f"{file} cannot be read ({first_line(error).split('. ')[0][:150]}); custom layers and Lambda "
            "layers are code, which is not run: write a plugin for such a model"
        ) from error
    if not isinstance(model, keras.Model):
        raise ConvertError(
            f"{file} holds a {type(model).__name__}; give a functional or sequential Keras model"
        )
    if not getattr(model, "inputs", None):
        raise ConvertError(f"{file} is not a functional or sequential model; give such a model")
    model_info.check_input(model, file)
    provider = ModelProvider(name="original", load=lambda _: model, preprocess=Preprocess(), layers={})
    return network.load(provider, None), model


def _size(model: Any) -> tuple[int, int]:
    """The height and width for which a model was made."""
    _, height, width, _ = model.inputs[0].shape
    return height or DEFAULT_SIDE, width or DEFAULT_SIDE
