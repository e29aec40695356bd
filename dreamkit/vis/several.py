"""Several renderings that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError
from dreamkit.inputs import ImageSource, PathLike
from dreamkit.jobs import groups as group_sheets
from dreamkit.media import contact_sheet
from dreamkit.session import Session
from dreamkit.vis.objectives import direction
from dreamkit.vis.objectives import layer as whole_layer
from dreamkit.vis.renderings import RECIPE, Sheet, rendered_each, request_of

if TYPE_CHECKING:
    from dreamkit.recipes import Recipe
    from dreamkit.request import Models


@dataclass(frozen=True)
class Groups(Sheet):
    """The groups of a photograph, with a rendering of each.

    Attributes:
        directions: one of the layer for each group, of length 1, float32 `(groups, channels)`.
        maps: how strong each group is at each place of the layer's map, float32 `(groups, height, width)`.
        explained: the share of the activations' sum of squares that the groups hold together, 0 to 1.
    """

    directions: NDArray[np.float32]
    maps: NDArray[np.float32]
    explained: float


def groups(
    image: ImageSource,
    layer: str,
    model: Models = None,
    *,
    count: int = group_sheets.COUNT,
    recipe: PathLike | Recipe | None = RECIPE,
    columns: int | None = None,
    **options: Any,
) -> Groups:
    """Finds groups of what a layer sees in a photograph, and dreams the direction of each.

    Args:
        image: the photograph, as `dreamkit.dream` takes it. With `max_size`, the network sees it so large.
        layer: its name, or a depth.
        model: one network, as `dreamkit.dream` takes it; None for the recipe's.
        count: of groups, 1 to 64.
        recipe: how to dream; `None` for the default options.
        columns: groups in a row, from 1; None for about as many as there are rows.
        **options: as `render` takes them.

    Raises:
        ConfigError: there are not so many groups; nothing was dreamed yet.
        DreamkitError: another wrong input, in one line.
    """
    if not 1 <= count <= group_sheets.MOST:
        raise ConfigError(f"count is {count}; it takes a whole number, 1 to {group_sheets.MOST}")
    session = Session(request_of(whole_layer(layer), model, recipe=recipe, **options))
    request = session.request
    request.refuse("a sheet of groups", "upscale", "alpha")
    if len(request.models) != 1:
        raise ConfigError(f"groups are of one network, and {request.names} are {len(request.models)}")
    network = session.models[0].network
    picture = group_sheets.photograph(image, request.config)
    exact = group_sheets.layer_of(network, layer)
    found = group_sheets.find(network, exact, picture, count)
    objectives = {
        f"group {number}": direction(exact, each, objective="direction")
        for number, each in enumerate(found.directions)
    }
    renderings = rendered_each(session, request, objectives)
    side = request.size[0]
    cells = group_sheets.cells_of(picture, found, side, [each.pixels for each in renderings.values()])
    pixels = contact_sheet.draw(cells, columns)
    return Groups(renderings, pixels, found.directions, found.maps, found.explained)
