"""dreamkit as a library: everything that the command line can do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit import images, recipes
from dreamkit.config import DEFAULT_MODEL, DreamConfig
from dreamkit.errors import ConfigError, Interrupted, ModelError
from dreamkit.plugins import Registry
from dreamkit.providers import ModelProvider, Preprocess
from dreamkit.weights import resolve

if TYPE_CHECKING:
    import keras

    from dreamkit.engine.dream import Step
    from dreamkit.engine.network import Network

    Model: TypeAlias = str | ModelProvider | keras.Model | Network

PathLike: TypeAlias = str | os.PathLike[str]
Source: TypeAlias = PathLike | Image.Image | NDArray[Any] | images.Picture | None


@dataclass(frozen=True, slots=True)
class Dream:
    """A dream and what it was made of.

    Attributes:
        pixels: uint8 `(height, width, 3)`, or `(height, width, 4)` where the photograph had alpha.
        recipe: plain data, as it is written into a picture's metadata; None for one that was broken off.
        profile: the photograph's RGB colour profile, or None for sRGB.
    """

    pixels: NDArray[np.uint8]
    recipe: dict[str, Any] | None
    profile: bytes | None = None

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Writes the dream with its recipe as PNG, JPEG, WebP or TIFF by the ending of `path`.

        Raises:
            ImageError: the file exists, or cannot be written.
        """
        images.write(path, self.pixels, recipe=self.recipe, profile=self.profile, overwrite=overwrite)


def dream(
    image: Source = None,
    model: Model = DEFAULT_MODEL,
    *,
    weights: PathLike | None = None,
    config: DreamConfig | None = None,
    on_step: Callable[[Step], None] | None = None,
    **options: Any,
) -> NDArray[np.uint8]:
    """Dreams a picture, and returns uint8 `(height, width, 3)`, or 4 channels where it had alpha.

    Example::

        pixels = dreamkit.dream("photo.jpg", "inception_v3", layers={"mixed4": 1.0}, octaves=3)

    Args:
        image: a path, a Pillow image, a uint8 array, or None for a dream of seeded noise.
        model: a name, a `ModelProvider`, a functional Keras model that eats RGB pixels 0 to 255, or what
            `load` returned.
        weights: a weights file; None for the provider's own.
        config: the options; `options` are put over them.
        on_step: called after each step.
        **options: fields of `DreamConfig`, such as `layers`, `octaves`, `steps`, `seed`.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    return render(image, model, weights=weights, config=config, on_step=on_step, **options).pixels


def render(
    image: Source = None,
    model: Model = DEFAULT_MODEL,
    *,
    weights: PathLike | None = None,
    config: DreamConfig | None = None,
    on_step: Callable[[Step], None] | None = None,
    **options: Any,
) -> Dream:
    """Like `dream`, and returns the `Dream` with its recipe, which can be saved."""
    config = DreamConfig.of(config, **options)
    picture = open_picture(image, config)
    network = load(model, weights)
    from dreamkit.engine import draws
    from dreamkit.engine.dream import dream as run

    photo = draws.clouds(config.seed, config.size) if picture is None else picture.pixels
    alpha = None if picture is None else picture.alpha
    profile = None if picture is None else picture.profile

    def finish(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels if alpha is None else np.dstack([pixels, alpha])

    try:
        outcome = run(photo, network, config, on_step)
    except Interrupted as interrupted:
        if interrupted.pixels is not None:
            interrupted.pixels = finish(interrupted.pixels)
        raise
    recipe = recipes.recipe(
        config,
        model=network.provider.name,
        weights_sha256=network.digest,
        photograph=None if picture is None else (picture.name, picture.sha256),
        size=(photo.shape[0], photo.shape[1]),
        layers=outcome.layers,
        octaves=outcome.sizes,
    )
    return Dream(finish(outcome.pixels), recipe, profile)


def load(
    model: Model = DEFAULT_MODEL,
    weights: PathLike | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """Loads a network once, for many dreams: pass the result as `model`.

    `progress` hears of a download: bytes so far and in all.

    Raises:
        ModelError: no such model, or it cannot be dreamed with.
        WeightsError: its weights cannot be found, fetched or read.
    """
    if isinstance(model, str):
        provider = Registry().provider(model)
    elif isinstance(model, ModelProvider):
        provider = model
    else:
        from dreamkit.engine.network import Network

        if isinstance(model, Network):
            return model
        provider = _bare(model)
    path = resolve(provider, weights, progress)
    from dreamkit.engine import network

    return network.load(provider, path)


def _bare(model: Any) -> ModelProvider:
    """A provider for a Keras model that came without one."""
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model is a {type(model).__name__}; give a name, a ModelProvider, a Keras model "
            "or what load() returned"
        )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", model.name).lstrip("._-") or "model"
    return ModelProvider(name=name, load=lambda _: model, preprocess=Preprocess(), layers={})


def open_picture(image: Source, config: DreamConfig) -> images.Picture | None:
    """`image` decoded and within `config.max_size`; None for None. `dream` takes the result as an image.

    Raises:
        ImageError: it cannot be read, or is larger than `config.max_pixels`.
    """
    if image is None or isinstance(image, images.Picture):
        return image
    if isinstance(image, str | os.PathLike):
        picture = images.read(image, config.max_pixels)
    elif isinstance(image, Image.Image | np.ndarray):
        picture = images.from_memory(image)
    else:
        raise ConfigError(f"image is a {type(image).__name__}; give a path, a Pillow image, an array or None")
    return images.shrink(picture, config.max_size)
