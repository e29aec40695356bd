"""Layers that Keras does not have: convolutions that may be factorised, and response normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Convolution(keras.layers.Layer):  # type: ignore[misc]  # Keras carries no types
    """A convolution, or a sequence of two or three linear ones, and one bias."""

    def __init__(
        self, keys: Sequence[str], arrays: Mapping[str, NDArray[Any]], name: str, stride: int, padding: str
    ) -> None:
        """`keys` are the kernels in `arrays`, in order of application. The largest has the stride."""
        super().__init__(name=name)
        self.options = {"stride": stride, "padding": padding}
        self._stride, self._padding = stride, padding.upper()
        self.kernels = [self._weight(key, arrays[key]) for key in keys]
        self.bias = self._weight(f"{name}/bias", arrays[f"{name}/bias"]) if f"{name}/bias" in arrays else None
        sizes = [int(np.prod(kernel.shape[:2])) for kernel in self.kernels]
        self._strided = sizes.index(max(sizes))
        self.built = True

    def _weight(self, key: str, array: NDArray[Any]) -> Any:
        values = np.asarray(array, np.float32)
        return self.add_weight(
            shape=values.shape,
            initializer=lambda _, dtype: tf.constant(values, dtype),
            name=key.partition("/")[2],
        )

    def call(self, x: Any) -> Any:
        for index, kernel in enumerate(self.kernels):
            x = tf.nn.conv2d(x, kernel, self._stride if index == self._strided else 1, self._padding)
        return x if self.bias is None else tf.nn.bias_add(x, self.bias)

    def compute_output_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        def along(length: int | None, size: int) -> int | None:
            if length is None:
                return None
            return -(-(length if self._padding == "SAME" else length - size + 1) // self._stride)

        size = self.kernels[self._strided].shape[:2]
        height, width = (along(*pair) for pair in zip(shape[1:3], size, strict=True))
        return (shape[0], height, width, self.kernels[-1].shape[-1])


class ResponseNormalisation(keras.layers.Layer):  # type: ignore[misc]
    """Local response normalisation across channels (Krizhevsky et al. 2012), as TensorFlow defines it:
    `x / (bias + alpha * s) ** beta`, where `s` sums the squares of the channels up to `radius` away.

    Attributes:
        banded: whether it is computed as a 1 x 1 convolution of the squares with a banded matrix. That gives
            the same numbers several times as fast, in training too, but is not one operation of a graph.
    """

    banded = False

    def __init__(self, name: str, radius: int, bias: float, alpha: float, beta: float) -> None:
        super().__init__(name=name)
        self.options = {"radius": radius, "bias": bias, "alpha": alpha, "beta": beta}
        self.built = True

    def call(self, x: Any) -> Any:
        radius, bias, alpha, beta = self.options.values()
        if self.banded:
            places = np.arange(x.shape[-1])
            band = np.abs(places[:, None] - places) <= radius
            sums = tf.nn.conv2d(tf.square(x), tf.constant(band[None, None], x.dtype), 1, "VALID")
            return x * tf.pow(bias + alpha * sums, -beta)
        return tf.nn.local_response_normalization(x, radius, bias, alpha, beta)

    def compute_output_shape(self, shape: Sequence[int | None]) -> Sequence[int | None]:
        return shape
