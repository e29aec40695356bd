"""What does not fit into memory is refused by name before any is taken."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from dreamkit.errors import ConfigError, ImageError
from dreamkit.media import free_memory, images, paths
from dreamkit.request import make_request

MEGABYTE = 1 << 20
READING = """
import resource, sys
from dreamkit.media import images
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before = peak()
assert images.read(sys.argv[1], 10**9).pixels.shape == (6000, 6000, 3)
print(peak() - before)
"""


@pytest.fixture
def little(monkeypatch):
    """A machine of 100 MB."""
    known = {"MemAvailable": 60 * MEGABYTE, "SwapFree": 40 * MEGABYTE}
    monkeypatch.setattr(free_memory, "_meminfo", lambda: known)


def test_swap_counts_as_well(little):
    assert free_memory.available() == 60 * MEGABYTE
    assert free_memory.too_little_for(100 * MEGABYTE) == ""
    assert free_memory.too_little_for(10**9) == "takes about 1.0 GB of memory, and 0.1 GB are free"


def test_a_system_that_does_not_say_refuses_nothing(monkeypatch):
    monkeypatch.setattr(free_memory, "_meminfo", dict)
    assert free_memory.too_little_for(1 << 60) == ""


def test_this_system_says():
    assert 0 < free_memory.available() < 1 << 50


def test_noise_that_does_not_fit_is_refused(little):
    with pytest.raises(ConfigError, match=r"a dream of 3000 x 2000 pixels takes .*; use a smaller --size"):
        make_request(None, "pocket", size=(2000, 3000))


def test_a_photograph_that_does_not_fit_is_refused_before_it_is_enlarged(little):
    photo = np.zeros((500, 600, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"a dream of 4800 x 4000 pixels takes .* smaller --max-size"):
        make_request(photo, "pocket", upscale=8)


def png_of_zeros(path, side, depth):
    """A PNG of `side` x `side` black pixels, written without holding them."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + side * 3 * depth // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("depth", [8, 16])
def test_a_picture_that_does_not_fit_is_refused_before_it_is_decoded(tmp_path, little, depth):
    path = png_of_zeros(tmp_path / "large.png", 4000, depth)
    with pytest.raises(ImageError, match=r"large.png of 4000 x 4000 pixels takes .*; shrink it first"):
        images.read(path, 10**9)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
@pytest.mark.parametrize("depth", [8, 16])
def test_a_picture_takes_the_memory_that_is_planned(tmp_path, depth):
    path = png_of_zeros(tmp_path / "large.png", 6000, depth)
    ended = subprocess.run(
        [sys.executable, "-c", READING, path], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert int(ended.stdout) <= images._PLAIN * 6000**2 + 20 * MEGABYTE


def test_a_grey_picture_of_16_bits_is_read_in_strips(tmp_path):
    values = np.arange(300 * 500, dtype=np.uint16).reshape(300, 500)
    Image.fromarray(values).save(tmp_path / "grey.png")
    expected = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(images.read(tmp_path / "grey.png", 10**9).pixels, np.stack([expected] * 3, axis=-1))


@pytest.mark.parametrize("length", [1, 240, 250, 251, 255])
def test_a_work_file_has_a_name_that_can_be(tmp_path, length):
    output = tmp_path / ("é" * (length // 2) + "a" * (length % 2))
    work = paths.companion(output, ".work")
    assert work.parent == tmp_path
    assert work != output
    work.touch()
