"""Peak memory of whole dreams by the real network, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(1200),
    # Pillow's own guess at what is an attack; 100 megapixels are none.
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]


RUN_AND_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """An enlarged photograph."""
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(PICTURES / "coffee.jpg") as photo:
        photo = photo.convert("RGB")

    def picture(size):
        path = folder / f"{size[0]}.png"
        if not path.exists():
            photo.resize(size, Image.Resampling.BICUBIC).save(path, compress_level=1)
        return path

    return picture


@pytest.fixture
def peak(tmp_path, picture):
    """Dreams an enlarged photograph and gives the peak resident memory in MB."""

    def peak(size, *options):
        dream = tmp_path / "out.png"
        command = [sys.executable, "-m", "dreamkit", "dream", str(picture(size)), "-o", str(dream)]
        command += ["--overwrite", "--quiet", *options]
        # A child's peak begins with what its parent held when it was made, so the parent is a small one.
        measured = subprocess.run(
            [sys.executable, "-c", RUN_AND_MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True
        )
        with Image.open(dream) as dreamed:
            assert dreamed.size == size
        return int(measured.stdout) / 1024

    return peak


ONE_STEP = ["--octaves", "1", "--steps", "1"]
SIZES = [(500, 333), (1500, 1000), (3000, 2000)]
SIZES += [pytest.param(size, marks=pytest.mark.long) for size in ((6000, 4000), (12248, 8165))]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_plan_tells_the_peak(peak, picture, size):
    """And 100 megapixels dream within 6 GB."""
    command = [sys.executable, "-m", "dreamkit", "dream", str(picture(size)), "--dry-run", *ONE_STEP]
    for _ in range(2):  # the first compiles the step, which takes more than what comes after
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    planned = float(re.search(r"memory: about ([\d.]+) GB", told)[1]) * 1e9 / 2**20
    measured = peak(size, *ONE_STEP)
    print(f"{size}: planned {planned:.0f} MB, measured {measured:.0f} MB")
    assert planned == pytest.approx(measured, rel=0.25)
    assert measured < 6000


def test_a_bound_on_memory_is_kept(peak):
    options = ["--octaves", "2", "--steps", "2", "--tile-size", "1024"]
    assert peak((1500, 1000), *options) > 800
    assert peak((1500, 1000), *options, "--max-memory", "800MB") < 800


def test_memory_is_flat_in_steps_and_an_octave_costs_little(peak):
    """TensorFlow's kernels keep their plans for each size of tile, and an octave brings one."""
    few = peak((1500, 1000), "--octaves", "1", "--steps", "2")
    assert peak((1500, 1000), "--octaves", "1", "--steps", "8") < 1.05 * few
    assert peak((1500, 1000), "--octaves", "6", "--steps", "2") < few + 5 * 40
