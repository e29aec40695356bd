"""The pictures that a dream is made of: the photograph, the guide and the masks, read and checked."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit import recipes
from dreamkit.config import DreamConfig, default
from dreamkit.errors import ConfigError, DreamkitWarning, RecipeError, did_you_mean, shown
from dreamkit.media import image_sizes, images, seams
from dreamkit.recipes import File, Recipe, Share

PathLike: TypeAlias = str | os.PathLike[str]
Source: TypeAlias = PathLike | Image.Image | NDArray[Any] | images.Picture | None
_SHAPES_DIFFER = 0.02  # of a side, by which a picture of another's shape may be off, beside one pixel


@dataclass(frozen=True)
class Ingredients:
    """What a dream is made of, checked as far as it can be without a network.

    Attributes:
        config: how.
        shares: the networks.
        picture: the photograph, or None for noise.
        guide: a picture whose features are pulled to, or None.
        masks: by name, the one without a name being the dream's own.
    """

    config: DreamConfig
    shares: tuple[Share, ...]
    picture: images.Picture | None = None
    guide: images.Picture | None = None
    masks: Mapping[str, images.Picture] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels, of what is dreamed."""
        if self.picture is None:
            return self.config.size
        height, width, _ = self.picture.pixels.shape
        return height, width


def gather(
    image: Source,
    config: DreamConfig,
    shares: Sequence[Share],
    recipe: Recipe | None = None,
    *,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
) -> Ingredients:
    """Reads every picture that a dream is made of.

    What is given goes before what the recipe names; that is looked for in the recipe's own folder, or is in
    the recipe itself.

    Raises:
        ImageError: a picture cannot be read, or a mask has another shape than the photograph.
        RecipeError: a finished dream's photograph, guide or mask is not given.
    """
    if recipe is not None and recipe.photograph is not None and recipe.versions and image is None:
        raise RecipeError(
            f"{recipe.name} was dreamed from {_told(recipe.photograph)}; give that photograph, or another"
        )
    guide, given = beside(config, shares, recipe, guide=guide, mask=mask)
    return fit(image, config, shares, guide, given)


def fit(
    image: Source,
    config: DreamConfig,
    shares: Sequence[Share],
    guide: images.Picture | None,
    masks: Mapping[str, Source],
) -> Ingredients:
    """A photograph, or none, with what is `beside` it.

    Raises:
        ImageError: it cannot be read, is too large once it is enlarged, or a mask has another shape.
    """
    picture = open_picture(image, config)
    if picture is not None:
        picture = image_sizes.enlarge(picture, config.upscale, config.max_pixels, config.wrapped)
        picture = _seamless(picture, config)
    elif config.upscale > 1:
        raise ConfigError(
            f"upscale is {config.upscale:g} and there is no photograph to enlarge; use --size for noise"
        )
    height, width = config.size if picture is None else picture.pixels.shape[:2]
    if picture is None and height * width > config.max_pixels:
        raise ConfigError(
            f"size is {width} x {height} pixels, more than the {config.max_pixels} allowed; make it "
            "smaller or raise --max-pixels"
        )
    return Ingredients(
        config,
        tuple(shares),
        picture,
        guide,
        {name: _mask(each, config, (height, width)) for name, each in masks.items()},
    )


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


def beside(
    config: DreamConfig,
    shares: Sequence[Share],
    recipe: Recipe | None = None,
    *,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
) -> tuple[images.Picture | None, dict[str, Source]]:
    """What is beside any photograph: the guide, and the masks by name, which are not opened yet.

    Raises:
        ImageError, RecipeError, ConfigError: as `gather`.
    """
    given: dict[str, Source] = dict(mask) if isinstance(mask, Mapping) else {} if mask is None else {"": mask}
    used = recipes.masks_named({"layers": config.layers, "schedule": config.schedule}, shares)
    for name in given:
        if name and name not in used:
            among = did_you_mean(name, used) if used else "only a recipe's terms are; give it without a name"
            raise ConfigError(f"no term is under the mask {shown(name)}; {among}")
    if recipe is not None:
        guide = guide if guide is not None else _named(recipe, recipe.guide, "guide", config)
        for name, file in recipe.masks.items():
            if name not in given and name in ("", *used):
                given[name] = _named(recipe, file, f"mask {shown(name)}".strip(), config)
    opened = open_picture(guide, config)
    return None if opened is None else image_sizes.shrink(opened, config.tile_size), given


def _told(file: File) -> str:
    """A file that a recipe tells of, in a message."""
    return f"{shown(file.name) or 'a picture from memory'} (SHA-256 {shown(file.sha256, 64)})"


def _named(recipe: Recipe, file: File | None, what: str, config: DreamConfig) -> Source:
    """The file that a recipe names, from its own folder or out of itself."""
    if file is None:
        return None
    option, _, name = what.partition(" ")
    otherwise = f"give it with --{option} {name}{'=' if name else ''}FILE"
    if file.data:
        # The recipe's own limit is no limit to what it brings.
        most = min(config.max_pixels, default("max_pixels"))
        return images.from_png(file.data, most, f"the {what} in {recipe.name}", otherwise)
    if recipe.folder is None:
        raise RecipeError(f"{recipe.name} was dreamed with the {what} {_told(file)}; {otherwise}")
    path = recipe.folder / file.name
    if not os.path.isfile(path):
        raise RecipeError(
            f"{recipe.name} names the {option} {file.name}, which is not beside it; {otherwise}"
        )
    return path


def _mask(source: Source, config: DreamConfig, size: tuple[int, int]) -> images.Picture:
    """A mask at the picture's size."""
    if isinstance(source, np.ndarray):
        source = _grey_levels(source)
    opened = open_picture(source, replace(config, max_size=None))
    if opened is None:
        raise ConfigError("a mask is None; give a path, a Pillow image or an array")
    if not same_shape(opened, size):
        height, width, _ = opened.pixels.shape
        raise ConfigError(
            f"the mask {opened.name or 'from memory'} has {width} x {height} pixels and the picture "
            f"{size[1]} x {size[0]}; give one of the same shape"
        )
    return image_sizes.stretch(opened, size)


def same_shape(picture: images.Picture, size: tuple[int, int]) -> bool:
    """Whether `picture` has the proportions of `size` (height, width), as nearly as rounding allows."""
    height, width, _ = picture.pixels.shape
    # Either side may be the one that was rounded.
    off = [abs(width * size[0] / height - size[1]), abs(height * size[1] / width - size[0])]
    return any(each <= 1 + _SHAPES_DIFFER * side for each, side in zip(off, size[::-1], strict=True))


def _grey_levels(mask: NDArray[Any]) -> NDArray[Any]:
    """A mask in Python's own terms, truths or shares from 0 to 1, as grey levels."""
    if mask.dtype == np.bool_:
        return mask.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(mask.dtype, np.floating):
        if not (mask.size and np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
            raise ConfigError("the mask is an array of floats that are not all from 0 to 1")
        return np.asarray(np.rint(mask * 255), np.uint8)
    return mask


def remembered(gathered: Ingredients, recipe: Recipe) -> Ingredients:
    """`gathered` under the names that the recipe has for them, with a warning for each that is another."""

    def checked(
        picture: images.Picture | None, file: File | None, what: str, otherwise: str
    ) -> images.Picture | None:
        if picture is None:
            return picture
        if file is not None and picture.sha256 == file.sha256:
            return replace(picture, name=file.name)
        told = picture.name or "what is given"
        differs = (
            f"{recipe.name} was dreamed without a {what}"
            if file is None
            else f"{told} is not the {what} {_told(file)}"
        )
        warnings.warn(f"{differs}; {otherwise}", DreamkitWarning, stacklevel=3)
        return picture

    masks = {
        name: checked(mask, recipe.masks.get(name), "mask", "the dream will differ") or mask
        for name, mask in gathered.masks.items()
    }
    return replace(
        gathered,
        picture=checked(gathered.picture, recipe.photograph, "photograph", "this is dreamed as that was"),
        guide=checked(gathered.guide, recipe.guide, "guide", "the dream will differ"),
        masks=masks,
    )


def open_picture(image: Source, config: DreamConfig) -> images.Picture | None:
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
