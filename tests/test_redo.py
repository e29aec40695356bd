"""A dream dreamed again from what it carries, through the real entry point."""

# ruff: noqa: E501 - a table reads best with a line for each case

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, PngImagePlugin

import dreamkit
from dreamkit import api
from dreamkit.media import image_metadata, images
from dreamkit.media.image_metadata import read_recipe
from dreamkit.models.spec import ModelSpec

QUICK = ["--octaves", "2", "--steps", "2", "--tile-size", "64"]
DREAM = ["--model", "tiny", *QUICK]
OPTIONS = {"octaves": 2, "steps": 2, "tile_size": 64}
OCTAVES = r"(octave \d/\d \(\d+ x \d+\): objective [\d.e+-]+\n)*"

pytestmark = pytest.mark.usefixtures("second")


@pytest.fixture
def dreamed(run, picture, tmp_path):
    """A dream of the photograph."""
    assert run("dream", picture, *DREAM, "-o", "d.png", "-q") == (0, "", "")
    return tmp_path / "d.png"


@pytest.fixture
def masks(tmp_path, photo):
    """left.png and right.png, the left and the right third."""
    left = np.zeros(photo.shape[:2], np.uint8)
    left[:, :18] = 255
    Image.fromarray(left).save(tmp_path / "left.png")
    Image.fromarray(left[:, ::-1].copy()).save(tmp_path / "right.png")
    return left


@pytest.fixture
def other_photo(tmp_path, photo):
    Image.fromarray(photo[::-1, 8:].copy()).save(tmp_path / "other.png")
    return tmp_path / "other.png"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rewritten(path, **changes):
    """A copy of a dream, changed.png, with `changes` in its recipe."""
    return carrying(path, {**read_recipe(path), **changes})


def carrying(path, recipe):
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("dreamkit", json.dumps(recipe))
    target = path.with_name("changed.png")
    with Image.open(path) as image:
        image.save(target, pnginfo=chunk)
    return target


def test_a_stopped_dream_is_dreamed_to_its_end(run, dreamed, picture):
    """A page saves dreams that were stopped, with their whole recipe."""
    path = rewritten(dreamed, stopped={"octave": 1, "octaves": 2, "step": 3, "steps": 4})
    warning = (
        "warning: changed.png was stopped at octave 1 of 2, step 3 of 4; this dream takes all its steps\n"
    )
    assert run("redo", path, picture, "-q", "-o", "again.png") == (0, "", warning)


def test_a_picture_that_no_recipe_repeats_says_why(run, dreamed, picture):
    path = carrying(dreamed, {"dreamkit": "1", "unrepeatable": "is a frame of an endless zoom"})
    message = "is a frame of an endless zoom, so it carries no recipe and cannot be dreamed again"
    assert run("redo", path, picture) == (1, "", f"error: {path} {message}\n")


# The same bytes


def test_the_same_photograph_gives_the_same_bytes(run, dreamed, picture, tmp_path):
    code, out, err = run("redo", "d.png", picture)
    assert (code, re.fullmatch(OCTAVES, err) is not None) == (0, True), err
    assert re.fullmatch(r"wrote d\.redo\.png \(56 x 40\) in \d+\.\d s\n", out)
    assert (tmp_path / "d.redo.png").read_bytes() == dreamed.read_bytes()
    assert "wrote d.redo-2.png" in run("redo", "d.png", picture)[1]


def test_a_photograph_is_its_bytes_and_not_its_name(run, dreamed, picture, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "IMG 0001.jpeg"
    picture.rename(moved)
    (tmp_path / "link.jpg").symlink_to(moved)
    for source in (moved, "link.jpg"):
        assert run("redo", "d.png", source, "-q", "-o", "again.png", "--overwrite") == (0, "", "")
        assert (tmp_path / "again.png").read_bytes() == dreamed.read_bytes()
    assert str(tmp_path) not in json.dumps(read_recipe(tmp_path / "again.png"))


@pytest.mark.parametrize(
    "options",
    [
        ["--seed", "9", "--layers", "high:1+2=2,low@3x4=-1", "--color", "keep", "--max-size", "30"],
        ["--layers", "mid,60%", "--tv", "0.1", "--l2", "1", "--smooth", "gaussian", "--unit", "1,2,3"],
        ["--space", "fourier", "--normalise", "none", "--no-clip", "--no-balance", "--step-size", "0.3"],
        ["-r", "mine.toml"],
    ],
    ids=lambda options: " ".join(options)[:20],
)
def test_every_option_is_in_it(run, picture, tmp_path, options):
    (tmp_path / "mine.toml").write_text(
        'schedule = [{steps = 1, layers = {low = 0.3}}, {jitter = 0}]\nlayers = [{layer = "high", weight = 3, '
        "direction = [0.1, 0, 0, -0.7, 0, 0]}]\nrotate = 5.5\nzoom = 0.1\n"
    )
    assert run("dream", picture, *DREAM, *options, "-o", "d.png", "-q") == (0, "", "")
    (tmp_path / "mine.toml").unlink()
    assert run("redo", "d.png", picture, "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


def test_noise_needs_no_photograph(run, tmp_path):
    assert (
        run("dream", *DREAM, "--size", "30x20", "--noise", "faint", "--seed", "5", "-o", "n.png", "-q")[0]
        == 0
    )
    assert run("redo", "n.png", "-q") == (0, "", "")
    assert (tmp_path / "n.redo.png").read_bytes() == (tmp_path / "n.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_noises_recipe_on_a_photograph_says_so(run, picture, tmp_path):
    run("dream", *DREAM, "--size", "30x20", "-o", "n.png", "-q")
    code, _, err = run("redo", "n.png", picture, "-q", "-o", "p.png")
    assert (code, err) == (
        0,
        "warning: n.png was dreamed without a photograph; this is dreamed as that was\n",
    )
    assert images.read(tmp_path / "p.png", 10**6).pixels.shape == (40, 56, 3)


@pytest.mark.usefixtures("loaded_once")
def test_guide_and_masks_are_asked_for_by_name_and_hash(run, picture, other_photo, masks, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'layers = [{layer = "low", mask = "l"}, {layer = "high", mask = "r", weight = 2}]\nguide_style = "channels"\n'
    )
    made = ["dream", picture, *DREAM, "-r", "mine.toml", "--guide", "other.png"]
    given = ["--mask", "l=left.png", "--mask", "r=right.png"]
    assert run(*made, *given, "-q", "-o", "d.png") == (0, "", "")
    recipe = read_recipe(tmp_path / "d.png")
    assert recipe["guide"] == {"name": "other.png", "sha256": sha256(other_photo)}
    assert recipe["masks"] == {
        "l": {"name": "left.png", "sha256": sha256(tmp_path / "left.png")},
        "r": {"name": "right.png", "sha256": sha256(tmp_path / "right.png")},
    }
    # each that is missing is one line, though they lie beside it
    for arguments, message in {
        (): f"d.png was dreamed from photo.jpg (SHA-256 {sha256(picture)}); give that photograph, or another",
        (picture, *given): f"d.png was dreamed with the guide other.png (SHA-256 {sha256(other_photo)}); "
        "give it with --guide FILE",
        (picture, "--guide", "other.png"): "d.png was dreamed with the mask l left.png (SHA-256 "
        f"{sha256(tmp_path / 'left.png')}); give it with --mask l=FILE",
        (picture, "--guide", "other.png", *given[:2]): "d.png was dreamed with the mask r right.png (SHA-256 "
        f"{sha256(tmp_path / 'right.png')}); give it with --mask r=FILE",
        (picture, "--guide", "other.png", *given, "--mask", "x=left.png"): "no term is under the mask x; "
        "choose from l, r",
    }.items():
        assert run("redo", "d.png", *arguments) == (1, "", f"error: {message}\n")
    # and all together are the dream, under whatever names
    for name in ("other.png", "left.png", "right.png"):
        (tmp_path / name).rename(tmp_path / f"my-{name}")
    renamed = ["--guide", "my-other.png", "--mask", "r=my-right.png", "--mask", "l=my-left.png"]
    assert run("redo", "d.png", picture, *renamed, "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    # one for the other is said, and is another dream
    swapped = ["--guide", picture, "--mask", "l=my-right.png", "--mask", "r=my-left.png"]
    code, _, err = run("redo", "d.png", picture, *swapped, "-q", "-o", "swapped.png")
    assert (code, sorted(err.splitlines())) == (
        0,
        [
            f"warning: my-left.png is not the mask right.png (SHA-256 {recipe['masks']['r']['sha256']}); "
            "the dream will differ",
            f"warning: my-right.png is not the mask left.png (SHA-256 {recipe['masks']['l']['sha256']}); "
            "the dream will differ",
            f"warning: photo.jpg is not the guide other.png (SHA-256 {sha256(tmp_path / 'my-other.png')}); "
            "the dream will differ",
        ],
    )
    assert read_recipe(tmp_path / "swapped.png")["masks"]["l"]["name"] == "my-right.png"


@pytest.mark.usefixtures("loaded_once")
def test_a_mask_of_the_whole_dream(run, picture, masks, tmp_path):
    assert run("dream", picture, *DREAM, "--mask", "left.png", "-q", "-o", "d.png") == (0, "", "")
    hash_of = sha256(tmp_path / "left.png")
    assert read_recipe(tmp_path / "d.png")["masks"] == {"": {"name": "left.png", "sha256": hash_of}}
    code, _, err = run("redo", "d.png", picture)
    assert (code, err) == (
        1,
        f"error: d.png was dreamed with the mask left.png (SHA-256 {hash_of}); give it with --mask FILE\n",
    )
    assert run("redo", "d.png", picture, "--mask", "left.png", "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_what_is_given_beyond_the_recipe_is_said(run, dreamed, picture, masks, tmp_path):
    code, _, err = run(
        "redo", "d.png", picture, "--mask", "left.png", "--guide", "left.png", "-q", "-o", "m.png"
    )
    assert code == 0
    assert sorted(err.splitlines()) == [
        "warning: d.png was dreamed without a guide; the dream will differ",
        "warning: d.png was dreamed without a mask; the dream will differ",
    ]


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("kind", ["grey", "half as large", "rgba", "pillow"])
def test_a_mask_from_memory_is_in_the_dream(run, picture, masks, tmp_path, kind):
    grey = (masks // 2 + 30).astype(np.uint8)
    mask = {
        "grey": grey,
        "half as large": np.ascontiguousarray(grey[::2, ::2]),
        "rgba": np.dstack([grey, grey // 2, grey, np.full_like(grey, 128)]),
        "pillow": Image.fromarray(grey),
    }[kind]
    dreamkit.render(picture, "tiny", mask=mask, **OPTIONS).save(tmp_path / "d.png")
    kept = read_recipe(tmp_path / "d.png")["masks"][""]
    assert kept["name"] == ""
    assert kept["data"]
    assert run("redo", "d.png", picture, "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    assert run("redo", "again.png", picture, "-q", "-o", "thrice.png") == (0, "", "")
    assert (tmp_path / "thrice.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    # another mask goes before it, and is said
    code, _, err = run("redo", "d.png", picture, "--mask", "left.png", "-q", "-o", "other.png")
    assert code == 0
    assert err.startswith("warning: left.png is not the mask a picture from memory (SHA-256 ")


@pytest.mark.usefixtures("loaded_once")
def test_masks_from_memory_by_name(run, picture, masks, tmp_path):
    layers = [{"layer": "low", "mask": "l"}, {"layer": "high", "mask": "r"}]
    mask = {"l": masks, "r": tmp_path / "right.png"}
    dreamkit.render(picture, "tiny", mask=mask, layers=layers, **OPTIONS).save(tmp_path / "d.png")
    kept = read_recipe(tmp_path / "d.png")["masks"]
    assert ("data" in kept["l"], "data" in kept["r"]) == (True, False)
    assert run("redo", "d.png", picture, "--mask", "r=right.png", "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_a_mask_inside_goes_on_to_another_photograph_of_its_shape(run, picture, photo, masks, tmp_path):
    dreamkit.render(picture, "tiny", mask=masks, **OPTIONS).save(tmp_path / "d.png")
    large = np.repeat(np.repeat(photo[::-1], 2, 0), 2, 1)
    Image.fromarray(large).save(tmp_path / "large.png")
    assert run("redo", "d.png", "large.png", "-q", "-o", "again.png")[0] == 0
    dreamed = images.read(tmp_path / "again.png", 10**6).pixels
    assert np.array_equal(dreamed[:, 40:], large[:, 40:])
    assert (dreamed[:, :30] != large[:, :30]).any()
    Image.fromarray(photo[:, :20].copy()).save(tmp_path / "tall.png")
    code, out, err = run("redo", "d.png", "tall.png")
    assert (code, out) == (1, "")
    assert err == (
        "error: the mask from memory has 56 x 40 pixels and the picture 20 x 40; give one of the same shape\n"
    )


@pytest.mark.usefixtures("loaded_once")
def test_photograph_and_guide_from_memory(run, picture, photo, tmp_path):
    rendered = dreamkit.render(photo, "tiny", guide=photo[:20, :20], **OPTIONS)
    assert rendered.recipe["photograph"]["name"] == rendered.recipe["guide"]["name"] == ""
    rendered.save(tmp_path / "d.png")
    code, _, err = run("redo", "d.png")
    hash_of = rendered.recipe["photograph"]["sha256"]
    assert (code, err) == (
        1,
        f"error: d.png was dreamed from a picture from memory (SHA-256 {hash_of}); "
        "give that photograph, or another\n",
    )
    again = api.redo(tmp_path / "d.png", photo, guide=photo[:20, :20])
    assert again.recipe == rendered.recipe
    again.save(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


# Several networks


def test_two_networks(run, picture, tmp_path):
    (tmp_path / "two.toml").write_text(
        '[[models]]\nname = "tiny"\nlayers = "low:1"\n[[models]]\nname = "other"\nweight = 0.5\n'
    )
    assert run("dream", picture, *QUICK, "-r", "two.toml", "-q", "-o", "d.png") == (0, "", "")
    recipe = read_recipe(tmp_path / "d.png")
    told = [(model["name"], model["weight"], model["layers"], model["dreamed"]) for model in recipe["models"]]
    assert told == [("tiny", 1.0, ["low:1"], {"low:1": 1.0}), ("other", 0.5, None, {"edges": 1.0})]
    assert run("redo", "d.png", picture, "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    # the same networks by name keep their layers
    assert run("redo", "d.png", picture, "-m", "tiny", "-m", "other=0.5", "-q", "-o", "named.png") == (
        0,
        "",
        "",
    )
    assert (tmp_path / "named.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    # one of them alone is said
    code, _, err = run("redo", "d.png", picture, "-m", "tiny", "-q", "-o", "one.png")
    assert code == 0
    assert err.splitlines() == [
        "warning: d.png was made with tiny and other; tiny dreams it with its own default layers",
        "warning: d.png was dreamed by tiny and other, and tiny dreams it now",
    ]
    assert [model["name"] for model in read_recipe(tmp_path / "one.png")["models"]] == ["tiny"]
    # and so they are on the command line
    assert run("dream", picture, *QUICK, "-m", "tiny", "-m", "other=0.5", "-q", "-o", "cli.png") == (
        0,
        "",
        "",
    )
    assert [each["weight"] for each in read_recipe(tmp_path / "cli.png")["models"]] == [1.0, 0.5]


@pytest.mark.usefixtures("loaded_once")
def test_a_share_of_the_library_comes_back(run, picture, tmp_path):
    """Found here: a weight of 2 was another byte than 2.0, and a text of layers was read letter by letter."""
    models = [ModelSpec("tiny", 2, "low,high:0+1=0.5"), ModelSpec("other", np.float32(0.5), {"edges": 1})]
    rendered = dreamkit.render(picture, models, **OPTIONS)
    rendered.save(tmp_path / "d.png")
    assert read_recipe(tmp_path / "d.png") == rendered.recipe
    assert rendered.recipe["models"][0]["layers"] == ["low,high:0+1=0.5"]
    assert run("redo", "d.png", picture, "-q", "-o", "again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_another_network_dreams_its_own_layers_and_says_so(run, picture, tmp_path):
    run("dream", picture, *DREAM, "-l", "low:2", "-q", "-o", "d.png")
    code, _, err = run("redo", "d.png", picture, "-m", "other", "-q", "-o", "other.png")
    assert code == 0
    assert err.splitlines() == [
        "warning: d.png was made with tiny; other dreams it with its own default layers",
        "warning: d.png was dreamed by tiny, and other dreams it now",
    ]
    assert read_recipe(tmp_path / "other.png")["models"][0]["dreamed"] == {"edges": 1.0}


# What differs is said


@pytest.mark.usefixtures("loaded_once")
def test_another_photograph_is_dreamed_as_that_one_was(run, dreamed, picture, other_photo, tmp_path):
    code, _, err = run("redo", "d.png", "other.png", "-q", "-o", "again.png")
    assert (code, err) == (
        0,
        f"warning: other.png is not the photograph photo.jpg (SHA-256 {sha256(picture)}); "
        "this is dreamed as that was\n",
    )
    recipe = read_recipe(tmp_path / "again.png")
    assert recipe["photograph"] == {"name": "other.png", "sha256": sha256(other_photo)}
    assert recipe["options"] == read_recipe(dreamed)["options"]
    assert run("dream", "other.png", *DREAM, "-q", "-o", "direct.png") == (0, "", "")
    assert (tmp_path / "direct.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_other_weights_are_said(run, dreamed, picture, tmp_path):
    import dreamkit_tiny

    model = dreamkit_tiny.plan()
    model.get_layer("low").bias.assign([1.0, 2.0, 3.0, 4.0])
    model.save_weights(tmp_path / "mine.weights.h5")
    code, _, err = run("redo", "d.png", picture, "-w", "mine.weights.h5", "-q", "-o", "again.png")
    before, now = (read_recipe(tmp_path / name)["models"][0]["sha256"] for name in ("d.png", "again.png"))
    assert before != now
    assert (code, err) == (
        0,
        f"warning: the weights of tiny are not those of d.png (SHA-256 {before[:12]}..., now {now[:12]}...); "
        "the dream will differ\n",
    )
    # by its name too; and a redo of that with these weights is that
    again = ["redo", "again.png", picture, "-w", "tiny=mine.weights.h5", "-q", "-o", "thrice.png"]
    assert run(*again) == (0, "", "")
    assert (tmp_path / "thrice.png").read_bytes() == (tmp_path / "again.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_other_versions_are_said(run, dreamed, picture, tmp_path):
    recipe = read_recipe(dreamed)
    versions = {**recipe["versions"], "numpy": "0.1", "elsewhere": "7"}
    machine = {**recipe["machine"], "threads": 77, "more": 1}
    rewritten(dreamed, dreamkit="0.0.1", versions=versions, machine=machine)
    code, _, err = run("redo", "changed.png", picture, "-q", "-o", "again.png")
    assert (code, err) == (
        0,
        f"warning: changed.png was dreamed with dreamkit 0.0.1 (now {dreamkit.__version__}), numpy 0.1 "
        f"(now {np.__version__}), elsewhere 7 (now unknown), threads 77 (now {recipe['machine']['threads']}); "
        "bytes may differ\n",
    )
    assert read_recipe(tmp_path / "again.png") == recipe


# Formats


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
def test_every_format_is_dreamed_again(run, picture, tmp_path, ending):
    assert run("dream", picture, *DREAM, "-q", "-o", f"d.{ending}") == (0, "", "")
    assert run("redo", f"d.{ending}", picture, "-q", "-o", f"again.{ending}") == (0, "", "")
    assert (tmp_path / f"again.{ending}").read_bytes() == (tmp_path / f"d.{ending}").read_bytes()
    assert run("redo", f"d.{ending}", picture, "-q") == (0, "", "")  # a PNG, whatever it was
    run("dream", picture, *DREAM, "-q", "-o", "plain.png")
    assert (tmp_path / "d.redo.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("ending", ["jpg", "webp", "tiff"])
def test_a_large_mask_in_the_recipe_is_dreamed_again(run, tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (240, 336), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    dream = dreamkit.render(tmp_path / "photo.png", "tiny", mask=noise, octaves=1, steps=1)
    dream.save(tmp_path / f"d.{ending}")
    recipe = read_recipe(tmp_path / f"d.{ending}")
    assert recipe == dream.recipe
    assert len(json.dumps(recipe)) > 2**16
    assert run("redo", f"d.{ending}", "photo.png", "-q") == (0, "", "")
    with Image.open(tmp_path / "d.redo.png") as again:
        assert np.array_equal(np.asarray(again), dream.pixels)


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("ending", ["png", "webp", "tiff"])
def test_alpha_goes_through_again(run, photo, tmp_path, ending):
    alpha = np.arange(40 * 56, dtype=np.uint16).reshape(40, 56).astype(np.uint8)
    Image.fromarray(np.dstack([photo, alpha])).save(tmp_path / "a.png")
    assert run("dream", "a.png", *DREAM, "-q", "-o", f"d.{ending}") == (0, "", "")
    assert run("redo", f"d.{ending}", "a.png", "-q", "-o", f"again.{ending}") == (0, "", "")
    assert (tmp_path / f"again.{ending}").read_bytes() == (tmp_path / f"d.{ending}").read_bytes()
    assert np.array_equal(images.read(tmp_path / f"again.{ending}", 10**6).alpha, alpha)


@pytest.mark.usefixtures("loaded_once")
def test_a_colour_profile_goes_through_again(run, photo, tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo).save(tmp_path / "p.png", icc_profile=profile)
    run("dream", "p.png", *DREAM, "-q", "-o", "d.png")
    assert run("redo", "d.png", "p.png", "-q") == (0, "", "")
    assert (tmp_path / "d.redo.png").read_bytes() == (tmp_path / "d.png").read_bytes()


@pytest.mark.usefixtures("loaded_once")
def test_a_name_that_is_no_text_does(run, picture, tmp_path):
    """A file name of Latin-1 on a file system of UTF-8."""
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    shutil.copy(picture, odd)
    assert run("dream", odd, *DREAM, "-q", "-o", "d.png") == (0, "", "")
    assert run("redo", "d.png", picture, "-q") == (0, "", "")
    assert (tmp_path / "d.redo.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    code, _, err = run("redo", "d.png")
    assert code == 1
    assert "from caf\\udce9.jpg (SHA-256" in err


# Nothing is lost


@pytest.mark.usefixtures("loaded_once")
def test_overwrite(run, dreamed, picture, tmp_path):
    (tmp_path / "d.redo.png").write_bytes(b"mine")
    assert "wrote d.redo-2.png" in run("redo", "d.png", picture)[1]
    assert (tmp_path / "d.redo.png").read_bytes() == b"mine"
    code, out, err = run("redo", "d.png", picture, "-o", "d.redo.png")
    assert (code, out) == (1, "")
    assert err == "error: d.redo.png exists; choose another name or give --overwrite\n"
    assert "wrote d.redo.png" in run("redo", "d.png", picture, "--overwrite")[1]
    assert (tmp_path / "d.redo.png").read_bytes() == dreamed.read_bytes()


@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize("command", ["dream", "redo"])
def test_what_is_read_is_not_written_over(run, photo, masks, tmp_path, command):
    files = {"photograph": "p.png", "guide": "g.png", "mask": "left.png"}
    Image.fromarray(photo).save(tmp_path / "p.png")
    Image.fromarray(photo[::-1].copy()).save(tmp_path / "g.png")
    given = ["--guide", "g.png", "--mask", "left.png", "--overwrite"]
    if command == "redo":
        assert run("dream", "p.png", *DREAM, *given, "-q", "-o", "d.png") == (0, "", "")
        arguments = ["redo", "d.png", "p.png", *given]
    else:
        arguments = ["dream", "p.png", *DREAM, *given]
    (tmp_path / "folder").mkdir()
    for name in files.values():
        (tmp_path / f"soft-{name}").symlink_to(name)
        (tmp_path / "folder" / f"soft-{name}").symlink_to(tmp_path / f"soft-{name}")
        os.link(tmp_path / name, tmp_path / f"hard-{name}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for role, name in files.items():
        for output in (name, f"soft-{name}", f"folder/soft-{name}", f"hard-{name}", f"folder/../{name}"):
            code, out, err = run(*arguments, "-o", output)
            assert (code, out) == (1, "")
            assert err == f"error: {output} is the {role} itself; write somewhere else\n"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("loaded_once")
def test_a_recipes_own_guide_and_masks_are_not_written_over(run, picture, masks, tmp_path):
    (tmp_path / "mine.toml").write_text('guide = "right.png"\nmask = "left.png"\n')
    for name, role in (("right.png", "guide"), ("left.png", "mask")):
        before = (tmp_path / name).read_bytes()
        code, _, err = run("dream", picture, *DREAM, "-r", "mine.toml", "-o", name, "--overwrite")
        assert (code, err) == (1, f"error: {name} is the {role} itself; write somewhere else\n")
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.usefixtures("loaded_once")
def test_a_dream_is_not_replaced_by_its_repetition(run, dreamed, picture):
    """Which may differ: by the weights, the photograph, the machine."""
    before = dreamed.read_bytes()
    code, _, err = run("redo", "d.png", picture, "-o", "d.png", "--overwrite", "-q")
    assert (code, err) == (1, "error: d.png is the recipe itself; write somewhere else\n")
    assert dreamed.read_bytes() == before


# Dreamed as a recipe


@pytest.mark.usefixtures("loaded_once")
def test_a_dream_is_a_recipe(run, picture, other_photo, tmp_path):
    run("dream", picture, *DREAM, "--seed", "3", "-l", "low", "-q", "-o", "d.png")
    assert run("dream", "other.png", "-r", "d.png", "--seed", "4", "-q", "-o", "o.png") == (0, "", "")
    before, now = (read_recipe(tmp_path / name) for name in ("d.png", "o.png"))
    assert now["options"] == {**before["options"], "seed": 4}
    assert now["models"] == before["models"]
    code, out, err = run("dream", "-r", "d.png")
    assert (code, out) == (1, "")
    assert err.startswith("error: d.png was dreamed from photo.jpg (SHA-256 ")
    text = run("recipes", "d.png")[1]
    assert text == 'model = "tiny"\nlayers = "low"\noctaves = 2\nseed = 3\nsteps = 2\ntile_size = 64\n'
    (tmp_path / "mine.toml").write_text(text)
    run("dream", picture, "-r", "mine.toml", "-q", "-o", "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "d.png").read_bytes()


# Wrong input


@pytest.mark.usefixtures("loaded_once")
def test_wrong_input_is_one_line_and_loses_nothing(run, dreamed, picture, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.png")
    whole = read_recipe(dreamed)
    carrying(dreamed, {**whole, "options": {**whole["options"], "stepps": 1}}).rename(tmp_path / "newer.png")
    carrying(dreamed, {**whole, "options": {**whole["options"], "layers": ["nope"]}}).rename(
        tmp_path / "layer.png"
    )
    unknown = [{**whole["models"][0], "name": "gone"}]
    carrying(dreamed, {**whole, "models": unknown}).rename(tmp_path / "gone.png")
    bad_mask = {"": {"name": "", "sha256": "0", "data": "AAAA"}}
    carrying(dreamed, {**whole, "masks": bad_mask}).rename(tmp_path / "mask.png")
    kept = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    for arguments, exit_code, message in [
        (["redo"], 2, "[Mm]issing argument 'DREAM'.*see dreamkit redo --help"),
        (["redo", "d.png", "a", "b"], 2, "[Uu]nexpected extra argument"),
        (["redo", "d.png", "photo.jpg", "--steps", "3"], 2, "No such option: --steps"),
        (["redo", "nope.png", "photo.jpg"], 1, "nope.png does not exist; give the path of a picture"),
        (["redo", "folder", "photo.jpg"], 1, "folder is a folder, not a picture"),
        (["redo", "https://example.org/d.png"], 1, "is an address; download the picture first"),
        (["redo", "pipe.png", "photo.jpg"], 1, "pipe.png does not exist"),
        (["redo", "/dev/zero", "photo.jpg"], 1, "/dev/zero does not exist"),
        (["redo", "text.png", "photo.jpg"], 1, "text.png cannot be read as a picture"),
        (["redo", "photo.jpg", "d.png"], 1, "photo.jpg carries no recipe"),
        (["redo", "d.png"], 1, "d.png was dreamed from photo.jpg"),
        (["redo", "d.png", "nope.jpg"], 1, "nope.jpg does not exist"),
        (["redo", "d.png", "pipe.png"], 1, "pipe.png does not exist"),
        (["redo", "d.png", "photo.jpg", "-m", "tinny"], 1, "no model 'tinny'; did you mean tiny"),
        (["redo", "d.png", "photo.jpg", "-m", "tiny=x"], 1, "--model is 'tiny=x'; after = comes a weight"),
        (["redo", "d.png", "photo.jpg", "-w", "none.h5"], 1, "weights file none.h5 does not exist"),
        (
            ["redo", "d.png", "photo.jpg", "-w", "other=x"],
            1,
            "weights are given for 'other'; this dream uses tiny",
        ),
        (["redo", "d.png", "photo.jpg", "--guide", "nope.png"], 1, "nope.png does not exist"),
        (["redo", "d.png", "photo.jpg", "--mask", "nope.png"], 1, "nope.png does not exist"),
        (["redo", "d.png", "photo.jpg", "--mask", "x=d.png"], 1, "no term is under the mask x"),
        (["redo", "d.png", "photo.jpg", "-o", "x.bmp"], 1, "x.bmp ends in .bmp"),
        (["redo", "d.png", "photo.jpg", "-o", "none/x.png"], 1, "the folder none does not exist"),
        (["redo", "newer.png", "photo.jpg"], 1, "newer.png cannot be used .*'stepps'; did you mean steps"),
        (["redo", "layer.png", "photo.jpg"], 1, "there is no layer 'nope'; choose from low, high, mid"),
        (["redo", "gone.png", "photo.jpg"], 1, "there is no model 'gone'"),
        (
            ["redo", "mask.png", "photo.jpg"],
            1,
            "the mask in mask.png is damaged .*; give it with --mask FILE",
        ),
    ]:
        code, out, err = run(*arguments)
        told = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert (code, out, len(told)) == (exit_code, "", 1), (arguments, out, err)
        assert re.match(f"error: .*{message}", told[0]), (arguments, err)
        assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == kept


def test_a_network_of_weight_zero_is_in_the_recipe_and_redone(run, picture, second, tmp_path):
    options = ["--octaves", "1", "--steps", "1", "--tile-size", "64", "-q"]
    assert run("dream", picture, *options, "-m", "tiny", "-m", "other=0", "-o", "a.png") == (0, "", "")
    assert [model["dreamed"] for model in image_metadata.read_recipe(tmp_path / "a.png")["models"]][1] == {}
    assert run("redo", "a.png", picture, "-o", "b.png", "-q") == (0, "", "")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# The first edition of pocket

FIRST_EDITION = ROOT / "tests" / "data" / "first_edition"


def test_the_first_edition_of_pocket_is_known_by_its_weights():
    from dreamkit.models import pocket
    from dreamkit.recipes import metadata

    ((_, now),) = metadata._RENAMED.items()
    assert now == ("pocket1", sha256(pocket.FIRST_EDITION))


def test_a_dream_of_the_first_edition_of_pocket_is_dreamed_again(run, tmp_path):
    """A picture that pocket made when it was Inception v3's student: the same pixels, but for the machine's
    rounding."""
    code, _, err = run("redo", FIRST_EDITION / "dream.png", FIRST_EDITION / "photo.png", "-o", "again.png")
    assert code == 0, err
    assert (
        "warning: dream.png was dreamed by the first edition of pocket, which is called pocket1 now\n" in err
    )
    assert "the weights of" not in err
    assert "was dreamed by pocket" not in err
    now, before = (
        np.asarray(Image.open(path), int) for path in (tmp_path / "again.png", FIRST_EDITION / "dream.png")
    )
    assert now.shape == before.shape
    assert np.abs(now - before).mean() < 0.5
    assert read_recipe(tmp_path / "again.png")["models"][0]["name"] == "pocket1"


def test_a_dream_of_todays_pocket_is_pockets(run, tmp_path):
    from dreamkit import recipes

    Image.new("RGB", (64, 48), (90, 120, 10)).save(tmp_path / "p.png")
    assert run("dream", "p.png", *QUICK, "-m", "pocket", "-o", "d.png", "-q") == (0, "", "")
    assert recipes.from_picture(tmp_path / "d.png").models[0].model == "pocket"
