"""A plugin as it should be."""

from dreamkit import ModelProvider, Preprocess, hookimpl


def load(weights):
    import keras

    pixels = keras.Input((None, None, 3))
    return keras.Model(pixels, keras.layers.Conv2D(4, 3, padding="same", name="only")(pixels))


@hookimpl
def dreamkit_model_providers():
    yield ModelProvider(
        name="fake_good",
        load=load,
        preprocess=Preprocess(scale=(1 / 255, 1 / 255, 1 / 255)),
        layers={"only": 1.0},
        description="One convolution, for tests",
    )
