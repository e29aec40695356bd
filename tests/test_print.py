"""Enlarged dreams, and the dots per inch in their files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dreamkit
from dreamkit import Session, make_request
from dreamkit.errors import ConfigError
from dreamkit.jobs import film, zoom
from dreamkit.media import image_sizes, image_writer, images
from dreamkit.media.image_metadata import read_recipe
from dreamkit.media.image_sizes import enlarge
from dreamkit.media.images import Picture, read

SHORT = ["--model", "tiny", "--octaves", "2", "--steps", "2", "--jitter", "2", "-q"]
SMALL = {"octaves": 2, "steps": 1}

loaded = pytest.mark.usefixtures("loaded_once")


@loaded
def test_a_dream_is_so_many_times_as_large_and_its_recipe_makes_it_again(run, picture, photo, tmp_path):
    mask = np.zeros((40, 56), np.uint8)
    mask[:, :28] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    command = ["dream", picture, *SHORT, "--max-size", "28", "--upscale", "3", "--mask", "mask.png"]
    assert run(*command, "--guide", picture, "-o", "d.png") == (0, "", "")
    dream = read(tmp_path / "d.png", 10**6)
    assert dream.pixels.shape == (60, 84, 3)
    recipe = read_recipe(tmp_path / "d.png")
    assert (recipe["options"]["upscale"], recipe["options"]["max_size"]) == (3.0, 28)
    assert recipe["effective"]["octaves"] == [[43, 60], [60, 84]]
    large = enlarge(image_sizes.shrink(read(picture, 10**6), 28), 3, 10**6).pixels
    assert np.array_equal(dream.pixels[:, 45:], large[:, 45:])  # outside of the mask
    assert not np.array_equal(dream.pixels[:, :30], large[:, :30])
    assert run(
        "redo", "d.png", picture, "--mask", "mask.png", "--guide", picture, "-q", "-o", "again.png"
    ) == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


@loaded
def test_transparency_grows_along(photo, tmp_path):
    alpha = np.tile(np.arange(56, dtype=np.uint8) * 4, (40, 1))
    options = {"upscale": 2.0, "octaves": 1, "steps": 1}
    pixels = dreamkit.dream(np.dstack([photo, alpha]), _tiny(), **options)
    expected = enlarge(Picture(photo, alpha), 2, 10**6).alpha
    assert pixels.shape == (80, 112, 4)
    assert np.array_equal(pixels[..., 3], expected)


@loaded
def test_a_plan_is_of_the_enlarged_picture(run, picture, photo):
    code, out, _ = run("dream", picture, *SHORT, "--upscale", "2", "--dry-run")
    assert code == 0
    assert "octave 2/2: 112 x 80" in out
    small, large = (
        dreamkit.plan(photo, _tiny(), upscale=factor, octaves=1).memory.picture for factor in (1.0, 2.0)
    )
    assert large == pytest.approx(4 * small, abs=4)


@pytest.mark.heavy
@loaded
def test_a_batch_enlarges(run, picture, tmp_path):
    assert run("batch", picture, *SHORT, "--upscale", "2", "--dpi", "240", "-o", "out")[0] == 0
    with Image.open(tmp_path / "out" / "photo.png") as dream:
        assert dream.size == (112, 80)
        assert dream.info["dpi"] == pytest.approx((240, 240), abs=0.1)


REFUSED = {
    "too many pixels": (
        ["PHOTO", "--upscale", "4", "--max-pixels", "9000"],
        1,
        "photo.jpg enlarged 4 times has 224 x 160 pixels, more than the 9000 allowed; at most 2 is possible; "
        "use a smaller --upscale, or raise --max-pixels",
    ),
    "no room at all": (
        ["PHOTO", "--upscale", "1.5", "--max-pixels", "2240"],
        1,
        "more than the 2240 allowed; leave out --upscale, or raise --max-pixels",
    ),
    "noise": (["--upscale", "2"], 2, "--upscale enlarges a photograph; use --size for a dream of noise"),
    "less than one": (["PHOTO", "--upscale", "0.5"], 1, "upscale is 0.5; it takes a number, 1 to 8"),
    "no dots": (["PHOTO", "--dpi", "0"], 2, "--dpi"),
}  # fmt: skip


@loaded
@pytest.mark.parametrize(("arguments", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_impossible_options_are_refused_in_one_line(run, picture, tmp_path, arguments, code, message):
    given = [str(picture) if each == "PHOTO" else each for each in arguments]
    found, out, err = run("dream", *given, *SHORT)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_recipe_that_enlarges_is_refused_for_noise(photo):
    with pytest.raises(ConfigError, match="upscale is 2 and there is no photograph to enlarge; use --size"):
        dreamkit.dream(None, _tiny(), upscale=2)


@pytest.mark.parametrize(("name", "given"), [("upscale", "2.0"), ("wrap", "both")])
def test_films_and_zooms_refuse_it_before_they_start(run, picture, tmp_path, name, given):
    (tmp_path / "r.toml").write_text(f"{name} = {given if name == 'upscale' else repr(given)}")
    (tmp_path / "frames").mkdir()
    Image.open(picture).save(tmp_path / "frames" / "1.png")
    for command in (["zoom", picture], ["film", "frames"]):
        code, _, err = run(*command, "-r", "r.toml", "-m", "tiny", "-o", "out.gif")
        assert code == 1
        assert f"{name} is {'2.0' if name == 'upscale' else 'both'}, which a {command[0]} cannot do" in err
    assert not (tmp_path / "out.gif.work").exists()


def test_the_library_refuses_it_for_films_and_zooms(tmp_path):
    for options in ({"upscale": 2.0}, {"wrap": "both"}):
        session = Session(make_request(np.zeros((8, 8, 3), np.uint8), _tiny(), **options))
        with pytest.raises(ConfigError, match="which a zoom cannot do"):
            zoom.make(session, tmp_path / "z.gif")
        with pytest.raises(ConfigError, match="which a film cannot do"):
            film.make(None, session, tmp_path / "f.gif")  # type: ignore[arg-type]


@loaded
def test_a_sheet_has_its_own_size(run, picture, tmp_path):
    (tmp_path / "r.toml").write_text("upscale = 2")
    code, _, err = run("sheet", picture, "-r", "r.toml", "-m", "tiny")
    assert code == 1
    assert "upscale is 2.0, which a sheet cannot do; set it to 1.0" in err


# Dots per inch


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "webp"])
@pytest.mark.parametrize("source", ["png", "jpg", "tiff", "bmp"])
def test_dots_per_inch_are_kept(photo, tmp_path, source, ending):
    Image.fromarray(photo).save(tmp_path / f"photo.{source}", dpi=(300, 150))
    picture = read(tmp_path / f"photo.{source}", 10**6)
    path = tmp_path / f"dream.{ending}"
    image_writer.write(path, picture.pixels, recipe={"dreamkit": "1"}, dpi=picture.dpi)
    assert read(path, 10**6).dpi == pytest.approx((300, 150), abs=0.05)
    assert read_recipe(path) == {"dreamkit": "1"}


@pytest.mark.parametrize("source", ["jpg", "tiff", "png"])
@pytest.mark.parametrize(("orientation", "dpi"), [(1, (300, 150)), (3, (300, 150)), (6, (150, 300))])
def test_dots_per_inch_are_turned_upright_with_the_picture(photo, tmp_path, source, orientation, dpi):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(photo).save(tmp_path / f"photo.{source}", dpi=(300, 150), exif=exif)
    assert read(tmp_path / f"photo.{source}", 10**6).dpi == pytest.approx(dpi, abs=0.05)


@pytest.mark.parametrize(
    "odd", [None, (0, 0), (1, 1), (float("nan"), 72), (float("inf"), 72), (-5, 9), (72,), "x", (1e9, 72)]
)
def test_invalid_dots_per_inch_are_ignored(photo, odd):
    image = Image.fromarray(photo)
    image.info["dpi"] = odd
    assert images.from_memory(image).dpi is None


@loaded
def test_a_dream_has_its_photographs_dpi_or_the_given_one(run, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png", dpi=(300, 300))
    assert run("dream", "photo.png", *SHORT, "-o", "own.png") == (0, "", "")
    assert run("dream", "photo.png", *SHORT, "--dpi", "72", "-o", "asked.jpg") == (0, "", "")
    assert run("redo", "own.png", "photo.png", "--dpi", "600", "-q", "-o", "redone.png") == (0, "", "")
    own, asked, redone = (read(tmp_path / name, 10**6) for name in ("own.png", "asked.jpg", "redone.png"))
    assert own.dpi == pytest.approx((300, 300), abs=0.01)
    assert asked.dpi == (72, 72)
    assert redone.dpi == pytest.approx((600, 600), abs=0.01)
    assert np.array_equal(own.pixels, redone.pixels)
    assert "dpi" not in str(read_recipe(tmp_path / "redone.png"))


def _tiny():
    import tiny

    return tiny.provider()
