"""Recipes that a page begins with, each dreamed in a real browser and again in Python."""

from __future__ import annotations

import pytest
import web_parity
from chromium import PHOTO, cosine, opening, pixels, saved, serving, wait_until_idle
from PIL import Image

import dreamkit
from dreamkit import recipes
from dreamkit.inputs import open_photograph

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]

SHORT = "max_size = 192\nsteps = 2\noctaves = 2\n"
RECIPES = {  # each is of the network `tiny` where it names none
    "a guide": """
        guide = "guide.png"
        layers = "high"
    """,
    "a class": """
        model = "sorter"
        layers = [{ class = "sea lion" }]
    """,
    "the Fourier spectrum": """
        space = "fourier"
        step_size = 0.05
        color = "free"
    """,
    "several networks": """
        [[models]]
        name = "tiny"
        layers = "low"
        [[models]]
        name = "other"
        weight = -0.5
    """,
    "a neuron and a cosine": """
        layers = ["high@40x20", { layer = "low", objective = "cosine", direction = [1, 0, -2, 0.5] }]
    """,
    "regularisers": """
        tv = 0.3
        l2 = 0.5
    """,
    "a Laplacian pyramid": """
        smooth = "laplacian"
    """,
    "an enlarged tile": """
        wrap = "both"
        upscale = 1.25
    """,
    "transforms": """
        rotate = 5.0
        zoom = 0.05
        transforms = { color-jitter = 0.2, grain = 2.0 }
    """,
    "masks": """
        [[layers]]
        layer = "low"
        mask = "left.png"
        [[layers]]
        layer = "high"
        mask = "right.png"
        weight = -0.5
    """,
    "clouds": """
        seed = 5
        clouds = 8.0
    """,
}


@pytest.fixture
def site(run, second, tmp_path):
    """Exports a page that begins with a recipe."""
    Image.fromarray(web_parity.guide()).save(tmp_path / "guide.png")
    with Image.open(PHOTO) as photo:
        width, height = photo.size
    for name, start in (("left", 0), ("right", width // 2)):
        mask = Image.new("L", (width, height))
        mask.paste(255, (start, 0, start + width // 2, height))
        mask.save(tmp_path / f"{name}.png")

    def export(recipe):
        model = "" if "model" in recipe else 'model = "tiny"\n'
        (tmp_path / "own.toml").write_text(SHORT + model + recipe)
        code, _, err = run("export", "web", "-r", "own.toml", "-o", "site")
        assert code == 0, err
        return tmp_path / "site"

    return export


@pytest.mark.filterwarnings("ignore:the edges of chelsea.jpg do not meet")  # as the recipe of a tile says
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_dreamed_as_in_python(site, browser, tmp_path, name):
    with serving(site(RECIPES[name])) as address, opening(browser, address) as open_page:
        page = open_page()
        page.set_input_files("#file", PHOTO)
        page.wait_for_function("() => !document.querySelector('#dream').disabled")
        page.click("#dream")
        wait_until_idle(page, 1)
        path = saved(page, tmp_path)
    with pytest.warns(dreamkit.DreamkitWarning, match=r"tensorflow\.js"):
        again = dreamkit.redo(path, PHOTO).pixels
    photo = open_photograph(PHOTO, recipes.from_picture(path).config()).pixels.astype(float)
    assert cosine(pixels(path) - photo, again - photo) > 0.99
