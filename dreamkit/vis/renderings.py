"""Dreams of objectives, which notebooks show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError, LayerError
from dreamkit.inputs import ImageSource, PathLike
from dreamkit.jobs.photographs import expand
from dreamkit.jobs.sheet import beside_examples, examples_of
from dreamkit.media import contact_sheet, image_writer
from dreamkit.request import DreamRequest, make_request
from dreamkit.session import Dream, Session
from dreamkit.terms import layer_named
from dreamkit.vis import progress
from dreamkit.vis.objectives import Combination, channel

if TYPE_CHECKING:
    from dreamkit.engine.progress import StepEvent
    from dreamkit.recipes import Recipe
    from dreamkit.request import Models

RECIPE = "lucid"


@dataclass(frozen=True, kw_only=True)
class Rendering(Dream):
    """A finished dream that a notebook shows.

    Attributes:
        objective: the value that the last step found: the weighted sum of the terms. With `balance`, each is
            divided by its size at the first step.
    """

    objective: float

    def _repr_png_(self) -> bytes:
        return image_writer.to_png(self.pixels)


@dataclass(frozen=True)
class Sheet:
    """Renderings side by side.

    Attributes:
        renderings: by their caption, in order.
        pixels: of the sheet, uint8 `(height, width, 3)`.
    """

    renderings: Mapping[str, Rendering]
    pixels: NDArray[np.uint8]

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Writes the sheet as PNG, JPEG, WebP or TIFF; the extension selects the format.

        Raises:
            ImageError: the file exists, or cannot be written.
        """
        image_writer.write(path, self.pixels, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        return image_writer.to_png(self.pixels)


def render(
    objective: Combination,
    /,
    model: Models = None,
    *,
    recipe: PathLike | Recipe | None = RECIPE,
    image: ImageSource = None,
    on_step: Callable[[StepEvent], None] | None = None,
    **options: Any,
) -> Rendering:
    """Dreams an objective. In a notebook, one line shows how far it is.

    Args:
        objective: what grows.
        model: as `dreamkit.dream` takes it; None for the recipe's network.
        recipe: how to dream; `None` for the default options.
        image: where to begin, as `dreamkit.dream` takes it; None for noise.
        on_step: called after each step.
        **options: as `dreamkit.dream` takes them: `size` (one side, or height and width), `steps`, `seed`,
            `mask`, `guide`, ...

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    request = request_of(objective, model, recipe=recipe, image=image, **options)
    with progress.line() as tell:

        def on_each(step: StepEvent) -> None:
            tell(step.done)
            if on_step is not None:
                on_step(step)

        return rendered(Session(request), request, on_each)


def channels(
    layer: str,
    numbers: Iterable[int],
    model: Models = None,
    *,
    recipe: PathLike | Recipe | None = RECIPE,
    examples: PathLike | Sequence[str] | None = None,
    columns: int | None = None,
    **options: Any,
) -> Sheet:
    """Dreams channels of a layer, which share one compiled step, and shows them on a sheet.

    Args:
        layer: its name, or a depth.
        numbers: of the channels, from 0, such as `range(24)`.
        model: one network, as `dreamkit.dream` takes it; None for the recipe's.
        recipe: how to dream; `None` for the default options.
        examples: a folder of photographs, or their paths: beside each channel are crops of the nine that
            wake it most. What the layer sees in them is kept in the cache.
        columns: channels in a row, from 1; None for about as many as there are rows.
        **options: as `render` takes them.

    Raises:
        LayerError: the layer, or one of the channels, does not exist; nothing was dreamed yet.
        DreamkitError: another wrong input, in one line.
    """
    wanted = list(dict.fromkeys(numbers))
    if not wanted or (columns is not None and columns < 1):
        raise ConfigError("a sheet has at least one channel, and one column; give more")
    objectives = {f"{layer}:{number}": channel(layer, number) for number in wanted}
    photographs = _photographs(examples)
    first, *_ = objectives.values()
    request = request_of(first, model, recipe=recipe, **options)
    if len(request.models) != 1:
        raise ConfigError(f"a sheet shows one network, and {request.names} are {len(request.models)}")
    session = Session(request)
    network = session.models[0].network
    exact = layer_named(layer, network)
    if max(wanted) >= (count := network.channels(exact)):
        raise LayerError(f"{exact} has no channel {max(wanted)}; its channels are 0 to {count - 1}")
    crops = examples_of(request.models[0], network, exact, wanted, photographs) if photographs else {}
    renderings = rendered_each(session, request, objectives)
    cells = [
        contact_sheet.Cell(beside_examples(each.pixels, crops.get(number)), name)
        for number, (name, each) in zip(wanted, renderings.items(), strict=True)
    ]
    return Sheet(renderings, contact_sheet.draw(cells, columns))


def rendered_each(
    session: Session, request: DreamRequest, objectives: Mapping[str, Combination]
) -> dict[str, Rendering]:
    """A rendering of each objective by its name; one line shows how far they are."""
    renderings: dict[str, Rendering] = {}
    with progress.line() as tell:
        for name, each in objectives.items():

            def on_each(step: StepEvent) -> None:
                tell((len(renderings) + step.done) / len(objectives))

            dreamed = replace(request, config=replace(request.config, **each.options))
            renderings[name] = rendered(session, dreamed, on_each)
    return renderings


def request_of(objective: Combination, model: Models, /, **arguments: Any) -> DreamRequest:
    """The request of an objective's rendering.

    Raises:
        ConfigError: the recipe or a network has layers of its own, or an argument is given twice.
    """
    if not isinstance(objective, Combination):
        raise ConfigError(
            f"the objective is a {type(objective).__name__}; build one, such as vis.channel('mixed4a', 20)"
        )
    given = objective.options
    for name in given:
        if name in arguments:
            raise ConfigError(f"{name} is given twice: the objective has its own; leave it out")
    request = make_request(model=model, **arguments, **given)
    if any("layers" in octave for octave in request.config.schedule) or request.config.layers is None:
        raise ConfigError("the recipe's octaves have layers of their own; use another recipe")
    if any(spec.layers is not None for spec in request.models):
        raise ConfigError("a network has layers of its own; leave them out, the objective says what grows")
    request.refuse("a rendering", "timeline", "strokes")
    return request


def rendered(session: Session, request: DreamRequest, on_step: Callable[[StepEvent], None]) -> Rendering:
    """The rendering of a request."""
    reached = 0.0

    def on_each(step: StepEvent) -> None:
        nonlocal reached
        reached = step.objective * (step.state.first or 1.0)
        on_step(step)

    dream = session.run(request, on_step=on_each)
    return Rendering(**{each.name: getattr(dream, each.name) for each in fields(dream)}, objective=reached)


def _photographs(given: PathLike | Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    paths = [given] if isinstance(given, str | os.PathLike) else given
    return expand([os.fspath(each) for each in paths])
