"""Two more small networks with seeded weights: one like `tiny`, and one with class scores and labels."""

from dreamkit import ModelProvider, Preprocess, hookimpl

MIDDLE = Preprocess(mean=(128.0, 128.0, 128.0), scale=(0.01, 0.01, 0.01))
LABELS = ("tabby, tabby cat", "Newfoundland", "sea lion")


def plan():
    import keras

    seeded = keras.initializers.GlorotNormal
    first = keras.layers.Conv2D(
        5, 3, padding="same", activation="tanh", name="edges", kernel_initializer=seeded(3)
    )
    scores = keras.layers.Conv2D(3, 3, strides=2, name="scores", kernel_initializer=seeded(4))
    return keras.Sequential([keras.Input((None, None, 3)), first, scores])


def load(weights):
    model = plan()
    if weights is not None:
        model.load_weights(weights)
    return model


@hookimpl
def dreamkit_model_providers():
    yield ModelProvider(name="other", load=load, preprocess=MIDDLE, layers={"edges": 1.0}, min_size=8)
    yield ModelProvider(
        name="sorter",
        load=load,
        preprocess=MIDDLE,
        layers={"edges": 1.0},
        min_size=8,
        head="scores",
        labels=LABELS,
    )
    yield ModelProvider(
        name="counter", load=load, preprocess=MIDDLE, layers={"edges": 1.0}, min_size=8, head="scores"
    )
