"""Pictures in and out: files to uint8 RGB and back, with orientation, alpha, profiles and the recipe."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from dreamkit.config import Wrapped
from dreamkit.errors import DreamkitWarning, ImageError, OutputExistsError, first_line

# Ending to Pillow's format, the longest side it can hold, and how it is saved.
_FORMATS: dict[str, tuple[str, int, dict[str, Any]]] = {
    ".png": ("PNG", 2**31 - 1, {}),
    ".jpg": ("JPEG", 65_500, {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", 65_500, {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", 16_383, {"quality": 95}),
    ".tif": ("TIFF", 2**31 - 1, {"compression": "tiff_deflate"}),
    ".tiff": ("TIFF", 2**31 - 1, {"compression": "tiff_deflate"}),
}
SUFFIXES = frozenset(_FORMATS)  # of pictures that are written
PARTIAL = ".dreamkit-"  # how the name of a file begins while it is written
MOST_DPI = 65_535  # that a JPEG can hold
_reading = threading.RLock()
_Scalar = TypeVar("_Scalar", bound=np.generic)
_RECIPE_KEY = "dreamkit"  # of the PNG text chunk
_EXIF_LIMIT = 60_000  # bytes; a JPEG's EXIF block ends at 64 KiB
_TEXT_LIMIT = 48 << 20  # bytes; Pillow reads 64 MiB of a PNG's texts in all
# What is read. Pillow knows more, some of which it hands to other programs.
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "TGA", "JPEG2000")
_TURNS = {  # EXIF's orientations, but for the first, which is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright, in 8 bits.

    Attributes:
        pixels: uint8 `(height, width, 3)`, RGB.
        alpha: uint8 `(height, width)`, or None.
        profile: the ICC profile of `pixels` where it is not sRGB, else None.
        dpi: dots per inch across and down, or None where the file does not say.
        name: the file's name without its folder; empty for a picture that came from memory.
        sha256: of the file's bytes, or of the pixels where there is no file.
        path: where it was read from; never written down.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    profile: bytes | None = None
    name: str = ""
    sha256: str = ""
    path: str = ""
    dpi: tuple[float, float] | None = None


def read(path: str | os.PathLike[str], max_pixels: int) -> Picture:
    """Reads a picture file; the first frame of an animation, with a warning.

    Raises:
        ImageError: no such file, no picture, a damaged one, or one of more than `max_pixels` pixels,
            which is refused before it is decoded.
    """
    path = _file(path)
    try:
        with path.open("rb") as file:
            return replace(_picture(file, str(path), max_pixels), name=path.name, path=str(path))
    except OSError as error:
        raise ImageError(f"{path} may not be read ({first_line(error)})") from error


def of_bytes(data: bytes, name: str, max_pixels: int) -> Picture:
    """A picture file that was read already, from `name`; else like `read`."""
    return replace(_picture(io.BytesIO(data), name, max_pixels), name=name.rpartition("/")[2])


def _picture(file: IO[bytes], name: str, max_pixels: int) -> Picture:
    try:
        with _pillow():
            if not file.seek(0, os.SEEK_END):
                raise ImageError(f"{name} is empty; give a picture")
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            file.seek(0)
            with Image.open(file, formats=_READABLE) as image:
                _check_pixels(image, max_pixels, name, "shrink it or raise --max-pixels")
                return replace(_decode(image, name), sha256=sha256)
    except (ImageError, DreamkitWarning):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture that can be read; give a PNG, JPEG, WebP or TIFF") from error
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
            with _pillow():
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
        with _pillow(), Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            _check_pixels(image, max_pixels, name, otherwise)
            image.load()
            return from_memory(image)
    except (ImageError, DreamkitWarning):
        raise
    except Exception as error:  # as in `read`
        raise ImageError(f"{name} is damaged ({first_line(error)[:120]}); {otherwise}") from error


def shrink(picture: Picture, max_size: int | None, wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` with its longest side at most `max_size` pixels."""
    height, width, _ = picture.pixels.shape
    longest = max(height, width)
    if max_size is None or longest <= max_size:
        return picture
    size = max(1, round(height * max_size / longest)), max(1, round(width * max_size / longest))
    return _at_size(picture, size, Image.Resampling.LANCZOS, wrapped)


def enlarge(picture: Picture, factor: float, max_pixels: int, wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` with `factor` times its width and height, at least 1, by Lanczos' filter.

    Raises:
        ImageError: it would have more than `max_pixels` pixels; nothing is enlarged then.
    """
    height, width, _ = picture.pixels.shape
    size = round(height * factor), round(width * factor)
    if size == (height, width):
        return picture
    name = picture.name or "the picture"
    enlarged = f"{name} enlarged {factor:g} times has {size[1]} x {size[0]} pixels"
    if size[0] * size[1] > max_pixels:
        most = math.floor(math.sqrt(max_pixels / (height * width)) * 100) / 100
        possible = f"at most {most:g} is possible; use a smaller" if most > 1 else "leave out"
        raise ImageError(
            f"{enlarged}, more than the {max_pixels} allowed; {possible} --upscale, or raise --max-pixels"
        )
    try:
        return _at_size(picture, size, Image.Resampling.LANCZOS, wrapped)
    except MemoryError as error:
        raise ImageError(
            f"{enlarged}, too many for this machine's memory; use a smaller --upscale"
        ) from error


def fitted(picture: Picture, size: tuple[int, int], wrapped: Wrapped = (False, False)) -> Picture:
    """`picture` at `size` (height, width), as `shrink` and `enlarge` bring it there."""
    if picture.pixels.shape[:2] == size:
        return picture
    return _at_size(picture, size, Image.Resampling.LANCZOS, wrapped)


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """`picture` at `size` (height, width), without regard to its shape."""
    if picture.pixels.shape[:2] == size:
        return picture
    return _at_size(picture, size, Image.Resampling.BILINEAR)


def _at_size(
    picture: Picture,
    size: tuple[int, int],
    resampling: Image.Resampling,
    wrapped: Wrapped = (False, False),
) -> Picture:
    def scaled(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = values.shape[:2]
        top, left = (
            _reach(before, after) if wraps else 0
            for before, after, wraps in zip((height, width), size, wrapped, strict=True)
        )
        values = around(values, (top, left))
        box = (left, top, left + width, top + height)  # the filter also reads what lies around it
        return np.asarray(Image.fromarray(values).resize(size[::-1], resampling, box))

    alpha = None if picture.alpha is None else scaled(picture.alpha)
    return replace(picture, pixels=scaled(picture.pixels), alpha=alpha)


def around(pixels: NDArray[_Scalar], reach: tuple[int, int]) -> NDArray[_Scalar]:
    """`pixels` with so many more rows and columns on each side, taken from the opposite one."""
    for axis, more in enumerate(reach):
        if more:
            length = pixels.shape[axis]
            pixels = pixels.take(np.arange(-more, length + more), axis, mode="wrap")
    return pixels


def _reach(before: int, after: int) -> int:
    """How many pixels beyond an edge Lanczos' filter reads, or any narrower one."""
    return math.ceil(3 * max(1.0, before / after)) + 1


def strengths(mask: Picture) -> NDArray[np.uint8]:
    """The grey levels of a mask, uint8 `(height, width)`: its lightness, and none where it is transparent."""
    grey = np.asarray(Image.fromarray(mask.pixels).convert("L"))
    if mask.alpha is None:
        return grey
    return np.asarray(np.rint(grey * (mask.alpha / 255.0)), np.uint8)


def to_png(pixels: NDArray[np.uint8], *, quick: bool = False) -> bytes:
    """Grey levels `(height, width)` or colours `(height, width, 3)` as a PNG file."""
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="PNG", compress_level=1 if quick else 6)
    return encoded.getvalue()


def check_dpi(path: Path) -> None:
    """Makes sure that a file at `path` can say its dots per inch.

    Raises:
        ImageError: its format cannot.
    """
    if path.suffix.lower() == ".webp":
        raise ImageError(f"{path.name} is a WebP, which cannot hold a dpi; use .png, .jpg or .tiff")


def check_output(path: Path, *, overwrite: bool, size: tuple[int, int] | None = None) -> None:
    """Makes sure, before any work, that a picture of `size` (height, width) can be written to `path`.

    Raises:
        ImageError: an unknown ending, a missing or read-only folder, an existing file without
            `overwrite`, or a side that the format cannot hold.
    """
    if path.suffix.lower() not in _FORMATS and not os.path.isdir(path):
        raise ImageError(f"{path} ends in {path.suffix or 'nothing'}; use one of {', '.join(_FORMATS)}")
    check_place(path, overwrite=overwrite)
    if size is not None:
        _check_sides(path, size)


def _check_sides(path: Path, size: tuple[int, int]) -> None:
    longest = _FORMATS[path.suffix.lower()][1]
    if max(size) > longest:
        raise ImageError(f"{path} cannot hold {size[1]} x {size[0]} pixels, only {longest} a side; use .png")


def check_place(path: Path, *, overwrite: bool) -> None:
    """Makes sure that a file can be written to `path`.

    Raises:
        ImageError: a missing or read-only folder, or an existing file without `overwrite`.
    """
    if os.path.isdir(path):
        raise ImageError(f"{path} is a folder; give a file name in it")
    if not os.path.isdir(path.parent):
        raise ImageError(f"the folder {path.parent} does not exist; create it or choose another")
    try:
        there = path.exists()
    except OSError as error:
        raise ImageError(
            f"{path.name[:40]}... cannot be a file name ({error.strerror}); choose another"
        ) from error
    if there and not overwrite:
        raise OutputExistsError(f"{path} exists; choose another name or give --overwrite")
    if not os.access(path.parent, os.W_OK):
        raise ImageError(f"the folder {path.parent} may not be written to; choose another")


def free_name(stem: str, suffix: str = ".png") -> Path:
    """The first of `STEM.png`, `STEM-2.png`, ... that does not exist."""
    return next(path for path in names(stem, suffix) if not path.exists())


def names(stem: str, suffix: str = ".png") -> Iterator[Path]:
    """`STEM.png`, `STEM-2.png`, ... without end."""
    yield Path(f"{stem}{suffix}")
    yield from (Path(f"{stem}-{number}{suffix}") for number in count(2))


def write(
    path: str | os.PathLike[str],
    pixels: NDArray[np.uint8],
    *,
    recipe: Mapping[str, Any] | None = None,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes uint8 `(height, width, 3 or 4)` by the ending of `path`, whole or not at all.

    The recipe goes into the file as JSON: a PNG's text chunk `dreamkit`, else EXIF's ImageDescription. A WebP
    cannot hold `dpi`.

    Raises:
        ImageError: what `check_output` refuses, or no space left.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, size=(pixels.shape[0], pixels.shape[1]))
    with _writing(path), encoded(path, pixels, recipe=recipe, profile=profile, dpi=dpi) as data:
        put(path, data, overwrite=overwrite)


@contextmanager
def encoded(
    path: Path,
    pixels: NDArray[np.uint8],
    *,
    recipe: Mapping[str, Any] | None = None,
    profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> Iterator[memoryview]:
    """The bytes that `write` writes.

    Raises:
        ImageError: the format cannot hold so many pixels.
    """
    _check_sides(path, (pixels.shape[0], pixels.shape[1]))
    name, _, options = _FORMATS[path.suffix.lower()]
    if name == "JPEG" and pixels.shape[2] == 4:
        _warn(f"{path.name} is a JPEG, which holds no transparency: it is dropped; use .png to keep it")
        pixels = pixels[..., :3]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    metadata = _metadata(name, recipe) if recipe is not None else {}
    if profile:
        metadata["icc_profile"] = profile
    if dpi and name != "WEBP":
        metadata["dpi"] = dpi
    # Encoded in memory first: Pillow's encoders do not all notice that a disk is full.
    file = io.BytesIO()
    image.save(file, format=name, **options, **metadata)
    with file.getbuffer() as data:  # let go of here: an error's traceback would keep it too long
        yield data


def put(path: Path, data: bytes | memoryview, *, overwrite: bool) -> None:
    """Writes a file, whole or not at all.

    Raises:
        ImageError: it cannot be written; without `overwrite`, it exists.
    """
    put_by(path, lambda file: file.write(data), overwrite=overwrite)


def put_by(path: Path, write: Callable[[IO[bytes]], object], *, overwrite: bool) -> None:
    """Like `put`, of what `write` writes."""
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}{path.suffix}")
    with _writing(path):
        try:
            with partial.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            move(partial, path, overwrite=overwrite)
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Says in one line why `path` cannot be written."""
    try:
        yield
    except OSError as error:
        reason = "no space left" if error.errno == errno.ENOSPC else first_line(error)
        raise ImageError(f"cannot write {path} ({reason}); nothing was written") from error


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The recipe that a dream carries, or None. Only data: nothing in it is followed or run.

    Raises:
        ImageError: the file is no readable picture.
    """
    path = _file(path)  # a pipe would be waited on for ever
    return recipe_in(path, str(path))


def recipe_in(file: Path | IO[bytes], name: str) -> dict[str, Any] | None:
    """Like `read_recipe`, of an open file, which messages call `name`."""
    try:
        with _pillow(), Image.open(file, formats=_READABLE) as image:
            text = image.info.get(_RECIPE_KEY) or _exif(image).get(ExifTags.Base.ImageDescription)
    except Exception as error:  # as in `read`
        raise ImageError(f"{name} is no picture that can be read ({first_line(error)[:120]})") from error
    try:
        recipe = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) and "dreamkit" in recipe else None


def _file(path: str | os.PathLike[str]) -> Path:
    """`path`, where a file is there."""
    if str(path).startswith(("http://", "https://")):
        raise ImageError(f"{path} is an address; download the picture first")
    # os.path's own questions: they answer no, where Path's raise, for a name that cannot be one.
    if not os.path.isfile(path):
        what = "is a folder, not a picture" if os.path.isdir(path) else "does not exist"
        raise ImageError(f"{path} {what}; give the path of a picture")
    return Path(path)


def _check_pixels(image: Image.Image, most: int, name: str, otherwise: str) -> None:
    width, height = image.size
    if width * height > most:
        raise ImageError(f"{name} has {width} x {height} pixels, more than the {most} allowed; {otherwise}")


def _exif(image: Image.Image) -> Mapping[int, Any]:
    """A picture's EXIF entries; none where they are damaged."""
    try:
        return dict(image.getexif())
    except Exception:  # damaged EXIF makes Pillow raise nearly anything, and costs no one the picture
        return {}


def _decode(image: Image.Image, name: str) -> Picture:
    """Upright 8-bit RGB: sRGB, or in the picture's own RGB profile, which is kept."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a phone's JPEG with a second view is no animation
        _warn(f"{name} has {frames} frames; the first is dreamed")
    if not all(image.size):
        raise ImageError(f"{name} holds no pixels")
    profile = image.info.get("icc_profile")
    image.load()  # which turns a TIFF by itself, and takes its orientation away
    turn = _TURNS.get(_exif(image).get(ExifTags.Base.Orientation, 1))
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
        rgb = upright.convert("RGBA").convert("RGB") if has_alpha else upright.convert("RGB")
        if space != "RGB" or upright.mode not in ("RGB", "RGBA", "P", "PA", "RGBX"):
            profile = None
    return Picture(np.asarray(rgb).copy(), alpha, profile, dpi=_dpi(image, turned=upright.size != image.size))


def _dpi(image: Image.Image, *, turned: bool) -> tuple[float, float] | None:
    """Dots per inch across and down, once the picture is `turned` upright; None where they make no sense.

    Pillow says 1 of a TIFF that does not say.
    """
    try:
        across, down = (float(each) for each in image.info.get("dpi") or ())
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not all(1 < each <= MOST_DPI for each in (across, down)):
        return None
    return (down, across) if turned else (across, down)


def _from_16_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise ImageError("the picture holds 32-bit values; save it with 8 or 16 bits a channel")
    grey = Image.fromarray(((values + 128) // 257).astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _colour_space(profile: bytes | None, name: str) -> str:
    if not profile:
        return ""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
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


def _metadata(name: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    if name == "PNG" and len(text) <= _TEXT_LIMIT:
        chunk = PngImagePlugin.PngInfo()
        chunk.add_itxt(_RECIPE_KEY, text)
        return {"pnginfo": chunk}
    if len(text) > _EXIF_LIMIT:
        instead = "give masks as files" if name == "PNG" else "use .png"
        _warn(f"the recipe is too long for this format and is left out; {instead} to keep it")
        return {}
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = text
    return {"exif": exif}


def move(partial: Path, path: Path, *, overwrite: bool) -> None:
    """Puts `partial` in place in one step. Without `overwrite`, a file that came meanwhile is kept."""
    if overwrite:
        partial.replace(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise OutputExistsError(f"{path} exists; choose another name or give --overwrite") from None
    except OSError:  # a file system without links
        partial.rename(path)


@contextmanager
def _pillow() -> Iterator[None]:
    """Pillow without its own limit, since ours can be raised by the user, and without its warnings.

    Both are settings of the whole process, so one thread reads at a time.
    """
    with _reading:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=3)
