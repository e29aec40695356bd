"""A real network on real photographs: what can be said of a good dream in numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dreamkit

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


@pytest.fixture(scope="module")
def net():
    return dreamkit.load("pocket")


@pytest.fixture(scope="module", params=["chelsea", "rocket", "coffee"])
def photograph(request):
    with Image.open(PICTURES / f"{request.param}.jpg") as image:
        image.thumbnail((320, 320))
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def dreamed(net, photograph):
    heard = []
    return dreamkit.dream(photograph, net, on_step=heard.append), heard


def block_means(values, side=16):
    height, width = (length // side * side for length in values.shape[:2])
    return values[:height, :width].reshape(height // side, side, width // side, side, -1).mean((1, 3, 4))


def test_a_default_dream_goes_somewhere_everywhere(dreamed, photograph):
    pixels, heard = dreamed
    assert heard[-1].objective > 2
    change = np.abs(pixels.astype(float) - photograph)
    assert 8 < change.mean() < 60
    # No dead strips: each row and each column of blocks has its share of the dream.
    blocks = block_means(change)
    for axis in (0, 1):
        assert blocks.mean(axis).min() > 0.2 * blocks.mean()


def test_a_default_dream_is_not_saturated_mush(dreamed, photograph):
    def saturated(picture):
        return ((picture == 0) | (picture == 255)).mean()

    pixels, _ = dreamed
    assert saturated(pixels) < saturated(photograph) + 0.1
    # The photograph is still there: its large shapes agree with the dream's.
    coarse = [block_means(picture.astype(float)).ravel() for picture in (photograph, pixels)]
    assert np.corrcoef(*coarse)[0, 1] > 0.85


@pytest.mark.parametrize("photograph", ["coffee"], indirect=True)
def test_the_same_bytes_again(net, photograph):
    options = {"octaves": 2, "steps": 3}
    again = dreamkit.load("pocket")
    assert np.array_equal(
        dreamkit.dream(photograph, net, **options), dreamkit.dream(photograph, again, **options)
    )


@pytest.mark.heavy
@pytest.mark.parametrize("photograph", ["coffee", "rocket"], indirect=True)
def test_different_layers_give_different_dreams(net, photograph):
    """Changes by two layers are less alike than a layer's change with other jitter."""
    options = {"octaves": 2, "steps": 8}

    def change(**more):
        return (dreamkit.dream(photograph, net, **options, **more).astype(float) - photograph).ravel()

    low, high = change(layers=("mixed3a",)), change(layers=("mixed4c",))
    again = change(layers=("mixed4c",), seed=1, clouds=0.0)
    assert np.corrcoef(low, high)[0, 1] < np.corrcoef(high, again)[0, 1] - 0.1


@pytest.mark.heavy
@pytest.mark.parametrize("photograph", ["coffee"], indirect=True)
def test_no_seam_shows_at_the_borders_of_tiles(net, photograph):
    """Many small tiles: differences across their borders are as those beside them."""
    picture = np.asarray(Image.fromarray(photograph).resize((480, 360)))
    pixels = dreamkit.dream(picture, net, octaves=1, steps=20, tile_size=120, jitter=0).astype(float)
    change = pixels - picture
    for axis, length in ((0, 360), (1, 480)):
        jumps = np.abs(np.diff(change, axis=axis)).mean((1 - axis, 2))
        beside = [*range(-12, 0), *range(1, 13)]
        ratios = [
            jumps[b - 1] / jumps[[b - 1 + near for near in beside]].mean() for b in range(120, length, 120)
        ]
        assert np.mean(ratios) < 1.2


def test_the_least_size_is_the_least():
    net = dreamkit.load("pocket1")
    least = net.provider.min_size
    small = np.full((least, least, 3), 120, np.uint8)
    assert dreamkit.dream(small, net, octaves=1, steps=1).shape == small.shape
    with pytest.raises(dreamkit.DreamkitError, match=f"at least {least}"):
        dreamkit.dream(small[:-1], net, octaves=1, steps=1)


@pytest.mark.heavy
def test_inception_v3_dreams_with_its_weights(inception_weights, photographs):
    with Image.open(photographs / "n09468604_valley.jpg") as image:
        photograph = np.asarray(image.convert("RGB"))
    heard = []
    net = dreamkit.load("inception_v3", inception_weights)
    change = np.abs(dreamkit.dream(photograph, net, on_step=heard.append).astype(float) - photograph)
    assert heard[-1].objective > 2
    assert 8 < change.mean() < 60
