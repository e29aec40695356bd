"""A network of Keras Applications with its classifier, built and written to a file by Keras itself."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamkit.convert import sandbox
from dreamkit.errors import ConvertError, did_you_mean, first_line, shown
from dreamkit.models.providers import Preprocess

IMAGENET, RANDOM = "imagenet", "random"
_CLASSES = 1000  # of ImageNet
_SEED = 0  # of random weights
_DEVIATIONS = 0.229, 0.224, 0.225  # of ImageNet's channels


@dataclass(frozen=True)
class Application:
    """A network of Keras Applications in a file.

    Attributes:
        file: where it is.
        preprocess: what its own `preprocess_input` does.
        labels: the names of its classes; empty if they are not known.
    """

    file: Path
    preprocess: Preprocess
    labels: Sequence[str]


def save(name: str, weights: str | Path, folder: Path, on_stage: sandbox.OnStage) -> Application:
    """Writes the network `name` to a file in `folder`. `weights` is a file, `imagenet` or `random`.

    Raises:
        ConvertError: there is no such network, or the weights cannot be read or downloaded.
    """
    if weights not in (IMAGENET, RANDOM) and not os.path.isfile(weights):
        raise ConvertError(f"cannot read {weights}; --weights takes imagenet, random or the path of a file")
    is_file = weights not in (IMAGENET, RANDOM)
    result = sandbox.call(
        f"{__name__}:build_and_write",
        on_stage,
        offline=weights != IMAGENET,
        name=name,
        weights=Path(weights) if is_file else weights,
        folder=folder,
    )
    preprocess = Preprocess(**result["preprocess"])
    return Application(Path(result["file"]), preprocess, tuple(result["labels"]))


def build_and_write(on_stage: sandbox.OnStage, name: str, weights: str, folder: str) -> dict[str, Any]:
    """In the child process: see `save`."""
    import keras

    build = _networks().get(name)
    if build is None:
        raise ConvertError(f"Keras Applications has no {shown(name)}; {did_you_mean(name, _networks())}")
    module = sys.modules[build.__module__]
    on_stage(f"building {name} of Keras {keras.__version__}")
    model = _build(build, name, weights)
    on_stage("looking up its preprocessing and its classes")
    file = os.path.join(folder, f"{name}.keras")
    model.save(file)
    is_imagenet = weights != RANDOM and model.output_shape[-1] == _CLASSES
    return {
        "file": file,
        "preprocess": preprocess_of(module.preprocess_input),
        "labels": _labels(module.decode_predictions) if is_imagenet else [],
    }


def _networks() -> dict[str, Any]:
    """The functions that build networks, by name."""
    import keras

    found = {name: getattr(keras.applications, name) for name in dir(keras.applications)}
    return {name: each for name, each in found.items() if callable(each) and name[0].isupper()}


def _build(build: Any, name: str, weights: str) -> Any:
    import keras

    if weights == IMAGENET:
        try:
            return build(weights=IMAGENET)
        except Exception as error:  # Keras raises a plain one for a download that fails
            raise ConvertError(
                f"Keras cannot download the weights of {name} ({first_line(error)[:120]}); give a file of "
                "them with --weights FILE"
            ) from error
    keras.utils.set_random_seed(_SEED)
    model = build(weights=None)
    if weights == RANDOM:
        return model
    if name.startswith("EfficientNetB"):
        model = _with_second_rescaling(model)
    try:
        model.load_weights(weights)
    except Exception as error:  # h5py and Keras raise errors of any type
        raise ConvertError(
            f"{weights} does not hold weights of {name} with its classifier ({first_line(error)[:120]})"
        ) from error
    return model


def _with_second_rescaling(model: Any) -> Any:
    """EfficientNet with the layer that Keras adds for `weights="imagenet"` and not for a file.

    The published files hold standard deviations in place of variances, so one more square root is missing.
    """
    import keras

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            return keras.layers.Rescaling([1 / math.sqrt(each) for each in _DEVIATIONS])(outputs)
        return outputs

    return keras.models.clone_model(model, call_function=call)


def preprocess_of(function: Any) -> dict[str, Any]:
    """What a `preprocess_input` does, as `Preprocess` says it, found by its results for four pixels."""
    import numpy as np

    pixels = np.zeros((1, 1, 4, 3), np.float32)
    pixels[0, 0, 1:] = 255 * np.eye(3)
    black, *colours = (row.astype(np.float64) for row in np.asarray(function(pixels))[0, 0])
    steps = np.stack(colours) - black  # of each colour, in each channel that the network takes
    channels = np.abs(steps).argmax(1).tolist()
    if channels not in ([0, 1, 2], [2, 1, 0]):
        raise ConvertError("its preprocessing is not one of RGB or BGR, a mean and a scale; give --mean")
    scale = np.array([steps[colour, channel] for colour, channel in enumerate(channels)]) / 255
    scale = scale[:: 1 if channels == [0, 1, 2] else -1]
    return {
        "order": "RGB" if channels == [0, 1, 2] else "BGR",
        "mean": [round(float(each), 3) + 0.0 for each in -black / scale],
        "scale": [float(f"{each:.7g}") for each in scale],
    }


def _labels(decode: Any) -> list[str]:
    """The names of ImageNet's classes by Keras, which downloads them once; none if it cannot."""
    import numpy as np

    try:
        decoded = decode(np.eye(_CLASSES, dtype=np.float32), top=1)
    except Exception:  # Keras raises a plain one for a download that fails
        return []
    return [label.replace("_", " ") for ((_, label, _),) in decoded]
