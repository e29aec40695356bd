"""Small pictures and profiles for tests, and files that Pillow does not write."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

from dreamkit.media import images

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
