"""Pictures written: round trips, places that are refused, files written whole or not at all."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import files_no_larger_than
from PIL import Image
from sample_pictures import (
    ENDINGS,
    LOSSLESS,
    NOISE,
    RECIPE,
    RGB_PROFILE,
    SMOOTH,
    WITH_ALPHA,
    listing,
    near,
    read,
)

from dreamkit.errors import DreamkitWarning, ImageError, OutputExistsError
from dreamkit.media import atomic, image_metadata, image_writer

# Round trips


@pytest.mark.parametrize("ending", LOSSLESS)
def test_lossless_formats_keep_every_pixel(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, NOISE[..., :3])
    picture = read(path)
    assert np.array_equal(picture.pixels, NOISE[..., :3])
    assert picture.pixels.dtype == np.uint8
    assert picture.alpha is None
    assert picture.profile is None


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_lossy_formats_keep_the_picture(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, SMOOTH[..., :3])
    assert near(read(path).pixels, SMOOTH[..., :3], 12)


@pytest.mark.parametrize(
    ("ending", "format"),
    [
        (".png", "PNG"),
        (".jpg", "JPEG"),
        (".jpeg", "JPEG"),
        (".webp", "WEBP"),
        (".tif", "TIFF"),
        (".tiff", "TIFF"),
    ],
)
def test_the_extension_selects_the_format(tmp_path, ending, format):  # noqa: A002
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, SMOOTH[..., :3])
    with Image.open(path) as image:
        assert image.format == format


@pytest.mark.parametrize("ending", WITH_ALPHA)
def test_alpha_is_kept(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, SMOOTH)
    picture = read(path)
    assert np.array_equal(picture.alpha, SMOOTH[..., 3])
    assert near(picture.pixels, SMOOTH[..., :3], 0 if ending in LOSSLESS else 16)


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_a_jpeg_drops_alpha_with_one_warning(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    with pytest.warns(DreamkitWarning, match="transparency") as warned:
        image_writer.write(path, SMOOTH)
    assert len(warned) == 1
    assert path.name in str(warned[0].message)
    picture = read(path)
    assert picture.alpha is None
    assert near(picture.pixels, SMOOTH[..., :3], 12)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_profile_is_kept_byte_for_byte(tmp_path, ending):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, SMOOTH[..., :3], profile=RGB_PROFILE)
    picture = read(path)
    assert picture.profile == RGB_PROFILE
    assert near(picture.pixels, SMOOTH[..., :3], 12)


# Where a picture can be written


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("dream", None, "ends in nothing"),
        ("dream.gif", None, r"ends in \.gif; use one of \.png"),
        ("dream.png.txt", None, r"ends in \.txt"),
        (".png", None, "ends in nothing"),
        ("absent/dream.png", None, "the folder .*absent does not exist"),
        ("old.png/dream.png", None, "the folder .* does not exist"),
        ("folder.png", None, "is a folder"),
        ("old.png", None, "exists; choose another name or give --overwrite"),
        ("dream.jpg", (10, 65_501), "cannot hold 65501 x 10 pixels, only 65500 a side"),
        ("dream.jpeg", (65_501, 10), "cannot hold 10 x 65501 pixels, only 65500 a side"),
        ("dream.webp", (16_384, 10), "cannot hold 10 x 16384 pixels, only 16383 a side"),
        ("x" * 5000 + ".png", None, "."),
    ],
)
def test_a_bad_place_is_refused_before_any_work(tmp_path, name, size, message):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(ImageError, match=message) as refused:
        image_writer.check_output(tmp_path / name, overwrite=False, size=size)
    assert "\n" not in str(refused.value)
    assert (tmp_path / "old.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "size", "overwrite"),
    [
        ("dream.png", (10**6, 10**6), False),
        ("dream.JPEG", (65_500, 65_500), False),
        ("dream.webp", (16_383, 16_383), False),
        ("dream.tiff", None, False),
        ("old.png", None, True),
    ],
)
def test_a_good_place_is_accepted_and_left_as_it_is(tmp_path, name, size, overwrite):
    (tmp_path / "old.png").write_bytes(b"old")
    image_writer.check_output(tmp_path / name, overwrite=overwrite, size=size)
    assert listing(tmp_path) == {"old.png": b"old"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ImageError, match="may not be written to"):
            image_writer.check_output(tmp_path / "dream.png", overwrite=False)
    finally:
        tmp_path.chmod(0o700)


def test_an_existing_file_is_its_own_error(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(OutputExistsError):
        image_writer.check_output(tmp_path / "old.png", overwrite=False)


# Writing, whole or not at all


@pytest.mark.parametrize(("ending", "longest"), [(".jpg", 65_500), (".webp", 16_383)])
def test_a_format_holds_its_longest_side_and_no_more(tmp_path, ending, longest):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, np.zeros((longest, 1, 3), np.uint8))
    assert read(path).pixels.shape == (longest, 1, 3)
    with pytest.raises(ImageError, match=f"only {longest} a side"):
        image_writer.write(path, np.zeros((1, longest + 1, 3), np.uint8), overwrite=True)
    assert read(path).pixels.shape == (longest, 1, 3)


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="--overwrite"):
        image_writer.write(tmp_path / "old.png", NOISE)
    assert listing(tmp_path) == {"old.png": b"old"}


def test_an_existing_file_is_replaced_with_overwrite(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    image_writer.write(tmp_path / "old.png", NOISE, overwrite=True)
    assert list(listing(tmp_path)) == ["old.png"]
    assert np.array_equal(read(tmp_path / "old.png").pixels, NOISE[..., :3])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_only_the_picture_is_left(tmp_path, ending, overwrite):
    image_writer.write(tmp_path / f"dream{ending}", SMOOTH[..., :3], recipe=RECIPE, overwrite=overwrite)
    assert list(listing(tmp_path)) == [f"dream{ending}"]


def test_a_file_created_meanwhile_is_kept(tmp_path):
    # A dangling link is in the folder, but does not exist.
    (tmp_path / "dream.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        image_writer.write(tmp_path / "dream.png", NOISE)
    assert [path.name for path in tmp_path.iterdir()] == ["dream.png"]
    assert (tmp_path / "dream.png").is_symlink()


def test_one_of_many_concurrent_writers_wins(tmp_path):
    def attempt(level):
        try:
            image_writer.write(tmp_path / "dream.png", np.full((64, 64, 3), level, np.uint8))
        except OutputExistsError:
            return None
        return level

    with ThreadPoolExecutor(8) as pool:
        winners = [level for level in pool.map(attempt, range(8)) if level is not None]
    assert len(winners) == 1
    assert list(listing(tmp_path)) == ["dream.png"]
    assert (read(tmp_path / "dream.png").pixels == winners[0]).all()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path, ending, overwrite):
    path = tmp_path / f"dream{ending}"
    image_writer.write(path, NOISE[..., :3], recipe=RECIPE)
    size = path.stat().st_size
    path.unlink()
    (tmp_path / "other.png").write_bytes(b"other")
    if overwrite:
        path.write_bytes(b"old")
    before = listing(tmp_path)
    for room in (0, 1, size // 3, size // 2, size - 100, size - 1):
        with (
            files_no_larger_than(room),
            pytest.raises(ImageError, match=r"cannot write .*; nothing was written"),
        ):
            image_writer.write(path, NOISE[..., :3], recipe=RECIPE, overwrite=overwrite)
        assert listing(tmp_path) == before, room
    with files_no_larger_than(size):
        image_writer.write(path, NOISE[..., :3], recipe=RECIPE, overwrite=overwrite)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.skipif(os.name != "posix", reason="no umask")
def test_permissions_follow_the_umask(tmp_path, umask, mode, overwrite):
    before = os.umask(umask)
    try:
        image_writer.write(tmp_path / "dream.png", NOISE, overwrite=overwrite)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "dream.png").stat().st_mode) == mode


@pytest.mark.parametrize(
    "name",
    ["Bär 日本 🐕.png", "a.b.c.jpeg", "v1.2.webp", ".hidden.tif", "DREAM.PNG", "-x.png", "x" * 251 + ".png"],
)
def test_any_file_name_works(tmp_path, name):
    image_writer.write(str(tmp_path / name), SMOOTH[..., :3], recipe=RECIPE)
    assert list(listing(tmp_path)) == [name]
    assert image_metadata.read_recipe(str(tmp_path / name)) == RECIPE
    assert read(tmp_path / name).name == name


@pytest.mark.parametrize(
    ("there", "free"),
    [
        ([], "a.v2.png"),
        (["a.v2.png"], "a.v2-2.png"),
        (["a.v2.png", "a.v2-2.png", "a.v2-4.png"], "a.v2-3.png"),
        (["a.v2-2.png"], "a.v2.png"),
    ],
)
def test_a_free_name_is_the_first_that_is_not_taken(tmp_path, there, free):
    for name in there:
        (tmp_path / name).touch()
    assert atomic.free_path(str(tmp_path / "a.v2")) == tmp_path / free


def test_a_free_name_has_the_given_extension(tmp_path):
    (tmp_path / "a.png").touch()
    assert atomic.free_path(str(tmp_path / "a"), ".jpg") == tmp_path / "a.jpg"
