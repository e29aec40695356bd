"""Small networks with seeded weights, for tests of the command line."""

import os
import signal

from dreamkit import ModelProvider, Preprocess, hookimpl

MIDDLE = Preprocess(mean=(128.0, 128.0, 128.0), scale=(0.01, 0.01, 0.01))


def plan():
    import keras

    seeded = keras.initializers.GlorotNormal
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(
                4, 3, padding="same", activation="tanh", name="low", kernel_initializer=seeded(1)
            ),
            keras.layers.Conv2D(
                6, 3, strides=2, activation="tanh", name="high", kernel_initializer=seeded(2)
            ),
        ]
    )


def load(weights):
    model = plan()
    if weights is not None:
        model.load_weights(weights)
    return model


def interrupted(weights):
    os.kill(os.getpid(), signal.SIGINT)
    return plan()


@hookimpl
def dreamkit_model_providers():
    layers = {"low": 1.0, "high": 0.5}
    yield ModelProvider(name="tiny", load=load, preprocess=MIDDLE, layers=layers, min_size=8)
    yield ModelProvider(
        name="tiny_nan", load=load, preprocess=lambda pixels: pixels * float("nan"), layers=layers, min_size=8
    )
    yield ModelProvider(name="tiny_interrupted", load=interrupted, preprocess=MIDDLE, layers=layers)
