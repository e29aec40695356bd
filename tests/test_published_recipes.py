"""The built-in recipes, step for step, against the published loops written down once more in NumPy.

Everything is the recipe's own but the layers, which are the tiny network's, and the fewer steps of the two
longest.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import published
import pytest
import tiny

import dreamkit
from dreamkit import recipes
from dreamkit.engine import rng
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.engine.transforms.warp import Warp

KERNELS = tiny.kernels()


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def dreamed(net, photo, name, **options):
    """The engine's pictures after every step, and its result in 8 bits."""
    taken = []
    config = recipes.find(name).config(**options)
    outcome = dream(photo, [LoadedModel(net)], config, lambda step: taken.append(step.pixels.copy()))
    return taken, outcome.pixels


def rolls(reach):
    return lambda octave, step: rng.roll(0, octave, step, (reach, reach))


def agree(found, expected, *, within):
    """Step for step within `within` of 255, and the results in 8 bits within as much and a rounding."""
    assert len(found[0]) == len(expected[0])
    for ours, theirs in zip(found[0], expected[0], strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < within
    result = np.clip(expected[1], 0, 255)
    if result.shape == found[1].shape:
        assert np.abs(found[1] - result).max() < 0.51 + within
    first, last = expected[0][0], expected[0][-1]
    assert first.shape != last.shape or np.abs(first - last).mean() > 1  # it went somewhere


def test_google_2015(net, photo):
    found = dreamed(net, photo, "google-2015", layers="second")
    agree(found, published.google_2015(photo, KERNELS, "second", rolls(32), successive=False), within=0.05)


def test_tf_tutorial(net, photo):
    found = dreamed(net, photo, "tf-tutorial", layers="first,second", steps=10)
    expected = published.tf_tutorial(photo, KERNELS, ["first", "second"], rolls(512), steps=10)
    agree(found, expected, within=0.05)


def test_hughy_2020(net, photo):
    found = dreamed(net, photo, "hughy-2020", layers="first,second", steps=10)
    expected = published.hughy_2020(photo, KERNELS, ["first", "second"], rolls(128), steps=10)
    agree(found, expected, within=0.05)


@pytest.mark.parametrize("most", [15.0, 0.3])
def test_keras_example(net, photo, most):
    weights = {"first": 0.3, "second": 0.5}
    found = dreamed(net, photo, "keras-example", layers=weights, max_objective=most)
    expected = published.keras_example(photo, KERNELS, weights, max_loss=most)
    assert (len(expected[0]) == 60) == (most == 15.0)
    agree(found, expected, within=0.05)


@pytest.mark.heavy
def test_lapnorm(net, photo):
    found = dreamed(net, photo, "lapnorm", layers="second:3", steps=5)
    expected = published.lapnorm(photo, KERNELS, "second", 3, rolls(511), steps=5, first=0)
    agree(found, expected, within=0.2)


def test_smooth(net, photo):
    found = dreamed(net, photo, "smooth", layers="second")
    agree(found, published.smooth(photo, KERNELS, "second", rolls(32)), within=0.05)


def test_lucid(net, photo):
    small = photo[:16, :20]
    size = small.shape[:2]

    def seen(step):
        """The random turn, scale and roll of a step, as a matrix and what it adds."""
        turn, scale = rng.warp(0, 0, step, math.radians(10), 0.1)
        shift = rng.roll(0, 0, step, (6, 6))
        warp = Warp(size, turn, scale)

        def plane(values):
            three = np.repeat(values.reshape(*size, 1), 3, axis=2).astype(np.float32)
            return np.roll(warp.apply(three), shift, (0, 1))[..., 0].ravel().astype(float)

        offset = plane(np.zeros(size))
        return np.stack([plane(row) - offset for row in np.eye(math.prod(size))], axis=1), offset

    found = dreamed(net, small, "lucid", layers="second:2", steps=12)
    expected = published.lucid(small, KERNELS, "second", 2, seen, 12)
    # Rolled pictures give rolled gradients; the matrix has the roll in it, so its transpose takes it back.
    agree(found, expected, within=0.1)


def natural_spectrum(size):
    """The magnitudes of photographs, (height, width // 2 + 1, 3), and their contrast."""
    file = Path(dreamkit.__file__).parent / "engine" / "natural_spectrum.json"
    table = json.loads(file.read_text())
    known = np.log(table["frequencies"])
    found = np.zeros((size[0], size[1] // 2 + 1, 3))
    for v, h, colour in np.ndindex(*found.shape):
        down = (v if 2 * v < size[0] else v - size[0]) / size[0]
        frequency = math.hypot(down, h / size[1])
        if not frequency:
            found[v, h, colour] = table["means"][colour] * math.prod(size)
            continue
        level = math.exp(np.interp(math.log(frequency), known, np.log(table["magnitudes"][colour])))
        slow = max(1.0, table["frequencies"][0] / frequency)
        found[v, h, colour] = level * slow * math.sqrt(math.prod(size))
    return found, table["contrast"]


def test_maco(net, photo):
    """With the roll alone of its transforms."""
    small = photo[:17, :20]
    options = {"layers": "second:2", "steps": 5, "rotate": 0.0, "zoom": 0.0}
    found = dreamed(net, small, "maco", **options)
    magnitudes, contrast = natural_spectrum(small.shape[:2])
    expected = published.maco(small, KERNELS, "second", 2, rolls(6), magnitudes, contrast, 5)
    agree(found, expected, within=0.5)
