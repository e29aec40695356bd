"""Makes an activation atlas: looks at photographs, lays out what was seen, and dreams the cells."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine.resize import resize
from dreamkit.errors import ConfigError, LayerError
from dreamkit.inputs import PathLike
from dreamkit.jobs import result_folder
from dreamkit.jobs.atlas import layout, page
from dreamkit.jobs.atlas.layout import GridCell
from dreamkit.jobs.cells import (
    CellPlan,
    CellProgress,
    DreamWorker,
    check_range,
    dream_cells,
    is_there,
    pixels_of,
)
from dreamkit.media import arrays, atomic
from dreamkit.observations.examples import crops
from dreamkit.observations.store import Observations, observe
from dreamkit.request import DreamRequest
from dreamkit.session import Session
from dreamkit.terms import layer_named

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

RECIPE = "atlas"
GRID = 20  # columns, and rows
LEAST = 5  # activations of a cell
SAMPLES = 5  # of each photograph
_LEAST_PHOTOGRAPHS = 20
_SHOWN = 6  # photographs of a cell
_NAMED = 3  # channels, and classes, of a cell
_CROP = 64  # pixels
_MOST_SIDE = 12_800  # pixels of the map
_MOST_LAYOUT = 1 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Atlas:
    """A finished atlas.

    Attributes:
        folder: where it is.
        activations: how many it shows.
        dreamed: how many cells were dreamed now.
        kept: how many were there already.
    """

    folder: Path
    activations: int
    dreamed: int
    kept: int

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / page.PAGE


def make(
    request: DreamRequest,
    folder: PathLike,
    photographs: Sequence[str],
    layer: str,
    *,
    samples: int = SAMPLES,
    side: int = GRID,
    least: int = LEAST,
    with_photographs: bool = True,
    project: Callable[[NDArray[np.float32], int], NDArray[np.float64]] = layout.project,
    on_doing: Callable[[str], None] | None = None,
    on_picture: Callable[[int, int], None] | None = None,
    on_cell: Callable[[CellProgress], None] | None = None,
    on_download: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> Atlas:
    """Makes an atlas in `folder`: `cells/COLUMN-ROW.png`, `atlas.html`, and its two pictures.

    What was seen of the photographs and where it lies is kept in the cache, and cells that are there are
    kept, so an interrupted atlas is resumed.

    Args:
        request: of one network, without an image; how a cell is dreamed. Its seed is also that of the
            choice of places and of the layout. The atlas itself sets `layers`.
        folder: a new or empty one, or an atlas, which is brought up to date.
        photographs: their paths.
        layer: whose activations are shown.
        samples: places of each photograph, chosen at random.
        side: columns of the grid, and rows.
        least: activations that a cell needs.
        with_photographs: whether the page shows crops of them, which may not be anyone's to publish.
        project: lays out activations `(n, channels)` by a seed: places `(n, 2)`, 0 to 1.
        on_doing: called with what is being waited for.
        on_picture: called with how many photographs were looked at, and how many there are.
        on_cell: called after each step of a cell, and once it is written.
        on_download: called during a download of weights, with the bytes so far and in all.
        executor: what looks at photographs and dreams cells; None for this process.

    Raises:
        LayerError: the layer does not exist, or nothing can be dreamed.
        ImageError: no photograph can be read, or the atlas not be written.
        ConfigError: there are too few photographs, or the request asks for what an atlas cannot do.
        Interrupted: Ctrl-C; what is finished is kept.
    """
    doing = on_doing or (lambda _: None)
    _check_options(request, photographs, samples, side, least)
    folder = Path(folder)
    result_folder.check(folder, "an atlas", page.FILES)
    (spec,) = request.models
    request = replace(request, models=(replace(spec, layers=None),))
    session = Session(request, on_download=on_download)
    network = session.models[0].network
    layer = layer_named(layer, network)
    seed = request.config.seed
    doing("looking at photographs")
    observed = observe(
        spec, network, layer, photographs,
        samples=samples, seed=seed, on_picture=on_picture, executor=executor,
    )  # fmt: skip
    seen = _awake(observed)
    doing(f"laying out {len(seen)} activations")
    activations = observed.seen.activations[seen]
    places = _laid_out(observed, activations, seed, project)
    cells = list(layout.grid(activations, places, side, least))
    if not cells:
        raise ConfigError(f"no cell has {least} activations; give more photographs or a smaller --grid")
    plans = [_plan(cell, folder, layer, request.config) for cell in cells]
    missing = [plan for plan in plans if not is_there(plan, session)]
    worker = DreamWorker(session if executor is None else None, request)
    left_out = dream_cells(missing, worker, on_cell, executor)
    if left_out:
        raise LayerError(f"the cells cannot be dreamed: {next(iter(left_out))}")
    doing("writing the page")
    icons = [pixels_of(plan)[..., :3] for plan in plans]
    none = np.zeros((0, _CROP, _CROP, 3), np.uint8)
    written = [
        page.PageCell(
            column=cell.column,
            row=cell.row,
            icon=icon,
            count=len(cell.members),
            channels=tuple(int(each) for each in np.argsort(-cell.direction, kind="stable")[:_NAMED]),
            classes=classes,
            crops=_crops(cell, observed, seen) if with_photographs else none,
        )
        for cell, icon, classes in zip(cells, icons, _classes(network, icons), strict=True)
    ]
    title = f"{layer} of {network.provider.name}"
    page.write(folder, title, side, written, activations=len(seen), photographs=len(photographs))
    return Atlas(folder, len(seen), len(missing), len(plans) - len(missing))


def _check_options(
    request: DreamRequest, photographs: Sequence[str], samples: int, side: int, least: int
) -> None:
    """Finds whatever is wrong before TensorFlow is imported."""
    check_range("samples", samples, 1, 1000)
    check_range("grid", side, 1, 200)
    check_range("least", least, 1, 1_000_000)
    if len(request.models) != 1:
        raise ConfigError(
            f"an atlas shows one network, and {request.names} are {len(request.models)}; name one"
        )
    if len(photographs) < _LEAST_PHOTOGRAPHS:
        raise ConfigError(
            f"an atlas shows what a layer sees in many photographs, and {len(photographs)} are given; give a "
            f"folder of {_LEAST_PHOTOGRAPHS} or more, or make a sheet of all layers: dreamkit sheet IMAGE"
        )
    if side * max(request.config.size) > _MOST_SIDE:
        raise ConfigError(
            f"a map of {side} cells of {max(request.config.size)} pixels in a row is wider than {_MOST_SIDE} "
            "pixels; use a smaller --grid or --cell"
        )
    request.refuse("an atlas", "upscale", "alpha", "guide", "masks", "timeline", "strokes")


def _awake(observed: Observations) -> NDArray[np.int64]:
    """Which activations are not all zero: those have no direction."""
    return np.flatnonzero(np.any(observed.seen.activations != 0, axis=1))


def _laid_out(
    observed: Observations,
    activations: NDArray[np.float32],
    seed: int,
    project: Callable[[NDArray[np.float32], int], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The places of `activations`, computed once: another version of UMAP would lay them out otherwise."""
    kept = observed.folder / f"layout-{hashlib.sha256(activations.tobytes()).hexdigest()[:16]}-{seed}.npz"
    try:
        places = arrays.read(kept, _MOST_LAYOUT)["places"]
        if places.shape == (len(activations), 2) and places.dtype == np.float64:
            return places
    except (OSError, ValueError, KeyError):
        pass
    places = project(activations, seed)
    packed = io.BytesIO()
    np.savez(packed, places=places)
    atomic.write(kept, packed.getvalue(), overwrite=True)
    return places


def _plan(cell: GridCell, folder: Path, layer: str, options: DreamConfig) -> CellPlan:
    name = f"{cell.column}-{cell.row}"
    direction = tuple(float(f"{each:.4g}") for each in cell.direction)
    term = {"layer": layer, "direction": direction}
    config = DreamConfig.of(options, layers=(term,))
    return CellPlan(layer, name, folder / result_folder.CELLS / f"{name}.png", config)


def _crops(cell: GridCell, observed: Observations, seen: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Crops of the photographs whose activations are nearest to the mean of a cell, one of each."""
    taken_at = observed.seen.taken_at[seen[cell.members]]
    _, firsts = np.unique(taken_at[:, 0], return_index=True)
    return crops(observed, taken_at[np.sort(firsts)[:_SHOWN]], _CROP)


def _classes(network: Network, icons: Sequence[NDArray[np.uint8]]) -> Iterator[tuple[str, ...]]:
    """What the network takes each dream for: its likeliest classes; nothing for one without class scores."""
    labels, head = network.provider.labels, network.provider.head
    look = network.activations([head]) if labels and head in network.layers else None
    for icon in icons:
        if look is None:
            yield ()
            continue
        side = max(network.min_size([head]), len(icon))
        (scores,) = look(resize(icon, (side, side))[None])
        order = np.argsort(-scores[0].reshape(-1, scores.shape[-1]).mean(0), kind="stable")
        yield tuple(labels[number].partition(",")[0] for number in order[:_NAMED] if number < len(labels))
