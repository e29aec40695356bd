"""The page of an atlas: a map of its cells to move in and zoom into, and the photographs of each."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.media import atomic

PAGE, _ICONS, _CROPS = "atlas.html", "icons.jpg", "photographs.jpg"
FILES = (PAGE, _ICONS, _CROPS)
_PAPER = 27  # brightness where there is no cell
_STRIPS = 4096  # pixels of the width of the picture of all photographs, about


@dataclass(frozen=True)
class PageCell:
    """A cell as the page shows it.

    Attributes:
        column, row: where it is.
        icon: its dream, uint8 `(side, side, 3)`.
        count: how many activations it has.
        channels: the largest of its direction.
        classes: what the network takes the dream for.
        crops: of its photographs, uint8 `(n, side, side, 3)`; none to show none.
    """

    column: int
    row: int
    icon: NDArray[np.uint8]
    count: int
    channels: tuple[int, ...]
    classes: tuple[str, ...]
    crops: NDArray[np.uint8]


def write(
    folder: Path, title: str, side: int, cells: Sequence[PageCell], *, activations: int, photographs: int
) -> None:
    """Writes the page and its pictures.

    Raises:
        ImageError: a file cannot be written.
    """
    icon, crop = cells[0].icon.shape[0], cells[0].crops.shape[1]
    icons = np.full((side * icon, side * icon, 3), _PAPER, np.uint8)
    per_cell = max(1, *(len(cell.crops) for cell in cells))
    per_row = max(1, _STRIPS // (per_cell * crop))
    strips = np.full((-(-len(cells) // per_row) * crop, per_row * per_cell * crop, 3), _PAPER, np.uint8)
    for number, cell in enumerate(cells):
        _place(icons, cell.icon, cell.column * icon, cell.row * icon)
        down, along = divmod(number, per_row)
        for index, each in enumerate(cell.crops):
            _place(strips, each, (along * per_cell + index) * crop, down * crop)
    about = {
        "side": side,
        "icon": icon,
        "crop": crop,
        "perCell": per_cell,
        "perRow": per_row,
        "cells": [
            [cell.column, cell.row, cell.count, len(cell.crops), cell.channels, cell.classes]
            for cell in cells
        ],
    }
    shows = "for the photographs it came from" if any(len(cell.crops) for cell in cells) else "to look closer"
    note = (
        f"{activations:,} activations of {photographs:,} photographs, in {len(cells)} cells. "
        f"Drag to move, scroll to zoom, choose a cell {shows}."
    )
    atomic.write(folder / _ICONS, _jpeg(icons), overwrite=True)
    if any(len(cell.crops) for cell in cells):
        atomic.write(folder / _CROPS, _jpeg(strips), overwrite=True)
    atomic.write(folder / PAGE, _html(title, note, about).encode(), overwrite=True)


def _html(title: str, note: str, about: dict[str, Any]) -> str:
    template = resources.files(__package__).joinpath("atlas.html").read_text(encoding="utf-8")
    data = json.dumps(about, separators=(",", ":")).replace("<", "\\u003c")
    for name, text in (("TITLE", escape(title)), ("NOTE", escape(note)), ("DATA", data)):
        template = template.replace(f"@{name}@", text)
    return template


def _place(canvas: NDArray[np.uint8], pixels: NDArray[np.uint8], left: int, top: int) -> None:
    height, width, _ = pixels.shape
    canvas[top : top + height, left : left + width] = pixels


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="JPEG", quality=75, optimize=True)
    return encoded.getvalue()
