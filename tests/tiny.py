"""A tiny seeded network in Keras and, independently, the same network in NumPy with its gradient.

Two convolutions with smooth activations and a strided one between them, so that finite precision moves
no gradient across a kink, and layers have different strides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamkit import ModelProvider, Preprocess
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Objective

Array = NDArray[np.float64]

PREPROCESS = Preprocess(order="BGR", mean=(10.0, 20.0, 30.0), scale=(0.02, 0.01, 0.03))
LAYERS = ("first", "second")


@dataclass(frozen=True)
class Kernels:
    """Seeded weights: kernels (3, 3, in, out) and biases."""

    first: Array
    first_bias: Array
    second: Array
    second_bias: Array


def kernels(seed: int = 0, gain: float = 1.0) -> Kernels:
    draw = np.random.default_rng(seed)
    return Kernels(
        first=gain * draw.normal(0, 0.3, (3, 3, 3, 4)),
        first_bias=gain * draw.normal(0, 0.1, 4),
        second=draw.normal(0, 0.3, (3, 3, 4, 5)) / gain,
        second_bias=draw.normal(0, 0.1, 5),
    )


def objective(name: str) -> Objective:
    """A built-in objective."""
    return registry.installed(registry.OBJECTIVES).get(name)


def provider(seed: int = 0, *, min_size: int = 4, gain: float = 1.0, **changes: object) -> ModelProvider:
    """The network as a provider. `gain` scales the activations of `first` and nothing behind it."""

    def load(weights: object) -> object:
        import keras

        assert weights is None
        k = kernels(seed, gain)
        pixels = keras.Input((None, None, 3))
        first = keras.layers.Conv2D(4, 3, padding="same", name="first")
        second = keras.layers.Conv2D(5, 3, strides=2, padding="valid", activation="tanh", name="second")
        model = keras.Model(pixels, second(first(pixels)))
        first.set_weights([k.first, k.first_bias])
        second.set_weights([k.second, k.second_bias])
        return model

    fields = {"name": "tiny", "load": load, "preprocess": PREPROCESS, "layers": {"second": 1.0}}
    return ModelProvider(**{**fields, "min_size": min_size, **changes})  # type: ignore[arg-type]


def activations(pixels: Array, k: Kernels) -> dict[str, Array]:
    """Both layers of one picture (height, width, 3), 0 to 255."""
    inputs = (pixels[..., ::-1] - PREPROCESS.mean) * np.asarray(PREPROCESS.scale)
    first = _conv(np.pad(inputs, ((1, 1), (1, 1), (0, 0))), k.first, 1) + k.first_bias
    second = np.tanh(_conv(first, k.second, 2) + k.second_bias)
    return {"first": first, "second": second}


def gradient(pixels: Array, k: Kernels, weights_by_layer: dict[str, float], objective: str) -> Array:
    """The gradient of the weighted objective with respect to the pixels, by hand."""
    maps = activations(pixels, k)

    def at_layer(name: str) -> Array:
        layer = maps[name]
        raised = 2 * layer if objective == "mean-square" else np.ones_like(layer)
        return weights_by_layer.get(name, 0.0) * raised / layer.size

    behind = _conv_back(at_layer("second") * (1 - maps["second"] ** 2), k.second, 2, maps["first"].shape)
    height, width, _ = pixels.shape
    padded = _conv_back(at_layer("first") + behind, k.first, 1, (height + 2, width + 2, 3))
    return padded[1:-1, 1:-1][..., ::-1] * np.asarray(PREPROCESS.scale)[::-1]


def _conv(values: Array, kernel: Array, stride: int) -> Array:
    """Valid cross-correlation."""
    windows = np.lib.stride_tricks.sliding_window_view(values, kernel.shape[:2], axis=(0, 1))
    return np.einsum("yxcij,ijco->yxo", windows[::stride, ::stride], kernel)


def _conv_back(upstream: Array, kernel: Array, stride: int, shape: tuple[int, ...]) -> Array:
    """The gradient of `_conv` with respect to its input of `shape`."""
    back = np.zeros(shape)
    for (y, x), _ in np.ndenumerate(upstream[..., 0]):
        window = back[y * stride : y * stride + 3, x * stride : x * stride + 3]
        window += np.einsum("ijco,o->ijc", kernel, upstream[y, x])
    return back
