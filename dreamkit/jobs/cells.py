"""The cells of a sheet or an atlas: planned, dreamed by a worker, written, and found again."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
)
from dreamkit.executors.executor import run_here
from dreamkit.executors.scheduler import OnEvent, TaskChain
from dreamkit.media import contact_sheet, image_metadata, images
from dreamkit.request import DreamRequest
from dreamkit.session import Dream, Session

if TYPE_CHECKING:
    from dreamkit.executors.executor import Executor

_TOGETHER = 8  # cells of a layer that one worker dreams, for which it compiles once


@dataclass(frozen=True, slots=True)
class CellProgress:
    """Passed to `on_cell` after each step of a cell, and once more when the cell is written.

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
class CellPlan:
    """A cell before it is dreamed."""

    layer: str
    name: str
    path: Path
    config: DreamConfig


class DreamWorker:
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

    def __init__(self, missing: Sequence[CellPlan], on_cell: Callable[[CellProgress], None] | None) -> None:
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

    def _chain(self, cells: Sequence[tuple[int, CellPlan]]) -> TaskChain:
        for number, plan in cells:
            result = yield number, plan.layer, plan.config
            for message in result.warnings:  # every cell has the same to say of its octaves
                if message not in self._said:
                    self._said.add(message)
                    warnings.warn(message, DreamkitWarning, stacklevel=2)
            if result.error is None:
                make_folder(plan.path.parent)
                result.value.save(plan.path, overwrite=True)
            elif isinstance(result.error, LayerError | ConfigError | NumericError):
                self.left_out.setdefault(str(result.error), []).append(plan.name)
            else:
                result.raise_error(plan.name)
            self.ended += 1
            self._report(number, 1.0, finished=True)

    def _report(self, number: int, share: float, *, finished: bool) -> None:
        at = self.ended + (not finished)
        self._tell(CellProgress(self.missing[number].name, at, len(self.missing), share, finished))


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Raises a ConfigError for a whole number that is not in its range."""
    if not least <= value <= most:
        raise ConfigError(f"{name} is {value}; it takes a whole number, {least} to {most}")


def cell_options(options: DreamConfig, cell: int, *, of_photograph: bool) -> DreamConfig:
    """The options of a cell of `cell` pixels, without layers."""
    size: dict[str, Any] = {"max_size": cell} if of_photograph else {"size": (cell, cell), "max_size": None}
    schedule = tuple(
        {name: value for name, value in entry.items() if name != "layers"} for entry in options.schedule
    )
    return DreamConfig.of(options, layers=None, schedule=schedule, **size)


def dream_cells(
    missing: Sequence[CellPlan],
    worker: DreamWorker,
    on_cell: Callable[[CellProgress], None] | None,
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
            "the same command continues from there"
        ) from None
    return cells.left_out


def is_there(plan: CellPlan, session: Session) -> bool:
    """Whether the cell is finished and is the dream that would be made now.

    Raises:
        OutputExistsError: a whole picture that is not a dream is in its place.
    """
    if not os.path.isfile(plan.path):
        return False
    try:
        pixels_of(plan)
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


def pixels_of(plan: CellPlan) -> NDArray[np.uint8]:
    """The pixels of a cell that is written, sRGB: uint8 `(height, width, 3 or 4)`.

    Raises:
        ImageError: it cannot be read.
    """
    return contact_sheet.to_srgb(images.read(plan.path, contact_sheet.MOST_PIXELS))


def _batched(cells: Iterable[tuple[int, CellPlan]]) -> Iterator[list[tuple[int, CellPlan]]]:
    cells = iter(cells)
    while some := list(islice(cells, _TOGETHER)):
        yield some


def make_folder(path: Path) -> None:
    """Makes a folder and those above it.

    Raises:
        ImageError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageError(f"cannot make the folder {path} ({first_line(error)})") from error
