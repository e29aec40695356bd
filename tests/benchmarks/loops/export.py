"""Writes a network's numbers to an .npz, for programs without Keras and dreamkit.

python -m loops.export MODEL WEIGHTS OUT.npz

WEIGHTS may be empty for a network that comes with dreamkit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dreamkit.models import architecture, inception5h, pocket

READ = {"inception5h": inception5h.read, "pocket": pocket.read}


def main(model: str, weights: str, out: str) -> None:
    np.savez(out, **(of_inception_v3(weights) if model == "inception_v3" else of_operations(model, weights)))


def of_operations(model: str, weights: str) -> dict[str, Any]:
    """The arrays of a network that is a list of operations, and that list."""
    operations, arrays = READ[model](Path(weights) if weights else None)
    return {"operations": architecture.to_json(operations), **arrays}


def of_inception_v3(weights: str) -> dict[str, Any]:
    """What each convolution needs, under its number."""
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
    return arrays


if __name__ == "__main__":
    main(*sys.argv[1:])
