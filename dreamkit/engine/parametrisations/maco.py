"""The phases of a picture's spectrum, whose magnitudes stay those of natural pictures; moved by Nadam.

MaCo (Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained
optimization", 2023): since no frequency can grow, none of a network's favourites can drown the picture, and
deep layers draw things instead of grain. The magnitudes are measured, by `scripts/measure_spectrum.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine.color import MIXING
from dreamkit.engine.optimisers import Nadam
from dreamkit.engine.resize import Pixels
from dreamkit.engine.spectra import add_inverse, logits_of, sigmoid, stands_for, through_sigmoid, transformed
from dreamkit.plugins.hookspecs import hookimpl
from dreamkit.plugins.parts import Parametrisation

_EPSILON = 1e-5  # added to standard deviations
_PLANES = np.eye(3)


class MacoSpace:
    """The phases of a picture's spectrum as variables. A sigmoid limits the pixels to 0..255."""

    def __init__(self, pixels: Pixels, config: DreamConfig, arrays: Mapping[str, NDArray[Any]]) -> None:
        del config
        height, width, _ = pixels.shape
        if arrays:
            self._phases = Phases.from_arrays(arrays, (height, width))
        else:
            self._phases = Phases.from_pixels(pixels)
            pixels[:] = self._phases.pixels()  # the first gradient belongs to the picture that moves

    def step(self, pixels: Pixels, update: Pixels, step_size: float) -> None:
        """Takes a step of Nadam along `update`, which is overwritten, and recomputes `pixels`."""
        self._phases.step(update, step_size)
        pixels[:] = self._phases.pixels()

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The phases and the state of Nadam."""
        return self._phases.arrays()


class _Standard(NamedTuple):
    """Values less their mean over their standard deviation, for the way back of a gradient."""

    values: NDArray[np.float32]
    deviation: float

    def gradient(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """The gradient by the values before, from that by these; `gradient` is overwritten.

        With `z = (u - mean(u)) / (d + epsilon)`, where `d` is the deviation of `u`, it is
        `(g - mean(g) - z mean(g z) (d + epsilon) / d) / (d + epsilon)`.
        """
        divisor = self.deviation + _EPSILON
        product = float((gradient * self.values).mean(dtype=np.float64))
        gradient -= np.float32(gradient.mean(dtype=np.float64))
        if self.deviation:
            gradient -= np.float32(product * divisor / self.deviation) * self.values
        gradient /= np.float32(divisor)
        return gradient


class Phases:
    """A picture `255 sigmoid(c M y)`, and steps of gradient ascent on its phases `p`.

    There are `(3, height, width // 2 + 1)` phases in radians, one for each decorrelated colour and frequency.
    `y = standard(irfft2(r exp(i (s standard(p) + m))))`, where `standard` subtracts the mean over all colours
    and places and divides by their standard deviation plus 1e-5; `r` is `magnitudes`, `M` is `color.MIXING`,
    and `m` and `s` are the mean and the deviation of the phases that the picture had before the first step.
    As published, `m` is 0 and `s` is 1, for phases drawn from a normal distribution; those of a picture go
    evenly from -pi to pi. The contrast `c` is that of photographs; the published pictures, where it is 1, are
    stretched when they are shown. In memory are `p` and Nadam's two moments, each half as large as a float32
    picture, and during a step four pictures more.
    """

    def __init__(
        self, phases: NDArray[np.float32], size: tuple[int, int], start: tuple[float, float]
    ) -> None:
        """`size` is the picture's (height, width); `start` are `m` and `s`."""
        self.phases = phases
        self.size = size
        self.start = start
        self._nadam = Nadam(phases.shape)
        self._magnitudes = magnitudes(size)

    @classmethod
    def from_pixels(cls, pixels: Pixels) -> Phases:
        """The phases of `pixels` `(height, width, 3)`, 0 to 255."""
        height, width, _ = pixels.shape
        logits, even = logits_of(pixels), np.ones((height, width // 2 + 1))
        planes = (transformed(logits, row, even) for row in np.linalg.inv(MIXING))
        phases = np.stack([np.angle(plane) for plane in planes]).astype(np.float32)
        mean, deviation = float(phases.mean(dtype=np.float64)), float(phases.std(dtype=np.float64))
        return cls(phases, (height, width), (mean, deviation or 1.0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The phases and the state of Nadam, by name."""
        return {"phases": self.phases, "start": np.array(self.start), **self._nadam.arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> Phases:
        """The phases with these `arrays()`."""
        mean, deviation = arrays["start"].tolist()
        found = cls(np.array(arrays["phases"], np.float32), size, (mean, deviation))
        found._nadam.restore(arrays)
        return found

    def pixels(self) -> Pixels:
        """The picture, `(height, width, 3)`, 0 to 255."""
        return _drawn(self._planes(self._standard_phases())[1].values)

    def step(self, gradient: Pixels, step_size: float) -> None:
        """Takes a step of Nadam along the gradient of the objective by the pixels, which is overwritten.

        Each phase moves by about `step_size`, which is 1 as published; it turns by less and less, as the
        deviation of all phases grows.
        """
        height, width = self.size
        phases = self._standard_phases()
        turned, planes = self._planes(phases)
        through_sigmoid(gradient, _drawn(planes.values))
        at_planes = planes.gradient(gradient @ _mixing())
        # The adjoint of irfft2 is rfft2 / (height * width), doubled for columns that stand for two.
        factor = stands_for(width) / (height * width)
        slopes = np.empty_like(self.phases)
        for slope, plane, unit, magnitude in zip(slopes, _PLANES, turned, self._magnitudes, strict=True):
            by_unit = transformed(at_planes, plane, magnitude * factor)
            slope[:] = (by_unit * unit.conj()).imag
        slopes *= np.float32(self.start[1])
        direction = self._nadam.direction(phases.gradient(slopes))
        direction *= np.float32(step_size)
        self.phases += direction

    def _standard_phases(self) -> _Standard:
        return _standard(self.phases.copy())

    def _planes(self, phases: _Standard) -> tuple[NDArray[np.complex64], _Standard]:
        """The unit circle's points at the phases, and the standardised planes of decorrelated colours."""
        mean, deviation = (np.float32(each) for each in self.start)
        turned = np.exp(1j * (deviation * phases.values + mean)).astype(np.complex64)
        planes = np.zeros((*self.size, 3), np.float32)
        for points, plane, magnitude in zip(turned, _PLANES, self._magnitudes, strict=True):
            add_inverse(planes, points, plane, magnitude)
        return turned, _standard(planes)


def magnitudes(size: tuple[int, int]) -> NDArray[np.float64]:
    """The magnitudes of natural pictures of `size`, `(3, height, width // 2 + 1)`, by decorrelated colour.

    Between the measured frequencies they follow straight lines in logarithms; below the lowest they grow as
    1/f, above the highest they stay. At frequency 0 stands how far means of photographs differ.
    """
    height, width = size
    measured = _measured()
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    frequency[0, 0] = 1.0  # set below
    lowest = measured["frequencies"][0]
    found = np.empty((3, *frequency.shape))
    for curve, mean, out in zip(measured["magnitudes"], measured["means"], found, strict=True):
        out[:] = np.exp(np.interp(np.log(frequency), np.log(measured["frequencies"]), np.log(curve)))
        out *= np.maximum(1.0, lowest / frequency) * np.sqrt(height * width)
        out[0, 0] = mean * height * width
    return found


def _mixing() -> NDArray[np.float32]:
    """`c M`: from planes of decorrelated colours to red, green and blue, before the sigmoid."""
    found: NDArray[np.float32] = (_measured()["contrast"] * MIXING).astype(np.float32)
    return found


@cache
def _measured() -> dict[str, Any]:
    file = Path(__file__).parents[1] / "natural_spectrum.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _standard(values: NDArray[np.float32]) -> _Standard:
    """`values`, which are overwritten, less their mean over their standard deviation."""
    deviation = float(values.std(dtype=np.float64))
    values -= np.float32(values.mean(dtype=np.float64))
    values /= np.float32(deviation + _EPSILON)
    return _Standard(values, deviation)


def _drawn(planes: Pixels) -> Pixels:
    """The picture of planes of decorrelated colours, `(height, width, 3)`, 0 to 255."""
    pixels: Pixels = planes @ _mixing().T
    sigmoid(pixels)
    return pixels


@hookimpl
def dreamkit_parametrisations() -> Iterator[Parametrisation]:
    yield Parametrisation(
        name="maco",
        make=MacoSpace,
        copies=9,
        description="the phases of waves as strong as in photographs, by Nadam",
    )
