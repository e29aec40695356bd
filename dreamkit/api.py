"""dreamkit as a library: everything that the command line can do.

Each function makes a `DreamRequest`, opens a `Session` for it and runs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DEFAULT_MODEL, DreamConfig
from dreamkit.engine.loading import load_network
from dreamkit.inputs import ImageSource, PathLike
from dreamkit.models.spec import ModelSpec, WeightsFiles
from dreamkit.recipes import Recipe, from_picture
from dreamkit.request import Masks, make_request, request_again
from dreamkit.session import Dream, Session

if TYPE_CHECKING:
    from dreamkit.engine.plan import Plan
    from dreamkit.engine.progress import StepEvent
    from dreamkit.engine.tf.network import Network
    from dreamkit.request import Model, Models


def dream(
    image: ImageSource = None,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: ImageSource = None,
    mask: Masks = None,
    on_step: Callable[[StepEvent], None] | None = None,
    **options: Any,
) -> NDArray[np.uint8]:
    """Dreams a picture, and returns uint8 `(height, width, 3)`, or 4 channels where it had alpha.

    Example::

        pixels = dreamkit.dream("photo.jpg", "inception_v3", layers="mixed4:128", octaves=3)

    Args:
        image: a path, a Pillow image, a uint8 array, or None for a dream of seeded noise.
        model: a name, a `ModelProvider`, a functional Keras model that takes RGB pixels 0 to 255, what
            `load` returned, or a list of these or of `ModelSpec`, which has a weight and layers as well.
            None for the recipe's, or else the network that dreamkit carries.
        weights: a weights file, or several by model name; None for the provider's own.
        config: the options; `options` go before them.
        recipe: a built-in recipe's name, a TOML file, a dream, or what `recipes.find` returned.
        guide: a picture whose features the dream follows.
        mask: where to dream, in grey levels from black (not at all) to white; or several masks by name,
            for terms that name one, with the mask of all other terms under an empty name.
        on_step: called after each step.
        **options: fields of `DreamConfig`, such as `layers`, `octaves`, `steps`, `seed`.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    return render(
        image,
        model,
        weights=weights,
        config=config,
        recipe=recipe,
        guide=guide,
        mask=mask,
        on_step=on_step,
        **options,
    ).pixels


def render(
    image: ImageSource = None,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: ImageSource = None,
    mask: Masks = None,
    on_step: Callable[[StepEvent], None] | None = None,
    **options: Any,
) -> Dream:
    """Like `dream`, and returns the `Dream` with its recipe, which can be saved."""
    request = make_request(
        image, model, weights=weights, config=config, recipe=recipe, guide=guide, mask=mask, **options
    )
    request.refuse("a picture", "timeline")
    return Session(request).run(on_step=on_step)


def plan(
    image: ImageSource = None,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: ImageSource = None,
    mask: Masks = None,
    **options: Any,
) -> Plan:
    """What `dream` of the same would do: octaves, tiles, memory in bytes and the time of its steps.

    The network is loaded and one batch of tiles is computed, to know the time; nothing is dreamed.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    request = make_request(
        image, model, weights=weights, config=config, recipe=recipe, guide=guide, mask=mask, **options
    )
    return Session(request).plan()


def redo(
    dreamed: PathLike,
    image: ImageSource = None,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    guide: ImageSource = None,
    mask: Masks = None,
    on_step: Callable[[StepEvent], None] | None = None,
) -> Dream:
    """Dreams a dream again, from the recipe that it carries.

    The same photograph gives the same bytes, on the same machine with the same versions; another one is
    dreamed as that one was. Warnings name what differs from the recipe.

    Raises:
        RecipeError: the picture carries no recipe, or something that it was made of is not given.
    """
    recipe = from_picture(dreamed)
    session = Session(request_again(recipe, image, model, weights=weights, guide=guide, mask=mask))
    session.warn_of_differences(recipe)
    return session.run(on_step=on_step)


def load(
    model: Model = DEFAULT_MODEL,
    weights: PathLike | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """Loads a network once, for many dreams: pass the result as `model`.

    `progress` is called during a download, with the bytes so far and in all.

    Raises:
        ModelError: no such model, or it cannot be dreamed with.
        WeightsError: its weights cannot be found, fetched or read.
    """
    return load_network(ModelSpec(model, weights=None if weights is None else str(weights)), progress)
