"""An atlas: one small dream for each layer of a network, or for each channel of a layer, side by side."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit import fingerprint
from dreamkit.config import DreamConfig
from dreamkit.errors import (
    ConfigError,
    DreamkitWarning,
    ImageError,
    Interrupted,
    LayerError,
    NumericError,
    OutputExistsError,
    first_line,
    shown,
)
from dreamkit.executors.executor import run_here
from dreamkit.executors.scheduler import OnEvent, TaskChain
from dreamkit.inputs import PathLike
from dreamkit.media import atomic, contact_sheet, image_metadata, image_writer, images
from dreamkit.request import DreamRequest
from dreamkit.session import Dream, Session

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

CELL = 160  # pixels
_TOGETHER = 8  # cells of a layer that one worker dreams, for which it compiles once
_CELLS, _SHEET, _PAGE = "cells", "atlas.png", "atlas.html"
_CHANNELS = re.compile(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """What `on_cell` hears after each step of a cell, and once more when the cell is written.

    Attributes:
        name: of the layer, or `layer:channel`.
        number, total: which of the cells that are missing, from 1, and how many those are.
        share: how much of the cell is done, 0 to 1.
        finished: whether it is written, or left out.
    """

    name: str
    number: int
    total: int
    share: float
    finished: bool


@dataclass(frozen=True, slots=True)
class Atlas:
    """A finished atlas.

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
        return self.folder / _PAGE


@dataclass(frozen=True, slots=True)
class _Plan:
    """A cell before it is dreamed."""

    layer: str
    name: str
    path: Path
    config: DreamConfig


def make(
    request: DreamRequest,
    folder: PathLike,
    *,
    image: PathLike | None = None,
    layers: str | Sequence[str] = (),
    channels: Sequence[int] | None = None,
    cell: int = CELL,
    columns: int | None = None,
    on_cell: Callable[[Progress], None] | None = None,
    on_download: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> Atlas:
    """Dreams an atlas into `folder`: `cells/NAME.png`, then `atlas.png` and `atlas.html`.

    A cell that is there and is the dream that would be made now is kept, so an interrupted atlas is resumed.

    Args:
        request: of one network, without an image; the atlas itself sets `layers`, `max_size` and `size`.
        folder: a new or empty one, or an atlas, which is brought up to date.
        image: the photograph; None for dreams of noise.
        layers: names, or several in one with commas between; none for all the network has.
        channels: for a cell for each of these channels of `layers`, instead of one for each layer.
        cell: the longest side of a cell in pixels.
        columns: cells in a row of `atlas.png`; by default about as many as there are rows.
        on_cell: called after each step of a cell, and once it is written.
        on_download: called during a download of weights, with the bytes so far and in all.
        executor: what dreams the cells; None for this process.

    Raises:
        LayerError: a layer or a channel does not exist, or there is nothing that can be dreamed.
        ImageError: the photograph cannot be read or the atlas not be written.
        ConfigError: the request asks for what an atlas cannot do.
        Interrupted: Ctrl-C; finished cells are kept.
    """
    _check_range("cell", cell, 16, 1024)
    _check_range("columns", 1 if columns is None else columns, 1, 1000)
    if channels is not None and not channels:
        raise ConfigError("channels is empty; name at least one, or leave it out for whole layers")
    if channels is not None and not layers:
        raise ConfigError("channels are given without a layer; name the layer they are of, with --layers")
    if len(request.models) != 1:
        raise ConfigError(
            f"an atlas shows one network, and {request.names} are {len(request.models)}; name one"
        )
    layers = (layers,) if isinstance(layers, str) else layers
    request.refuse("an atlas", "upscale", "timeline")
    # Whatever can be wrong is found before TensorFlow is imported, as far as it can be.
    options = _for_cells(request.config, image, cell)
    (spec,) = request.models
    request = replace(request, config=options, models=(replace(spec, layers=None),)).on(image)
    folder = Path(folder)
    _check_folder(folder)
    session = Session(request, on_download=on_download)
    network = session.models[0].network
    plans = _plans(network, folder, options, layers, channels)
    if len(plans) * cell * cell > contact_sheet.MOST_PIXELS:
        raise ConfigError(
            f"{len(plans)} cells of {cell} pixels are more than a sheet can hold; make them smaller, or fewer"
        )
    missing = [plan for plan in plans if not _is_there(plan, session)]
    left_out = _dream(
        missing, _DreamWorker(session if executor is None else None, request), on_cell, executor
    )
    without = {name for names in left_out.values() for name in names}
    if len(without) == len(plans):
        raise LayerError(f"nothing can be dreamed: {next(iter(left_out))}")
    _write_sheets(
        folder,
        [
            contact_sheet.Cell(_pixels(plan), plan.name, command(image, replace(request, config=plan.config)))
            for plan in plans
            if plan.name not in without
        ],
        columns,
        title=network.provider.name if image is None else f"{network.provider.name}: {Path(image).name}",
    )
    return Atlas(folder, len(missing) - len(without), len(plans) - len(missing), left_out)


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


def command(image: PathLike | None, request: DreamRequest) -> str:
    """The command line that dreams `request` of the photograph at `image`, quoted for a shell."""
    options, recipe = request.config, request.recipe
    (spec,) = request.models
    usual = recipe.config() if recipe else DreamConfig()
    words = ["dreamkit", "dream"]
    if image is not None:
        path = os.fspath(image)
        words.append(f"./{path}" if path.startswith("-") else path)  # else it reads as an option
    words += ["--recipe", recipe.name] if recipe else []
    words += ["--model", spec.name]
    if spec.weights is not None:
        words += ["--weights", spec.weights]
    for layer in options.layers or ():
        words += ["--layers", str(layer)]
    words += _pictures(request)
    left_out = ("layers", "schedule", *(("size", "noise") if image is not None else ()))
    for name, value in options.to_dict().items():
        if name in left_out or value is None or getattr(options, name) == getattr(usual, name):
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list):
            sides = f"{value[1]}x{value[0]}"
            words += [f"--{flag}", sides if name == "size" else ",".join(map(str, value))]
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def _pictures(request: DreamRequest) -> list[str]:
    """The guide and the mask of a command line, where they come from files that the recipe does not name."""
    recipe = request.recipe
    words = []
    for flag, picture, named in (
        ("--guide", request.guide, recipe and recipe.guide),
        ("--mask", request.masks.get(""), recipe and recipe.masks.get("")),
    ):
        if picture is not None and picture.path and named is None:
            words += [flag, os.fspath(picture.path)]
    return words


def safe_name(name: str) -> str:
    """`name` as a file name that every system takes."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).strip("._-")[:100] or "_"


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} is {value}; it takes a whole number, {least} to {most}")


def _for_cells(options: DreamConfig, image: PathLike | None, cell: int) -> DreamConfig:
    """The options of a cell of `cell` pixels."""
    size: dict[str, Any] = {"size": (cell, cell), "max_size": None}
    if image is not None:
        size = {"max_size": cell}
    schedule = tuple(
        {name: value for name, value in entry.items() if name != "layers"} for entry in options.schedule
    )
    return DreamConfig.of(options, layers=None, schedule=schedule, **size)


def _check_folder(folder: Path) -> None:
    """Makes sure, before any work, that `folder` can hold an atlas and holds nothing else.

    Raises:
        OutputExistsError: it is a file, or holds what is none of ours.
        ImageError: it cannot be made or written to.
    """
    instead = "give a new folder with --output"
    if os.path.isdir(folder):
        try:
            strays = _strays(folder)
        except OSError as error:
            raise ImageError(f"{folder} cannot be read ({error.strerror}); {instead}") from error
        if strays:
            raise OutputExistsError(f"{folder} holds {shown(strays[0])}, which is of no atlas; {instead}")
    elif os.path.lexists(folder):
        raise OutputExistsError(f"{folder} is no folder; {instead}")
    elif not os.path.isdir(folder.parent):
        raise ImageError(f"the folder {folder.parent} does not exist; create it or choose another")
    writable = folder if os.path.isdir(folder) else folder.parent
    if not os.access(writable, os.W_OK):
        raise ImageError(f"the folder {writable} may not be written to; choose another")


def _strays(folder: Path) -> list[str]:
    """The names in `folder` that are of no atlas. A sheet without cells may be anyone's."""
    cells = folder / _CELLS
    own = {_CELLS, _SHEET, _PAGE} if os.path.isdir(cells) else set()
    strays = {name for name in os.listdir(folder) if name not in own}
    if own:
        strays |= {name for name in os.listdir(cells) if not name.endswith(".png")}
    return sorted(name for name in strays if not name.startswith(atomic.PARTIAL))


def _plans(
    network: Network,
    folder: Path,
    options: DreamConfig,
    layers: Sequence[str],
    channels: Sequence[int] | None,
) -> list[_Plan]:
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
        _Plan(layer, term, folder / _CELLS / f"{file}.png", replace(options, layers=(term,)))
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
        safe = free = safe_name(name)
        number = 2
        while free.casefold() in taken:
            free = f"{safe}-{number}"
            number += 1
        taken.add(free.casefold())
        files.append(free)
    return files


def _is_there(plan: _Plan, session: Session) -> bool:
    """Whether the cell is finished and is the dream that would be made now.

    Raises:
        OutputExistsError: a whole picture that is not a dream is in its place.
    """
    if not os.path.isfile(plan.path):
        return False
    try:
        _pixels(plan)
    except ImageError:  # damaged: it is dreamed again
        return False
    recipe = image_metadata.read_recipe(plan.path)
    if recipe is None:
        raise OutputExistsError(f"{plan.path} is not a dream and would be replaced; move it elsewhere")
    wanted = session.fingerprint(replace(session.request, config=plan.config))
    try:
        return bool(json.loads(json.dumps(wanted)) == fingerprint.from_metadata(recipe))
    except (KeyError, TypeError, AttributeError):
        return False


def _pixels(plan: _Plan) -> Any:
    return contact_sheet.to_srgb(images.read(plan.path, contact_sheet.MOST_PIXELS))


class _DreamWorker:
    """The worker: it holds the network, and compiles a layer as long as its cells follow each other."""

    def __init__(self, session: Session | None, request: DreamRequest) -> None:
        """Without a session, a worker opens one of its own."""
        self._session, self._request = session, request
        self._layer = ""

    def begin(self) -> None:
        """Loads the network, unless it is."""
        self._session = self._session or Session(self._request)

    def do(self, task: tuple[int, str, DreamConfig], on_event: OnEvent) -> Dream:
        """Dreams a cell."""
        assert self._session is not None
        number, layer, options = task
        if layer != self._layer:
            self._session.models[0].network.clear_steps()  # the channels of a layer share what was compiled
            self._layer = layer
        request = replace(self._request, config=options)
        return self._session.run(request, on_step=lambda step: on_event((number, step.done)))


class _Cells:
    """The cells that are missing, and what comes of them."""

    def __init__(self, missing: Sequence[_Plan], on_cell: Callable[[Progress], None] | None) -> None:
        self.missing = missing
        self.left_out: dict[str, list[str]] = {}
        self.ended = 0
        self._said: set[str] = set()
        self._tell = on_cell or (lambda _: None)

    def chains(self) -> Iterator[TaskChain]:
        """Some cells of one layer after another each."""
        for _, cells in groupby(enumerate(self.missing), key=lambda pair: pair[1].layer):
            yield from map(self._chain, _batched(cells))

    def on_event(self, event: tuple[int, float]) -> None:
        """Reports a step: the number of the cell, and the share of it that is done."""
        number, share = event
        self._report(number, share, finished=False)

    def _chain(self, cells: Sequence[tuple[int, _Plan]]) -> TaskChain:
        for number, plan in cells:
            result = yield number, plan.layer, plan.config
            for message in result.warnings:  # every cell has the same to say of its octaves
                if message not in self._said:
                    self._said.add(message)
                    warnings.warn(message, DreamkitWarning, stacklevel=2)
            if result.error is None:
                _make_folder(plan.path.parent)
                result.value.save(plan.path, overwrite=True)
            elif isinstance(result.error, LayerError | ConfigError | NumericError):
                self.left_out.setdefault(str(result.error), []).append(plan.name)
            else:
                result.raise_error(plan.name)
            self.ended += 1
            self._report(number, 1.0, finished=True)

    def _report(self, number: int, share: float, *, finished: bool) -> None:
        at = self.ended + (not finished)
        self._tell(Progress(self.missing[number].name, at, len(self.missing), share, finished))


def _dream(
    missing: Sequence[_Plan],
    worker: _DreamWorker,
    on_cell: Callable[[Progress], None] | None,
    executor: Executor | None,
) -> dict[str, list[str]]:
    """Dreams and writes each cell of `missing`; gives those that cannot be dreamed, by the reason."""
    cells = _Cells(missing, on_cell)
    try:
        if executor is None:
            run_here(worker, cells.chains(), cells.on_event)
        elif missing:
            executor.run(worker, cells.chains(), cells.on_event, tasks=len(missing))
    except KeyboardInterrupt:
        written = cells.ended - sum(map(len, cells.left_out.values()))
        raise Interrupted(
            f"interrupted; {written} of {len(missing)} missing cells were dreamed and kept; "
            "the same command goes on from there"
        ) from None
    return cells.left_out


def _batched(cells: Iterable[tuple[int, _Plan]]) -> Iterator[list[tuple[int, _Plan]]]:
    cells = iter(cells)
    while some := list(islice(cells, _TOGETHER)):
        yield some


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"cannot make the folder {path} ({first_line(error)})") from error


def _write_sheets(
    folder: Path, cells: Sequence[contact_sheet.Cell], columns: int | None, *, title: str
) -> None:
    per_row = columns or math.ceil(math.sqrt(len(cells)))
    image_writer.write(folder / _SHEET, contact_sheet.draw(cells, per_row, title=title), overwrite=True)
    note = "Under each dream is the command that makes it; a click selects it."
    page = contact_sheet.html_page(title, cells, note=note).encode("utf-8", "backslashreplace")
    atomic.write(folder / _PAGE, page, overwrite=True)
