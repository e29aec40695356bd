"""Google's Inception v3, the network of the classic look, with the weights that Keras publishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.models.providers import ModelProvider, Preprocess, Weights
from dreamkit.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from dreamkit.models.architecture import Architecture

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
CONVOLUTION, NORMALISATION = "conv2d", "batch_normalization"  # as Keras names them
PARTS = {CONVOLUTION: ("kernel",), NORMALISATION: ("beta", "moving_mean", "moving_variance")}
_MOST_NUMBERS = 1 << 26  # in all arrays; the network has 21,802,784
MAIN_LAYERS = tuple(f"mixed{number}" for number in range(11))


def load(weights: Path | None) -> keras.Model:
    import keras

    # Random numbers that the file's then replace would take a third of the time.
    with keras.saving.custom_object_scope({"glorot_uniform": keras.initializers.Zeros} if weights else {}):
        return keras.applications.InceptionV3(include_top=False, weights=weights and str(weights))


class StoredArray:
    """An array of an HDF5 file, whose numbers are read when they are asked for."""

    def __init__(self, dataset: Any, file: Any) -> None:
        """`file` holds the dataset, and is open for as long as any of its arrays is there."""
        self._dataset, self._file = dataset, file
        self.shape: tuple[int, ...] = dataset.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # it always is one
        import numpy as np

        return np.asarray(self._dataset[()], dtype or np.float32)


def read(weights: Path) -> Architecture:
    """The arrays of a file that Keras wrote, which names no operations: `conv2d/kernel`, `conv2d_1/kernel`,
    ..., `batch_normalization/beta` and so on. Layers of a kind are numbered in the order of the model's.
    Each is a `StoredArray`: a step needs a sixth of them.

    Raises:
        ValueError, OSError, KeyError, TypeError, RuntimeError: it is not such a file, or is damaged.
    """
    import h5py

    arrays: dict[str, Any] = {}
    file = h5py.File(weights, "r")
    layers = _layers(file["layers"]) if "layers" in file else _layers_of_keras_2(file)
    counts = dict.fromkeys(PARTS, 0)
    numbers = 0
    for kind, datasets in layers:
        number, counts[kind] = counts[kind], counts[kind] + 1
        for part, dataset in zip(PARTS[kind], datasets, strict=True):
            numbers += dataset.size
            if dataset.is_virtual or dataset.external or numbers > _MOST_NUMBERS:
                raise ValueError(f"{dataset.name} is not an array of this network")
            arrays[f"{numbered(kind, number)}/{part}"] = StoredArray(dataset, file)
    return [], arrays


def numbered(kind: str, number: int) -> str:
    """The name of the layer of a kind with a number, counted from 0."""
    return f"{kind}_{number}" if number else kind


def _layers(group: Any) -> Iterator[tuple[str, list[Any]]]:
    """The datasets of each layer in a file of Keras 3."""
    for kind, parts in PARTS.items():
        number = 0
        while (name := numbered(kind, number)) in group:
            held = group[name]["vars"]
            yield kind, [held[str(index)] for index in range(len(parts))]
            number += 1


def _layers_of_keras_2(file: Any) -> Iterator[tuple[str, list[Any]]]:
    """The datasets of each layer in a file of the format of Keras 2, which lists them in order."""
    kinds = {len(parts): kind for kind, parts in PARTS.items()}
    for name in file.attrs["layer_names"]:
        held = [file[name][each] for each in file[name].attrs["weight_names"]]
        if held:
            yield kinds[len(held)], held


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    yield ModelProvider(
        name="inception_v3",
        load=load,
        preprocess=Preprocess(mean=(127.5, 127.5, 127.5), scale=(1 / 127.5, 1 / 127.5, 1 / 127.5)),
        layers={"mixed4": 1.0},
        guide_layers={"mixed3": 1.0},
        concept_layers=("mixed5", "mixed7"),
        weights=Weights(
            url=f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{_FILE}",
            hash="md5:bcbd6486424b2319ff4ef7d526e38f63",
            file_name=_FILE,
            megabytes=88,
        ),
        main_layers=MAIN_LAYERS,
        min_size=75,
        licence="Apache-2.0",
        description="Inception v3 trained on ImageNet: eyes, dogs, birds and towers",
    )
