"""Several views in a step, and crops: against a dream of matrices in NumPy, and what they refuse."""

from __future__ import annotations

import numpy as np
import published
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from test_resize import resized

import dreamkit
from dreamkit import DreamConfig
from dreamkit.engine import rng
from dreamkit.engine.loop import dream, planned
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.engine.transforms.crop import Crop, weights
from dreamkit.errors import ConfigError, LayerError

KERNELS = tiny.kernels()
PLAIN = {"color": "free", "smooth": "none", "jitter": 0, "objective": "mean", "layers": "second:2"}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def taken(net, photo, **options):
    """The pictures after each step of one octave."""
    found = []
    config = DreamConfig(**{**PLAIN, "octaves": 1, "steps": 3, **options})
    dream(photo, [LoadedModel(net)], config, lambda step: found.append(step.pixels.copy()))
    return found


def box(seed, draw, shares, size):
    """Top, left and side of a crop, from the random words themselves."""
    words = rng.words(seed, octave=0, step=draw, purpose=5, count=3)
    side = round((shares[0] + (shares[1] - shares[0]) * int(words[0]) / 2**64) * min(size))
    parts = [[int(word) >> (16 * place) & 0xFFFF for place in range(4)] for word in words[1:]]
    centre = [0.5 + 0.15 * (sum(each) - 4 * 32767.5) / (65536 / 3**0.5) for each in parts]
    starts = [
        int(np.clip(round(at * length - side / 2), 0, length - side))
        for at, length in zip(centre, size, strict=True)
    ]
    return *starts, side


def reading(before, after):
    """The matrix of the published filter, from what it makes of single pixels."""
    return resized(np.eye(before)[:, :, None], (after, before))[..., 0]


@pytest.mark.parametrize("shares", [(0.5, 0.9), (0.2, 0.2)])
def test_a_step_follows_the_mean_over_crops(net, photo, shares):
    seen, views = 32, 3
    found = taken(net, photo, views=views, crop=shares, view_size=seen, seed=4, clouds=0.0)
    pixels = photo.astype(np.float64)
    at = {"second": published.of_channel_mean(2)}
    for step, ours in enumerate(found):
        total = np.zeros_like(pixels)
        for view in range(views):
            top, left, side = box(4, step + (view << 32), shares, photo.shape[:2])
            matrix, inside = reading(side, seen), (slice(top, top + side), slice(left, left + side))
            shown = np.einsum("ai,bj,ijc->abc", matrix, matrix, pixels[inside])
            g = published.gradient(shown, KERNELS, at)
            total[inside] += np.einsum("ai,bj,abc->ijc", matrix, matrix, g) / views
        pixels = np.clip(pixels + 0.015 * 127.5 * total / np.abs(total).mean(), 0, 255)
        assert np.abs(ours - pixels).max() < 0.1


def test_one_view_is_a_step_as_always(net, photo):
    one = taken(net, photo, jitter=7, rotate=5.0)
    same = taken(net, photo, jitter=7, rotate=5.0, views=1)
    np.testing.assert_array_equal(one, same)


def test_views_draw_their_transforms_apart(net, photo):
    several = taken(net, photo, views=3, jitter=9)
    assert (several[0] != taken(net, photo, jitter=9)[0]).any()
    again = taken(net, photo, views=3, jitter=9)
    np.testing.assert_array_equal(several, again)
    rolls = [rng.roll(0, 0, view << 32, (9, 9)) for view in range(3)]
    pixels, at = photo.astype(np.float64), {"second": published.of_channel_mean(2)}
    mean = np.mean([published.rolled_gradient(pixels, KERNELS, at, roll) for roll in rolls], axis=0)
    expected = np.clip(pixels + 0.015 * 127.5 * mean / np.abs(mean).mean(), 0, 255)
    assert np.abs(several[0] - expected).max() < 0.1


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_filter_of_crops_is_that_of_all_sizes(before, after):
    np.testing.assert_allclose(weights(before, after), reading(before, after), atol=1e-6)


def test_a_crop_s_adjoint_is_its_transpose():
    draw = np.random.default_rng(0)
    crop = Crop((20, 30), 3, 7, 12, 17)
    pixels, gradient = draw.normal(size=(20, 30, 3)), draw.normal(size=(17, 17, 3))
    one = (crop.apply(pixels.astype(np.float32)) * gradient).sum()
    other = (pixels * crop.adjoint(gradient.astype(np.float32))).sum()
    assert one == pytest.approx(other, rel=1e-4)


def test_masks_tiles_networks_and_noise_have_views_too(net, photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, :28] = 255
    other = network.load(tiny.provider(seed=4), None)
    options = {"views": 2, "crop": 0.7, "view_size": 48, "tile_size": 32, "octaves": 2, "steps": 2}
    found = dreamkit.dream(photo, [net, other], mask=mask, transforms={"grain": 5.0}, **options)
    assert (found[:, :20] != photo[:, :20]).any()
    np.testing.assert_array_equal(found[:, 29:], photo[:, 29:])


def test_the_plan_counts_views(net, photo):
    config = DreamConfig(**PLAIN, octaves=1, steps=2, views=4, crop=0.5, view_size=40)
    made = planned(photo, [LoadedModel(net)], config)
    assert made.octaves[0].window == (40, 40)
    assert made.octaves[0].tiles == (1, 1)


def test_crops_refuse_what_is_a_place_of_the_whole_picture(net, photo):
    with pytest.raises(LayerError, match="second@2x3 is a place of the whole picture"):
        dreamkit.dream(photo, net, layers="second@2x3", crop=0.5)
    with pytest.raises(ConfigError, match="crop is"):
        DreamConfig(crop=0.5, wrap="both")
    demanding = network.load(tiny.provider(min_size=40), None)
    with pytest.raises(ConfigError, match="view_size is 32 and tiny needs pictures of at least 40"):
        dreamkit.dream(photo, demanding, crop=0.5, view_size=32)
