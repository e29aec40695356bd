"""The phases of natural spectra: picture, gradient, Nadam against another Nadam, and the measurement."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import measure_spectrum
from dreamkit.engine.optimisers import Nadam
from dreamkit.engine.parametrisations.fourier import Spectrum
from dreamkit.engine.parametrisations.maco import Phases, magnitudes

SIZES = [(6, 7), (6, 8), (5, 5), (9, 4)]


def uniform(size, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (*size, 3)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_gradients_are_finite_differences(size):
    weights = np.random.default_rng(2).normal(0, 1, (*size, 3)).astype(np.float32)
    begun = Phases.from_pixels(uniform(size))

    def total(phases):
        return float((Phases(phases, size, begun.start).pixels().astype(float) * weights).sum())

    start = begun.phases.copy()
    begun.step(weights.copy(), 0.0)
    found = begun.arrays()["first"] / 0.1  # the mean of one gradient
    width = 1e-2  # float32 sees no less
    expected = np.zeros_like(start)
    for place in np.ndindex(start.shape):
        away = np.zeros_like(start)
        away[place] = width
        expected[place] = (total(start + away) - total(start - away)) / (2 * width)
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("size", [*SIZES, (150, 131)])
def test_a_picture_has_the_magnitudes_of_photographs(size):
    """Those of the planes before the sigmoid, but for one factor; a constant is taken off all colours."""
    phases = Phases.from_pixels(uniform(size))
    _, planes = phases._planes(phases._standard_phases())
    found = np.abs(np.fft.rfft2(planes.values.astype(float), axes=(0, 1)))
    expected = np.moveaxis(magnitudes(size), 0, -1)
    ratio = (found / expected)[:, 1 : (size[1] + 1) // 2]  # irfft2 mixes rows of the other columns
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-3)


def test_climbing_goes_up_and_keeps_contrast():
    size = (32, 40)
    goal = np.zeros((*size, 3), np.float32)
    goal[8:20, 10:25] = 1.0
    begun = uniform(size)
    phases, spectrum = Phases.from_pixels(begun), Spectrum.from_pixels(begun)
    before = (goal * phases.pixels()).sum()
    for _ in range(40):
        phases.step(goal.copy(), 0.1)
        spectrum.step(goal.copy(), 0.1)
    assert (goal * phases.pixels()).sum() > 1.5 * before
    assert phases.pixels().std() < 0.9 * spectrum.pixels().std()


def test_nadam_is_nadam():
    """Keras' formulae, written down once more in float64."""
    draw = np.random.default_rng(1)
    ours, mean, variance, product = Nadam((5,)), np.zeros(5), np.zeros(5), 1.0
    for step in range(1, 9):
        g = draw.normal(0, 10.0**-step, 5)
        now, after = (0.9 * (1 - 0.5 * 0.96**each) for each in (step, step + 1))
        product *= now
        mean = mean + (g - mean) * 0.1
        variance = variance + (g * g - variance) * 0.001
        expected = after * mean / (1 - product * after) + (1 - now) * g / (1 - product)
        expected /= np.sqrt(variance / (1 - 0.999**step))
        np.testing.assert_allclose(ours.direction(g.astype(np.float32)), expected, rtol=1e-4)


def test_a_picture_without_any_wave_begins_all_the_same():
    phases = Phases.from_pixels(np.full((8, 9, 3), 128, np.float32))
    for _ in range(3):
        phases.step(uniform((8, 9)) - 128, 1.0)
    assert np.isfinite(phases.pixels()).all()


def test_the_spectrum_is_measured_from_photographs(tmp_path, monkeypatch, capsys):
    """Of white noise every frequency is as strong, and every direction of colour."""
    draw = np.random.default_rng(0)
    for number in range(3):
        grey = draw.integers(0, 256, (260, 300, 1)).repeat(3, 2).astype(np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{number}.jpg", quality=100, subsampling=0)
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "small.jpg")
    out = tmp_path / "spectrum.json"
    monkeypatch.setattr("sys.argv", ["measure_spectrum.py", str(tmp_path), "--out", str(out)])
    measure_spectrum.main()
    table = json.loads(out.read_text())
    assert table["photographs"] == 3
    assert "3 photographs" in capsys.readouterr().out
    lightness = np.array(table["magnitudes"][0])
    # The magnitude of complex noise of deviation s has the mean s sqrt(pi) / 2.
    inverse = np.linalg.inv(measure_spectrum.MIXING)[0].sum()
    expected = inverse * np.sqrt(1 / 12) * np.sqrt(np.pi) / 2
    np.testing.assert_allclose(lightness[8:], expected, rtol=0.1)  # slow rings have few frequencies
    np.testing.assert_allclose(lightness[16:], expected, rtol=0.05)
