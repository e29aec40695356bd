"""The page in a real browser: what a user does with it, and that Python dreams the same."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import tiny
from PIL import Image

import dreamkit
from dreamkit import DreamConfig, recipes
from dreamkit.engine.tf import network
from dreamkit.errors import RecipeError
from dreamkit.web import server, site

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

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


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The built page with pocket and the tiny network, on loopback."""
    try:
        site.bundle()
    except site.SiteError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("web") / "site"
    networks = [dreamkit.load("pocket"), network.load(tiny.provider(), None)]
    site.write(folder, [site.Exhibit(each) for each in networks], DreamConfig())
    with server.Server(folder, 0) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.address
        running.shutdown()
        thread.join()


@pytest.fixture
def page(browser, served, tmp_path):
    """The page, opened and ready. What it asks of another host, and what goes wrong in it, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    page = context.new_page()
    strays, faults = [], []
    page.on(
        "request",
        lambda request: (
            strays.append(request.url) if not request.url.startswith((served, "blob:", "data:")) else None
        ),
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_default_timeout(120_000)
    page.goto(served)
    ready(page)
    yield page
    if os.environ.get("SCREENSHOTS"):
        name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" ")[0]
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/{name}.png")
    context.close()
    assert strays == []
    assert faults == []


def ready(page, results=None):
    """Waits until nothing is being done, and as many results are there."""
    page.wait_for_function(
        "wanted => document.body.dataset.doing === 'nothing' &&"
        " (wanted === null || document.body.dataset.results === String(wanted))",
        arg=results,
    )


def choose(page, photo=PHOTO, *, longest=256, steps=2, octaves=2):
    """Takes a photograph and a short recipe.

    Long dreams drift apart wherever sums are taken in another order: eight steps of Python's own with and
    without oneDNN have a cosine of 0.985.
    """
    page.select_option("#longest", str(longest))
    for name, value in {"steps": steps, "octaves": octaves}.items():
        page.fill(f"#option-{name}", str(value))
    page.set_input_files("#file", photo)
    page.wait_for_function("() => !document.querySelector('#dream').disabled")


def saved(page, folder):
    with page.expect_download() as download:
        page.click("#save")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float64)


def shrunk(photo, longest=256):
    from dreamkit.media import image_sizes, images

    return image_sizes.shrink(images.read(photo, 10**8), longest).pixels.astype(np.float64)


def cosine(a, b):
    return float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_dropped_photograph_dreams_as_in_python(page, tmp_path):
    page.select_option("#longest", "256")
    page.fill("#option-steps", "2")
    page.fill("#option-octaves", "1")  # rounding takes pocket's dreams apart from octave to octave
    data = list(PHOTO.read_bytes())
    page.evaluate(
        """data => {
            const given = new DataTransfer();
            given.items.add(new File([Uint8Array.from(data)], "chelsea.jpg", { type: "image/jpeg" }));
            const how = { dataTransfer: given, bubbles: true, cancelable: true };
            document.dispatchEvent(new DragEvent("drop", how));
        }""",
        data,
    )
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    page.click("#dream")
    page.wait_for_function(
        "() => /ms a step, .* frames a second/.test(document.querySelector('#status').textContent)"
    )
    ready(page, 1)
    path = saved(page, tmp_path)
    assert path.name == "chelsea.dream.png"
    recipe = recipes.from_picture(path)
    assert recipe.photograph.name == "chelsea.jpg"
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO)
    photo = shrunk(PHOTO)
    assert pixels(path).shape == photo.shape
    assert cosine(pixels(path) - photo, again.pixels - photo) > 0.99
    ours = dreamkit.dream(PHOTO, steps=2, octaves=1, max_size=256)  # the page's own recipe is dreamkit's
    assert np.array_equal(ours, again.pixels)


def test_a_dream_grows_under_the_brush_and_its_mask_is_kept(page, tmp_path):
    choose(page)
    page.click("#brush")
    page.fill("#radius", "120")
    box = page.locator("#frame").bounding_box()
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * 0.4) for x in (0.25, 0.4, 0.55)]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=5)
    page.wait_for_function("() => document.body.dataset.doing === 'growing'")
    page.wait_for_function("() => /frames a second/.test(document.querySelector('#status').textContent)")
    page.mouse.up()
    ready(page, 1)
    path = saved(page, tmp_path)
    photo, dreamed = shrunk(PHOTO), pixels(path)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js") as heard:
        again = dreamkit.redo(path, PHOTO).pixels
    assert len(heard) == 1  # the mask is the one that the recipe tells of
    change = dreamed - photo
    assert cosine(change, again - photo) > 0.99
    touched = np.abs(change).max(-1) > 0
    assert 0.05 < touched.mean() < 0.6
    assert not touched[-20:].any()  # the brush was never there


def test_clouds_undo_stop_and_a_link(page, tmp_path, served):
    page.select_option("#longest", "192")
    page.fill("#option-steps", "2")
    page.fill("#option-seed", "7")
    page.fill("#option-octaves", "1")  # smooth clouds drift apart sooner than photographs
    page.click("#clouds")
    page.click("#dream")
    ready(page, 1)
    path = saved(page, tmp_path)
    assert path.name == "clouds.dream.png"
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path).pixels.astype(float)
    start = dreamkit.dream(None, steps=1, step_size=1e-9, size=192, octaves=1, seed=7).astype(float)
    assert cosine(pixels(path) - start, again - start) > 0.99
    page.click('#layers button[data-term="mixed4a"]')
    page.fill("#option-steps", "500")
    page.click("#dream")
    page.wait_for_function("() => document.body.dataset.doing === 'dreaming'")
    page.wait_for_function("() => /ms a step/.test(document.querySelector('#status').textContent)")
    page.keyboard.press("d")  # stops it, and what is there stays
    ready(page, 2)
    assert page.text_content("#status").startswith("Stopped after")
    broken_off = saved(page, tmp_path)
    assert broken_off.name == "clouds.dream-2.png"
    with Image.open(broken_off) as image:
        assert image.size == (192, 192)
        assert "dreamkit" not in image.info
    page.fill("#option-steps", "2")
    page.click("#dream")
    ready(page, 3)
    page.keyboard.press("c")
    assert page.input_value("#compare") == "50"
    page.keyboard.press("u")
    ready(page, 2)
    page.click("#share")
    page.wait_for_function("() => location.hash.startsWith('#r=')")
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    assert other.text_content("#terms") == "Dreams mixed4a"
    assert (other.input_value("#option-seed"), other.input_value("#option-steps")) == ("7", "2")


def test_an_endless_zoom_moves_until_it_is_stopped(page, tmp_path):
    choose(page, longest=192)
    page.click("#zoom")
    page.wait_for_function("() => document.body.dataset.doing === 'zooming'")
    first = page.evaluate("() => document.querySelector('#picture').toDataURL()")
    page.wait_for_function("before => document.querySelector('#picture').toDataURL() !== before", arg=first)
    page.click("#zoom")
    ready(page, 1)
    with Image.open(saved(page, tmp_path)) as image:
        assert image.size == (192, 128)
        assert "dreamkit" not in image.info  # no recipe makes it again, so none is claimed


@pytest.mark.parametrize("backend", ["wasm", "webgl", "webgpu", "cpu"])
def test_every_backend_dreams_as_python_does(page, tmp_path, backend):
    page.select_option("#model", "tiny")
    ready(page)
    page.select_option("#backend", backend)
    page.wait_for_function(
        "wanted => document.querySelector('#status').textContent.startsWith(`tiny, computed by ${wanted}`)",
        arg=backend,
    )
    choose(page, longest=192, steps=2)
    page.click("#dream")
    ready(page, 1)
    path = saved(page, tmp_path)
    photo = shrunk(PHOTO, 192)
    ours = dreamkit.dream(PHOTO, tiny.provider(), steps=2, octaves=2, max_size=192).astype(float)
    assert cosine(pixels(path) - photo, ours - photo) > 0.99


def test_what_is_no_picture_is_said_in_one_line(page, tmp_path):
    wrong = tmp_path / "notes.jpg"
    wrong.write_text("no picture")
    page.set_input_files("#file", wrong)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith("Notes.jpg is no picture that this browser can read")
    choose(page)  # and the page goes on
    assert page.is_hidden("#notice")


def test_a_damaged_model_is_said_in_one_line(browser, served):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/weights-0.bin", lambda route: route.fulfill(body=b"x" * 10))
    page.goto(served)
    page.wait_for_selector("#notice:not([hidden])")
    assert page.text_content("#notice").startswith("Weights-0.bin is damaged")
    context.close()


def test_a_card_that_goes_is_said_and_webassembly_goes_on(browser, served):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)

    def kept(route):
        """The worker's script, with a hand on the contexts that it makes."""
        hand = """
            const make = OffscreenCanvas.prototype.getContext;
            OffscreenCanvas.prototype.getContext = function (...given) {
                const context = make.apply(this, given);
                (self.contexts ??= []).push(context);
                return context;
            };
        """
        response = route.fetch()
        route.fulfill(response=response, body=hand + response.text())

    page.route("**/assets/worker-*.js", kept)
    page.goto(served)
    ready(page)
    page.select_option("#model", "tiny")
    ready(page)
    page.select_option("#backend", "webgl")
    page.wait_for_function("() => /computed by webgl/.test(document.querySelector('#status').textContent)")
    choose(page, longest=192, steps=500)
    page.click("#dream")
    page.wait_for_function("() => /ms a step/.test(document.querySelector('#status').textContent)")
    lose = """() => (self.contexts ?? []).some(context => {
        context?.getExtension?.("WEBGL_lose_context")?.loseContext();
        return context?.isContextLost?.();
    })"""
    assert any(worker.evaluate(lose) for worker in page.workers)
    page.wait_for_selector("#notice:not([hidden])")
    assert "context was lost); WebAssembly goes on" in page.text_content("#notice")
    ready(page, 0)
    page.fill("#option-steps", "2")
    page.click("#dream")
    ready(page, 1)
    context.close()


def test_a_picture_comes_from_the_camera(page, tmp_path):
    page.context.grant_permissions(["camera"])
    page.select_option("#longest", "192")
    page.fill("#option-steps", "1")
    page.click("#camera")
    page.wait_for_selector("#shoot")
    page.wait_for_function("() => document.querySelector('#video').videoWidth > 0")
    page.click("#shoot")
    page.wait_for_function("() => !document.querySelector('#dream').disabled")
    assert page.is_hidden("#viewfinder")
    page.click("#dream")
    ready(page, 1)
    with pytest.raises(RecipeError, match="a picture from memory"):
        dreamkit.redo(saved(page, tmp_path))


def test_channels_are_chosen_by_their_pictures(page, tmp_path):
    page.select_option("#layer", "mixed3b")
    page.click("#deeper summary", position={"x": 5, "y": 10})
    tiles = page.locator("#channels button")
    assert tiles.count() == 24
    drawn = """tile => {
        const { data } = tile.querySelector("canvas").getContext("2d").getImageData(0, 0, 72, 72);
        return new Set(data).size > 50;
    }"""
    page.wait_for_function(f"() => ({drawn})(document.querySelector('#channels button:nth-child(3)'))")
    page.click("#more")
    assert tiles.count() == 48
    tiles.nth(5).click()
    tiles.nth(7).click(modifiers=["Shift"])
    assert page.text_content("#terms") == "Dreams mixed3b:5 and mixed3b:7"
    choose(page, longest=192)
    page.click("#dream")
    ready(page, 1)
    recipe = recipes.from_picture(saved(page, tmp_path))
    assert recipe.options["layers"] == ("mixed3b:5", "mixed3b:7")


def test_an_unsaved_dream_is_asked_for(page):
    choose(page, longest=192)
    page.click("#dream")
    ready(page, 1)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.select_option("#longest", "256")
    assert page.input_value("#longest") == "192"
    ready(page, 1)
    page.once("dialog", lambda dialog: dialog.accept())
    page.select_option("#longest", "256")
    ready(page, 0)


def test_a_narrow_screen_has_everything(page):
    page.set_viewport_size({"width": 390, "height": 844})
    choose(page, longest=192, steps=2)
    page.click("#dream")
    ready(page, 1)
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
    for name in ("#dream", "#save", "#layers", "#option-steps"):
        assert page.locator(name).is_visible()


def test_recipe_options_of_a_link_are_checked(page, served):
    import base64

    wrong = {
        "model": "pocket",
        "options": {"steps": -5, "seed": "x", "layers": ["mixed9"], "jitter": 5, "unknown": 1},
    }
    text = base64.urlsafe_b64encode(json.dumps(wrong).encode()).decode().rstrip("=")
    other = page.context.new_page()
    other.goto(f"{served}#r={text}")
    ready(other)
    assert other.input_value("#option-steps") == "15"
    assert other.input_value("#option-jitter") == "5"
    assert other.text_content("#terms") == "Dreams mixed4c"
    assert other.text_content("#notice").startswith("This link asks for steps, seed, unknown, mixed9")
