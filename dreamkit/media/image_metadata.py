"""What a picture file says of itself: the recipe of a dream, who made the photograph, and its resolution.

A PNG has its recipe in the text chunk `dreamkit`, other formats in XMP (`media/xmp.py`). Authorship stands in
EXIF and in XMP. Nothing else of a photograph's metadata is kept: no place, no time, no camera.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin, PngImagePlugin

from dreamkit.errors import DreamkitWarning, ImageError, first_line
from dreamkit.media import pillow, xmp

MOST_DPI = 65_535  # the largest that a JPEG can hold
_RECIPE_KEY = "dreamkit"  # of the PNG text chunk
_RECIPE_LIMIT = 48 << 20  # bytes; Pillow reads at most 64 MiB of a PNG's texts
_EXIF_LIMIT = 60_000  # bytes; a JPEG's EXIF segment ends at 64 KiB
_XMP_TAG = 700  # of a TIFF
_XMP_KEYWORD = "XML:com.adobe.xmp"  # of a PNG text chunk
_EXIF_TAGS = {
    "description": ExifTags.Base.ImageDescription,
    "artist": ExifTags.Base.Artist,
    "copyright": ExifTags.Base.Copyright,
}
_IPTC_TAGS = {"description": (2, 120), "artist": (2, 80), "copyright": (2, 116)}
_PNG_KEYWORDS = {"description": "Description", "artist": "Author", "copyright": "Copyright"}


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who made a photograph, and what it shows; each empty where the file does not say.

    Attributes:
        description: the caption.
        artist: the names of its makers, separated by "; ".
        copyright: who holds the rights.
    """

    description: str = ""
    artist: str = ""
    copyright: str = ""


def read_authorship(image: Image.Image) -> Authorship | None:
    """The authorship in a picture's EXIF, else in its XMP, IPTC or PNG texts; None where there is none.

    A recipe that an earlier version of dreamkit wrote as the caption is not one.
    """
    sources = (_authorship_of_exif(image), _read_xmp(image), _authorship_of_iptc(image), _png_texts(image))
    values = {}
    for name in _EXIF_TAGS:
        found = (xmp.legal(source.get(name, "")).strip() for source in sources)
        values[name] = next((text for text in found if text and _recipe_of(text) is None), "")
    return Authorship(**values) if any(values.values()) else None


def read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch across and down; None where the file gives none that make sense.

    Pillow gives 1 for a TIFF that does not say, and nothing for a WebP, whose EXIF may.
    """
    dpi = image.info.get("dpi") or _exif_dpi(image)
    try:
        across, down = (float(each) for each in dpi or ())
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (across, down) if all(1 < each <= MOST_DPI for each in (across, down)) else None


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The recipe that a dream carries, or None. It is only data: nothing in it is followed or run.

    Raises:
        ImageError: the file cannot be read as a picture.
    """
    path = pillow.existing_file(path)
    return recipe_in(path, str(path))


def recipe_in(file: Path | IO[bytes], name: str) -> dict[str, Any] | None:
    """Like `read_recipe`, of an open file, which messages call `name`."""
    try:
        with pillow.own_limits(), Image.open(file, formats=pillow.READABLE) as image:
            return (
                _recipe_of(image.info.get(_RECIPE_KEY))
                or _recipe_of(_read_xmp(image).get("recipe"))
                # where it stood in the first versions
                or _recipe_of(pillow.exif(image).get(ExifTags.Base.ImageDescription))
            )
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise ImageError(f"{name} cannot be read as a picture ({first_line(error)[:120]})") from error


def save_options(
    kind: str,
    recipe: Mapping[str, Any] | None,
    authorship: Authorship | None,
    dpi: tuple[float, float] | None,
) -> dict[str, Any]:
    """The arguments of Pillow's `save` that put metadata into a file of `kind`, such as "JPEG".

    A recipe that is too long to be read again is left out, with a warning.
    """
    texts = {name: xmp.legal(text) for name, text in asdict(authorship or Authorship()).items() if text}
    text = None if recipe is None else json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    if text is not None and len(text) > _RECIPE_LIMIT:
        message = "the recipe is too long for a picture and is left out; give masks as files to keep it"
        warnings.warn(message, DreamkitWarning, stacklevel=4)
        text = None
    properties = texts if text is None or kind == "PNG" else {**texts, "recipe": text}
    exif = Image.Exif()
    for name, value in texts.items():
        exif[_EXIF_TAGS[name]] = value.encode()  # EXIF 3 allows UTF-8, which older programs write as well
    if kind == "WEBP" and dpi:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
        exif[ExifTags.Base.ResolutionUnit] = 2  # inches
    if kind == "TIFF" and properties:
        exif[_XMP_TAG] = xmp.packet(properties)
    options: dict[str, Any] = {"dpi": dpi} if dpi and kind != "WEBP" else {}
    if len(exif) and (kind != "JPEG" or len(exif.tobytes()) <= _EXIF_LIMIT):  # XMP holds it in any case
        options["exif"] = exif
    match kind:
        case "PNG":
            options |= _png_options(properties, text)
        case "JPEG" if properties:
            options["extra"] = xmp.jpeg_segments(properties)
        case "WEBP" if properties:
            options["xmp"] = xmp.packet(properties)
    return options


def _png_options(properties: Mapping[str, str], recipe: str | None) -> dict[str, Any]:
    chunks = PngImagePlugin.PngInfo()
    if properties:
        chunks.add_itxt(_XMP_KEYWORD, xmp.packet(properties).decode())
    if recipe is not None:
        chunks.add_itxt(_RECIPE_KEY, recipe)
    return {"pnginfo": chunks} if chunks.chunks else {}


def _recipe_of(text: object) -> dict[str, Any] | None:
    """A recipe as JSON, or None for any other text."""
    try:
        recipe = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) and "dreamkit" in recipe else None


def _read_xmp(image: Image.Image) -> dict[str, str]:
    data = image.info.get("xmp") or image.info.get(_XMP_KEYWORD) or b""
    segments = [content for marker, content in getattr(image, "applist", ()) if marker == "APP1"]
    try:
        return xmp.parse(data.encode() if isinstance(data, str) else bytes(data), segments)
    except (TypeError, ValueError):  # a TIFF may hold numbers there
        return {}


def _authorship_of_exif(image: Image.Image) -> dict[str, str]:
    entries = pillow.exif(image)
    return {name: _decoded(entries[tag]) for name, tag in _EXIF_TAGS.items() if tag in entries}


def _authorship_of_iptc(image: Image.Image) -> dict[str, str]:
    if not isinstance(image, ImageFile.ImageFile):
        return {}
    try:
        entries = IptcImagePlugin.getiptcinfo(image) or {}
    except Exception:  # damaged IPTC, as with EXIF
        return {}
    texts = {}
    for name, tag in _IPTC_TAGS.items():
        value = entries.get(tag, b"")
        texts[name] = "; ".join(map(_decoded, value if isinstance(value, list) else [value]))
    return texts


def _png_texts(image: Image.Image) -> dict[str, str]:
    texts = {name: image.info.get(keyword) for name, keyword in _PNG_KEYWORDS.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _decoded(value: object) -> str:
    """A text of EXIF or IPTC: UTF-8 if it can be, else Latin-1, which Pillow reads it as.

    A NUL separates the photographer's copyright from the editor's.
    """
    data = value if isinstance(value, bytes) else str(value).encode("latin-1", "replace")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return "; ".join(part.strip() for part in text.split("\0") if part.strip())


def _exif_dpi(image: Image.Image) -> tuple[Any, Any] | None:
    entries = pillow.exif(image)
    scale = 2.54 if entries.get(ExifTags.Base.ResolutionUnit) == 3 else 1  # centimetres
    try:
        return (
            float(entries[ExifTags.Base.XResolution]) * scale,
            float(entries[ExifTags.Base.YResolution]) * scale,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
