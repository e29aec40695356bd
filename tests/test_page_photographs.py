"""How photographs come to the page: HEIC files, cameras, the clipboard, and several at once."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import PHOTO, ROOT, canvas_pixels, shrunk, wait_until_idle
from PIL import Image

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

COFFEE = ROOT / "docs" / "pictures" / "coffee.jpg"
# A device with two cameras, which notes the side that each picture is asked from.
TWO_CAMERAS = """
    const devices = navigator.mediaDevices;
    devices.enumerateDevices = async () => [{ kind: "videoinput" }, { kind: "videoinput" }];
    const open = devices.getUserMedia.bind(devices);
    window.sides = [];
    devices.getUserMedia = (wanted) => {
        window.sides.push(wanted.video.facingMode);
        return open(wanted);
    };
"""


def use_tiny_network(page):
    page.select_option("#model", "tiny")
    wait_until_idle(page)
    page.select_option("#longest", "192")
    page.fill("#option-steps", "1")
    page.fill("#option-octaves", "1")


def wait_until_opened(page, name):
    page.wait_for_function(
        "name => document.querySelector('#status').textContent.startsWith(`${name}, `)", arg=name
    )


def test_a_photograph_that_the_browser_does_not_decode_is_named(page, tmp_path):
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    page.set_input_files("#file", path)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice") == (
        "IMG_1.HEIC is a HEIC photograph, which this browser cannot read; export it as a JPEG, or use Safari"
    )


def test_a_photograph_that_is_shrunk_is_announced_with_both_sizes(page, tmp_path):
    path = tmp_path / "IMG_2.jpg"
    Image.new("RGB", (1512, 2016), (90, 120, 60)).save(path)
    use_tiny_network(page)
    page.set_input_files("#file", path)
    wait_until_opened(page, "IMG_2.jpg")
    assert page.text_content("#status") == "IMG_2.jpg, 1512 x 2016 pixels, dreamed at 144 x 192"
    label = page.get_attribute("#picture", "aria-label")
    assert label == "IMG_2.jpg, 1512 by 2016 pixels, dreamed at 144 by 192"
    assert "Finish large" in page.get_attribute("#save", "title")


def test_the_camera_is_switched_between_back_and_front(open_page, browser):
    context = browser.new_context(permissions=["camera"])
    context.add_init_script(TWO_CAMERAS)
    page = open_page(context=context)
    page.click("#camera")
    page.click("#turn")
    page.wait_for_function(
        "() => window.sides.length === 2 && document.querySelector('#video').videoWidth > 0"
    )
    assert page.evaluate("() => window.sides") == ["environment", "user"]
    page.click("#shoot")
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    page.close()
    context.close()


def test_a_picture_is_pasted_by_a_button(open_page, browser):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = open_page(context=context)
    use_tiny_network(page)
    page.evaluate("() => navigator.clipboard.writeText('words')")
    page.click("#paste")
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice") == "The clipboard holds no picture; copy one first"
    page.evaluate(
        """async () => {
            const canvas = new OffscreenCanvas(40, 30);
            canvas.getContext("2d").fillStyle = "rgb(200, 100, 50)";
            canvas.getContext("2d").fillRect(0, 0, 40, 30);
            const blob = await canvas.convertToBlob({ type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }"""
    )
    page.click("#paste")
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    assert page.text_content("#status") == "pasted.png, 40 x 30 pixels"
    np.testing.assert_allclose(canvas_pixels(page)[15, 20, :3], (200, 100, 50), atol=2)
    page.close()
    context.close()


def test_several_photographs_wait_for_their_turn(page, tmp_path):
    use_tiny_network(page)
    page.set_input_files("#file", [PHOTO, COFFEE, PHOTO])
    wait_until_opened(page, "chelsea.jpg")
    assert page.text_content("#waiting") == "2 photographs wait"
    page.click("#next")
    wait_until_opened(page, "coffee.jpg")
    np.testing.assert_array_equal(canvas_pixels(page)[..., :3], shrunk(COFFEE, 192))
    downloads = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    page.click("#dream-all")
    page.wait_for_function(
        "() => document.querySelector('#status').textContent === 'Dreamed and saved 2 photographs'"
    )
    wait_until_idle(page, 1)
    assert page.is_hidden("#queue")
    with page.expect_download(lambda each: each.suggested_filename == "chelsea.dream-2.png"):
        page.click("#save")
    assert downloads[:2] == ["coffee.dream.png", "chelsea.dream.png"]
