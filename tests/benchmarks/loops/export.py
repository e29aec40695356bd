"""Writes Inception v3's numbers from the file Keras reads to an .npz, for programs without Keras.

python -m loops.export WEIGHTS.h5 OUT.npz
"""

from __future__ import annotations

import sys

import keras
import numpy as np


def main(weights: str, out: str) -> None:
    model = keras.applications.InceptionV3(include_top=False, weights=weights)
    # In a fresh process the automatic names count from conv2d, and layers pair by number. The model lists
    # them by depth, so the number is what tells their order.
    arrays = {}
    for layer in model.layers:
        kind, _, number = layer.name.rpartition("_")
        name, index = (kind, number) if number.isdecimal() else (layer.name, "0")
        if isinstance(layer, keras.layers.Conv2D):
            arrays[f"{index}/kernel"] = layer.kernel.numpy()
        elif isinstance(layer, keras.layers.BatchNormalization):
            assert name == "batch_normalization"
            assert layer.epsilon == 1e-3
            arrays[f"{index}/beta"] = layer.beta.numpy()
            arrays[f"{index}/mean"] = layer.moving_mean.numpy()
            arrays[f"{index}/variance"] = layer.moving_variance.numpy()
    np.savez(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
