"""A sheet: one small dream for each layer of a network, or for each channel of a layer, side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.errors import (
    ConfigError,
    LayerError,
    shown,
)
from dreamkit.inputs import PathLike
from dreamkit.jobs import result_folder
from dreamkit.jobs.cells import (
    CellPlan,
    CellProgress,
    DreamWorker,
    cell_options,
    check_range,
    dream_cells,
    is_there,
    pixels_of,
)
from dreamkit.jobs.command_line import command
from dreamkit.media import atomic, contact_sheet, image_writer, paths
from dreamkit.models.spec import ModelSpec
from dreamkit.observations import examples as dataset_examples
from dreamkit.observations.observer import KEPT
from dreamkit.observations.store import observe
from dreamkit.request import DreamRequest
from dreamkit.session import Session

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

CELL = 160  # pixels
SHEET, PAGE = "sheet.png", "sheet.html"
_CROP, BETWEEN = 96, 4  # pixels of an example, and between a dream and its examples
_CHANNELS = re.compile(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A finished sheet.

    Attributes:
        folder: where it is.
        dreamed: how many cells were dreamed now.
        kept: how many were there already.
        left_out: names of those that cannot be dreamed, by the reason.
    """

    folder: Path
    dreamed: int
    kept: int
    left_out: dict[str, list[str]]

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / PAGE


def make(
    request: DreamRequest,
    folder: PathLike,
    *,
    image: PathLike | None = None,
    layers: str | Sequence[str] = (),
    channels: Sequence[int] | None = None,
    cell: int = CELL,
    columns: int | None = None,
    examples: Sequence[str] = (),
    on_cell: Callable[[CellProgress], None] | None = None,
    on_picture: Callable[[int, int], None] | None = None,
    on_download: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> Sheet:
    """Dreams a sheet into `folder`: `cells/NAME.png`, then `sheet.png` and `sheet.html`.

    A cell that is there and is the dream that would be made now is kept, so an interrupted sheet is resumed.

    Args:
        request: of one network, without an image; the sheet itself sets `layers`, `max_size` and `size`.
        folder: a new or empty one, or a sheet, which is brought up to date.
        image: the photograph; None for dreams of noise.
        layers: names, or several in one with commas between; none for all the network has.
        channels: for a cell for each of these channels of `layers`, instead of one for each layer.
        cell: the longest side of a cell in pixels.
        columns: cells in a row of `sheet.png`; by default about as many as there are rows.
        examples: paths of photographs; beside each channel are crops of the nine that wake it most. What a
            layer sees in them is looked at once, and kept in the cache.
        on_cell: called after each step of a cell, and once it is written.
        on_picture: called with how many photographs were looked at, and how many there are.
        on_download: called during a download of weights, with the bytes so far and in all.
        executor: what dreams the cells and looks at photographs; None for this process.

    Raises:
        LayerError: a layer or a channel does not exist, or there is nothing that can be dreamed.
        ImageError: the photograph cannot be read or the sheet not be written.
        ConfigError: the request asks for what a sheet cannot do.
        Interrupted: Ctrl-C; finished cells are kept.
    """
    check_range("cell", cell, 16, 1024)
    check_range("columns", 1 if columns is None else columns, 1, 1000)
    if channels is not None and not channels:
        raise ConfigError("channels is empty; name at least one, or leave it out for whole layers")
    if channels is not None and not layers:
        raise ConfigError("channels are given without a layer; name the layer they are of, with --layers")
    if examples and channels is None:
        raise ConfigError("examples are of channels; name them with --channels, such as --channels 0-23")
    if len(request.models) != 1:
        raise ConfigError(
            f"a sheet shows one network, and {request.names} are {len(request.models)}; name one"
        )
    layers = (layers,) if isinstance(layers, str) else layers
    request.refuse("a sheet", "upscale", "timeline", "alpha", "strokes")
    # Whatever can be wrong is found before TensorFlow is imported, as far as it can be.
    options = cell_options(request.config, cell, of_photograph=image is not None)
    (spec,) = request.models
    request = replace(request, config=options, models=(replace(spec, layers=None),)).on(image)
    folder = Path(folder)
    result_folder.check(folder, "a sheet", (SHEET, PAGE))
    session = Session(request, on_download=on_download)
    network = session.models[0].network
    plans = _plans(network, folder, options, layers, channels)
    if len(plans) * cell * cell * (1 + bool(examples)) > contact_sheet.MOST_PIXELS:
        raise ConfigError(
            f"{len(plans)} cells of {cell} pixels are more than a sheet can hold; make them smaller, or fewer"
        )
    missing = [plan for plan in plans if not is_there(plan, session)]
    worker = DreamWorker(session if executor is None else None, request)
    left_out = dream_cells(missing, worker, on_cell, executor)
    without = {name for names in left_out.values() for name in names}
    if len(without) == len(plans):
        raise LayerError(f"nothing can be dreamed: {next(iter(left_out))}")
    shown_plans = [plan for plan in plans if plan.name not in without]
    beside = _examples(shown_plans, spec, network, examples, on_picture, executor) if examples else {}
    write_sheets(
        folder,
        [
            contact_sheet.Cell(
                beside_examples(pixels_of(plan), beside.get(plan.name)),
                plan.name,
                command(image, replace(request, config=plan.config)),
            )
            for plan in shown_plans
        ],
        columns,
        title=network.provider.name if image is None else f"{network.provider.name}: {Path(image).name}",
    )
    return Sheet(folder, len(missing) - len(without), len(plans) - len(missing), left_out)


def parse_channels(text: str) -> tuple[int, ...]:
    """Channels such as `0-63` or `0,5,7-9`, each once, in the order given.

    Raises:
        ConfigError: it is written otherwise.
    """
    channels: dict[int, None] = {}
    for part in text.split(","):
        match = _CHANNELS.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ConfigError(
                f"channels is {shown(text)!r}; write numbers and ranges, such as 0-63 or 0,5,7-9"
            )
        channels.update(dict.fromkeys(range(first, last + 1)))
    return tuple(channels)


def _plans(
    network: Network,
    folder: Path,
    options: DreamConfig,
    layers: Sequence[str],
    channels: Sequence[int] | None,
) -> list[CellPlan]:
    """The cells, in the order of `layers` and `channels`.

    Raises:
        LayerError: a layer or a channel does not exist.
    """
    chosen = _layers(network, layers)
    if channels is None:
        terms = [(layer, layer) for layer in chosen]
    else:
        for layer in chosen:
            _check_channels(layer, channels, network.channels(layer))
        terms = [(layer, _term(layer, channel)) for layer in chosen for channel in dict.fromkeys(channels)]
    files = _file_names([term for _, term in terms])
    return [
        CellPlan(layer, term, folder / result_folder.CELLS / f"{file}.png", replace(options, layers=(term,)))
        for (layer, term), file in zip(terms, files, strict=True)
    ]


def _layers(network: Network, given: Sequence[str]) -> list[str]:
    """The layers that `given` names, each once; all of them for none. An exact name wins over its commas."""
    from dreamkit.terms import layer_named

    names = [
        layer_named(name if name in network.layers else name.strip(), network)
        for text in given
        for name in ([text] if text in network.layers else text.split(","))
    ]
    return list(dict.fromkeys(names or network.layers))


def _check_channels(layer: str, channels: Sequence[int], count: int) -> None:
    outside = [channel for channel in channels if not 0 <= channel < count]
    if outside:
        raise LayerError(f"{layer} has the channels 0 to {count - 1}; {outside[0]} is none of them")


def _term(layer: str, channel: int) -> str:
    """The term that dreams one channel of a layer."""
    return f"{layer}:{channel}"


def _file_names(names: Sequence[str]) -> list[str]:
    """A file name for each of `names`, all different even where a file system does not tell A from a."""
    taken: set[str] = set()
    files = []
    for name in names:
        safe = free = paths.safe_name(name)
        number = 2
        while free.casefold() in taken:
            free = f"{safe}-{number}"
            number += 1
        taken.add(free.casefold())
        files.append(free)
    return files


def _examples(
    plans: Sequence[CellPlan],
    spec: ModelSpec,
    network: Network,
    photographs: Sequence[str],
    on_picture: Callable[[int, int], None] | None,
    executor: Executor | None,
) -> dict[str, NDArray[np.uint8]]:
    """Crops of the photographs that wake each channel most, by the name of its cell."""
    found: dict[str, NDArray[np.uint8]] = {}
    for layer, cells in groupby(plans, key=lambda plan: plan.layer):
        names = {int(plan.name.rpartition(":")[2]): plan.name for plan in cells}
        crops = examples_of(
            spec, network, layer, names, photographs, on_picture=on_picture, executor=executor
        )
        found |= {names[channel]: each for channel, each in crops.items()}
    return found


def examples_of(
    spec: ModelSpec,
    network: Network,
    layer: str,
    channels: Iterable[int],
    photographs: Sequence[str],
    *,
    on_picture: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> dict[int, NDArray[np.uint8]]:
    """Crops of the photographs that wake each of `channels` most, uint8 `(n, side, side, 3)`.

    Raises:
        ImageError: no photograph can be read.
    """
    observed = observe(spec, network, layer, photographs, on_picture=on_picture, executor=executor)
    return {
        channel: dataset_examples.crops(observed, dataset_examples.of_channel(observed, channel), _CROP)
        for channel in channels
    }


def beside_examples(dream: NDArray[np.uint8], crops: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """A dream with crops of photographs to the right of it, as high as it is."""
    if crops is None:
        return dream
    tiled = dataset_examples.tiled(crops, KEPT, len(dream))
    alpha = np.full((*tiled.shape[:2], dream.shape[2] - 3), 255, np.uint8)
    gap = np.full((len(dream), BETWEEN, dream.shape[2]), contact_sheet.PAPER[0], np.uint8)
    return np.hstack([dream, gap, np.dstack([tiled, alpha])])


def write_sheets(
    folder: Path, cells: Sequence[contact_sheet.Cell], columns: int | None, *, title: str
) -> None:
    """Writes the cells of a sheet as a picture and as a page."""
    image_writer.write(folder / SHEET, contact_sheet.draw(cells, columns, title=title), overwrite=True)
    note = "Under each dream is the command that makes it; a click selects it."
    page = contact_sheet.html_page(title, cells, note=note).encode("utf-8", "backslashreplace")
    atomic.write(folder / PAGE, page, overwrite=True)
