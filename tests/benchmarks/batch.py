"""How fast a batch is, by jobs and threads: tests/benchmarks/batch.py PHOTOS [--count 200] [--ray HOST:PORT].

The baseline, in the same run, is one job of one thread. Whole commands are timed, starts included; what each
has dreamed is compared to the byte with the baseline, where it has the same threads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = {
    "1 job, 1 thread": ["--jobs", "1", "--threads", "1"],
    "1 job, 2 threads": ["--jobs", "1", "--threads", "2"],
    "2 jobs, 1 thread": ["--jobs", "2", "--threads", "1"],
    "default": [],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--ray", metavar="HOST:PORT")
    given = parser.parse_args()
    sizes = dict(SIZES)
    if given.ray:
        sizes["Ray, 2 workers"] = ["--engine", "ray", "--address", given.ray, "--jobs", "2", "--threads", "1"]
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch, "photos")
        photos.mkdir()
        for path in sorted(given.photos.glob("*.jpg"))[: given.count]:
            shutil.copy(path, photos)
        timed = {name: run(photos, Path(scratch, name), options) for name, options in sizes.items()}
        baseline, _ = timed["1 job, 1 thread"]
        first = Path(scratch, "1 job, 1 thread")
        print(f"{given.count} photographs      seconds  against 1 x 1  MB a worker  bytes")
        for name, (seconds, report) in timed.items():
            same = all(
                path.read_bytes() == Path(scratch, name, path.name).read_bytes()
                for path in first.glob("*.png")
            )
            print(
                f"{name:20} {seconds:10.1f} {baseline / seconds:14.2f} "
                f"{report['memory_of_a_worker'] / 1e6:12.0f}  {'the same' if same else 'others'}"
            )


def run(photos: Path, out: Path, options: list[str]) -> tuple[float, dict]:
    """Seconds and the report of a batch."""
    command = [sys.executable, "-m", "dreamkit", "batch", photos, "-o", out, "--json", *options]
    began = time.perf_counter()
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - began, json.loads(report)


if __name__ == "__main__":
    main()
