"""Networks of Keras Applications with their classifiers: `dreamkit convert keras keras:NAME`."""

from __future__ import annotations

import sys
from functools import partial

import keras
import numpy as np
import pytest

from dreamkit.convert import keras_application
from dreamkit.errors import ConvertError
from dreamkit.models import converted
from dreamkit.models.providers import Preprocess

OF_EACH = {
    "VGG16": "caffe",
    "ResNet50": "caffe",
    "DenseNet121": "torch",
    "MobileNetV2": "tf",
    "EfficientNetB0": "inside",
    "MobileNetV3Small": "inside",
}


@pytest.mark.parametrize("name", OF_EACH)
def test_the_preprocessing_is_that_of_the_network(name):
    function = sys.modules[getattr(keras.applications, name).__module__].preprocess_input
    found = Preprocess(**keras_application.preprocess_of(function))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 3, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(found(pixels), function(pixels.copy()), atol=1e-4)
    assert found.order == ("BGR" if OF_EACH[name] == "caffe" else "RGB")


def test_a_preprocessing_of_another_kind_is_refused():
    with pytest.raises(ConvertError, match="its preprocessing is not one of RGB or BGR, a mean and a scale"):
        keras_application.preprocess_of(lambda pixels: pixels.mean(-1, keepdims=True).repeat(3, -1))


@pytest.fixture
def small(monkeypatch):
    """MobileNet as a small network of the same kind."""
    build = keras.applications.MobileNet
    made = partial(build, input_shape=(64, 64, 3), alpha=0.25, classes=1000)
    made.__module__ = build.__module__
    monkeypatch.setattr(keras.applications, "MobileNet", made)
    return made


@pytest.fixture
def names(monkeypatch):
    """What Keras says of the classes, without its download."""
    module = sys.modules[keras.applications.MobileNet.__module__]
    monkeypatch.setattr(
        module,
        "decode_predictions",
        lambda scores, top: [[(f"n{place:08}", f"class_{place}", 1.0)] for place in range(len(scores))],
    )


@pytest.mark.heavy
def test_weights_are_random_or_of_a_file(small, names, tmp_path):
    first, again = (
        keras_application.build_and_write(lambda _: None, "MobileNet", "random", str(tmp_path)) for _ in "ab"
    )
    assert first == again
    assert first["labels"] == []
    model = small(weights=None)
    model.save_weights(tmp_path / "mine.weights.h5")
    made = keras_application.build_and_write(
        lambda _: None, "MobileNet", str(tmp_path / "mine.weights.h5"), str(tmp_path)
    )
    loaded = keras.saving.load_model(made["file"])
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert made["labels"][:2] == ["class 0", "class 1"]
    assert len(made["labels"]) == 1000
    (tmp_path / "other.weights.h5").write_bytes(b"x")
    with pytest.raises(ConvertError, match="does not hold weights of MobileNet with its classifier"):
        keras_application.build_and_write(
            lambda _: None, "MobileNet", str(tmp_path / "other.weights.h5"), str(tmp_path)
        )


def test_a_download_that_fails_is_one_line(small, tmp_path, monkeypatch):
    def build(weights):
        raise Exception("URL fetch failure on https://example.invalid: None")

    build.__module__ = small.__module__
    monkeypatch.setattr(keras.applications, "MobileNet", build)
    with pytest.raises(ConvertError, match="Keras cannot download the weights of MobileNet .*--weights FILE"):
        keras_application.build_and_write(lambda _: None, "MobileNet", "imagenet", str(tmp_path))


def test_efficientnet_has_its_second_rescaling(tmp_path):
    picture = keras.Input((8, 8, 3))
    values = keras.layers.Normalization(mean=[0.1] * 3, variance=[4.0] * 3)(picture)
    model = keras_application._with_second_rescaling(keras.Model(picture, values))
    ones = np.ones((1, 8, 8, 3), np.float32)
    expected = 0.45 / np.sqrt([0.229, 0.224, 0.225])
    np.testing.assert_allclose(model(ones).numpy()[0, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["keras:MobileNetV22", "--weights", "random"], "has no MobileNetV22; did you mean MobileNetV2"),
        (
            ["keras:MobileNet", "--weights", "none.h5"],
            "cannot read none.h5; --weights takes imagenet, random",
        ),
        (["net.keras", "--weights", "random"], "--weights is for keras:NAME; a file has its own weights"),
    ],
)
def test_a_wrong_name_or_weights_are_one_line(arguments, expected, run):
    code, _, err = run("convert", "keras", *arguments, "--name", "x", "-q")
    assert code != 0
    assert err.count("\n") == 1, err
    assert expected in err


@pytest.mark.heavy
def test_a_network_of_keras_is_converted_with_its_classifier(run):
    code, out, err = run("convert", "keras", "keras:MobileNet", "--weights", "random", "--name", "net")
    assert code == 0, err
    assert "kept 28 of 28 convolutions; the head is conv_preds, 1000 classes" in out
    record = converted.record(converted.folder() / "net")
    assert record["preprocess"]["mean"] == [127.5] * 3
    assert record["description"] == "MobileNet of Keras Applications, with its classifier"
    assert "warning" not in err
