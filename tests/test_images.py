"""Pictures in and out: every kind of file, every kind of damage, and files written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from conftest import files_no_larger_than
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dreamkit.errors import DreamkitWarning, ImageError, OutputExistsError
from dreamkit.media import atomic, image_metadata, image_sizes, image_writer, images

ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"]
LOSSLESS = [".png", ".tif", ".tiff"]
WITH_ALPHA = [".png", ".webp", ".tif", ".tiff"]
MANY = 10**9
RECIPE = {
    "dreamkit": "1.2.3",
    "options": {"layers": {"mixed4": 1.0}, "seed": 7},
    "photograph": "Bär 日本.jpg",
}

draw = np.random.default_rng(0)
NOISE = draw.integers(0, 256, (13, 17, 4), dtype=np.uint8)
rows, columns = np.mgrid[0:24, 0:36]
SMOOTH = np.stack([rows * 8, columns * 6, 255 - rows * 4, 80 + columns * 4], -1).astype(np.uint8)


def saved(path, image, format=None, **options):  # noqa: A002
    image.save(path, format, **options)
    return path


def encoded(image, format, **options):  # noqa: A002
    return saved(io.BytesIO(), image, format, **options).getvalue()


def read(path, max_pixels=MANY):
    return images.read(path, max_pixels)


def near(one, other, tolerance):
    return np.abs(one.astype(int) - other.astype(int)).max() <= tolerance


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Files that Pillow does not write are made by hand.


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour, lines=b"", *extra):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pixels = [chunk(b"IDAT", zlib.compress(lines))] if lines else []
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *extra, *pixels, chunk(b"IEND", b"")])


def tiff_of_16_bit_rgb(values, *more):
    """uint16 (height, width, 3) as an uncompressed little-endian TIFF, with `more` entries in its table."""
    height, width, _ = values.shape
    data = values.astype("<u2").tobytes()
    fields = [(256, width), (257, height), (259, 1), (262, 2), (277, 3), (278, height)]
    table = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in fields]
    table += [struct.pack("<HHII", *entry) for entry in more]
    behind = 8 + 2 + 12 * (len(table) + 3) + 4
    table.append(struct.pack("<HHII", 258, 3, 3, behind))  # bits of each of three samples
    table.append(struct.pack("<HHII", 273, 4, 1, behind + 6))
    table.append(struct.pack("<HHII", 279, 4, 1, len(data)))
    table.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    count = struct.pack("<H", len(table))
    return b"II*\0\x08\0\0\0" + count + b"".join(table) + b"\0\0\0\0" + b"\x10\0" * 3 + data


def profile(space, **tags):
    """A small ICC profile, version 2. `tags` are raw, with their type."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {"wtpt": b"XYZ \0\0\0\0" + white, **tags}
    header = bytearray(128)
    header[8:12] = b"\x02\x10\0\0"
    header[12:24] = (
        (b"prtr" if space == b"CMYK" else b"mntr") + space + (b"Lab " if "A2B0" in tags else b"XYZ ")
    )
    header[36:40] = b"acsp"
    header[68:80] = white
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name.encode() + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    whole = bytes(header) + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


LINEAR = b"curv\0\0\0\0\0\0\0\0"
GREY_PROFILE = profile(b"GRAY", kTRC=LINEAR)
RGB_PROFILE = profile(
    b"RGB ",
    **{
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *xyz)
        for name, xyz in [
            ("rXYZ", (39954, 20398, 1275)),
            ("gXYZ", (13453, 41001, 3992)),
            ("bXYZ", (9783, 4137, 48794)),
        ]
    },
    rTRC=LINEAR,
    gTRC=LINEAR,
    bTRC=LINEAR,
)
# Bare paper is white, full cyan is Lab (50, 0, 0), and full ink of any other kind is black.
CMYK_PROFILE = profile(
    b"CMYK",
    A2B0=b"mft1\0\0\0\0\x04\x03\x02\0"
    + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    + bytes(range(256)) * 4
    + bytes([255, 128, 128])
    + bytes([0, 128, 128]) * 7
    + bytes([128, 128, 128])
    + bytes([0, 128, 128]) * 7
    + bytes(range(256)) * 3,
)


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
def test_the_ending_says_the_format(tmp_path, ending, format):  # noqa: A002
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
    with pytest.warns(DreamkitWarning, match="transparency") as heard:
        image_writer.write(path, SMOOTH)
    assert len(heard) == 1
    assert path.name in str(heard[0].message)
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


@pytest.mark.parametrize("damaged", [b"garbage", RGB_PROFILE[:100], RGB_PROFILE[:140]])
def test_a_damaged_profile_costs_one_warning(tmp_path, damaged):
    path = saved(tmp_path / "photo.png", Image.fromarray(NOISE), icc_profile=damaged)
    with pytest.warns(DreamkitWarning, match=r"photo\.png has a damaged colour profile") as heard:
        picture = read(path)
    assert len(heard) == 1
    assert picture.profile is None
    assert np.array_equal(picture.pixels, NOISE[..., :3])


def test_a_profile_that_cannot_be_applied_costs_one_warning(tmp_path):
    path = saved(tmp_path / "photo.png", Image.new("L", (8, 8), 55), icc_profile=profile(b"GRAY"))
    with pytest.warns(
        DreamkitWarning, match=r"photo\.png has a colour profile that cannot be applied"
    ) as heard:
        picture = read(path)
    assert len(heard) == 1
    assert (picture.pixels == 55).all()


# Several frames


@pytest.mark.parametrize(
    ("format", "options"),
    [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})],
)
def test_the_first_frame_is_read_with_one_warning(tmp_path, format, options):  # noqa: A002
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("#ff0000", "#00ff00")]
    path = saved(tmp_path / "photo", frames[0], format, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(DreamkitWarning) as heard:
        picture = read(path)
    assert len(heard) == 1
    assert str(path) in str(heard[0].message)
    assert "2 frames" in str(heard[0].message)
    assert (picture.pixels == [255, 0, 0]).all()


def test_a_warning_made_an_error_stays_a_warning(tmp_path):
    (tmp_path / "photo.gif").write_bytes(WHOLE["animated.gif"])
    with warnings.catch_warnings(action="error"), pytest.raises(DreamkitWarning, match="2 frames"):
        read(tmp_path / "photo.gif")


def test_a_second_view_in_a_photograph_is_no_animation(tmp_path):
    views = [Image.fromarray(SMOOTH[..., :3]), Image.new("RGB", (8, 6))]
    path = saved(tmp_path / "photo.jpg", views[0], "MPO", save_all=True, append_images=views[1:], quality=95)
    assert near(read(path).pixels, SMOOTH[..., :3], 24)


# What is no picture


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
def test_the_whole_files_are_sound(tmp_path, name):
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
def test_damaged_exif_does_not_cost_the_picture(tmp_path, exif):
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
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"this is no picture", "cannot be read as a picture"),
        (b"\x89PNG\r\n\x1a\n", "as a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, content, said):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=said) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [("absent.png", "does not exist"), ("", "is a folder"), ("x" * 5000, "does not exist|may not be read")],
)
def test_what_is_no_file_is_refused(tmp_path, name, said):
    with pytest.raises(ImageError, match=said):
        read(tmp_path / name)


def test_a_program_is_not_run_for_a_picture(tmp_path):
    """PostScript, which Pillow hands to Ghostscript, is no picture."""
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
def test_pillows_own_limit_does_not_count_and_is_put_back(tmp_path, monkeypatch, readable):
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


# Where a picture may go


@pytest.mark.parametrize(
    ("name", "size", "said"),
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
def test_a_bad_place_is_refused_before_any_work(tmp_path, name, size, said):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "old.png").write_bytes(b"old")
    with pytest.raises(ImageError, match=said) as refused:
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
def test_a_good_place_is_let_be(tmp_path, name, size, overwrite):
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


def test_an_existing_file_is_replaced_where_that_is_wanted(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    image_writer.write(tmp_path / "old.png", NOISE, overwrite=True)
    assert list(listing(tmp_path)) == ["old.png"]
    assert np.array_equal(read(tmp_path / "old.png").pixels, NOISE[..., :3])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_only_the_picture_is_left(tmp_path, ending, overwrite):
    image_writer.write(tmp_path / f"dream{ending}", SMOOTH[..., :3], recipe=RECIPE, overwrite=overwrite)
    assert list(listing(tmp_path)) == [f"dream{ending}"]


def test_a_file_that_came_meanwhile_is_kept(tmp_path):
    # A link to nowhere is there, and yet does not exist.
    (tmp_path / "dream.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        image_writer.write(tmp_path / "dream.png", NOISE)
    assert [path.name for path in tmp_path.iterdir()] == ["dream.png"]
    assert (tmp_path / "dream.png").is_symlink()


def test_of_many_that_write_at_once_one_wins(tmp_path):
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
def test_any_file_name_will_do(tmp_path, name):
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


def test_a_free_name_has_the_ending_asked_for(tmp_path):
    (tmp_path / "a.png").touch()
    assert atomic.free_path(str(tmp_path / "a"), ".jpg") == tmp_path / "a.jpg"


# Shrinking


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 70), st.booleans())
def test_shrinking_fits_the_longest_side_and_keeps_the_aspect(height, width, max_size, with_alpha):
    pixels = np.zeros((height, width, 3), np.uint8)
    alpha = np.zeros((height, width), np.uint8) if with_alpha else None
    picture = images.Picture(pixels, alpha, RGB_PROFILE, "a.png", "hash")
    small = image_sizes.shrink(picture, max_size)
    new_height, new_width, _ = small.pixels.shape
    scale = min(1, max_size / max(height, width))
    assert max(new_height, new_width) == min(max_size, max(height, width))
    assert abs(new_height - max(1, height * scale)) <= 0.5
    assert abs(new_width - max(1, width * scale)) <= 0.5
    assert (small.alpha is None) == (alpha is None)
    assert small.alpha is None or small.alpha.shape == (new_height, new_width)
    assert (small.profile, small.name, small.sha256) == (RGB_PROFILE, "a.png", "hash")


@pytest.mark.parametrize("max_size", [None, 36, 1000])
def test_a_picture_that_fits_is_let_be(max_size):
    picture = images.Picture(SMOOTH[..., :3], SMOOTH[..., 3])
    assert image_sizes.shrink(picture, max_size) is picture


def test_shrinking_keeps_the_look():
    # At half the size a pixel is the mean of four, away from the edges.
    small = image_sizes.shrink(images.Picture(SMOOTH[..., :3], SMOOTH[..., 3]), 18)
    means = SMOOTH.reshape(12, 2, 18, 2, 4).mean((1, 3))[2:-2, 2:-2]
    assert near(small.pixels[2:-2, 2:-2], means[..., :3], 2)
    assert near(small.alpha[2:-2, 2:-2], means[..., 3], 2)


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
    ("array", "said"),
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
def test_an_array_of_another_kind_is_refused(array, said):
    with pytest.raises(ImageError, match=said) as refused:
        images.from_memory(array)
    assert "\n" not in str(refused.value)


def closed():
    image = Image.new("RGB", (4, 4))
    image.close()
    return image


@pytest.mark.parametrize(
    ("image", "said"),
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
def test_a_pillow_image_that_cannot_be_used_is_refused(image, said):
    with pytest.raises(ImageError, match=said):
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
