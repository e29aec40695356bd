"""Classifiers of Keras Applications: `--class` raises the score of its class in Keras itself."""

from __future__ import annotations

import numpy as np
import pytest

import dreamkit

keras = pytest.importorskip("keras")

CLASSES, SIDE = 10, 96
# Gradient ascent and nothing else: what dreams add for the eye works against networks of random weights.
PLAIN = {"octaves": 1, "steps": 8, "jitter": 0, "smooth": "none", "color": "free"}


@pytest.mark.heavy
@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["DenseNet121", "EfficientNetB0", "MobileNet", "MobileNetV2", "MobileNetV3Small"]
)
def test_the_class_that_is_dreamed_rises_most_in_keras(name, tmp_path):
    from dreamkit.convert import conversion
    from dreamkit.convert.options import KERAS, ConversionOptions
    from dreamkit.models import converted

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(
        weights=None, classes=CLASSES, input_shape=(SIDE, SIDE, 3), classifier_activation=None
    )
    head = next(each for each in reversed(model.layers) if each.weights)
    kernel, *bias = head.get_weights()
    head.set_weights([kernel - kernel.mean(-1, keepdims=True), *bias])  # one score does not raise them all
    model.save(tmp_path / "net.keras")
    done = conversion.from_keras(
        tmp_path / "net.keras", tmp_path / "net", ConversionOptions(preprocess=KERAS), print
    )
    assert done.kept.endswith(f"{CLASSES} classes")
    network = dreamkit.load(converted.provider(tmp_path / "net"))
    pixels = np.random.default_rng(0).normal(128, 40, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)

    def scores(picture):
        return np.ravel(model(picture[None].astype(np.float32), training=False))

    for label in (2, 7):
        dreamed = dreamkit.dream(pixels, network, layers=[{"class": label}], **PLAIN)
        rise = scores(dreamed) - scores(pixels)
        assert np.argmax(rise) == label, rise
        assert rise[label] > 0
