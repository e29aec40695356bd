"""Google's Inception v3, the network of the classic look, with the weights that Keras publishes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.models.providers import ModelProvider, Preprocess, Weights
from dreamkit.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import keras

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
MAIN_LAYERS = tuple(f"mixed{number}" for number in range(11))


def load(weights: Path | None) -> keras.Model:
    import keras

    # Random numbers that the file's then replace would take a third of the time.
    with keras.saving.custom_object_scope({"glorot_uniform": keras.initializers.Zeros} if weights else {}):
        return keras.applications.InceptionV3(include_top=False, weights=weights and str(weights))


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
        ),
        main_layers=MAIN_LAYERS,
        min_size=75,
        licence="Apache-2.0",
        description="Inception v3 trained on ImageNet: eyes, dogs, birds and towers",
    )
