"""The real network on real photographs: what can be said of a good dream in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dreamkit

pytestmark = pytest.mark.heavy

NAMES = ("n09468604_valley", "n07747607_orange", "n03457902_greenhouse")


@pytest.fixture(scope="module")
def net(inception_weights):
    return dreamkit.load("inception_v3", inception_weights)


@pytest.fixture(params=NAMES)
def photograph(request, photographs):
    with Image.open(photographs / f"{request.param}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def block_means(values, side=16):
    height, width = (length // side * side for length in values.shape[:2])
    return values[:height, :width].reshape(height // side, side, width // side, side, -1).mean((1, 3, 4))


def test_a_default_dream_goes_somewhere_everywhere(net, photograph):
    heard = []
    dreamed = dreamkit.dream(photograph, net, on_step=heard.append)
    assert heard[-1].objective > 2
    change = np.abs(dreamed.astype(float) - photograph)
    assert 8 < change.mean() < 60
    # No dead strips: each row and each column of blocks has its share of the dream.
    blocks = block_means(change)
    for axis in (0, 1):
        assert blocks.mean(axis).min() > 0.2 * blocks.mean()


def test_a_default_dream_is_not_saturated_mush(net, photograph):
    def saturated(picture):
        return ((picture == 0) | (picture == 255)).mean()

    dreamed = dreamkit.dream(photograph, net)
    assert saturated(dreamed) < saturated(photograph) + 0.1
    # The photograph is still there: its large shapes agree with the dream's.
    coarse = [block_means(picture.astype(float)).ravel() for picture in (photograph, dreamed)]
    assert np.corrcoef(*coarse)[0, 1] > 0.9


def test_the_same_bytes_again(net, inception_weights, photograph):
    options = {"octaves": 2, "steps": 3}
    again = dreamkit.load("inception_v3", inception_weights)
    assert np.array_equal(
        dreamkit.dream(photograph, net, **options), dreamkit.dream(photograph, again, **options)
    )


def test_no_seam_shows_at_the_borders_of_tiles(net, photograph):
    """Many small tiles: differences across their borders are as those elsewhere."""
    picture = np.asarray(Image.fromarray(photograph).resize((480, 360)))
    dreamed = dreamkit.dream(picture, net, octaves=1, steps=20, tile_size=120, jitter=0).astype(float)
    change = dreamed - picture
    for axis, length in ((0, 360), (1, 480)):
        jumps = np.abs(np.diff(change, axis=axis)).mean((1 - axis, 2))
        borders = [border - 1 for border in range(120, length, 120)]
        assert jumps[borders].mean() < 1.2 * jumps.mean()


def test_the_least_size_is_the_least(net):
    small = np.full((75, 75, 3), 120, np.uint8)
    assert dreamkit.dream(small, net, octaves=1, steps=1).shape == small.shape
    with pytest.raises(dreamkit.DreamkitError, match="at least 75"):
        dreamkit.dream(small[:74], net, octaves=1, steps=1)
