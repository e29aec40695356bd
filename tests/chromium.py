"""The built page in Chromium: fixtures that open it, and what tests of the page do with it."""

from __future__ import annotations

import base64
import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "docs" / "pictures" / "chelsea.jpg"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SOFTWARE_CARDS = (
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
)
TIMEOUT = int(os.environ.get("PAGE_TIMEOUT", "300000"))  # milliseconds
SIZE = tuple(map(int, os.environ.get("PAGE_SIZE", "1280x860").split("x")))  # of the window, in pixels
QUIET = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
)


@pytest.fixture(scope="module")
def browser():
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed; install deepdreamkit[browser]")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *SOFTWARE_CARDS])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The built page with pocket and the tiny network."""
    import tiny

    import dreamkit
    from dreamkit.engine.tf import network
    from dreamkit.web import site

    try:
        site.bundle()
    except site.SiteError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("web") / "site"
    networks = [dreamkit.load("pocket"), network.load(tiny.provider(), None)]
    site.write(folder, [site.PageModel(each) for each in networks], dreamkit.DreamConfig())
    return folder


@pytest.fixture(scope="module")
def served(exported):
    """Its address, on loopback."""
    with serving(exported) as address:
        yield address


@contextmanager
def serving(site):
    """Serves the files of a site; gives its address, on loopback."""
    from dreamkit.web import server

    with server.Server(site, 0) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.address
        running.shutdown()
        thread.join()


@pytest.fixture
def page(open_page):
    """The page, opened and ready, in a window of `SIZE`."""
    return open_page()


@pytest.fixture
def open_page(browser, served):
    """Opens the page, by default in a new context, and waits until it is ready."""
    with opening(browser, served) as opened:
        yield opened


@contextmanager
def opening(browser, served):
    """Gives a function that opens the page of this address, as `open_page` does.

    By default the page moves little, because dreams on samples would keep its worker busy.
    A request to another host or an uncaught error fails the test.
    """
    contexts, pages, foreign_requests, errors = [], [], [], []

    def watch(page):
        page.on(
            "request",
            lambda request: (
                foreign_requests.append(request.url)
                if not request.url.startswith(("http://127.0.0.1:", "blob:", "data:"))
                else None
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))

    def opened(width=SIZE[0], height=SIZE[1], *, address=served, context=None, **options):
        if context is None:
            viewport = {"width": width, "height": height}
            context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
            contexts.append(context)
        page = context.new_page()
        pages.append(page)
        watch(page)
        page.set_default_timeout(TIMEOUT)
        page.goto(address)
        wait_until_idle(page)
        return page

    yield opened
    if os.environ.get("SCREENSHOTS"):
        name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" ")[0]
        for number, each in enumerate(each for each in pages if not each.is_closed()):
            each.screenshot(path=f"{os.environ['SCREENSHOTS']}/{name}{number or ''}.png")
    for context in contexts:
        context.close()
    assert foreign_requests == []
    assert errors == []


def wait_until_idle(page, dreams=None):
    """Waits until the page is idle and, where `dreams` is given, has as many dreams.

    Raises:
        AssertionError: it does not come to that; the message has what the page says.
    """
    from playwright.sync_api import TimeoutError as Timeout

    try:
        page.wait_for_function(
            "dreams => document.body.dataset.activity === 'idle' &&"
            " (dreams === null || document.body.dataset.dreams === String(dreams))",
            arg=dreams,
        )
    except Timeout as error:
        said = page.evaluate(
            "() => [{ ...document.body.dataset },"
            " ...['status', 'steps', 'notice'].map((id) => document.getElementById(id)?.textContent)]"
        )
        raise AssertionError(f"the page is not idle with {dreams} dreams: {said}") from error


def wait_for_text(page, selector, text):
    """Waits until an element has this text, as after a tap, which reaches the page a moment later."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent === text", arg=[selector, text]
    )


def wait_for_step(page):
    """Waits until the dream that runs has taken a step; one that is stopped before it leaves no picture."""
    page.wait_for_function("() => /octave/.test(document.querySelector('#steps').textContent)")


def note_steps(page):
    """Notes each text that tells of the steps from here on, also one that is replaced within its frame."""
    page.evaluate(
        """() => {
            window.noted = [];
            const text = ({ addedNodes }) => [...addedNodes].map(({ textContent }) => textContent).join("");
            const observer = new MutationObserver((changes) => window.noted.push(...changes.map(text)));
            observer.observe(document.querySelector("#steps"), { childList: true });
        }"""
    )


def noted_steps(page):
    return page.evaluate("() => window.noted")


def choose(page, photo=PHOTO, *, longest=256, steps=2, octaves=2):
    """Opens a photograph, and sets a short recipe.

    Long dreams drift apart where the order of sums differs: eight steps in Python with and without oneDNN
    have a cosine of 0.985.
    """
    page.select_option("#longest", str(longest))
    for name, value in {"steps": steps, "octaves": octaves}.items():
        page.fill(f"#option-{name}", str(value))
    page.set_input_files("#file", photo)
    page.wait_for_function("() => !document.querySelector('#dream').disabled")


def forget(page):
    """Forgets the pictures, and says yes to the question whether to."""
    page.click("#forget")
    page.click("#forget-all")
    wait_for_text(page, "#status", "Nothing is kept of your pictures")


def open_save_menu(page):
    """Shows all ways to save."""
    page.eval_on_selector("#save-more", "menu => { menu.open = true; }")


def saved(page, folder, button="#save"):
    """The file that a button of the page downloads."""
    open_save_menu(page)
    with page.expect_download() as download:
        page.click(button)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def stroke(page, *points, wait_for_growth=False):
    """Paints from point to point, in shares of the picture's width and height."""
    box = page.locator("#frame").bounding_box()
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    if wait_for_growth:
        page.wait_for_function("() => document.body.dataset.activity === 'growing'")
        page.wait_for_function("() => /frames a second/.test(document.querySelector('#steps').textContent)")
    page.mouse.up()


def touches(page):
    """A function that touches the page.

    It takes "touchStart", "touchMove" or "touchEnd", and where the fingers are, in pixels of the window.
    """
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )

    return touch


def canvas_pixels(page, selector="#picture"):
    """What a canvas shows, uint8 `(height, width, 4)`."""
    height, width, data = page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let text = "";
            for (let i = 0; i < data.length; i += 0x8000) {
                text += String.fromCharCode(...data.subarray(i, i + 0x8000));
            }
            return [canvas.height, canvas.width, btoa(text)];
        }""",
        selector,
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def shrunk(photo, longest=256):
    from dreamkit.media import image_sizes, images

    return image_sizes.shrink(images.read(photo, 10**8), longest).pixels.astype(np.float64)


def cosine(a, b):
    return float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
