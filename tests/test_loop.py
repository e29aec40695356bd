"""Whole dreams on the tiny network: what every dream promises."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import tiny

from dreamkit import DreamConfig
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, DreamkitWarning, Interrupted, LayerError, NumericError


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def config(**options):
    return DreamConfig(**{"octaves": 3, "steps": 4, "tile_size": 64, "jitter": 3, **options})


def as_uint8(pixels):
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(net, photo):
    options = config(tile_size=32)
    first, again = (
        dream(photo, [LoadedModel(net)], options),
        dream(photo, [LoadedModel(network.load(tiny.provider(), None))], options),
    )
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(
        first.pixels, dream(photo, [LoadedModel(net)], config(tile_size=32, seed=1)).pixels
    )


@pytest.mark.parametrize("scheme", ["residual", "whole"])
@pytest.mark.parametrize("size", [(40, 56), (33, 90), (4, 4), (90, 5)])
def test_the_result_has_the_pictures_size_and_the_picture_is_untouched(net, photo, scheme, size):
    picture = np.resize(photo, (*size, 3))
    before = picture.copy()
    with_small_octaves = config(octave_scheme=scheme, octaves=1)
    result = dream(picture, [LoadedModel(net)], with_small_octaves).pixels
    assert result.shape == picture.shape
    assert result.dtype == np.uint8
    assert np.array_equal(picture, before)


def test_the_objective_rises(net, photo):
    heard = []
    dream(
        photo,
        [LoadedModel(net)],
        config(octaves=1, steps=10, jitter=0, step_size=0.002),
        lambda step: heard.append(step.objective),
    )
    assert heard[0] == 1.0
    assert heard == sorted(heard)


def test_a_negative_weight_lowers_it(net, photo):
    heard = []
    dream(
        photo,
        [LoadedModel(net)],
        config(octaves=1, layers={"second": -1.0}),
        lambda step: heard.append(step.objective),
    )
    assert heard[0] == -1.0
    assert heard[-1] > -1.0


@pytest.mark.parametrize("objective", ["mean", "mean-square"])
def test_a_layers_unit_does_not_change_a_balanced_dream(photo, objective):
    """The layer `first` times 1000 and all behind it as before."""
    options = config(layers={"first": 1.0, "second": 1.0}, objective=objective, color="free")
    plain, loud = (network.load(tiny.provider(gain=gain), None) for gain in (1.0, 1000.0))
    difference = (
        dream(photo, [LoadedModel(plain)], options).pixels.astype(int)
        - dream(photo, [LoadedModel(loud)], options).pixels
    )
    assert np.abs(difference).max() <= 1
    unbalanced = DreamConfig.of(options, balance=False)
    difference = (
        dream(photo, [LoadedModel(plain)], unbalanced).pixels.astype(int)
        - dream(photo, [LoadedModel(loud)], unbalanced).pixels
    )
    assert np.abs(difference).max() > 5


def test_progress_counts_every_step_and_ends_at_one(net, photo):
    heard = []
    dream(photo, [LoadedModel(net)], config(), heard.append)
    assert [(step.octave, step.step) for step in heard] == [(o, s) for o in (1, 2, 3) for s in (1, 2, 3, 4)]
    assert heard[-1].done == 1.0
    done = [step.done for step in heard]
    assert done == sorted(done)
    assert heard[-1].size == (40, 56)


def test_octaves_too_small_are_skipped_with_one_warning(photo):
    net = network.load(tiny.provider(min_size=25), None)
    with pytest.warns(DreamkitWarning, match="1 of 3 octaves skipped: smaller than the 25 pixels") as caught:
        outcome = dream(photo, [LoadedModel(net)], config())
    assert len(caught) == 1
    assert outcome.sizes == [(29, 40), (40, 56)]


def test_a_picture_too_small_is_named(photo):
    with pytest.raises(ConfigError, match="56 x 40 pixels"):
        dream(photo, [LoadedModel(network.load(tiny.provider(min_size=50), None))], config())


def test_a_tile_size_below_the_networks_least_is_refused(photo):
    with pytest.raises(ConfigError, match="tile_size is 32 and tiny needs .* 40"):
        dream(photo, [LoadedModel(network.load(tiny.provider(min_size=40), None))], config(tile_size=32))


def test_no_default_layers_asks_for_some(photo):
    with pytest.raises(LayerError, match="no default layers; name some, such as first, second"):
        dream(photo, [LoadedModel(network.load(tiny.provider(layers={}), None))], config())


def test_not_a_number_is_said(photo):
    broken = tiny.provider(preprocess=lambda pixels: pixels * float("nan"))
    with pytest.raises(NumericError, match="the gradient is not a number"):
        dream(photo, [LoadedModel(network.load(broken, None))], config())


def test_more_tiles_leave_no_seam(net):
    """A flat picture dreamed over many tiles: rows and columns at tile borders move as much as others."""
    flat = np.full((96, 96, 3), 128, np.uint8)
    options = config(octaves=1, steps=60, tile_size=32, jitter=0, color="free")
    result = dream(flat, [LoadedModel(net)], options).pixels.astype(float)
    for axis in (0, 1):
        jumps = np.abs(np.diff(result, axis=axis)).mean((1 - axis, 2))
        at_borders = jumps[[31, 63]].mean()
        assert at_borders < 1.25 * jumps.mean()


def test_interrupting_gives_the_picture_so_far(net, photo):
    def stop(step):
        if step.octave == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        dream(photo, [LoadedModel(net)], config(), stop)
    assert caught.value.pixels.shape == photo.shape
    assert not np.array_equal(caught.value.pixels, photo)


def test_the_engine_leaves_global_randomness_alone(net, photo):
    state = np.random.get_state()[1].copy()
    dream(photo, [LoadedModel(net)], config())
    assert np.array_equal(state, np.random.get_state()[1])
