"""Several renderings that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError
from dreamkit.inputs import ImageSource, PathLike
from dreamkit.jobs import groups as group_sheets
from dreamkit.jobs.cells import check_range
from dreamkit.media import contact_sheet, images
from dreamkit.request import DreamRequest
from dreamkit.session import Session
from dreamkit.terms import layer_named
from dreamkit.vis import progress
from dreamkit.vis.objectives import Combination, direction
from dreamkit.vis.objectives import layer as whole_layer
from dreamkit.vis.renderings import RECIPE, Rendering, Sheet, rendered, rendered_each, request_of

if TYPE_CHECKING:
    from dreamkit.engine.progress import StepEvent
    from dreamkit.engine.tf.network import Network
    from dreamkit.recipes import Recipe
    from dreamkit.request import Models

_MOST = 100.0  # of a weight
_MOST_PICTURES = 16


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
    check_range("count", count, 1, group_sheets.MOST)
    session = Session(request_of(whole_layer(layer), model, recipe=recipe, **options))
    request = session.request
    request.refuse("a sheet of groups", "upscale", "alpha", "strokes")
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


def diverse(
    objective: Combination,
    /,
    model: Models = None,
    *,
    count: int = 4,
    layer: str | None = None,
    apart: float = 0.3,
    recipe: PathLike | Recipe | None = RECIPE,
    columns: int | None = None,
    **options: Any,
) -> Sheet:
    """Dreams several pictures of one objective, each unlike those before it: they show its different sides.

    tensorflow/lucid's `diversity` dreams all of them at once and subtracts the cosines between the Gram
    matrices of every two. Here one follows another: picture `n` raises the objective minus `apart` times the
    value that the first reached times `<G(n), G(0..n-1)>`, where the second Gram matrix is that of all
    pictures before it, side by side. Each is an ordinary dream, with its own seed, those pictures as its
    guide, and `guide_style` texture.

    Args:
        objective: what grows.
        model: one network, as `dreamkit.dream` takes it; None for the recipe's.
        count: of pictures, 2 to 16.
        layer: where they differ; None for the layer of the objective.
        apart: how much likeness counts. 0: not at all.
        recipe: how to dream; `None` for the default options. Terms are not balanced.
        columns: pictures in a row, from 1; None for about as many as there are rows.
        **options: as `render` takes them.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    check_range("count", count, 2, _MOST_PICTURES)
    if not 0 <= apart <= _MOST:
        raise ConfigError(f"apart is {apart}; it takes a number, 0 to {_MOST:g}")
    _refuse(options, "guide", "guide_style", "balance", "image", "max_size")
    session, network = _opened(objective, model, recipe=recipe, guide_style="texture", **options)
    exact = layer_named(layer or _layer_of(objective, network), network)
    alike = whole_layer(exact, guide=True)

    def next_one(before: list[Rendering]) -> DreamRequest:
        request = session.request
        config = replace(request.config, seed=(request.config.seed + len(before)) % 2**64)
        if not before or not apart:
            return replace(request, config=config)
        unlike = objective - apart * (abs(before[0].objective) or 1.0) * alike
        guide = images.from_memory(np.hstack([each.pixels for each in before]))
        tile_size = max(config.tile_size, *guide.pixels.shape[:2])  # a guide is no larger than a tile
        config = replace(config, **unlike.options, tile_size=tile_size)
        return replace(request, config=config, guide=guide)

    return _one_by_one(session, [f"picture {number}" for number in range(count)], next_one, columns)


def between(
    first: Combination,
    last: Combination,
    /,
    model: Models = None,
    *,
    count: int = 5,
    layer: str = "low",
    near: float = 0.5,
    recipe: PathLike | Recipe | None = RECIPE,
    columns: int | None = None,
    **options: Any,
) -> Sheet:
    """Dreams a row of pictures whose objective turns from `first` to `last`, each near the one before it.

    tensorflow/lucid's `channel_interpolate` and `alignment` dream all of them at once and pull each to its
    neighbours. Here one follows another: picture `n` begins with the same noise as the first and raises
    `(1 - t) first + t last`, while `layer` is held to what it sees in picture `n - 1`. Each is an ordinary
    dream, with the one before as its photograph, `start` noise and `hold`.

    Args:
        first, last: what grows in the first and in the last picture.
        model: one network, as `dreamkit.dream` takes it; None for the recipe's.
        count: of pictures, 2 to 16.
        layer: what is held: its name, or a depth.
        near: how much it counts. 0: not at all. 1: to lose all of what the layer saw in the first picture
            would cost as much as that picture reached.
        recipe: how to dream; `None` for the default options. Terms are not balanced.
        columns: pictures in a row, from 1; None for all of them.
        **options: as `render` takes them.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    from dreamkit.engine.objective_set import check_layers

    check_range("count", count, 2, _MOST_PICTURES)
    if not 0 <= near <= _MOST:
        raise ConfigError(f"near is {near}; it takes a number, 0 to {_MOST:g}")
    _refuse(options, "hold", "balance", "image", "start", "max_size")
    session, network = _opened(first, model, recipe=recipe, **options)
    exact = layer_named(layer, network)
    check_layers(session.models, request_of(last, model, recipe=recipe, **options).config)
    activations = network.activations([exact]) if near else None  # cut once, for all pictures

    def next_one(before: list[Rendering]) -> DreamRequest:
        if not before:
            return session.request
        share = len(before) / (count - 1)
        mixed = (1 - share) * first + share * last
        hold = None
        if activations is not None:
            (maps,) = activations(before[0].pixels[None].astype(np.float32))
            length = float(np.linalg.norm(maps, axis=-1).mean()) or 1.0  # of the activations at a place
            hold = {exact: near * abs(before[0].objective) / length}
        config = replace(session.request.config, **mixed.options, hold=hold, start="noise")
        return replace(session.request, config=config).on(before[-1].pixels)

    names = [f"{number / (count - 1):.0%}" for number in range(count)]
    return _one_by_one(session, names, next_one, columns or count)


def _refuse(options: Mapping[str, Any], *names: str) -> None:
    """Refuses options that the pictures have already."""
    for name in names:
        if name in options:
            raise ConfigError(f"{name} is given, and these pictures have their own; leave it out")


def _opened(objective: Combination, model: Models, **arguments: Any) -> tuple[Session, Network]:
    """A session of one network, and that network.

    Raises:
        ConfigError: there are several networks.
    """
    request = request_of(objective, model, balance=False, **arguments)
    if len(request.models) != 1:
        raise ConfigError(f"these pictures are of one network, and {request.names} are {len(request.models)}")
    session = Session(request)
    return session, session.models[0].network


def _layer_of(objective: Combination, network: Network) -> str:
    """The one layer of an objective, as it is written.

    Raises:
        ConfigError: it has none or several.
    """
    named = {str(term.get("layer", "")) for term in objective.layers}
    layers = {name if name in network.layers else name.partition(":")[0] for name in named}
    if len(layers) != 1 or "" in layers:
        raise ConfigError("the objective is not of one layer; say with layer= where the pictures differ")
    return layers.pop()


def _one_by_one(
    session: Session,
    names: list[str],
    next_one: Callable[[list[Rendering]], DreamRequest],
    columns: int | None,
) -> Sheet:
    """Dreams pictures, each of the request that `next_one` makes from those before it."""
    made: list[Rendering] = []
    with progress.line() as tell:

        def on_each(step: StepEvent) -> None:
            tell((len(made) + step.done) / len(names))

        for _ in names:
            made.append(rendered(session, next_one(made), on_each))
    cells = [contact_sheet.Cell(each.pixels, name) for name, each in zip(names, made, strict=True)]
    return Sheet(dict(zip(names, made, strict=True)), contact_sheet.draw(cells, columns))
