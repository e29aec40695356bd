"""What leaves the page: JPEG files, cards, films and the share sheet."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import tiny
from chromium import PHOTO, canvas_pixels, choose, pixels, saved, shrunk, wait_until_idle
from PIL import Image

import dreamkit

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

# A share sheet that keeps what it is given.
SHEET = """
    navigator.canShare = () => true;
    navigator.share = async ({ files: [file] }) => {
        const bytes = new Uint8Array(await file.arrayBuffer());
        let text = "";
        for (const byte of bytes) text += String.fromCharCode(byte);
        window.shared = [file.name, file.type, btoa(text)];
    };
"""


def dreamed(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    choose(page, longest=192)
    page.click("#dream")
    wait_until_idle(page, 1)


def test_a_jpeg_has_its_recipe(page, tmp_path):
    dreamed(page)
    path = saved(page, tmp_path, "#save-jpeg")
    assert path.name == "chelsea.dream.jpg"
    with Image.open(path) as image:
        assert image.format == "JPEG"
    shown = canvas_pixels(page)[..., :3].astype(float)
    assert np.abs(pixels(path) - shown).mean() < 3
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO, tiny.provider()).pixels
    assert np.abs(again - shown).max() <= 3
    assert saved(page, tmp_path).name == "chelsea.dream.png"


def test_a_card_shows_the_photograph_and_its_dream(page, tmp_path):
    dreamed(page)
    path = saved(page, tmp_path, "#save-card")
    assert path.name == "chelsea.card.jpg"
    card = pixels(path)
    photo, dream = shrunk(PHOTO, 192), canvas_pixels(page)[..., :3].astype(float)
    height, width = photo.shape[:2]
    edge = (card.shape[1] - width) // 2
    assert np.abs(card[edge : edge + height, edge : edge + width] - photo).mean() < 4
    below = 2 * edge + height
    assert np.abs(card[below : below + height, edge : edge + width] - dream).mean() < 8


def test_the_share_sheet_gets_a_jpeg_with_its_recipe(open_page, browser):
    context = browser.new_context()
    context.add_init_script(SHEET)
    page = open_page(context=context)
    dreamed(page)
    page.click("#send")
    page.wait_for_function("() => window.shared")
    name, kind, data = page.evaluate("() => window.shared")
    assert (name, kind) == ("chelsea.dream.jpg", "image/jpeg")
    file = io.BytesIO(base64.b64decode(data))
    file.name = name
    with Image.open(file) as image:
        assert image.size == (192, 128)
        assert b"urn:dreamkit:1.0/" in image.info["xmp"]
    page.close()
    context.close()


def test_a_device_without_a_share_sheet_has_no_button_for_it(open_page, browser):
    context = browser.new_context()
    context.add_init_script("navigator.canShare = undefined;")
    page = open_page(context=context)
    assert page.is_hidden("#send")
    page.close()
    context.close()


def test_a_film_shows_the_growth(page, tmp_path):
    av = pytest.importorskip("av")
    dreamed(page)
    path = saved(page, tmp_path, "#save-film")
    assert path.name == "chelsea.growth.webm"
    wait_until_idle(page, 1)
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert frames[-1].shape == (128, 192, 3)
    photo, dream = shrunk(PHOTO, 192), canvas_pixels(page)[..., :3].astype(float)
    for frame, shown, other in [(frames[0], photo, dream), (frames[-1], dream, photo)]:
        assert np.abs(frame - shown).mean() < np.abs(frame - other).mean()
    page.click("#undo")
    wait_until_idle(page, 0)
    assert page.is_disabled("#save-film")
    page.click("#redo")
    wait_until_idle(page, 1)
    assert page.is_enabled("#save-film")


@pytest.mark.parametrize("width", [pytest.param(1440, marks=pytest.mark.long), 390])
def test_a_film_of_the_session_shows_each_dream(open_page, width, tmp_path):
    av = pytest.importorskip("av")
    page = open_page(width, 860)
    dreamed(page)
    assert page.inner_text("#save") == "Save PNG, 192 x 128"
    page.click("#save-more summary")
    lines = page.locator("#save-more button").all_inner_texts()
    assert [re.sub(r"\s+", " ", each) for each in lines] == [
        "JPEG a smaller file, with its recipe 192 x 128",
        "Card before and after on one picture 204 x 286",
        "Film how the newest dream or zoom grew 192 x 128",
        "Film of all as soon as there are two dreams 192 x 128",
        "Finish large finer detail, as a PNG",
    ]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.is_disabled("#save-session")
    shown = [canvas_pixels(page, "#before")[..., :3], canvas_pixels(page)[..., :3]]
    page.click('#layers button[data-term="first"]')
    page.click("#dream")
    wait_until_idle(page, 2)
    shown.append(canvas_pixels(page)[..., :3])
    path = saved(page, tmp_path, "#save-session")
    assert path.name == "chelsea.session.webm"
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in film.decode(video=0)]
    assert frames[0].shape == shown[0].shape == (128, 192, 3)

    def nearest(frame):
        return int(np.argmin([np.abs(frame - each).mean() for each in shown]))

    order = [nearest(frame) for frame in frames]
    assert order[0] == 0
    assert 0 < order.index(1) < order.index(2)
    assert order[-1] == 2
    assert page.text_content("#save-session small") == "each dream fades into the next"
    page.click("#undo")
    assert page.is_enabled("#save-session")
    assert page.is_disabled("#save-film")
    assert page.text_content("#save-film small") == "only right after a dream or zoom"
