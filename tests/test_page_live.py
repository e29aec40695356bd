"""The live camera in Chromium, whose camera shows a photograph from a file."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import (
    CHROMIUM,
    PHOTO,
    QUIET,
    SOFTWARE_CARDS,
    canvas_pixels,
    pixels,
    saved,
    serving,
    wait_until_idle,
)
from chromium import opening as opening_page
from PIL import Image
from test_page_access import NARROW, WIDE, violations

import dreamkit
from dreamkit.errors import RecipeError

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

SIZE = 320, 240  # of the camera's picture
# Notes the camera's tracks.
NOTED = """
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    window.tracks = [];
    devices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        window.tracks.push(...stream.getTracks());
        return stream;
    };
"""


@pytest.fixture(scope="module")
def seen():
    """What the camera sees, `(height, width, 3)`."""
    with Image.open(PHOTO) as photo:
        return np.asarray(photo.convert("RGB").resize(SIZE, box=(30, 0, 430, 300)))


@pytest.fixture(scope="module")
def camera_browser(browser, seen, tmp_path_factory):
    """Chromium with a camera that shows a still photograph: a film of one frame, without compression."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    light, blue, red = np.moveaxis(np.asarray(Image.fromarray(seen).convert("YCbCr"), float), -1, 0)
    colours = [128 + (each[::2, ::2] - 128) * 224 / 255 for each in (blue, red)]
    # Video has black at 16, and white at 235.
    planes = [np.rint(each).astype(np.uint8) for each in (16 + light * 219 / 255, *colours)]
    head = f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F20:1 Ip A1:1 C420jpeg\nFRAME\n"
    path.write_bytes(head.encode() + b"".join(plane.tobytes() for plane in planes))
    arguments = [*QUIET, *SOFTWARE_CARDS, f"--use-file-for-fake-video-capture={path}"]
    launched = browser.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    yield launched
    launched.close()


@pytest.fixture
def open_camera(camera_browser, exported):
    """Opens the page with the tiny network, in a window of a size, and its camera."""
    with serving(exported) as address, opening_page(camera_browser, address) as opened:

        def open_one(size=WIDE):
            viewport = {"width": size[0], "height": size[1]}
            context = camera_browser.new_context(
                viewport=viewport, reduced_motion="reduce", permissions=["camera"]
            )
            context.add_init_script(NOTED)
            page = opened(context=context)
            page.select_option("#model", "tiny")
            wait_until_idle(page)
            page.select_option("#longest", "256")
            page.click("#camera")
            page.wait_for_function("() => document.querySelector('#video').videoWidth > 0")
            contexts.append(context)
            return page

        contexts = []
        yield open_one
        for context in contexts:
            context.close()


def wait_for_frames(page, more=3):
    """Waits until the page has shown as many further live frames."""
    page.wait_for_selector("#live-picture[data-frames]")
    before = int(page.get_attribute("#live-picture", "data-frames"))
    page.wait_for_function(
        "least => Number(document.querySelector('#live-picture').dataset.frames) >= least", arg=before + more
    )


def is_released(page):
    return page.evaluate("() => window.tracks.every(({ readyState }) => readyState === 'ended')")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_camera_is_dreamed_live_until_it_is_closed(open_camera, seen, size, tmp_path):
    page = open_camera(size)
    assert page.is_disabled("#save-live")
    page.click("#live")
    wait_for_frames(page, 6)
    assert page.evaluate("() => document.body.dataset.activity") == "live"
    assert page.text_content("#status") == "Live; Save the dream keeps it, Take the picture the photograph"
    page.wait_for_function(
        r"""() => /^\d+\.\d frames a second, 192 x 144 pixels$/
            .test(document.querySelector('#steps').textContent)"""
    )
    path = saved(page, tmp_path, "#save-live")
    assert path.name == "camera.live.png"
    assert page.text_content("#status") == ("Saved camera.live.png, 320 x 240 pixels; no recipe repeats it")
    with pytest.raises(RecipeError, match="is a frame of the live camera"):
        dreamkit.redo(path)
    shown = pixels(path)
    assert shown.shape == (SIZE[1], SIZE[0], 3)
    assert 3 < np.abs(shown - seen).mean() < 40
    assert np.corrcoef(shown.ravel(), seen.ravel())[0, 1] > 0.8  # it is what the camera sees, not mirrored
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    page.click("#cancel")
    wait_until_idle(page, 0)
    assert page.is_hidden("#viewfinder")
    assert page.text_content("#status") == "The camera is off"
    assert page.is_disabled("#save-live")
    assert is_released(page)


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_a_layer_that_is_chosen_meanwhile_is_dreamed_next(open_camera, size):
    page = open_camera(size)
    page.click("#live")
    wait_for_frames(page)
    assert page.get_attribute("#live-picture", "aria-label") == "What the camera sees, dreamed with second"
    page.click("#layers [data-term='first']")
    page.wait_for_selector("#live-picture[aria-label='What the camera sees, dreamed with first']")
    box = page.locator("#live-picture").bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] <= size[1]  # in sight beside what changes it
    page.click("#channel-section summary")
    page.wait_for_selector("#channels button[data-thumbnail='drawn']")
    wait_for_frames(page)
    page.fill("#option-blend", "1")
    page.wait_for_function(
        """() => {
            const { width, height } = document.querySelector("#live-picture");
            const context = document.querySelector("#live-picture").getContext("2d");
            const camera = new OffscreenCanvas(width, height).getContext("2d");
            camera.drawImage(document.querySelector("#video"), 0, 0);
            const [one, other] = [context, camera].map((each) => each.getImageData(0, 0, width, height).data);
            return one.every((value, i) => Math.abs(value - other[i]) <= 3);
        }"""
    )  # all of the photograph, and nothing of the dream


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.long), NARROW])
def test_the_picture_that_is_taken_is_what_the_camera_saw(open_camera, seen, size):
    page = open_camera(size)
    page.fill("#option-steps", "1")
    page.click("#live")
    wait_for_frames(page)
    page.click("#shoot")
    wait_until_idle(page, 0)
    assert page.text_content("#status") == (
        "The camera's picture, 320 x 240 pixels, dreamed at 256 x 192, without the live dream; "
        "press Dream for one that you can save"
    )
    assert page.is_hidden("#viewfinder")
    assert page.is_disabled("#save")
    assert is_released(page)
    shown = canvas_pixels(page)[..., :3].astype(float)
    expected = np.asarray(Image.fromarray(seen).resize((256, 192), Image.Resampling.LANCZOS), float)
    assert np.abs(shown - expected).mean() < 3
    page.click("#dream")
    wait_until_idle(page, 1)


def test_live_stops_and_the_camera_stays_on(open_camera):
    page = open_camera()
    for stop in ("#live", "#dream"):
        page.click("#live")
        wait_for_frames(page)
        assert page.get_attribute("#live", "aria-pressed") == "true"
        page.click(stop)
        wait_until_idle(page, 0)
        assert page.get_attribute("#live", "aria-pressed") == "false"
        assert page.is_hidden("#live-picture")
        assert page.text_content("#status") == "Live is off; the camera is on"
        assert not is_released(page)


UNPLUG = "window.tracks[0].dispatchEvent(new Event('ended'))"
HIDE = """
    Object.defineProperty(document, "hidden", { value: true });
    document.dispatchEvent(new Event("visibilitychange"));
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda page: page.evaluate(UNPLUG), "The camera has ended"),
        (
            lambda page: page.evaluate(HIDE),
            "The camera was switched off, because the page was out of sight",
        ),
        (lambda page: page.keyboard.press("Escape"), "The camera is off"),
    ],
    ids=["unplugged", "hidden", "escape"],
)
def test_the_camera_is_released(open_camera, end, status):
    page = open_camera()
    page.click("#live")
    wait_for_frames(page)
    end(page)
    wait_until_idle(page, 0)
    assert page.is_hidden("#viewfinder")
    assert page.text_content("#status") == status
    assert page.is_hidden("#notice")
    assert is_released(page)


def test_a_photograph_that_is_opened_meanwhile_ends_it(open_camera):
    page = open_camera()
    page.click("#live")
    wait_for_frames(page)
    page.set_input_files("#file", PHOTO)
    page.wait_for_function("() => document.querySelector('#status').textContent.startsWith('chelsea.jpg')")
    wait_until_idle(page, 0)
    assert page.is_hidden("#viewfinder")
    assert is_released(page)


def test_a_camera_that_is_not_allowed_is_refused_in_one_line(camera_browser, exported):
    with serving(exported) as address, opening_page(camera_browser, address) as opened:
        page = opened()
        page.click("#camera")
        page.wait_for_selector("#notice:not([hidden])")
        notice = page.text_content("#notice")
        assert notice.startswith("The camera cannot be used (")
        assert notice.endswith("); allow it, or choose a photograph")
        assert page.is_hidden("#viewfinder")
