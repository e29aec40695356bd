"""The network dreamkit carries: Inception v3's plan to `mixed4`, every convolution in thin steps.

A convolution of the plan is a matrix product over its inputs, and most of what passes through it lies in
few directions. So each is split in three linear ones without a bias between them: `down` (1 x 1, to few
channels), `core` (the kernel itself) and `up` (1 x 1, to as many channels as Inception's has), before the
same ReLU. A channel of a layer here therefore stands for the channel of that layer in Inception v3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.hookspecs import hookimpl
from dreamkit.providers import ModelProvider, Preprocess

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("pocket.npz")
LAYERS = ("mixed0", "mixed1", "mixed2", "mixed3", "mixed4")


def network(arrays: Mapping[str, NDArray[Any]]) -> keras.Model:
    """Inception v3 to `mixed4` from its convolutions, whole or in thin steps.

    Args:
        arrays: for convolution N in Keras' order `conv2d_N/bias` and either `conv2d_N/kernel` or what
            there is of `conv2d_N/down`, `/core` and `/up`; `mixedK/down` comes before the 1 x 1
            convolutions that read the same input. Kernels are `(height, width, in, out)`.
    """
    import keras
    from keras import layers

    def linear(x: Any, key: str, bias: str | None = None, **options: Any) -> Any:
        kernel = arrays[key]
        layer = layers.Conv2D(
            kernel.shape[-1],
            kernel.shape[:2],
            use_bias=bias is not None,
            name=key.replace("/", "_"),
            **options,
        )
        y = layer(x)
        layer.set_weights([kernel] if bias is None else [kernel, arrays[bias]])
        return y

    def steps(x: Any, number: int, strides: int = 1, padding: str = "same") -> Any:
        name = f"conv2d_{number}" if number else "conv2d"
        if f"{name}/kernel" in arrays:
            return linear(x, f"{name}/kernel", f"{name}/bias", strides=strides, padding=padding)
        if f"{name}/down" in arrays:
            x = linear(x, f"{name}/down")
        if f"{name}/core" in arrays:
            x = linear(x, f"{name}/core", strides=strides, padding=padding)
        return linear(x, f"{name}/up", f"{name}/bias")

    def relu(x: Any, number: int) -> Any:
        return layers.ReLU(name=f"activation_{number}" if number else "activation")(x)

    def conv(x: Any, number: int, strides: int = 1, padding: str = "same") -> Any:
        return relu(steps(x, number, strides, padding), number)

    def pool(x: Any) -> Any:
        return layers.MaxPooling2D(3, strides=2)(x)

    def averaged(x: Any, number: int) -> Any:
        # A mean over neighbours and a 1 x 1 convolution may change places: this order has fewer channels.
        return relu(layers.AveragePooling2D(3, strides=1, padding="same")(steps(x, number)), number)

    def shared(x: Any, block: str) -> Any:
        return linear(x, f"{block}/down") if f"{block}/down" in arrays else x

    pixels = x = keras.Input((None, None, 3))
    x = conv(x, 0, 2, "valid")
    x = conv(x, 1, 1, "valid")
    x = pool(conv(x, 2))
    x = conv(x, 3, 1, "valid")
    x = pool(conv(x, 4, 1, "valid"))
    for block, n in ("mixed0", 5), ("mixed1", 12), ("mixed2", 19):
        x = shared(x, block)
        one = conv(x, n)
        five = conv(conv(x, n + 1), n + 2)
        three = conv(conv(conv(x, n + 3), n + 4), n + 5)
        x = layers.Concatenate(name=block)([one, five, three, averaged(x, n + 6)])
    three = conv(x, 26, 2, "valid")
    double = conv(conv(conv(x, 27), 28), 29, 2, "valid")
    x = layers.Concatenate(name="mixed3")([three, double, pool(x)])
    x = shared(x, "mixed4")
    one = conv(x, 30)
    seven = conv(conv(conv(x, 31), 32), 33)
    double = conv(x, 34)
    for n in 35, 36, 37, 38:
        double = conv(double, n)
    x = layers.Concatenate(name="mixed4")([one, seven, double, averaged(x, 39)])
    return keras.Model(pixels, x, name="pocket")


def load(weights: Path | None) -> keras.Model:
    import numpy as np

    with np.load(weights or WEIGHTS, allow_pickle=False) as arrays:
        return network({key: arrays[key].astype(np.float32) for key in arrays.files})


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    yield ModelProvider(
        name="pocket",
        load=load,
        preprocess=Preprocess(mean=(127.5, 127.5, 127.5), scale=(1 / 127.5, 1 / 127.5, 1 / 127.5)),
        layers={"mixed4": 1.0},
        weights=WEIGHTS,
        min_size=43,
        licence="Apache-2.0",
        description="Inception v3 in thin steps, carried along: no download, and fast",
    )
