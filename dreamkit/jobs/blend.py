"""A photograph put back over its finished dream, without dreaming again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dreamkit.config import DreamConfig, number
from dreamkit.errors import ImageError
from dreamkit.inputs import same_shape
from dreamkit.media import image_sizes, images, seams
from dreamkit.option_values import wrapped_axes
from dreamkit.session import Dream


def blend(
    dreamed: images.Picture, photo: images.Picture, amount: float, recipe: Mapping[str, Any] | None = None
) -> Dream:
    """Puts `amount` of a photograph, 0 to 1, back over its finished dream, without dreaming again.

    `recipe` is the dream's; the result has it with the new blend. The photograph is brought
    to the dream's size, and where the dream wraps, its seams are closed, as before it was dreamed.

    Raises:
        ImageError: the two have different proportions.
    """
    amount = DreamConfig.of(blend=amount).blend
    height, width, _ = dreamed.pixels.shape
    if not same_shape(photo, (height, width)):
        tall, wide, _ = photo.pixels.shape
        raise ImageError(
            f"the dream has {width} x {height} pixels and the photograph {wide} x {tall}, of another shape; "
            "give the photograph that it was dreamed from"
        )
    wrapped = wrapped_axes(_options_of(recipe).get("wrap"))
    under = seams.close(image_sizes.fit(photo, (height, width), wrapped), wrapped)[0].pixels
    pixels = dreamed.pixels + np.float32(amount) * (under.astype(np.float32) - dreamed.pixels)
    blended = np.rint(pixels).astype(np.uint8)
    if dreamed.alpha is not None:
        blended = np.dstack([blended, dreamed.alpha])
    authorship = dreamed.authorship or photo.authorship
    return Dream(blended, _blended(recipe, amount), dreamed.profile, dreamed.dpi, authorship)


def _options_of(recipe: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The options in a picture's recipe; empty where there are none."""
    options = None if recipe is None else recipe.get("options")
    return options if isinstance(options, Mapping) else {}


def _blended(recipe: Mapping[str, Any] | None, amount: float) -> dict[str, Any] | None:
    """`recipe` with the blend that it has now; None where it is not the recipe of a dream."""
    options = _options_of(recipe)
    before = number(options.get("blend", 0.0), whole=False)
    if recipe is None or not options or before is None or not 0 <= before <= 1:
        return None
    return {**recipe, "options": {**options, "blend": before + amount * (1 - before)}}
