"""The groups of a photograph: where each of them is, and a small dream of its direction, on one sheet."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import directions
from dreamkit.config import DreamConfig
from dreamkit.engine.resize import resize
from dreamkit.errors import ConfigError, LayerError
from dreamkit.inputs import ImageSource, PathLike, open_picture
from dreamkit.jobs import result_folder
from dreamkit.jobs.cells import (
    CellPlan,
    CellProgress,
    DreamWorker,
    cell_options,
    check_range,
    dream_cells,
    is_there,
    make_folder,
    pixels_of,
)
from dreamkit.jobs.command_line import command
from dreamkit.jobs.sheet import BETWEEN, CELL, PAGE, SHEET, write_sheets
from dreamkit.media import atomic, contact_sheet, image_sizes
from dreamkit.media.images import Picture
from dreamkit.observations import groups
from dreamkit.observations.groups import Groups
from dreamkit.request import DreamRequest
from dreamkit.session import Session
from dreamkit.terms import layer_named

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

COUNT = 6
MOST = 64
SEEN = 448  # pixels of the photograph's longest side that the network sees
_DIRECTIONS = "groups.npy"
_DIM = 0.18  # of the photograph's brightness where a group is not


@dataclass(frozen=True, slots=True)
class GroupSheet:
    """A finished sheet of groups.

    Attributes:
        folder: where it is.
        layer: what sees the groups.
        groups: what was found.
        dreamed: how many cells were dreamed now.
        kept: how many were there already.
    """

    folder: Path
    layer: str
    groups: Groups
    dreamed: int
    kept: int

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / PAGE


def make(
    request: DreamRequest,
    folder: PathLike,
    *,
    image: PathLike,
    layer: str | None = None,
    count: int = COUNT,
    cell: int = CELL,
    columns: int | None = None,
    on_cell: Callable[[CellProgress], None] | None = None,
    on_download: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> GroupSheet:
    """Finds groups and dreams them into `folder`: `groups.npy`, which has a row for each group's direction,
    `cells/NAME.png`, then `sheet.png` and `sheet.html`.

    A cell that is there and is the dream that would be made now is kept, so an interrupted sheet is resumed.

    Args:
        request: of one network, without an image; the sheet itself sets `layers` and `size`.
        folder: a new or empty one, or a sheet of groups, which is brought up to date.
        image: the photograph.
        layer: its name, or a depth; None for the first of the network's default ones.
        count: of groups, 1 to 64.
        cell: the side of a dream in pixels, and the height of the photographs beside the dreams.
        columns: cells in a row of `sheet.png`; by default about as many as there are rows.
        on_cell: called after each step of a cell, and once it is written.
        on_download: called during a download of weights, with the bytes so far and in all.
        executor: what dreams the cells; None for this process.

    Raises:
        LayerError: the layer does not exist or cannot be dreamed.
        ImageError: the photograph cannot be read or the sheet not be written.
        ConfigError: there are not so many groups, or the request asks for what the sheet cannot do.
        Interrupted: Ctrl-C; finished cells are kept.
    """
    check_range("count", count, 1, MOST)
    check_range("cell", cell, 16, 1024)
    check_range("columns", 1 if columns is None else columns, 1, 1000)
    request.refuse("a sheet of groups", "upscale", "timeline", "alpha", "guide", "masks", "strokes")
    if len(request.models) != 1:
        raise ConfigError(
            f"groups are of one network, and {request.names} are {len(request.models)}; name one"
        )
    picture = photograph(image, request.config)
    options = cell_options(request.config, cell, of_photograph=False)
    (spec,) = request.models
    request = replace(request, config=options, models=(replace(spec, layers=None),)).on(None)
    folder = Path(folder)
    result_folder.check(folder, "a sheet of groups", (_DIRECTIONS, SHEET, PAGE))
    session = Session(request, on_download=on_download)
    network = session.models[0].network
    layer = layer_of(network, layer)
    found = find(network, layer, picture, count)
    _write_directions(folder, found.directions)
    terms = [_term(layer, f"{folder / _DIRECTIONS}:{number}") for number in range(count)]
    plans = [
        CellPlan(
            layer,
            f"group {number}",
            folder / result_folder.CELLS / f"group-{number}.png",
            replace(options, layers=directions.in_layers((term,))),
        )
        for number, term in enumerate(terms)
    ]
    missing = [plan for plan in plans if not is_there(plan, session)]
    left_out = dream_cells(
        missing, DreamWorker(session if executor is None else None, request), on_cell, executor
    )
    if left_out:
        raise LayerError(f"{layer} cannot be dreamed: {next(iter(left_out))}")
    commands = [command(None, replace(request, config=replace(options, layers=(term,)))) for term in terms]
    write_sheets(
        folder,
        cells_of(picture, found, cell, [pixels_of(plan) for plan in plans], commands),
        columns,
        title=f"{network.provider.name}, {layer}: {picture.name}",
    )
    return GroupSheet(folder, layer, found, len(missing), len(plans) - len(missing))


def photograph(image: ImageSource, config: DreamConfig) -> Picture:
    """The photograph as the network sees it, no larger than `SEEN` or `config.max_size`.

    Raises:
        ImageError: it cannot be read.
    """
    picture = open_picture(image, replace(config, max_size=None))
    if picture is None:
        raise ConfigError("groups are found in a photograph; give one")
    return image_sizes.shrink(picture, config.max_size or SEEN)


def layer_of(network: Network, layer: str | None) -> str:
    """The layer that is meant; for None, the first of the network's default ones.

    Raises:
        LayerError: there is none.
    """
    usual = next(iter(network.provider.layers), None)
    if layer is None and usual is None:
        raise LayerError(f"{network.provider.name} has no default layers; name one")
    return layer_named(str(layer or usual), network)


def find(network: Network, layer: str, picture: Picture, count: int) -> Groups:
    """The groups of a photograph.

    Raises:
        ConfigError: it is too small, or there are not so many groups.
    """
    height, width, _ = picture.pixels.shape
    if min(height, width) < (least := network.min_size([layer])):
        raise ConfigError(
            f"the photograph has {width} x {height} pixels and {layer} of {network.provider.name} needs at "
            f"least {least} a side; give a larger one"
        )
    return groups.find(network, layer, picture.pixels.astype(np.float32), count)


def cells_of(
    picture: Picture,
    found: Groups,
    side: int,
    dreams: list[NDArray[np.uint8]],
    commands: list[str] | None = None,
) -> list[contact_sheet.Cell]:
    """The photograph, and each group: where it is, beside its dream."""
    photo = contact_sheet.to_srgb(picture)[..., :3]
    height, width, _ = photo.shape
    small = resize(photo, (side, max(1, round(width * side / height))))
    cells = [contact_sheet.Cell(_bytes(small), "photograph")]
    for number, (place, dream) in enumerate(zip(found.maps, dreams, strict=True)):
        lit = _bytes(small * (_DIM + (1 - _DIM) * _shares(place, (side, small.shape[1]))))
        gap = np.full((side, BETWEEN, 3), contact_sheet.PAPER[0], np.uint8)
        beside = np.hstack([lit, gap, dream[..., :3]])
        line = commands[number] if commands else ""
        cells.append(contact_sheet.Cell(beside, f"group {number}", line))
    return cells


def _shares(place: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A group's map at `size`, 1 where it is strongest, `(height, width, 1)`."""
    return resize((place / place.max())[..., None], size)


def _bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _term(layer: str, file: str) -> dict[str, Any]:
    return {"layer": layer, "direction": file, "objective": "direction"}


def _write_directions(folder: Path, found: NDArray[np.float32]) -> None:
    data = io.BytesIO()
    np.save(data, found)
    make_folder(folder / result_folder.CELLS)  # which makes the folder a sheet's own
    atomic.write(folder / _DIRECTIONS, data.getvalue(), overwrite=True)
