"""The pictures of a request: the photograph, the guide and the masks, read and checked."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.config import DreamConfig, default
from dreamkit.errors import ConfigError, DreamkitWarning, RecipeError, shown
from dreamkit.media import free_memory, image_sizes, images, seams
from dreamkit.recipes import File, Recipe, Stroke

PathLike: TypeAlias = str | os.PathLike[str]
ImageSource: TypeAlias = PathLike | Image.Image | NDArray[Any] | images.Picture | None
_LEAST = 27  # bytes a pixel: the dream and its gradient in float32, and the photograph
_SHAPES_DIFFER = 0.02  # of a side, by which a picture of another's shape may be off, beside one pixel


def open_photograph(image: ImageSource, config: DreamConfig) -> images.Picture | None:
    """The photograph as it is dreamed: shrunk, enlarged and without seams, as `config` says; None for None.

    Raises:
        ImageError: it cannot be read, or is too large once it is enlarged.
        ConfigError: there is only noise to enlarge, or it is larger than `max_pixels`.
    """
    picture = open_picture(image, config)
    if picture is not None:
        height, width = picture.pixels.shape[:2]
        _check_memory((round(height * config.upscale), round(width * config.upscale)), "--max-size")
        picture = image_sizes.enlarge(picture, config.upscale, config.max_pixels, config.wrapped)
        return _seamless(picture, config)
    if config.upscale > 1:
        raise ConfigError(
            f"upscale is {config.upscale:g} and there is no photograph to enlarge; use --size for noise"
        )
    height, width = config.size
    if height * width > config.max_pixels:
        raise ConfigError(
            f"size is {width} x {height} pixels, more than the {config.max_pixels} allowed; make it "
            "smaller or raise --max-pixels"
        )
    _check_memory(config.size, "--size")
    return None


def _check_memory(size: tuple[int, int], otherwise: str) -> None:
    """Checks that the memory holds the least that a dream of `size` (height, width) takes.

    Raises:
        ConfigError: it does not.
    """
    lacking = free_memory.too_little_for(_LEAST * size[0] * size[1])
    if lacking:
        raise ConfigError(f"a dream of {size[1]} x {size[0]} pixels {lacking}; use a smaller {otherwise}")


def open_picture(image: ImageSource, config: DreamConfig) -> images.Picture | None:
    """`image` decoded and within `config.max_size`; None for None. `dream` takes the result as an image.

    Raises:
        ImageError: it cannot be read, or is larger than `config.max_pixels`.
    """
    if image is None or isinstance(image, images.Picture):
        return image
    if isinstance(image, str | os.PathLike):
        picture = images.read(image, config.max_pixels)
    elif isinstance(image, Image.Image | np.ndarray):
        picture = images.from_memory(image)
    else:
        raise ConfigError(f"image is a {type(image).__name__}; give a path, a Pillow image, an array or None")
    return image_sizes.shrink(picture, config.max_size, config.wrapped)


def open_guide(guide: ImageSource, config: DreamConfig) -> images.Picture | None:
    """The guide, no larger than a tile; None for None.

    Raises:
        ImageError: it cannot be read.
    """
    opened = open_picture(guide, config)
    return None if opened is None else image_sizes.shrink(opened, config.tile_size)


def open_mask(mask: ImageSource, config: DreamConfig) -> images.Picture:
    """A mask at its own size.

    Raises:
        ImageError: it cannot be read.
        ConfigError: it is None, or an array of floats that are not shares.
    """
    if isinstance(mask, np.ndarray):
        mask = _grey_levels(mask)
    opened = open_picture(mask, replace(config, max_size=None))
    if opened is None:
        raise ConfigError("a mask is None; give a path, a Pillow image or an array")
    return opened


def fit_mask(mask: images.Picture, size: tuple[int, int]) -> images.Picture:
    """`mask` at `size` (height, width), that of the photograph.

    Raises:
        ConfigError: it has another shape.
    """
    if not same_shape(mask, size):
        height, width, _ = mask.pixels.shape
        raise ConfigError(
            f"the mask {mask.name or 'from memory'} has {width} x {height} pixels and the picture "
            f"{size[1]} x {size[0]}; give one of the same shape"
        )
    return image_sizes.stretch(mask, size)


def open_strokes(recipe: Recipe, config: DreamConfig) -> tuple[tuple[Stroke, images.Picture], ...]:
    """The strokes of a recipe with their masks, which lie in the recipe itself.

    Raises:
        ImageError: a mask is damaged, or all together have more pixels than allowed.
    """
    left = min(config.max_pixels, default("max_pixels"))
    opened = []
    for stroke in recipe.strokes:
        name, otherwise = f"a stroke of {recipe.name}", "it cannot be dreamed again"
        mask = images.from_png(stroke.mask.data, max(1, left), name, otherwise)
        left -= mask.pixels.shape[0] * mask.pixels.shape[1]
        opened.append((stroke, mask))
    return tuple(opened)


def fit_stroke(stroke: Stroke, mask: images.Picture, size: tuple[int, int]) -> images.Picture:
    """The mask of a stroke at `size` (height, width), that of the photograph.

    Raises:
        ConfigError: it has another shape.
    """
    stretched = fit_mask(mask, size)
    if stroke.options is None or stretched is mask:
        return stretched
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, mask.pixels.shape, strict=False))
    return replace(mask, pixels=mask.pixels[rows[:, None], columns])  # no turn lies between two others


def same_shape(picture: images.Picture, size: tuple[int, int]) -> bool:
    """Whether `picture` has the proportions of `size` (height, width), as nearly as rounding allows."""
    height, width, _ = picture.pixels.shape
    # Either side may be the one that was rounded.
    off = [abs(width * size[0] / height - size[1]), abs(height * size[1] / width - size[0])]
    return any(each <= 1 + _SHAPES_DIFFER * side for each, side in zip(off, size[::-1], strict=True))


def recipe_file(recipe: Recipe, file: File | None, what: str, config: DreamConfig) -> ImageSource:
    """The picture `file` that a recipe names, from its own folder or out of the recipe itself.

    `what` is `guide`, `mask` or `mask NAME`, for messages.

    Raises:
        RecipeError: it is not there.
    """
    if file is None:
        return None
    option, _, name = what.partition(" ")
    otherwise = f"give it with --{option} {name}{'=' if name else ''}FILE"
    if file.data:
        # A recipe must not raise the limit for a picture that it brings itself.
        most = min(config.max_pixels, default("max_pixels"))
        return images.from_png(file.data, most, f"the {what} in {recipe.name}", otherwise)
    if recipe.folder is None:
        raise RecipeError(f"{recipe.name} was dreamed with the {what} {described(file)}; {otherwise}")
    path = recipe.folder / file.name
    if not os.path.isfile(path):
        raise RecipeError(
            f"{recipe.name} names the {option} {file.name}, which is not beside it; {otherwise}"
        )
    return path


def described(file: File) -> str:
    """A file that a recipe names, in a message."""
    return f"{shown(file.name) or 'a picture from memory'} (SHA-256 {shown(file.sha256, 64)})"


def _seamless(picture: images.Picture, config: DreamConfig) -> images.Picture:
    """`picture` without seams where the dream is to have none; a warning says what was blended."""
    closed, blended = seams.close(picture, config.wrapped)
    if blended:
        warnings.warn(
            f"the edges of {picture.name or 'the picture'} do not meet ({', '.join(blended)}); "
            "each fades into the mirror image of the opposite one",
            DreamkitWarning,
            stacklevel=4,
        )
    return closed


def _grey_levels(mask: NDArray[Any]) -> NDArray[Any]:
    """A mask in Python's own terms, truths or shares from 0 to 1, as grey levels."""
    if mask.dtype == np.bool_:
        return mask.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(mask.dtype, np.floating):
        if not (mask.size and np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
            raise ConfigError("the mask is an array of floats that are not all from 0 to 1")
        return np.asarray(np.rint(mask * 255), np.uint8)
    return mask
