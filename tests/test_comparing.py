"""Objectives that compare the dream with its photograph: against NumPy, in tiles and under transforms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import published
import pytest
import tiny

import dreamkit
from dreamkit import DreamConfig
from dreamkit.engine import rng
from dreamkit.engine.loop import dream, planned
from dreamkit.engine.masked_objective import MaskedObjective
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, LayerError
from dreamkit.terms import parse_terms

KERNELS = tiny.kernels()
PLAIN = {"color": "free", "smooth": "none", "octaves": 1, "balance": False}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


@pytest.fixture
def other(photo):
    """Another picture of the photograph's size, within 0..255."""
    return np.clip(photo[::-1, ::-1].astype(np.float32) * 0.8 + 10, 0, 255)


def seen(pixels):
    return tiny.activations(np.asarray(pixels, float), KERNELS)["second"]


def distances(a, b):
    return np.linalg.norm(a - b, axis=-1)


def likeness(a, b, power):
    product = (a * b).sum()
    cosine = product / np.sqrt((a**2).sum() * (b**2).sum())
    return product / a[..., 0].size * max(0.1, cosine) ** power


def slope(function, a, width=1e-5):
    """The gradient of a function of activations, by central differences, one number after another."""
    found = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        away = np.zeros_like(a)
        away[place] = width
        found[place] = (function(a + away) - function(a - away)) / (2 * width)
    return found


def pulled(net, pixels, photo, layers, roll=(0, 0), tile_size=64, **options):
    config = DreamConfig(tile_size=tile_size, **{**PLAIN, **options})
    terms = parse_terms(DreamConfig(layers=layers).layers, net)
    pull = MaskedObjective(net, terms, config, size=pixels.shape[:2])
    out = np.empty(pixels.shape, np.float32)
    stats = pull.gradient(
        np.asarray(pixels, np.float32), roll, out, tile_size, photo=np.asarray(photo, np.float32)
    )
    return out, stats


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=5e-3, atol=2e-4 * np.abs(expected).max())


def test_distances_between_what_a_layer_sees(net, photo, other):
    found, stats = pulled(net, other, photo, "second", objective="distance")
    before = seen(photo)

    def at_layer(a):
        return (a - before) / distances(a, before)[..., None] / a[..., 0].size

    agree(found, published.gradient(other.astype(float), KERNELS, {"second": at_layer}))
    assert stats.weighted == pytest.approx(distances(seen(other), before).mean(), rel=1e-3)


def test_nothing_pulls_where_nothing_has_changed(net, photo):
    found, stats = pulled(net, photo, photo, "second", objective="distance")
    assert not found.any()
    assert stats.weighted == 0


@pytest.mark.parametrize("power", [0.0, 2.0])
def test_a_caricature_is_the_product_with_the_photograph(net, photo, other, power):
    small, beside = other[:12, :14], photo[:12, :14]
    found, stats = pulled(net, small, beside, "second", objective="caricature", cosine_power=power)
    before = seen(beside)
    at = {"second": lambda a: slope(lambda b: likeness(b, before, power), a)}
    agree(found, published.gradient(small.astype(float), KERNELS, at))
    assert stats.weighted == pytest.approx(likeness(seen(small), before, power), rel=1e-3)


def test_channels_alone_are_compared(net, photo, other):
    found, stats = pulled(net, other, photo, "second:1+3", objective="distance")
    moved = (seen(other) - seen(photo))[..., [1, 3]]
    assert stats.weighted == pytest.approx(np.linalg.norm(moved, axis=-1).mean(), rel=1e-3)
    assert found.any()


def test_rolled_tiles_see_the_photograph_at_the_same_places(net, photo, other):
    """A picture that is its photograph has no distance from it in any tile, however it is rolled."""
    found, stats = pulled(net, photo, photo, "second", roll=(7, 13), tile_size=32, objective="distance")
    assert stats.weighted == 0
    assert not found.any()
    found, stats = pulled(net, other, photo, "second", roll=(7, 13), tile_size=32, objective="distance")
    assert stats.weighted > 0


def by_hand(photo, weight, steps):
    """Up one channel's mean, less the distance from the photograph in `first`, rolled alike in each step."""
    pixels, taken = photo.astype(float), []
    for step in range(steps):
        roll = rng.roll(0, 0, step, (6, 6))
        rolled = tiny.activations(np.roll(photo.astype(float), roll, (0, 1)), KERNELS)["first"]

        def held(a, rolled=rolled):
            away = distances(a, rolled)[..., None]
            return -weight * (a - rolled) / np.where(away > 0, away, 1) / a[..., 0].size

        at = {"second": published.of_channel_mean(2), "first": held}
        g = published.rolled_gradient(pixels, KERNELS, at, roll)
        pixels = np.clip(pixels + 0.015 * 127.5 * g / np.abs(g).mean(), 0, 255)
        taken.append(pixels)
    return taken


def test_what_is_held_stays(net, photo):
    def taken(hold):
        found = []
        options = {**PLAIN, "layers": "second:2", "objective": "mean", "steps": 6, "jitter": 6, "hold": hold}
        config = DreamConfig(**options)
        dream(photo, [LoadedModel(net)], config, lambda step: found.append(step.pixels.copy()))
        return found

    held, expected = taken({"first": 0.02}), by_hand(photo, 0.02, 6)
    for ours, theirs in zip(held, expected, strict=True):
        # Where hardly anything has moved, the direction of the way back is that of rounding errors.
        assert np.abs(ours - theirs).mean() < 0.05
    away = [
        np.linalg.norm(tiny.activations(last.astype(float), KERNELS)["first"] - kept, axis=-1).mean()
        for kept in [tiny.activations(photo.astype(float), KERNELS)["first"]]
        for last in (taken(None)[-1], held[-1], taken({"first": 1.0})[-1])
    ]
    assert all(one > two for one, two in pairwise(away))


def test_it_holds_under_masks_crops_octaves_and_several_networks(net, photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, :28] = 255
    second = network.load(tiny.provider(seed=4), None)
    options = {"hold": {"low": 1.0}, "views": 2, "crop": 0.7, "view_size": 48, "octaves": 2, "steps": 2}
    layers = [{"layer": "second", "mask": "left"}]
    found = dreamkit.dream(photo, [net, second], layers=layers, mask={"left": mask}, **options)
    assert (found[:, :20] != photo[:, :20]).any()
    np.testing.assert_array_equal(found[:, 29:], photo[:, 29:])


@pytest.mark.parametrize("recipe", ["accentuate", "caricature"])
def test_the_recipes_dream_and_are_redone(net, photo, tmp_path, recipe):
    options = {"layers": "second:top1" if recipe == "accentuate" else "second", "steps": 3, "view_size": 32}
    made = dreamkit.render(photo, net, recipe=recipe, **options)
    made.save(tmp_path / "dream.png")
    again = dreamkit.redo(tmp_path / "dream.png", photo, net)
    np.testing.assert_array_equal(again.pixels, made.pixels)
    assert (made.pixels != photo).any()


def test_a_dream_may_begin_with_noise_beside_its_photograph(net, photo):
    options = {"start": "noise", "octaves": 1, "steps": 1, "step_size": 1e-9, "color": "free"}
    found = dreamkit.dream(photo, net, noise="white", seed=3, **options)
    np.testing.assert_array_equal(found, rng.noise(3, photo.shape[:2], "white"))


def test_the_plan_counts_the_photograph(net, photo):
    plain, held = (
        planned(photo, [LoadedModel(net)], DreamConfig(octaves=1, steps=1, hold=hold))
        for hold in (None, {"first": 1.0})
    )
    assert held.memory.copies == pytest.approx(3.25)  # with the photograph at the octave's size
    assert held.memory.tiles > plain.memory.tiles


def test_what_cannot_be_held_is_refused(net, photo):
    with pytest.raises(LayerError, match="secnd"):
        dreamkit.dream(photo, net, hold={"secnd": 1.0}, octaves=1, steps=1)
    with pytest.raises(ConfigError, match="it maps layers to numbers above 0"):
        DreamConfig(hold={"second": -1.0})
