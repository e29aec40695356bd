"""A picture as its Fourier spectrum, moved by Adam.

The parametrisation of tensorflow/lucid (`lucid/optvis/param/spatial.py`, 2018; Olah, Mordvintsev and
Schubert, "Feature Visualization", 2017). The coefficients of all frequencies move equally fast, scaled to the
strength of their frequency in natural pictures, so that large shapes and colours grow as easily as fine ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine.color import MIXING
from dreamkit.engine.resize import Pixels
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Parametrisation

_EXTREMES = (0.5, 254.5)  # black and white, as near as a sigmoid comes to them
_SOFTNESS = 4.0  # Lucid divides its spatial values by this

_BAND = 64  # rows or columns that are transformed in float64 at a time

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


class FourierSpace:
    """The coefficients of a picture's spectrum as variables. A sigmoid limits the pixels to 0..255."""

    def __init__(self, pixels: Pixels, config: DreamConfig, arrays: Mapping[str, NDArray[Any]]) -> None:
        del config
        height, width, _ = pixels.shape
        self._spectrum = (
            Spectrum.from_arrays(arrays, (height, width)) if arrays else Spectrum.from_pixels(pixels)
        )

    def step(self, pixels: Pixels, update: Pixels, step_size: float) -> None:
        """Takes a step of Adam along `update`, which is overwritten, and recomputes `pixels`."""
        self._spectrum.step(update, step_size)
        pixels[:] = self._spectrum.pixels()

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The coefficients and the state of Adam."""
        return self._spectrum.arrays()


class Spectrum:
    """A picture `255 sigmoid(M irfft2(s Z) / 4)` and steps of gradient ascent on it.

    `Z` has one complex coefficient for each of three decorrelated colours and each frequency,
    `(3, height, width // 2 + 1)`; `s = sqrt(height * width) / max(f, 1 / max(height, width))` at `f` cycles
    per pixel; `M` is `color.MIXING`; `irfft2` divides by `height * width`. In memory are `Z` and Adam's two
    moments, each as large as a float32 picture, and during a step two more pictures.
    """

    def __init__(self, coefficients: NDArray[np.complex64], size: tuple[int, int]) -> None:
        """`coefficients` are `Z`; `size` is the picture's (height, width)."""
        self.coefficients = np.ascontiguousarray(coefficients, np.complex64)
        self.size = size
        self._moments = [_Moments((size[0], 2 * (size[1] // 2 + 1))) for _ in self.coefficients]

    @classmethod
    def from_pixels(cls, pixels: Pixels) -> Spectrum:
        """The spectrum of `pixels` `(height, width, 3)`, 0 to 255, which are clipped to 0.5..254.5."""
        height, width, _ = pixels.shape
        logits = np.clip(pixels, *_EXTREMES)
        logits = np.log(logits) - np.log(255 - logits)
        scale = _scale(height, width) / _SOFTNESS
        planes = [_transformed(logits, row, 1 / scale) for row in np.linalg.inv(MIXING)]
        return cls(np.stack(planes), (height, width))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The coefficients and the state of Adam, by name."""
        moments = {
            f"{name}{number}": getattr(each, name)
            for number, each in enumerate(self._moments)
            for name in ("first", "second")
        }
        return {"coefficients": self.coefficients, "climbed": np.array(self._moments[0].steps)} | moments

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> Spectrum:
        """The spectrum with these `arrays()`."""
        found = cls(arrays["coefficients"], size)
        for number, each in enumerate(found._moments):
            each.first[:], each.second[:] = arrays[f"first{number}"], arrays[f"second{number}"]
            each.steps = int(arrays["climbed"])
        return found

    def pixels(self) -> Pixels:
        """The picture, `(height, width, 3)`, 0 to 255."""
        scale = _scale(*self.size) / _SOFTNESS
        out = np.zeros((*self.size, 3), np.float32)
        for coefficients, column in zip(self.coefficients, MIXING.T, strict=True):
            _add_inverse(out, coefficients, column, scale)
        # 255 sigmoid(x), in a form that cannot overflow.
        out /= 2
        np.tanh(out, out=out)
        out += 1
        out *= 127.5
        return out

    def gradients(self, gradient: Pixels) -> Iterator[NDArray[np.complex64]]:
        """The gradient by `Z`, one colour after another, from the gradient by the pixels.

        Real and imaginary parts are the derivatives by `Z`'s real and imaginary parts. `gradient`
        `(height, width, 3)` is overwritten.
        """
        height, width = self.size
        _through_sigmoid(gradient, self.pixels())
        # The adjoint of irfft2 is rfft2 / (height * width), doubled for columns that stand for two.
        factor = _scale(height, width) * _stands_for(width) / (_SOFTNESS * height * width)
        for column in MIXING.T:
            yield _transformed(gradient, column, factor)

    def step(self, gradient: Pixels, step_size: float) -> None:
        """Takes a step of Adam along the gradient of the objective by the pixels, which is overwritten.

        The real and imaginary parts of a coefficient are separate parameters. Each moves by about
        `step_size`, which is 0.05 in Lucid.
        """
        slopes = self.gradients(gradient)
        for coefficients, moments, slope in zip(self.coefficients, self._moments, slopes, strict=True):
            step = moments.direction(slope.view(np.float32))
            step *= np.float32(step_size)
            parts = coefficients.view(np.float32)
            parts += step


class _Moments:
    """Adam's moments of gradients (Kingma and Ba, "Adam: a method for stochastic optimization", 2014)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first = np.zeros(shape, np.float32)
        self.second = np.zeros(shape, np.float32)
        self.steps = 0

    def direction(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adds `gradient` to the moments; returns the step for step size 1, `m / (sqrt(v) + 1e-8)`."""
        self.steps += 1
        self.first *= np.float32(_BETA_1)
        self.first += np.float32(1 - _BETA_1) * gradient
        self.second *= np.float32(_BETA_2)
        self.second += np.float32(1 - _BETA_2) * gradient**2
        scale = np.sqrt(self.second / np.float32(1 - _BETA_2**self.steps))
        scale += np.float32(_EPSILON)
        direction: NDArray[np.float32] = self.first / np.float32(1 - _BETA_1**self.steps)
        direction /= scale
        return direction


def _scale(height: int, width: int) -> NDArray[np.float64]:
    """The strength of each frequency in natural pictures, `(height, width // 2 + 1)`."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    return np.asarray(np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)))


def _stands_for(width: int) -> NDArray[np.float64]:
    """How many columns of the whole spectrum a column of the half stands for: itself and its mirror image."""
    counts = np.full(width // 2 + 1, 2.0)
    counts[0] = 1.0
    if width % 2 == 0:
        counts[-1] = 1.0
    return counts


def _transformed(
    values: Pixels, weights: NDArray[np.float64], factor: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """`factor * rfft2` of the weighted sum of the colours of `values`."""
    height, width, _ = values.shape
    half = np.empty((height, width // 2 + 1), np.complex64)
    for rows in _bands(height):
        half[rows] = np.fft.rfft(values[rows] @ weights)
    for columns in _bands(half.shape[1]):
        lines = half[:, columns].astype(np.complex128)
        half[:, columns] = np.fft.fft(lines, axis=0) * factor[:, columns]
    return half


def _add_inverse(
    out: Pixels,
    coefficients: NDArray[np.complex64],
    weights: NDArray[np.float64],
    factor: NDArray[np.float64],
) -> None:
    """Adds `irfft2(factor * coefficients)`, times each colour's weight, to the colours of `out`."""
    height, width, _ = out.shape
    half = np.empty_like(coefficients)
    for columns in _bands(half.shape[1]):
        half[:, columns] = np.fft.ifft(coefficients[:, columns] * factor[:, columns], axis=0)
    for rows in _bands(height):
        plane = np.fft.irfft(half[rows].astype(np.complex128), width)
        out[rows] += plane[..., np.newaxis] * weights


def _bands(length: int) -> Iterator[slice]:
    for start in range(0, length, _BAND):
        yield slice(start, start + _BAND)


def _through_sigmoid(gradient: Pixels, pixels: Pixels) -> None:
    """Converts the gradient by `pixels = 255 sigmoid(x)` to the one by `x`; `pixels` are overwritten.

    The derivative of `255 sigmoid` is `pixels * (255 - pixels) / 255`.
    """
    gradient *= pixels
    np.subtract(255, pixels, out=pixels)
    pixels /= 255
    gradient *= pixels


@hookimpl
def dreamkit_parametrisations() -> Iterator[Parametrisation]:
    yield Parametrisation(
        name="fourier",
        make=FourierSpace,
        copies=5,
        description="the waves that a picture is made of, by Adam",
    )
