"""The hook of dreamkit, and the marker for a plugin's implementation of it."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from dreamkit.models.providers import ModelProvider

PROJECT = "dreamkit"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def dreamkit_model_providers() -> Iterable[ModelProvider]:  # type: ignore[empty-body]
    """dreamkit calls this when it looks for a model that is not built in, or lists all models.

    Return or yield one `ModelProvider` for each network. Keep it cheap: import TensorFlow and Keras
    inside `load`, not at the top of the module.

    Example::

        from dreamkit import ModelProvider, Preprocess, hookimpl

        def load(weights):
            import keras
            return keras.applications.VGG16(include_top=False, weights=weights)

        @hookimpl
        def dreamkit_model_providers():
            yield ModelProvider(
                name="my_vgg16",
                load=load,
                preprocess=Preprocess(order="BGR", mean=(103.939, 116.779, 123.68)),
                layers={"block4_conv3": 1.0},
            )
    """
