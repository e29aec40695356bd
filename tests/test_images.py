"""Pictures read from files and memory: every kind of pixels, every kind of damage."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from sample_pictures import (
    CMYK_PROFILE,
    GREY_PROFILE,
    NOISE,
    RGB_PROFILE,
    SMOOTH,
    encoded,
    near,
    png,
    profile,
    read,
    saved,
    tiff_of_16_bit_rgb,
)

from dreamkit.errors import DreamkitWarning, ImageError
from dreamkit.media import image_metadata, images


def test_a_picture_knows_its_name_and_its_hash(tmp_path):
    path = saved(tmp_path / "Bär.v2.png", Image.fromarray(NOISE))
    picture = read(str(path))
    assert picture.name == "Bär.v2.png"
    assert picture.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


# Orientation

UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_picture_is_read_upright(tmp_path, orientation, format):  # noqa: A002
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / "photo", Image.fromarray(NOISE), format, exif=exif)
    picture = read(path)
    upright = UPRIGHT[orientation](NOISE)
    assert np.array_equal(picture.pixels, upright[..., :3])
    assert np.array_equal(picture.alpha, upright[..., 3])


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_a_photograph_is_read_upright(tmp_path, orientation, format):  # noqa: A002
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(SMOOTH[..., :3])
    path = saved(tmp_path / "photo", image, format, exif=exif, quality=95)
    assert near(read(path).pixels, UPRIGHT[orientation](SMOOTH[..., :3]), 24)


# Kinds of pixels


def test_a_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("L")
    image.putpalette([255, 0, 10, 0, 255, 20])
    picture = read(saved(tmp_path / "photo.png", image))
    assert picture.pixels.tolist() == [[[255, 0, 10], [0, 255, 20]], [[0, 255, 20], [255, 0, 10]]]
    assert picture.alpha is None


@pytest.mark.parametrize(
    ("transparency", "alpha"), [(0, [[0, 255], [255, 0]]), (b"\x40\x90", [[0x40, 0x90], [0x90, 0x40]])]
)
def test_a_palette_with_transparency_becomes_rgb_and_alpha(tmp_path, transparency, alpha):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    image.putpalette([255, 0, 10, 0, 255, 20])
    picture = read(saved(tmp_path / "photo.png", image, transparency=transparency))
    assert picture.pixels.tolist() == [[[255, 0, 10], [0, 255, 20]], [[0, 255, 20], [255, 0, 10]]]
    assert picture.alpha.tolist() == alpha


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_becomes_rgb(tmp_path, format):  # noqa: A002
    picture = read(saved(tmp_path / "photo", Image.fromarray(NOISE[..., 0]), format))
    assert np.array_equal(picture.pixels, NOISE[..., [0, 0, 0]])
    assert picture.alpha is None


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_with_alpha_keeps_it(tmp_path, format):  # noqa: A002
    picture = read(saved(tmp_path / "photo", Image.fromarray(NOISE[..., [0, 3]], "LA"), format))
    assert np.array_equal(picture.pixels, NOISE[..., [0, 0, 0]])
    assert np.array_equal(picture.alpha, NOISE[..., 3])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_one_bit_becomes_black_and_white(tmp_path, format):  # noqa: A002
    white = NOISE[..., 0] > 127
    picture = read(saved(tmp_path / "photo", Image.fromarray(white), format))
    assert np.array_equal(picture.pixels, np.repeat(white[..., None] * np.uint8(255), 3, -1))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_to_8(tmp_path, format):  # noqa: A002
    levels = np.array([[0, 257, 128 * 257 + 128, 128 * 257 + 129, 65_535]], np.uint16)
    picture = read(saved(tmp_path / "photo", Image.fromarray(levels), format))
    assert picture.pixels[0].tolist() == [[level] * 3 for level in (0, 1, 128, 129, 255)]


def test_16_bit_grey_keeps_its_transparent_level(tmp_path):
    levels = np.array([[0, 257, 65_535]], np.uint16)
    picture = read(saved(tmp_path / "photo.png", Image.fromarray(levels), transparency=257))
    assert picture.alpha.tolist() == [[255, 0, 255]]


def test_16_bit_rgb_is_scaled_to_8(tmp_path):
    values = (NOISE[..., :3].astype(np.uint16) * 257).astype(">u2")
    lines = b"".join(b"\0" + line.tobytes() for line in values)
    (tmp_path / "photo.png").write_bytes(png(17, 13, 16, 2, lines))
    (tmp_path / "photo.tif").write_bytes(tiff_of_16_bit_rgb(values))
    for path in tmp_path.iterdir():
        assert near(read(path).pixels, NOISE[..., :3], 1), path


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2), np.float32), np.array([[0, 65_536]], np.int32), np.array([[-1, 5]], np.int32)]
)
def test_floats_and_32_bit_values_are_refused(tmp_path, values):
    path = saved(tmp_path / "photo.tif", Image.fromarray(values))
    with pytest.raises(ImageError, match="8 or 16 bits"):
        read(path)


def test_a_transparent_colour_becomes_alpha(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    picture = read(saved(tmp_path / "photo.png", image, transparency=(4, 5, 6)))
    assert picture.pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert picture.alpha.tolist() == [[255, 0]]


# Colour spaces


def test_the_hand_made_profiles_are_real():
    spaces = [
        ImageCms.ImageCmsProfile(io.BytesIO(made)).profile.xcolor_space
        for made in (GREY_PROFILE, RGB_PROFILE, CMYK_PROFILE)
    ]
    assert spaces == ["GRAY", "RGB ", "CMYK"]


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_becomes_rgb(tmp_path, format):  # noqa: A002
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    picture = read(saved(tmp_path / "photo", inks, format))
    assert near(picture.pixels, np.full((8, 8, 3), [0, 255, 255]), 3)
    assert picture.profile is None


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(("inks", "level"), [((0, 0, 0, 0), 255), ((255, 0, 0, 0), 119), ((0, 0, 255, 0), 0)])
def test_cmyk_goes_through_its_profile_to_srgb(tmp_path, format, inks, level):  # noqa: A002
    inks = Image.new("CMYK", (8, 8), inks)
    picture = read(saved(tmp_path / "photo", inks, format, icc_profile=CMYK_PROFILE))
    assert near(picture.pixels, np.full((8, 8, 3), level), 3)
    assert picture.profile is None


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_grey_goes_through_its_profile_to_srgb(tmp_path, format):  # noqa: A002
    linear = Image.new("L", (8, 8), 55)
    picture = read(saved(tmp_path / "photo", linear, format, icc_profile=GREY_PROFILE))
    assert near(picture.pixels, np.full((8, 8, 3), 128), 2)
    assert picture.profile is None


def test_grey_with_alpha_goes_through_its_profile_too(tmp_path):
    linear = Image.new("LA", (8, 8), (55, 99))
    picture = read(saved(tmp_path / "photo.png", linear, icc_profile=GREY_PROFILE))
    assert near(picture.pixels, np.full((8, 8, 3), 128), 2)
    assert (picture.alpha == 99).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_an_rgb_profile_stays_with_its_pixels(tmp_path, mode):
    image = Image.fromarray(NOISE[..., :3]).convert(mode)
    picture = read(saved(tmp_path / "photo.png", image, icc_profile=RGB_PROFILE))
    assert picture.profile == RGB_PROFILE
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "another"),
    [("RGB", GREY_PROFILE), ("RGB", CMYK_PROFILE), ("L", RGB_PROFILE), ("CMYK", RGB_PROFILE)],
)
def test_a_profile_of_another_colour_space_is_not_kept(tmp_path, mode, another):
    image = Image.fromarray(NOISE[..., :3]).convert(mode)
    picture = read(saved(tmp_path / "photo.tif", image, icc_profile=another))
    assert picture.profile is None
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    "damaged",
    [b"garbage", RGB_PROFILE[:100], RGB_PROFILE[:140], RGB_PROFILE[:16] + b"\xff\xfe\0\1" + RGB_PROFILE[20:]],
)
def test_a_damaged_profile_gives_one_warning(tmp_path, damaged):
    path = saved(tmp_path / "photo.png", Image.fromarray(NOISE), icc_profile=damaged)
    with pytest.warns(DreamkitWarning, match=r"photo\.png has a damaged colour profile") as warned:
        picture = read(path)
    assert len(warned) == 1
    assert picture.profile is None
    assert np.array_equal(picture.pixels, NOISE[..., :3])


def test_a_profile_that_cannot_be_applied_gives_one_warning(tmp_path):
    path = saved(tmp_path / "photo.png", Image.new("L", (8, 8), 55), icc_profile=profile(b"GRAY"))
    with pytest.warns(
        DreamkitWarning, match=r"photo\.png has a colour profile that cannot be applied"
    ) as warned:
        picture = read(path)
    assert len(warned) == 1
    assert (picture.pixels == 55).all()


# Several frames


@pytest.mark.parametrize(
    ("format", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})],
)
def test_the_first_frame_is_read_with_one_warning(tmp_path, format, options):  # noqa: A002
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("#ff0000", "#00ff00")]
    path = saved(tmp_path / "photo", frames[0], format, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(DreamkitWarning) as warned:
        picture = read(path)
    assert len(warned) == 1
    assert str(path) in str(warned[0].message)
    assert "2 frames" in str(warned[0].message)
    assert (picture.pixels == [255, 0, 0]).all()


def test_a_warning_made_an_error_stays_a_warning(tmp_path):
    (tmp_path / "photo.gif").write_bytes(WHOLE["animated.gif"])
    with warnings.catch_warnings(action="error"), pytest.raises(DreamkitWarning, match="2 frames"):
        read(tmp_path / "photo.gif")


def test_a_second_view_in_a_photograph_is_not_an_animation(tmp_path):
    views = [Image.fromarray(SMOOTH[..., :3]), Image.new("RGB", (8, 6))]
    path = saved(tmp_path / "photo.jpg", views[0], "MPO", save_all=True, append_images=views[1:], quality=95)
    assert near(read(path).pixels, SMOOTH[..., :3], 24)


# Damaged files


def whole_files():
    """Small valid files of every kind, by name."""
    exif = Image.Exif()
    exif[274] = 6
    exif[270] = '{"dreamkit":"1"}'

    def made(image, format, **options):  # noqa: A002
        return encoded(image.copy(), format, **options)  # Pillow's images remember how they were saved

    def animated(format):  # noqa: A002
        return made(colour, format, save_all=True, append_images=[Image.fromarray(NOISE[::-1, :, :3])])

    colour, alpha = Image.fromarray(NOISE[..., :3]), Image.fromarray(NOISE)
    return {
        "png": made(alpha, "PNG", exif=exif, icc_profile=RGB_PROFILE),
        "palette.png": made(colour.quantize(8), "PNG", transparency=1),
        "animated.png": animated("PNG"),
        "jpg": made(colour, "JPEG", exif=exif, icc_profile=RGB_PROFILE),
        "cmyk.jpg": made(colour.convert("CMYK"), "JPEG", icc_profile=CMYK_PROFILE),
        "mpo.jpg": animated("MPO"),
        "webp": made(colour, "WEBP", exif=exif, icc_profile=RGB_PROFILE),
        "alpha.webp": made(alpha, "WEBP", lossless=True),
        "animated.webp": animated("WEBP"),
        "tif": made(colour, "TIFF", exif=exif, icc_profile=RGB_PROFILE),
        "deflate.tif": made(alpha, "TIFF", compression="tiff_deflate", exif=exif),
        "pages.tif": animated("TIFF"),
        "gif": made(colour, "GIF"),
        "animated.gif": animated("GIF"),
    }


WHOLE = whole_files()


def read_or_refuse(path):
    """Reads a picture that may be damaged. Only DreamkitWarning and ImageError may come of it."""
    with warnings.catch_warnings(), suppress(ImageError):
        warnings.simplefilter("ignore", DreamkitWarning)
        picture = read(path, 1_000_000)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape[2:] == (3,)
    with suppress(ImageError):
        image_metadata.read_recipe(path)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.filterwarnings("ignore::dreamkit.errors.DreamkitWarning")
def test_the_undamaged_files_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(WHOLE[name])
    assert sorted(read(tmp_path / name).pixels.shape) == [3, 13, 17]


@pytest.mark.parametrize("name", ["png", "jpg", "webp", "tif", "deflate.tif"])
def test_a_picture_cut_in_the_middle_is_refused(tmp_path, name):
    path = tmp_path / f"photo.{name}"
    path.write_bytes(WHOLE[name][: len(WHOLE[name]) // 2])
    with pytest.raises(ImageError, match=r"photo\.") as refused:
        read(path)
    assert "\n" not in str(refused.value)


@given(data=st.data())
@settings(max_examples=200)
def test_a_picture_cut_anywhere_is_read_or_refused(tmp_path_factory, data):
    whole = WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))]
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    read_or_refuse(path)


@given(data=st.data())
@settings(max_examples=400)
def test_a_damaged_picture_is_read_or_refused(tmp_path_factory, data):
    damaged = bytearray(WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))])
    # Most of what can go wrong lies in the first bytes.
    places = st.one_of(st.integers(0, len(damaged) - 1), st.integers(0, min(200, len(damaged) - 1)))
    values = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 127, 128, 255]))
    for place, value in data.draw(st.lists(st.tuples(places, values), min_size=1, max_size=8)):
        damaged[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    read_or_refuse(path)


def exif_with(*entries):
    """An EXIF block of `entries`: tag, type, count and value or place."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + b"\0\0\0\0"


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(exif_with((274, 3, 1, 6))[:-8], id="cut"),
        pytest.param(exif_with((274, 2, 4, 0x00363636)), id="orientation is text"),
        pytest.param(exif_with((274, 5, 1, 8)), id="orientation is a fraction"),
        pytest.param(exif_with((274, 3, 1, 99)), id="orientation is 99"),
        pytest.param(exif_with((270, 2, 10**6, 8)), id="text beyond the end"),
        pytest.param(b"Exif\0\0nonsense", id="nonsense"),
        pytest.param(b"Exif\0\0", id="empty"),
    ],
)
def test_a_picture_with_damaged_exif_is_read(tmp_path, exif):
    path = saved(tmp_path / "photo.jpg", Image.fromarray(SMOOTH[..., :3]), exif=exif, quality=95)
    assert near(read(path).pixels, SMOOTH[..., :3], 24)
    assert image_metadata.read_recipe(path) is None


ODD_ENTRIES = [
    (296, 1, 1, 2),
    (256, 5, 1, 8),
    (270, 5, 1, 8),
    (271, 12, 1, 8),
    (282, 1, 1, 72),
    (36867, 4, 1, 8),
]


@pytest.mark.parametrize("odd", ODD_ENTRIES)
def test_a_photograph_with_an_odd_entry_is_read_upright(tmp_path, odd):
    exif = exif_with(odd, (274, 3, 1, 6))
    path = saved(tmp_path / "photo.jpg", Image.fromarray(SMOOTH[..., :3]), exif=exif, quality=95)
    assert near(read(path).pixels, np.rot90(SMOOTH[..., :3], -1), 24)


@pytest.mark.parametrize("odd", ODD_ENTRIES)
def test_a_tiff_with_an_odd_entry_is_read_or_refused(tmp_path, odd):
    path = tmp_path / "photo.tif"
    path.write_bytes(tiff_of_16_bit_rgb(NOISE[..., :3].astype(np.uint16), odd, (274, 3, 1, 6)))
    read_or_refuse(path)


def test_an_animation_cut_at_its_second_frame_is_read_or_refused(tmp_path):
    whole = WHOLE["animated.gif"]
    second = whole.rindex(b"\x21\xf9")
    for end in range(second, second + 24):
        (tmp_path / "photo.gif").write_bytes(whole[:end])
        read_or_refuse(tmp_path / "photo.gif")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"this is no picture", "cannot be read as a picture"),
        (b"\x89PNG\r\n\x1a\n", "as a picture|damaged"),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused(tmp_path, content, message):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent.png", "does not exist"), ("", "is a folder"), ("x" * 5000, "does not exist|may not be read")],
)
def test_a_missing_file_is_refused(tmp_path, name, message):
    with pytest.raises(ImageError, match=message):
        read(tmp_path / name)


def test_a_program_is_not_run_for_a_picture(tmp_path):
    """PostScript, which Pillow hands to Ghostscript, is not a picture."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = saved(tmp_path / "photo.png", Image.fromarray(NOISE))
    path.chmod(0)
    with pytest.raises(ImageError, match="may not be read"):
        read(path)


# Too large


def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(2**31 - 1, 2**31 - 1, 8, 6, b"\0"))
    with pytest.raises(
        ImageError, match=r"2147483647 x 2147483647 pixels, more than the 1000000000"
    ) as refused:
        read(path)
    assert "--max-pixels" in str(refused.value)


def test_a_picture_that_no_memory_can_hold_is_refused(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(2**31 - 1, 2**31 - 1, 8, 6, b"\0"))
    with pytest.raises(ImageError, match=r"photo\.png"):
        read(path, 2**62)


@pytest.mark.parametrize("limit", [13 * 17, 13 * 17 - 1])
def test_the_limit_is_exact(tmp_path, limit):
    path = saved(tmp_path / "photo.png", Image.fromarray(NOISE))
    if limit < 13 * 17:
        with pytest.raises(ImageError, match="17 x 13 pixels"):
            read(path, limit)
    else:
        assert read(path, limit).pixels.shape == (13, 17, 3)


@pytest.mark.parametrize("readable", [True, False])
def test_pillows_own_limit_is_not_used_and_is_restored(tmp_path, monkeypatch, readable):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    path = tmp_path / "photo.png"
    path.write_bytes(WHOLE["png"] if readable else WHOLE["png"][:400])
    if readable:
        assert read(path).pixels.size == 13 * 17 * 3
        assert image_metadata.read_recipe(path) == {"dreamkit": "1"}
    else:
        with pytest.raises(ImageError):
            read(path)
    assert Image.MAX_IMAGE_PIXELS == 10


# Pictures from memory


def test_an_array_of_rgb_is_taken_as_it_is():
    picture = images.from_memory(NOISE[..., :3])
    assert np.array_equal(picture.pixels, NOISE[..., :3])
    assert picture.alpha is None
    assert picture.profile is None
    assert picture.name == ""


def test_the_fourth_channel_of_an_array_is_alpha():
    picture = images.from_memory(NOISE)
    assert np.array_equal(picture.pixels, NOISE[..., :3])
    assert np.array_equal(picture.alpha, NOISE[..., 3])


def test_a_flat_array_is_grey():
    picture = images.from_memory(NOISE[..., 1])
    assert np.array_equal(picture.pixels, NOISE[..., [1, 1, 1]])
    assert picture.alpha is None


@pytest.mark.parametrize(
    "array",
    [NOISE[::-1, ::2], np.asfortranarray(NOISE), NOISE.swapaxes(0, 1)],
    ids=["strides", "fortran", "swapped"],
)
def test_the_layout_of_an_array_does_not_matter(array):
    picture, plain = images.from_memory(array), images.from_memory(array.copy(order="C"))
    assert np.array_equal(picture.pixels, array[..., :3])
    assert picture.sha256 == plain.sha256


def test_the_hash_is_of_the_pixels_and_the_alpha():
    other = NOISE.copy()
    other[0, 0, 3] ^= 1
    hashes = {images.from_memory(array).sha256 for array in (NOISE, other, NOISE[..., :3], NOISE[::-1])}
    assert len(hashes) == 4
    assert images.from_memory(Image.fromarray(NOISE)).sha256 == images.from_memory(NOISE).sha256


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.int64), "int64"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((4, 4, 3), np.uint16), "uint16"),
        (np.zeros((), np.uint8), r"shape \(\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((4, 4, 1), np.uint8), r"shape \(4, 4, 1\)"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((4, 4, 5), np.uint8), r"shape \(4, 4, 5\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 0), np.uint8), "no pixels"),
    ],
)
def test_an_array_of_another_kind_is_refused(array, message):
    with pytest.raises(ImageError, match=message) as refused:
        images.from_memory(array)
    assert "\n" not in str(refused.value)


def closed():
    image = Image.new("RGB", (4, 4))
    image.close()
    return image


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("F", (4, 4)), "floating-point"),
        (Image.new("I", (4, 4), 70_000), "32-bit"),
        (Image.new("RGB", (0, 4)), "no pixels"),
        (Image.new("I", (4, 0)), "no pixels"),
        (closed(), "."),
        (Image.open(io.BytesIO(WHOLE["png"][:500])), "."),
    ],
    ids=["float", "32 bit", "no width", "no height", "closed", "cut off"],
)
def test_a_pillow_image_that_cannot_be_used_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        images.from_memory(image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "CMYK"])
def test_a_pillow_image_of_any_mode_becomes_rgb(mode):
    image = Image.fromarray(SMOOTH[..., :3]).convert(mode)
    picture = images.from_memory(image)
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))
    assert picture.alpha is None


def test_a_pillow_image_keeps_orientation_alpha_and_profile(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = saved(tmp_path / "photo.png", Image.fromarray(NOISE), exif=exif, icc_profile=RGB_PROFILE)
    with Image.open(path) as image:
        picture = images.from_memory(image)
    assert np.array_equal(np.dstack([picture.pixels, picture.alpha]), np.rot90(NOISE, -1))
    assert picture.profile == RGB_PROFILE
