"""Pictures written as PNG, JPEG, WebP or TIFF, with profile, resolution, authorship and recipe."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.errors import DreamkitWarning, ImageError
from dreamkit.media import atomic, image_metadata
from dreamkit.media.image_metadata import Authorship


@dataclass(frozen=True)
class _Format:
    """How a kind of file is written.

    Attributes:
        name: Pillow's.
        longest: the longest side that it can hold, in pixels.
        options: for Pillow's `save`.
    """

    name: str
    longest: int
    options: dict[str, Any] = field(default_factory=dict)


_JPEG = _Format("JPEG", 65_500, {"quality": 95, "subsampling": 0})
_TIFF = _Format("TIFF", 2**31 - 1, {"compression": "tiff_deflate"})
_FORMATS = {
    ".png": _Format("PNG", 2**31 - 1),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _Format("WEBP", 16_383, {"quality": 95}),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
SUFFIXES = frozenset(_FORMATS)


def check_output(
    path: Path, *, overwrite: bool, size: tuple[int, int] | None = None, needs_alpha: bool = False
) -> None:
    """Checks, before any work, that a picture of `size` (height, width) can be written to `path`.

    Raises:
        ImageError: an unknown extension, a missing or read-only folder, an existing file without
            `overwrite`, a side that the format cannot hold, or one without transparency where `needs_alpha`.
    """
    if path.suffix.lower() not in _FORMATS and not os.path.isdir(path):
        raise ImageError(f"{path} ends in {path.suffix or 'nothing'}; use one of {', '.join(_FORMATS)}")
    atomic.check_path(path, overwrite=overwrite)
    if size is not None:
        _check_sides(path, size)
    if needs_alpha:
        check_alpha(path)


def check_alpha(path: Path) -> None:
    """Checks that the format of `path` holds transparency.

    Raises:
        ImageError: it does not.
    """
    if _FORMATS.get(path.suffix.lower()) is _JPEG:
        raise ImageError(
            f"{path.name} is a JPEG, which holds no transparency, and alpha is importance; use .png, .webp "
            "or .tiff"
        )


def write(
    path: str | os.PathLike[str],
    pixels: NDArray[np.uint8],
    *,
    recipe: Mapping[str, Any] | None = None,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    authorship: Authorship | None = None,
    overwrite: bool = False,
    needs_alpha: bool = False,
) -> None:
    """Writes uint8 `(height, width, 3 or 4)` in the format of `path`'s extension, whole or not at all.

    `image_metadata` says where the recipe, as JSON, and the authorship stand in each format.

    Raises:
        ImageError: what `check_output` refuses, or no space left.
    """
    path = Path(path)
    size = pixels.shape[0], pixels.shape[1]
    check_output(path, overwrite=overwrite, size=size, needs_alpha=needs_alpha)
    metadata: dict[str, Any] = {"recipe": recipe, "profile": profile, "dpi": dpi, "authorship": authorship}
    with atomic.write_errors(path), encoded(path, pixels, **metadata) as data:
        atomic.write(path, data, overwrite=overwrite)


@contextmanager
def encoded(
    path: Path,
    pixels: NDArray[np.uint8],
    *,
    recipe: Mapping[str, Any] | None = None,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    authorship: Authorship | None = None,
) -> Iterator[memoryview]:
    """The bytes that `write` writes.

    Raises:
        ImageError: the format cannot hold so many pixels.
    """
    _check_sides(path, (pixels.shape[0], pixels.shape[1]))
    kind = _FORMATS[path.suffix.lower()]
    if kind is _JPEG and pixels.shape[2] == 4:
        message = f"{path.name} is a JPEG, which holds no transparency: it is dropped; use .png to keep it"
        warnings.warn(message, DreamkitWarning, stacklevel=3)
        pixels = pixels[..., :3]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    options = image_metadata.save_options(kind.name, recipe, authorship, dpi)
    if profile:
        options["icc_profile"] = profile
    # Encoded in memory first: Pillow's encoders do not all notice that a disk is full.
    file = io.BytesIO()
    image.save(file, format=kind.name, **kind.options, **options)
    with file.getbuffer() as data:  # released here: an error's traceback would keep it too long
        yield data


def to_png(pixels: NDArray[np.uint8], *, quick: bool = False) -> bytes:
    """Grey levels `(height, width)` or colours `(height, width, 3)` as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=1 if quick else 6)
    return file.getvalue()


def _check_sides(path: Path, size: tuple[int, int]) -> None:
    longest = _FORMATS[path.suffix.lower()].longest
    if max(size) > longest:
        raise ImageError(f"{path} cannot hold {size[1]} x {size[0]} pixels, only {longest} a side; use .png")
