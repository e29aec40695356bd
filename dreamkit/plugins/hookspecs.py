"""The hooks of dreamkit, and the marker for a plugin's implementations of them.

dreamkit calls a hook when something is asked for that is not built in, or when it lists everything. Return or
yield records, and keep the hooks cheap: import TensorFlow, Keras and NumPy inside the functions of the
records, not at the top of the module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from dreamkit.models.providers import ModelProvider
    from dreamkit.plugins.converters import Converter
    from dreamkit.plugins.parts import Objective, Parametrisation, Regulariser, Transform

PROJECT = "dreamkit"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def dreamkit_model_providers() -> Iterable[ModelProvider]:  # type: ignore[empty-body]
    """Return or yield one `ModelProvider` for each network.

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


@hookspec
def dreamkit_objectives() -> Iterable[Objective]:  # type: ignore[empty-body]
    """Return or yield one `Objective` for each way to raise a layer; `--objective NAME` chooses one.

    Example::

        from dreamkit import Objective, hookimpl

        def peak(activations):
            import tensorflow as tf
            return tf.reduce_mean(tf.reduce_max(activations, axis=[1, 2]), axis=1)

        @hookimpl
        def dreamkit_objectives():
            yield Objective(name="peak", value=peak)
    """


@hookspec
def dreamkit_regularisers() -> Iterable[Regulariser]:  # type: ignore[empty-body]
    """Return or yield one `Regulariser` for each; `--regularisers NAME=WEIGHT` chooses one."""


@hookspec
def dreamkit_parametrisations() -> Iterable[Parametrisation]:  # type: ignore[empty-body]
    """Return or yield one `Parametrisation` for each; `--space NAME` chooses one."""


@hookspec
def dreamkit_transforms() -> Iterable[Transform]:  # type: ignore[empty-body]
    """Return or yield one `Transform` for each; `--transforms NAME=STRENGTH` chooses one."""


@hookspec
def dreamkit_recipes() -> Iterable[Path | Traversable]:  # type: ignore[empty-body]
    """Return or yield the TOML file of each recipe; `--recipe NAME` chooses one by its file's name."""


@hookspec
def dreamkit_converters() -> Iterable[Converter]:  # type: ignore[empty-body]
    """Return or yield one `Converter` for each command `dreamkit convert NAME`.

    Example::

        from dreamkit import Converter, hookimpl

        @hookimpl
        def dreamkit_converters():
            yield Converter(name="mine", help="Convert one of mine.", command="my_plugin.command:mine")
    """
