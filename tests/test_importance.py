"""Transparency by importance: what is added up, what it becomes, and where it is refused."""

from __future__ import annotations

import numpy as np
import published
import pytest
import tiny
from PIL import Image

import dreamkit
from dreamkit import DreamConfig
from dreamkit.engine import importance
from dreamkit.engine.loop import dream
from dreamkit.engine.objective_set import LoadedModel
from dreamkit.engine.tf import network
from dreamkit.errors import ConfigError, ImageError
from dreamkit.request import make_request

KERNELS = tiny.kernels()
PLAIN = {
    "color": "free",
    "smooth": "none",
    "normalise": "none",
    "jitter": 0,
    "tv": 0.0,
    "alpha": "importance",
}


@pytest.fixture(scope="module")
def net():
    return network.load(tiny.provider(), None)


def as_alpha(total):
    return np.rint(255 * np.minimum(1, total / np.percentile(total, 80)))


@pytest.mark.parametrize("options", [{}, {"tile_size": 32}])
def test_it_is_the_sum_of_the_gradients_sizes(net, photo, options):
    """Of every step, at the pixels that it began with."""
    begun = [photo.astype(float)]
    config = DreamConfig(**PLAIN, layers="second:2", objective="mean", octaves=1, steps=3, **options)
    result = dream(photo, [LoadedModel(net)], config, lambda step: begun.append(step.pixels.astype(float)))
    if "tile_size" in options:
        assert result.alpha.shape == photo.shape[:2]
        return
    at = {"second": published.of_channel_mean(2)}
    total = sum(np.abs(published.gradient(pixels, KERNELS, at)).mean(-1) for pixels in begun[:-1])
    assert np.abs(result.alpha - as_alpha(total)).max() <= 1
    assert result.alpha.min() < 200  # the border has less of it


def test_half_a_percentile_and_masks():
    total = np.zeros((10, 10, 1), np.float32)
    assert (importance.alpha(total) == 255).all()
    total[:5, 0, 0] = [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(importance.alpha(total)[:6, 0], [51, 102, 153, 204, 255, 0])
    total = np.arange(100, dtype=np.float32).reshape(10, 10, 1)
    np.testing.assert_array_equal(importance.alpha(total), as_alpha(total[..., 0]))


def test_octaves_add_up_and_every_space_has_it(net, photo):
    for space, step in (("pixels", 0.015), ("fourier", 0.05), ("maco", 0.5)):
        options = {"space": space, "step_size": step, "octaves": 2, "steps": 2, "alpha": "importance"}
        found = dreamkit.dream(photo, net, **options)
        assert found.shape == (*photo.shape[:2], 4)
        without = dreamkit.dream(photo, net, **{**options, "alpha": "photograph"})
        np.testing.assert_array_equal(found[..., :3], without)  # it changes no colour
        assert found[..., 3].max() == 255


def test_a_photograph_keeps_what_transparency_it_has(net, photo, tmp_path):
    alpha = np.full(photo.shape[:2], 128, np.uint8)
    Image.fromarray(np.dstack([photo, alpha])).save(tmp_path / "photo.png")
    options = {"octaves": 1, "steps": 1, "alpha": "importance"}
    alone = dreamkit.dream(photo, net, **options)[..., 3]
    both = dreamkit.dream(tmp_path / "photo.png", net, **options)[..., 3]
    np.testing.assert_allclose(both, alone * (128 / 255), atol=0.51)


def test_it_is_written_and_redone(net, photo, tmp_path):
    made = dreamkit.render(photo, net, octaves=1, steps=1, alpha="importance")
    made.save(tmp_path / "dream.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "dream.png")), made.pixels)
    again = dreamkit.redo(tmp_path / "dream.png", photo, net)
    np.testing.assert_array_equal(again.pixels, made.pixels)
    with pytest.raises(ImageError, match=r"dream.jpg is a JPEG, which holds no transparency"):
        made.save(tmp_path / "dream.jpg")
    assert not (tmp_path / "dream.jpg").exists()


def test_what_has_no_transparency_refuses_it(net, photo):
    request = make_request(photo, net, alpha="importance")
    with pytest.raises(
        ConfigError, match="alpha is importance, which a film cannot do; set it to photograph"
    ):
        request.refuse("a film", "alpha")
