"""Contact sheets: an aligned grid, captions that fit, pages that need no other file."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFont

from dreamkit.media import contact_sheet, images
from dreamkit.media.contact_sheet import Cell


def plain(height, width, colour, caption="name", **more):
    return Cell(np.full((height, width, len(colour)), colour, np.uint8), caption, **more)


def box(picture, colour):
    """First row, first column, height and width of what has `colour`, which is one rectangle."""
    rows, columns = np.nonzero((picture == colour).all(-1))
    top, left = rows.min(), columns.min()
    height, width = rows.max() + 1 - top, columns.max() + 1 - left
    assert len(rows) == height * width
    return top, left, height, width


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)]


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 9])
def test_cells_lie_whole_and_aligned(columns):
    cells = [plain(20 + 3 * k, 50 - 4 * k, colour) for k, colour in enumerate(COLOURS)]
    drawn = contact_sheet.draw(cells, columns)
    boxes = [box(drawn, colour) for colour in COLOURS]
    assert [each[2:] for each in boxes] == [cell.pixels.shape[:2] for cell in cells]
    for k, (top, left, height, _) in enumerate(boxes):
        row, column = divmod(k, columns)
        assert top == boxes[row * columns][0]
        assert left == boxes[column][1]
        if row:  # below the captions of the row above
            assert top > max(above[0] + above[2] for above in boxes[(row - 1) * columns : row * columns]) + 10
        assert top + height < drawn.shape[0]


def test_captions_are_under_their_pictures():
    with_caption, without = (
        contact_sheet.draw([plain(30, 90, (9, 9, 9), text)], 1) for text in ("mixed4c", "")
    )
    top, left, height, width = box(with_caption, (9, 9, 9))
    changed = np.nonzero((with_caption != without).any(-1))
    assert len(changed[0])
    assert changed[0].min() >= top + height
    assert left <= changed[1].min()
    assert changed[1].max() < left + width


def test_a_title_is_above_everything():
    cell = plain(30, 200, (9, 9, 9))
    bare, titled = contact_sheet.draw([cell], 1), contact_sheet.draw([cell], 1, title="pocket")
    moved = box(titled, (9, 9, 9))[0] - box(bare, (9, 9, 9))[0]
    assert moved > 0
    assert (titled[moved:] == bare).all()
    assert (titled[:moved] != bare[0, 0]).any()


@pytest.mark.parametrize(
    "text", ["x", "mixed4c", "block17_10_conv_ac/Conv2D" * 3, "é" * 500, "two\nlines\x1b[31m"]
)
@pytest.mark.parametrize("width", [40, 160])
def test_a_long_caption_loses_its_middle(text, width):
    font = ImageFont.load_default(13)
    fitted = contact_sheet._shortened(text, font, width)
    assert font.getlength(fitted) <= width
    assert fitted.isprintable()
    if fitted != text and text.isprintable() and len(text) <= 60:
        head, tail = fitted.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert 0 <= len(head) - len(tail) <= 1


def test_transparency_shows_the_paper():
    drawn = contact_sheet.draw([plain(10, 10, (255, 0, 0, 0))], 1)
    assert not (drawn == (255, 0, 0)).all(-1).any()


def test_colours_are_srgb():
    """Pixels are converted by their profile."""
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    pixels = np.full((2, 2, 3), (200, 30, 30), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(contact_sheet.to_srgb(images.Picture(pixels, None, srgb)).astype(int) - pixels).max() <= 1
    for useless in (b"no profile", xyz):
        assert np.array_equal(contact_sheet.to_srgb(images.Picture(pixels, None, useless)), pixels)
    alpha = np.full((2, 2), 7, np.uint8)
    assert np.array_equal(contact_sheet.to_srgb(images.Picture(pixels, alpha))[..., 3], alpha)


class Page(HTMLParser):
    """The elements and texts of a page, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.tags[-1][0], data.strip()))

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def texts_of(self, tag):
        return [text for name, text in self.texts if name == tag]


def test_a_page_needs_no_other_file():
    text = contact_sheet.html_page(
        "title", [plain(8, 12, (200, 0, 0)), plain(8, 12, (0, 200, 0, 99))], note="two"
    )
    without_pictures = re.sub(r"base64,[^\"]*", "", text)
    for foreign in ("http", "//", "url(", "<script", "<link", "@import"):
        assert foreign not in without_pictures
    found = Page(text).each("img")
    for attributes, channels in zip(found, (3, 4), strict=True):
        assert (attributes["width"], attributes["height"], attributes["loading"]) == ("12", "8", "lazy")
        encoded = attributes["src"].partition(";base64,")[2]
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            assert image.size == (12, 8)
            assert len(image.getbands()) == channels
    assert "prefers-color-scheme: dark" in text
    assert "user-select: all" in text


def test_everything_in_a_page_is_escaped():
    evil = """</title></code><script>alert("1")</script> & 'x'"""
    page = Page(contact_sheet.html_page(evil, [plain(2, 2, (1, 2, 3), evil, command=evil)], note=evil))
    assert not page.each("script")
    for tag in ("title", "h1", "p", "figcaption", "code"):
        assert page.texts_of(tag) == [evil]
    assert page.each("img")[0]["alt"] == evil


def test_a_cell_without_a_command_shows_none():
    assert not Page(contact_sheet.html_page("t", [plain(2, 2, (1, 2, 3))])).each("code")
