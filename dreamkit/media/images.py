"""Pictures from files and memory: upright uint8 RGB, with alpha, profile, resolution and authorship."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from dreamkit.errors import DreamkitWarning, ImageError, first_line
from dreamkit.media import free_memory, image_metadata, pillow
from dreamkit.media.image_metadata import Authorship
from dreamkit.media.remote import name_of

_TURNS = {  # that bring EXIF's orientations upright; the first already is
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PLAIN, _OTHER = 12, 24  # bytes a pixel at the peak of decoding, without transparency and otherwise
_STRIP = 256  # rows that are converted at once
_SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright, in 8 bits.

    Attributes:
        pixels: uint8 `(height, width, 3)`, RGB.
        alpha: uint8 `(height, width)`, or None.
        profile: the ICC profile of `pixels` where it is not sRGB, else None.
        dpi: dots per inch across and down, or None where the file does not say.
        name: the file's name without its folder; empty for a picture that came from memory.
        sha256: of the file's bytes; for a picture from memory, of its pixels.
        path: where it was read from; never written down.
        authorship: who made the photograph, or None where the file does not say.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    profile: bytes | None = None
    name: str = ""
    sha256: str = ""
    path: str = ""
    dpi: tuple[float, float] | None = None
    authorship: Authorship | None = None


def read(path: str | os.PathLike[str], max_pixels: int) -> Picture:
    """Reads a picture file; the first frame of an animation, with a warning.

    Raises:
        ImageError: no such file, no picture, a damaged one, or one of more than `max_pixels` pixels,
            which is refused before it is decoded.
    """
    path = pillow.existing_file(path)
    try:
        with path.open("rb") as file:
            return replace(_picture(file, str(path), max_pixels), name=path.name, path=str(path))
    except OSError as error:
        raise ImageError(f"{path} may not be read ({first_line(error)})") from error


def from_bytes(data: bytes, name: str, max_pixels: int) -> Picture:
    """A picture file that was read already, from the path or URL `name`; else like `read`."""
    return replace(_picture(io.BytesIO(data), name, max_pixels), name=name_of(name))


def _picture(file: IO[bytes], name: str, max_pixels: int) -> Picture:
    try:
        with pillow.own_limits():
            if not file.seek(0, os.SEEK_END):
                raise ImageError(f"{name} is empty; give a picture")
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            file.seek(0)
            with Image.open(file, formats=pillow.READABLE) as image:
                _check_pixels(image, max_pixels, name, "shrink it or raise --max-pixels")
                _check_memory(image, name)
                return replace(_decode(image, name), sha256=sha256)
    except (ImageError, DreamkitWarning):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} cannot be read as a picture; give a PNG, JPEG, WebP or TIFF") from error
    except MemoryError as error:
        raise ImageError(f"{name} has too many pixels for this machine's memory; shrink it first") from error
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise ImageError(f"{name} is damaged or cut off ({first_line(error)[:120]})") from error


def from_memory(image: Image.Image | NDArray[Any]) -> Picture:
    """A Pillow image, or a uint8 array `(height, width)`, `(height, width, 3)` or `(height, width, 4)`.

    Raises:
        ImageError: an array of another kind or shape.
    """
    if isinstance(image, Image.Image):
        try:
            with pillow.own_limits():
                picture = _decode(image, "the picture")
        except (ImageError, DreamkitWarning):
            raise
        except Exception as error:  # as in `read`
            raise ImageError(f"the picture cannot be decoded ({first_line(error)[:120]})") from error
    else:
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,), (4,)):
            raise ImageError(
                f"the array is {image.dtype} of shape {image.shape}; give uint8, 0 to 255, "
                "of shape (height, width), (height, width, 3) or (height, width, 4)"
            )
        if not image.size:
            raise ImageError(f"the array of shape {image.shape} holds no pixels")
        rgb = np.stack([image] * 3, axis=-1) if image.ndim == 2 else image[..., :3]
        alpha = image[..., 3].copy() if image.shape[2:] == (4,) else None
        picture = Picture(np.ascontiguousarray(rgb), alpha)
    digest = hashlib.sha256(
        picture.pixels.tobytes() + (b"" if picture.alpha is None else picture.alpha.tobytes())
    )
    return replace(picture, sha256=digest.hexdigest())


def from_png(data: bytes, max_pixels: int, name: str, otherwise: str) -> Picture:
    """A picture out of a recipe, like `from_memory`. A message calls it `name`, and ends in `otherwise`.

    Raises:
        ImageError: no PNG, a damaged one, or one of more than `max_pixels` pixels, which is not decoded.
    """
    try:
        with pillow.own_limits(), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            _check_pixels(image, max_pixels, name, otherwise)
            _check_memory(image, name)
            image.load()
            return from_memory(image)
    except (ImageError, DreamkitWarning):
        raise
    except Exception as error:  # as in `read`
        raise ImageError(f"{name} is damaged ({first_line(error)[:120]}); {otherwise}") from error


def grey_levels(mask: Picture) -> NDArray[np.uint8]:
    """The grey levels of a mask, uint8 `(height, width)`: its lightness, and none where it is transparent."""
    grey = np.asarray(Image.fromarray(mask.pixels).convert("L"))
    if mask.alpha is None:
        return grey
    return np.asarray(np.rint(grey * (mask.alpha / 255.0)), np.uint8)


def _check_pixels(image: Image.Image, most: int, name: str, otherwise: str) -> None:
    width, height = image.size
    if width * height > most:
        raise ImageError(f"{name} has {width} x {height} pixels, more than the {most} allowed; {otherwise}")


def _check_memory(image: Image.Image, name: str) -> None:
    width, height = image.size
    plain = image.mode in ("1", "L", "P", "RGB") and "transparency" not in image.info
    lacking = free_memory.too_little_for(width * height * (_PLAIN if plain else _OTHER))
    if lacking:
        raise ImageError(f"reading {name} of {width} x {height} pixels {lacking}; shrink it first")


def _decode(image: Image.Image, name: str) -> Picture:
    """Upright 8-bit RGB: sRGB, or in the picture's own RGB profile, which is kept."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a phone's JPEG with a second view is not an animation
        _warn(f"{name} has {frames} frames; the first is dreamed")
    if not all(image.size):
        raise ImageError(f"{name} holds no pixels")
    profile = image.info.get("icc_profile")
    dpi = image_metadata.read_dpi(image)
    if dpi and pillow.exif(image).get(ExifTags.Base.Orientation) in _SIDEWAYS:
        dpi = dpi[::-1]
    image.load()  # turns a TIFF upright by itself, and removes its orientation
    turn = _TURNS.get(pillow.exif(image).get(ExifTags.Base.Orientation, 1))
    upright = image.transpose(turn) if turn is not None else image
    if upright.mode == "F":
        raise ImageError(f"{name} holds floating-point values; save it with 8 or 16 bits a channel")
    if upright.mode.startswith("I"):
        upright = _from_16_bit(upright)
    has_alpha = upright.has_transparency_data
    alpha = np.asarray(upright.convert("RGBA").getchannel("A")).copy() if has_alpha else None
    space = _colour_space(profile, name)
    if space == "GRAY" and upright.mode in ("1", "L", "LA"):
        rgb, profile = _to_srgb(upright.convert("L"), profile, name), None
    elif space == "CMYK" and upright.mode == "CMYK":
        rgb, profile = _to_srgb(upright, profile, name), None
    else:
        rgb = upright.convert("RGBA") if has_alpha else upright
        rgb = rgb if rgb.mode == "RGB" else rgb.convert("RGB")
        if space != "RGB" or upright.mode not in ("RGB", "RGBA", "P", "PA", "RGBX"):
            profile = None
    authorship = image_metadata.read_authorship(image)
    return Picture(_pixels(rgb), alpha, profile, dpi=dpi, authorship=authorship)


def _pixels(rgb: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an RGB image, in strips: Pillow's own way takes them three times."""
    pixels = np.empty((rgb.height, rgb.width, 3), np.uint8)
    for top, strip in _strips(rgb):
        pixels[top : top + strip.height] = np.asarray(strip)
    return pixels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    for top in range(0, image.height, _STRIP):
        yield top, image.crop((0, top, image.width, min(top + _STRIP, image.height)))


def _from_16_bit(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    grey = np.empty((image.height, image.width), np.uint8)
    alpha = None if transparent is None else np.empty_like(grey)
    for top, strip in _strips(image):
        values = np.asarray(strip).astype(np.int64)
        if values.min() < 0 or values.max() > 65_535:
            raise ImageError("the picture holds 32-bit values; save it with 8 or 16 bits a channel")
        grey[top : top + strip.height] = (values + 128) // 257
        if alpha is not None:
            alpha[top : top + strip.height] = np.where(values == transparent, 0, 255)
    made = Image.fromarray(grey)
    if alpha is not None:
        made.putalpha(Image.fromarray(alpha))
    return made


def _colour_space(profile: bytes | None, name: str) -> str:
    if not profile:
        return ""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (OSError, ValueError, ImageCms.PyCMSError):  # a ValueError for a space of odd characters
        _warn(f"{name} has a damaged colour profile: it is ignored")
        return ""


def _to_srgb(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
    try:
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        _warn(f"{name} has a colour profile that cannot be applied: it is ignored")
        converted = None
    return converted or image.convert("RGB")


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=3)
