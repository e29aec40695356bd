"""What sets pictures apart: side by side at one height, and where their recipes differ."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.errors import ConfigError, ImageError, UsageError, shown
from dreamkit.media import contact_sheet, image_metadata, images

HEIGHT = 320  # pixels
MOST = 64  # pictures
_DEEPEST = 12  # levels of a recipe; ours have four, but anyone can write one


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found.

    Attributes:
        names: of the pictures: file names, or the paths as given where those are not all different.
        recipes: what each was made of; None for a picture that does not say.
        differences: each key path that is not the same in all recipes, such as `options.steps`, with the
            value in each picture; None where it has none.
    """

    names: list[str]
    recipes: list[dict[str, Any] | None]
    differences: dict[str, list[Any]]


def compare(paths: Sequence[str | os.PathLike[str]]) -> Comparison:
    """Reads what `paths` were made of, and where that differs.

    Raises:
        UsageError: fewer than two pictures or more than 64.
        ImageError: one cannot be read.
    """
    if not 2 <= len(paths) <= MOST:
        given = "one picture is" if len(paths) == 1 else f"{len(paths)} pictures are"
        raise UsageError(f"{given} given; compare takes 2 to {MOST}")
    recipes = [_recipe(path) for path in paths]
    return Comparison(_names(paths), recipes, differences(recipes))


def differences(recipes: Sequence[Mapping[str, Any] | None]) -> dict[str, list[Any]]:
    """Each key path whose value is not the same in all recipes, with its value in each.

    A value of None is as good as no value. A picture without a recipe differs from no other.
    """
    flat = [dict(_leaves(recipe)) if recipe is not None else {} for recipe in recipes]
    carrying = [leaves for leaves, recipe in zip(flat, recipes, strict=True) if recipe is not None]
    keys = sorted({key for leaves in flat for key in leaves})
    return {
        key: [leaves.get(key) for leaves in flat]
        for key in keys
        if any(leaves.get(key) != carrying[0].get(key) for leaves in carrying)
    }


def side_by_side(
    paths: Sequence[str | os.PathLike[str]],
    *,
    height: int = HEIGHT,
    max_pixels: int = contact_sheet.MOST_PIXELS,
) -> NDArray[np.uint8]:
    """The pictures in one row, each `height` pixels high, with their file names: uint8 RGB.

    Raises:
        ConfigError: `height` is out of range.
        ImageError: a picture cannot be read, or they are too wide together.
    """
    if not 16 <= height <= 4096:
        raise ConfigError(f"height is {height}; it takes a whole number, 16 to 4096")
    cells: list[contact_sheet.Cell] = []
    room = contact_sheet.MOST_PIXELS // height
    for path, name in zip(paths, _names(paths), strict=True):
        picture = images.read(path, max_pixels)
        width = max(1, round(picture.pixels.shape[1] * height / picture.pixels.shape[0]))
        room -= width
        if room < 0:
            raise ImageError(
                f"side by side the pictures have more than {contact_sheet.MOST_PIXELS} pixels; "
                "use a smaller --height"
            )
        cells.append(contact_sheet.Cell(_scaled(picture, (width, height)), name))
    return contact_sheet.draw(cells, len(cells))


def _scaled(picture: images.Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
    image = Image.fromarray(contact_sheet.to_srgb(picture))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _recipe(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    if not os.path.isfile(path):
        images.read(path, 1)  # which says what it is instead
    return image_metadata.read_recipe(path)


def _names(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    names = [Path(path).name for path in paths]
    return names if len(set(names)) == len(names) else [os.fspath(path) for path in paths]


def _leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value of nested data with its key path, `models[0].name`; a list of plain values is one value."""
    if depth > _DEEPEST:
        yield path, "..."
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{shown(key)}" if path else shown(key), depth + 1)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]", depth + 1)
    elif value is not None:
        yield path, value
