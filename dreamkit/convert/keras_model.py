"""A Keras model in a `.keras` file, read without running code of its, in a child process."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamkit.convert import sandbox, to_tensorflow, verify
from dreamkit.convert.activations import Activations
from dreamkit.convert.maps import MOST_SIDE, USUAL_SIDE, Kind, Map, middle
from dreamkit.errors import ConvertError, first_line
from dreamkit.models.providers import ModelProvider, Preprocess

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

_MOST_BYTES = 8 << 30  # of all that the file unpacks to
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("Concatenate", "Add", "Average", "Maximum"), "join"),
    "Softmax": "softmax",
    **dict.fromkeys(("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU"), "activation"),
}


def check(file: Path) -> None:
    """Raises:
    ConvertError: `file` is no `.keras` file, or unpacks to more than any network.
    """
    if os.path.exists(file) and not os.path.isfile(file):
        raise ConvertError(f"cannot read {file}: it is not a regular file; give a .keras file")
    try:
        with zipfile.ZipFile(file) as archive:
            held = {each.filename: each.file_size for each in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConvertError(
            f"cannot read {file} as a .keras file ({getattr(error, 'strerror', None) or first_line(error)}); "
            "save the model with model.save('NAME.keras') of Keras 3"
        ) from error
    if "config.json" not in held or "model.weights.h5" not in held:
        raise ConvertError(
            f"{file} is no .keras file; save the model with model.save('NAME.keras') of Keras 3"
        )
    if sum(held.values()) > _MOST_BYTES:
        raise ConvertError(
            f"{file} unpacks to {sum(held.values()) >> 20} MB, more than any network has; it is refused"
        )


def save(
    file: Path, folder: Path, layers: list[str] | None, tell: sandbox.Tell
) -> tuple[tuple[int, int], dict[str, Map]]:
    """Writes the model in `file` to `folder` as a SavedModel; its size, and what it computes.

    `layers` are those that will be dreamed by default: the least side is found for them, and for all
    others together.

    Raises:
        ConvertError: the model cannot be read or dreamed.
    """
    answer = sandbox.call(
        f"{__name__}:build", tell, model_bytes=file.stat().st_size, file=file, folder=folder, layers=layers
    )
    return (answer["size"][0], answer["size"][1]), {
        name: Map(**each) for name, each in answer["maps"].items()
    }


def compare(
    file: Path, folder: Path, maps: Mapping[str, Map], preprocess: Preprocess, tell: sandbox.Tell
) -> verify.Report:
    """Compares the SavedModel in `folder` with what Keras computes of the model in `file`."""
    answer = sandbox.call(
        f"{__name__}:against_keras",
        tell,
        model_bytes=file.stat().st_size,
        file=file,
        folder=folder,
        maps={name: each.min_size for name, each in maps.items()},
        preprocess=asdict(preprocess),
    )
    return verify.accepted(verify.Report.of(answer))


def build(tell: sandbox.Tell, file: str, folder: str, layers: list[str] | None) -> dict[str, Any]:
    """In the child: see `save`."""
    tell("reading the Keras model")
    network, model = _load(file)
    described = network.describe() if network.layers else []
    kinds = {layer.name: _KINDS.get(type(layer).__name__, "other") for layer in model.layers}
    for layer in model.layers:
        named = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if kinds[layer.name] == "activation" and named == "softmax":
            kinds[layer.name] = "softmax"
        if kinds[layer.name] == "other" and named != "linear":
            kinds[layer.name] = "activation"
    all_names = [each.name for each in described]
    if not all_names:
        raise ConvertError(f"{file} computes no feature maps that follow the picture's size")
    deepest = network.least_side(all_names, MOST_SIDE)
    maps = {each.name: Map(each.channels, each.stride, deepest, kinds[each.name]) for each in described}
    usual = [name for name in layers or [middle(maps)] if name in maps]
    if usual:
        least = network.least_side(usual, MOST_SIDE)
        maps.update({name: replace(maps[name], min_size=least) for name in usual})
    tell("writing the SavedModel")
    to_tensorflow.write(network.forward(all_names), all_names, folder, model.variables)
    return {"size": _size(model), "maps": {name: asdict(each) for name, each in maps.items()}}


def against_keras(
    tell: sandbox.Tell, file: str, folder: str, maps: Mapping[str, int], preprocess: Mapping[str, Any]
) -> dict[str, Any]:
    """In the child: the runs of a `parity.Report`."""
    import keras

    original, model = _load(file)
    comparison = verify.Comparison(folder, maps, Preprocess(**preprocess), _size(model), tell)
    for size in (_size(model), *verify.sizes(_size(model))):
        among = comparison.among(size)

        def compute(batch: Any, among: list[str] = among) -> Activations:
            eaten = np.moveaxis(batch, 1, -1)
            activations = original.forward(among)(keras.ops.convert_to_tensor(eaten))
            return {
                name: np.moveaxis(np.asarray(each), -1, 1)
                for name, each in zip(among, activations, strict=True)
            }

        comparison.run(f"Keras {keras.__version__}", compute, size, among)
    return comparison.result()


def _load(file: str) -> tuple[Network, Any]:
    import keras

    from dreamkit.engine.tf import network

    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # Keras raises whatever the layer it cannot make raises.
    except Exception as error:
        raise ConvertError(
            f"{file} cannot be read ({first_line(error).split('. ')[0][:150]}); layers of one's own and "
            "Lambda layers are code, which is not run: write a plugin for such a model"
        ) from error
    if not isinstance(model, keras.Model):
        raise ConvertError(
            f"{file} holds a {type(model).__name__}; give a functional or sequential Keras model"
        )
    if len(getattr(model, "inputs", None) or ()) != 1:
        raise ConvertError(f"{file} holds no functional or sequential model with one input; give such a one")
    shape = model.inputs[0].shape
    if len(shape) != 4 or shape[-1] != 3:
        takes = " x ".join("any" if size is None else str(size) for size in shape)
        raise ConvertError(f"{file} takes {takes}; dreamkit feeds batch x height x width x 3")
    provider = ModelProvider(name="original", load=lambda _: model, preprocess=Preprocess(), layers={})
    return network.load(provider, None), model


def _size(model: Any) -> tuple[int, int]:
    _, height, width, _ = model.inputs[0].shape
    return height or USUAL_SIDE, width or USUAL_SIDE
