"""`dreamkit blend`: a photograph put back over a finished dream, as if it had been dreamed so."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dreamkit
from dreamkit.errors import ConfigError, ImageError
from dreamkit.jobs import blend
from dreamkit.media import images
from dreamkit.media.image_metadata import read_recipe

ONE = ("-m", "tiny", "--octaves", "2", "--steps", "2", "-q")

pytestmark = pytest.mark.usefixtures("loaded_once")


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.fixture
def dream_of(run, picture):
    """Dreams the photograph on the command line; `more` are options."""

    def dreamed(name, *more):
        assert run("dream", picture, *ONE, *more, "-o", name)[0] == 0
        return name

    return dreamed


def test_nothing_and_everything(photo):
    dream = photo[::-1].copy()
    for amount, expected in ((0.0, dream), (1.0, photo)):
        found = blend.blend(images.from_memory(dream), images.from_memory(photo), amount)
        np.testing.assert_array_equal(found.pixels, expected)
        assert found.recipe is None


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.77])
def test_in_between_it_is_exact_to_rounding(photo, amount):
    dream = np.random.default_rng(1).integers(0, 256, photo.shape).astype(np.uint8)
    found = blend.blend(images.from_memory(dream), images.from_memory(photo), amount).pixels
    expected = dream + amount * (photo.astype(float) - dream)
    assert np.abs(found - expected).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("more", [(), ("--max-size", "30"), ("--upscale", "1.5"), ("--wrap", "both")])
def test_it_is_what_dream_with_blend_makes(run, dream_of, picture, tmp_path, more):
    dream_of("whole.png", *more)
    dream_of("blended.png", *more, "--blend", "0.3")
    code, out, err = run("blend", "whole.png", picture, "--amount", "0.3")
    assert (code, err) == (0, "")
    assert out.startswith("wrote whole.blend.png (")
    assert np.abs(pixels("whole.blend.png") - pixels("blended.png")).max() <= 1
    assert np.abs(pixels("whole.png") - pixels("blended.png")).max() > 3
    found, wanted = (read_recipe(tmp_path / name) for name in ("whole.blend.png", "blended.png"))
    assert found == wanted
    assert found["options"]["blend"] == 0.3


def test_it_can_be_dreamed_again(run, dream_of, picture, tmp_path):
    dream_of("whole.png")
    run("blend", "whole.png", picture, "--amount", "0.5", "-q")
    assert run("redo", "whole.blend.png", picture, "-q", "-o", "again.png") == (0, "", "")
    assert np.abs(pixels("again.png") - pixels("whole.blend.png")).max() <= 1


def test_twice_a_half_is_three_quarters(run, dream_of, picture, tmp_path):
    dream_of("whole.png")
    assert run("blend", "whole.png", picture, "--amount", "0.5", "-q", "-o", "once.png") == (0, "", "")
    assert run("blend", "once.png", picture, "--amount", "0.5", "-q", "-o", "twice.png") == (0, "", "")
    assert read_recipe(tmp_path / "twice.png")["options"]["blend"] == 0.75
    expected = pixels("whole.png") + 0.75 * (pixels(picture) - pixels("whole.png"))
    assert np.abs(pixels("twice.png") - expected).max() <= 1


def test_what_is_see_through_stays_so(run, photo, tmp_path):
    alpha = np.linspace(0, 255, photo.shape[0] * photo.shape[1]).reshape(photo.shape[:2]).astype(np.uint8)
    Image.fromarray(np.dstack([photo, alpha])).save("clear.png", dpi=(300, 300))
    assert run("dream", "clear.png", *ONE, "-o", "d.png") == (0, "", "")
    assert run("blend", "d.png", "clear.png", "-q") == (0, "", "")
    np.testing.assert_array_equal(pixels("d.blend.png")[..., 3], alpha)
    with Image.open("d.blend.png") as found:
        assert found.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_outside_a_mask_all_is_the_photograph(run, dream_of, picture, photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save("mask.png")
    dream_of("whole.png", "--mask", "mask.png")
    dream_of("blended.png", "--mask", "mask.png", "--blend", "0.5")
    run("blend", "whole.png", picture, "--amount", "0.5", "-q")
    assert np.abs(pixels("whole.blend.png") - pixels("blended.png")).max() <= 1
    np.testing.assert_array_equal(pixels("whole.blend.png")[:, 24:], pixels(picture)[:, 24:])


def test_a_photograph_of_another_shape_is_refused(run, dream_of, photo, tmp_path):
    dream_of("whole.png")
    Image.fromarray(photo[:, :30].copy()).save("other.png")
    code, out, err = run("blend", "whole.png", "other.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "the dream has 56 x 40 pixels and the photograph 30 x 40, of another shape" in err
    assert not (tmp_path / "whole.blend.png").exists()
    with pytest.raises(ImageError, match="of another shape"):
        blend.blend(images.from_memory(photo), images.from_memory(photo[:20].copy()), 0.5)


@pytest.mark.parametrize("amount", ["-0.1", "1.1", "nan"])
def test_an_amount_that_makes_no_sense(run, dream_of, picture, tmp_path, amount):
    dream_of("whole.png")
    code, out, err = run("blend", "whole.png", picture, f"--amount={amount}")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "it takes a number, 0 to 1" in err
    with pytest.raises(ConfigError):
        blend.blend(images.from_memory(pixels(picture).astype(np.uint8)), images.read(picture, 10**6), 2.0)


@pytest.mark.parametrize("which", ["whole.png", "photo.jpg"])
def test_neither_of_the_two_is_written_over(run, dream_of, picture, tmp_path, which):
    dream_of("whole.png")
    before = (tmp_path / which).read_bytes()
    for more in ([], ["--overwrite"]):
        code, _, err = run("blend", "whole.png", picture, "-o", which, *more)
        assert (code, err.count("\n")) == (1, 1)
    assert "is one of the pictures; write somewhere else" in err
    assert (tmp_path / which).read_bytes() == before


def test_a_finished_blend_is_kept(run, dream_of, picture, tmp_path):
    dream_of("whole.png")
    for _ in range(2):
        assert run("blend", "whole.png", picture, "-q") == (0, "", "")
    assert len(list(tmp_path.glob("whole.blend*.png"))) == 2
    (tmp_path / "mine.png").write_bytes(b"mine")
    assert run("blend", "whole.png", picture, "-o", "mine.png", "-q")[0] == 1
    assert (tmp_path / "mine.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "recipe", [{}, {"options": None}, {"options": {"blend": "much"}}, {"options": {"blend": 7}}]
)
def test_a_strange_recipe_is_left_out(photo, recipe):
    one = images.from_memory(photo)
    assert blend.blend(one, one, 0.5, recipe).recipe is None


def test_the_recipe_that_is_given_stays_as_it_was(photo):
    one = images.from_memory(photo)
    recipe = {"options": {"steps": 3}, "models": []}
    found = blend.blend(one, one, 0.3, recipe).recipe
    assert found == {"options": {"steps": 3, "blend": 0.3}, "models": []}
    assert recipe == {"options": {"steps": 3}, "models": []}


def test_the_library_blends_as_it_dreams(run, picture):
    options = {"octaves": 2, "steps": 2}
    whole, some = (dreamkit.dream(picture, "tiny", blend=each, **options) for each in (0.0, 0.25))
    found = blend.blend(images.from_memory(whole), images.read(picture, 10**6), 0.25).pixels
    assert np.abs(found.astype(int) - some).max() <= 1
