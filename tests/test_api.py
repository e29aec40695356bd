"""The library: every kind of input, and what comes back."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tiny
from PIL import Image

import dreamkit
from dreamkit.errors import ConfigError, ImageError, Interrupted, LayerError, ModelError

QUICK = {"octaves": 2, "steps": 2, "tile_size": 64}


@pytest.fixture(scope="module")
def net():
    return dreamkit.load(tiny.provider())


def test_every_kind_of_picture_gives_the_same_dream(net, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    sources = [tmp_path / "photo.png", str(tmp_path / "photo.png"), Image.fromarray(photo), photo]
    dreams = [dreamkit.dream(source, net, **QUICK) for source in sources]
    assert all(np.array_equal(dreams[0], other) for other in dreams)
    assert dreams[0].shape == photo.shape
    assert dreams[0].dtype == np.uint8


def test_nothing_dreams_clouds_of_the_size_and_seed(net):
    first = dreamkit.dream(None, net, size=(30, 44), **QUICK)
    assert first.shape == (30, 44, 3)
    assert not np.array_equal(first, dreamkit.dream(None, net, size=(30, 44), seed=1, **QUICK))


def test_every_kind_of_model_is_taken(photo):
    model = tiny.provider().load(None)
    from_keras = dreamkit.dream(photo, model, layers=["second"], **QUICK)
    bare = tiny.provider(load=lambda weights: model, preprocess=dreamkit.Preprocess())
    assert np.array_equal(from_keras, dreamkit.dream(photo, bare, **QUICK))
    assert np.array_equal(from_keras, dreamkit.dream(photo, dreamkit.load(bare), **QUICK))


def test_a_keras_model_needs_layers(photo):
    with pytest.raises(LayerError, match="has no default layers; name some, such as first, second"):
        dreamkit.dream(photo, tiny.provider().load(None), **QUICK)


def test_keywords_beat_the_config(net, photo):
    config = dreamkit.DreamConfig(seed=3, **QUICK)
    rendered = dreamkit.render(photo, net, config=config, steps=1)
    assert rendered.recipe["options"]["steps"] == 1
    assert rendered.recipe["options"]["seed"] == 3


def test_alpha_is_a_fourth_channel(net, photo):
    alpha = np.full((40, 56, 1), 77, np.uint8)
    dreamed = dreamkit.dream(np.concatenate([photo, alpha], -1), net, **QUICK)
    assert dreamed.shape == (40, 56, 4)
    assert (dreamed[..., 3] == 77).all()
    assert np.array_equal(dreamed[..., :3], dreamkit.dream(photo, net, **QUICK))


def test_a_render_is_saved_with_its_recipe_and_profile(net, photo, tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo).save(tmp_path / "photo.png", icc_profile=profile)
    rendered = dreamkit.render(tmp_path / "photo.png", net, **QUICK)
    rendered.save(tmp_path / "dream.png")
    with Image.open(tmp_path / "dream.png") as image:
        assert image.info["icc_profile"] == profile
        assert np.array_equal(np.asarray(image), rendered.pixels)
    assert dreamkit.media.image_metadata.read_recipe(tmp_path / "dream.png") == rendered.recipe
    with pytest.raises(ImageError, match="exists"):
        rendered.save(tmp_path / "dream.png")


def test_the_network_is_loaded_once(net, photo):
    traces = net.traces
    for size in ((20, 30), (33, 17)):
        dreamkit.dream(np.resize(photo, (*size, 3)), net, **QUICK)
    assert net.traces == max(traces, 1)


def test_an_interrupted_dream_carries_the_picture(net, photo):
    def stop(step):
        raise KeyboardInterrupt

    rgba = np.dstack([photo, photo[..., 0]])
    with pytest.raises(Interrupted) as caught:
        dreamkit.dream(rgba, net, on_step=stop, **QUICK)
    assert caught.value.pixels.shape == rgba.shape


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3.5,), {}, ConfigError, "image is a float"),
        ((np.zeros((4, 4, 3)),), {}, ImageError, "array is float64"),
        ((None, 7), {}, ModelError, "model is a int"),
        ((None, "inceptoin_v3"), {}, ModelError, "did you mean inception_v3"),
        ((None,), {"octave": 3}, ConfigError, "no option 'octave'; did you mean octaves"),
        ((None,), {"steps": 0}, ConfigError, "steps is 0"),
    ],
)
def test_wrong_input_is_one_clear_line(arguments, options, error, message):
    with pytest.raises(error, match=message) as caught:
        dreamkit.dream(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_the_public_names_exist():
    assert all(getattr(dreamkit, name) is not None for name in dreamkit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = dreamkit.nope


def test_a_users_keras_model_is_left_as_it_was(photo):
    model = tiny.provider().load(None)
    before = [layer.name for layer in model.layers], [weight.copy() for weight in model.get_weights()]
    dreamkit.dream(photo, model, layers=["second"], **QUICK)
    assert [layer.name for layer in model.layers] == before[0]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before[1], strict=True))
    assert isinstance(model, keras.Model)
