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
from dreamkit.engine.optimisers import Adam
from dreamkit.engine.resize import Pixels
from dreamkit.engine.spectra import (
    add_inverse,
    logits_of,
    sigmoid,
    stands_for,
    through_sigmoid,
    transformed,
)
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Parametrisation

_SOFTNESS = 4.0  # Lucid divides its spatial values by this


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
        self._moments = [Adam((size[0], 2 * (size[1] // 2 + 1))) for _ in self.coefficients]

    @classmethod
    def from_pixels(cls, pixels: Pixels) -> Spectrum:
        """The spectrum of `pixels` `(height, width, 3)`, 0 to 255, which are clipped to 0.5..254.5."""
        height, width, _ = pixels.shape
        logits = logits_of(pixels)
        scale = _scale(height, width) / _SOFTNESS
        planes = [transformed(logits, row, 1 / scale) for row in np.linalg.inv(MIXING)]
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
            add_inverse(out, coefficients, column, scale)
        sigmoid(out)
        return out

    def gradients(self, gradient: Pixels) -> Iterator[NDArray[np.complex64]]:
        """The gradient by `Z`, one colour after another, from the gradient by the pixels.

        Real and imaginary parts are the derivatives by `Z`'s real and imaginary parts. `gradient`
        `(height, width, 3)` is overwritten.
        """
        height, width = self.size
        through_sigmoid(gradient, self.pixels())
        # The adjoint of irfft2 is rfft2 / (height * width), doubled for columns that stand for two.
        factor = _scale(height, width) * stands_for(width) / (_SOFTNESS * height * width)
        for column in MIXING.T:
            yield transformed(gradient, column, factor)

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


def _scale(height: int, width: int) -> NDArray[np.float64]:
    """The strength of each frequency in natural pictures, `(height, width // 2 + 1)`."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    return np.asarray(np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)))


@hookimpl
def dreamkit_parametrisations() -> Iterator[Parametrisation]:
    yield Parametrisation(
        name="fourier",
        make=FourierSpace,
        copies=5,
        description="the waves that a picture is made of, by Adam",
    )
