"""Contact sheets: pictures with captions in a grid, as one picture or one HTML page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, ImageFont

from dreamkit.errors import shown
from dreamkit.media.images import Picture

MOST_PIXELS = 200_000_000  # of all cells of a sheet together; drawing them takes 600 MB
PAPER = (27, 27, 29)  # dark and neutral, so that the pictures' colours look right
_INK = (206, 206, 210)
_GAP = 16  # pixels between pictures and around the sheet
_STYLE = """
:root { color-scheme: light dark; --paper: #fafafa; --ink: #1b1b1d; --quiet: #66666b; --code: #ededf0; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1b1b1d; --ink: #e4e4e7; --quiet: #9c9ca3; --code: #2a2a2d; }
}
body { margin: 2rem; background: var(--paper); color: var(--ink); font: 15px/1.4 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.4rem; font-weight: 600; overflow-wrap: anywhere; }
p { margin: .2rem 0 0; color: var(--quiet); }
main { display: grid; gap: 1.5rem 1rem; margin-top: 1.5rem; align-items: start; }
figure { margin: 0; min-width: 0; }
img { display: block; max-width: 100%; height: auto; border-radius: 3px; }
figcaption { margin: .4rem 0 .3rem; font-weight: 600; overflow-wrap: anywhere; }
code { display: block; padding: .3rem .45rem; border-radius: 3px; background: var(--code);
  color: var(--quiet); font: 11px/1.45 ui-monospace, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere;
  -webkit-user-select: all; user-select: all; }
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        pixels: uint8 `(height, width, 3 or 4)`, sRGB.
        caption: the text under it.
        command: the command line that makes it, or empty. Only HTML pages show it.
    """

    pixels: NDArray[np.uint8]
    caption: str
    command: str = ""


def to_srgb(picture: Picture) -> NDArray[np.uint8]:
    """The pixels of `picture` in sRGB, whatever its profile, with its alpha as a fourth channel."""
    pixels = picture.pixels
    if picture.profile:
        source = io.BytesIO(picture.profile)
        try:
            converted = ImageCms.profileToProfile(
                Image.fromarray(pixels), ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB")
            )
            pixels = np.asarray(converted)
        except (OSError, ImageCms.PyCMSError):  # a damaged profile: show the pixels as they are
            pass
    return pixels if picture.alpha is None else np.dstack([pixels, picture.alpha])


def draw(cells: Sequence[Cell], columns: int | None, *, title: str = "") -> NDArray[np.uint8]:
    """A sheet of all cells with their captions, in rows of `columns`: uint8 `(height, width, 3)`.

    With None, there are about as many columns as rows.

    A column is as wide as its widest picture, and a row as high as its highest. A caption too long for its
    column loses its middle, because names of layers differ at their ends.
    """
    columns = columns or math.ceil(math.sqrt(len(cells)))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    widths = [max(row[at].pixels.shape[1] for row in rows if at < len(row)) for at in range(len(rows[0]))]
    heights = [max(cell.pixels.shape[0] for cell in row) for row in rows]
    text_size = min(18, max(11, round(max(widths) / 12)))
    font, line = ImageFont.load_default(text_size), math.ceil(1.6 * text_size)
    title_font = ImageFont.load_default(1.5 * text_size)
    top = _GAP + (2 * line if title else 0)
    width = _GAP + sum(each + _GAP for each in widths)
    height = top + sum(each + line + _GAP for each in heights)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    if title:
        draw.text((_GAP, _GAP), _shortened(title, title_font, width - 2 * _GAP), _INK, title_font)
    y = top
    for row, row_height in zip(rows, heights, strict=True):
        x = _GAP
        for cell, column_width in zip(row, widths, strict=False):  # the last row may be short
            image = Image.fromarray(cell.pixels)
            canvas.paste(image, (x, y), image if image.mode == "RGBA" else None)
            below = y + image.height + line // 4
            draw.text((x, below), _shortened(cell.caption, font, column_width), _INK, font)
            x += column_width + _GAP
        y += row_height + line + _GAP
    return np.asarray(canvas)


def html_page(title: str, cells: Sequence[Cell], *, note: str = "") -> str:
    """All cells as one HTML page that needs no other file, no server and no script.

    A click on a command selects all of it.
    """
    column = max(180, *(cell.pixels.shape[1] for cell in cells))
    figures = "\n".join(map(_figure, cells))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="dreamkit">
<title>{escape(title)}</title>
<style>{_STYLE}main {{ grid-template-columns: repeat(auto-fill, minmax(min({column}px, 100%), 1fr)); }}
</style>
<h1>{escape(title)}</h1>
<p>{escape(note)}</p>
<main>
{figures}
</main>
</html>
"""


def _figure(cell: Cell) -> str:
    height, width = cell.pixels.shape[:2]
    caption = escape(cell.caption)
    command = f"\n<code>{escape(cell.command)}</code>" if cell.command else ""
    return (
        f'<figure>\n<img src="{_data_uri(cell.pixels)}" width="{width}" height="{height}" alt="{caption}" '
        f'loading="lazy">\n<figcaption>{caption}</figcaption>{command}\n</figure>'
    )


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    # JPEG without chroma subsampling keeps a dream's fine colours; only WebP also holds transparency.
    options: dict[str, Any] = {"format": "JPEG", "subsampling": 0, "optimize": True}
    if pixels.shape[2] == 4:
        options = {"format": "WEBP"}
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, quality=85, **options)
    return f"data:image/{options['format'].lower()};base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """`text` on one line of at most `width` pixels; an ellipsis replaces the middle of a longer one."""
    text = shown(text, 200)
    shortened, kept = text, len(text)
    while kept > 1 and font.getlength(shortened) > width:
        kept -= 1
        shortened = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shortened
