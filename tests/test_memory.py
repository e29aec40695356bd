"""Peak memory of whole dreams by the real network, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1200)]


RUN_AND_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.fixture
def peak(tmp_path):
    """Dreams an enlarged photograph and gives the peak resident memory in MB."""
    with Image.open(PICTURES / "coffee.jpg") as photo:
        photo = photo.convert("RGB")

    def peak(size, *options):
        picture, dream = tmp_path / f"{size[0]}.png", tmp_path / "out.png"
        photo.resize(size, Image.Resampling.BICUBIC).save(picture, compress_level=1)
        command = [sys.executable, "-m", "dreamkit", "dream", str(picture), "-o", str(dream)]
        command += ["--overwrite", "--quiet", *options]
        # A child's peak begins with what its parent held when it was made, so the parent is a small one.
        measured = subprocess.run(
            [sys.executable, "-c", RUN_AND_MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True
        )
        with Image.open(dream) as dreamed:
            assert dreamed.size == size
        return int(measured.stdout) / 1024

    return peak


def test_24_megapixels_dream_within_3_gigabytes(peak):
    assert peak((6000, 4000), "--octaves", "2", "--octave-scale", "2.5", "--steps", "1") < 3000


def test_memory_is_flat_in_steps_and_an_octave_costs_little(peak):
    """TensorFlow's kernels keep their plans for each size of tile, and an octave brings one."""
    few = peak((1500, 1000), "--octaves", "1", "--steps", "2")
    assert peak((1500, 1000), "--octaves", "1", "--steps", "8") < 1.05 * few
    assert peak((1500, 1000), "--octaves", "6", "--steps", "2") < few + 5 * 40
