"""Runs the commands of the docs, page by page, and says which of them fail.

    python scripts/run_docs.py --files FOLDER --weights inception_v3=FILE [PAGE ...]

Each page has a folder of its own, with files of the names that its commands read: pictures of docs/pictures,
small films and sounds made here, and from `--files` whatever has the name. What needs more is left out, and
named. It takes two hours on two cores, and a quarter of that with `--quick`, which gives dreams two steps and
zooms twelve frames where the command says nothing else.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import drums
from documentation.blocks import blocks, lines, words
from dreamkit.media.video_writer import Writer

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
TINY_CLIP = ROOT / "tests" / "data" / "tiny_clip"
FILM = 72, 96  # height and width
MASKS = ("mask", "cup", "left", "right")  # pictures of these names
# Pages whose commands make what those of others use.
FIRST = ("zoo.md", "text.md")
# What `--quick` adds to commands, where they do not say it themselves.
STEPS = {"--steps": "2"}
QUICK = {
    **dict.fromkeys(("dream", "sheet", "film", "batch", "variants", "groups", "atlas"), STEPS),
    "zoom": {**STEPS, "--frames": "12"},
}
# What a command needs that is not here, by what it says.
LEFT_OUT = {
    r"s3://|HEAD:": "a cluster",
    r"vgg16|places365_googlenet": "a plugin",
    r"stripes": "the plugin that the page makes",
    r"standouts|grey=0.5|mirror|momentum|recipe poster": "the plugins that the page makes",
    r"timm:|clip:openai|\br50\b": "PyTorch, and a network that it downloads",
    r" image\.onnx|-m clip|--model clip|ch_PP-OCR|model writing": "a network that is not here",
    r"mine\.(?:py|onnx|keras)|saved/|frozen\.pb|net\.caffemodel": "a network of the reader's own",
    r"(?:--model|layers) (?:net|mine)\b": "that network",
    r"-m places --class": "the names of its classes",
    r"\blist-": "lists that another command of the page makes",
    r"^serve": "a reader who ends it",
    r"--(?:install|show)-completion": "the reader's shell",
    r"features/cells|two\.png|left\.png": "pictures that another page makes in Python",
    r"docs/pictures": "to write over the pictures of the docs",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", type=Path, default=sorted((ROOT / "docs").glob("*.md")))
    parser.add_argument("--files", type=Path, action="append", default=[])
    parser.add_argument("--weights", action="append", default=[], metavar="NETWORK=FILE")
    parser.add_argument("--quick", action="store_true", help="few steps and frames")
    given = parser.parse_args()
    weights = dict(each.split("=", 1) for each in given.weights)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for page in sorted(given.pages, key=lambda each: each.name not in FIRST):
            failed += run_page(
                page, Path(folder, page.stem), given.files, weights, QUICK if given.quick else {}
            )
    return min(failed, 1)


def run_page(
    page: Path, folder: Path, files: list[Path], weights: dict[str, str], fewer: dict[str, dict[str, str]]
) -> int:
    """Runs the commands of a page; returns how many failed."""
    folder.mkdir()
    text = page.read_text(encoding="utf-8")
    failed = 0
    for line in lines(text):
        reason = next((why for pattern, why in LEFT_OUT.items() if re.search(pattern, line)), "")
        if reason:
            print(f"left out  {page.name}: dreamkit {line}  (needs {reason})", flush=True)
            continue
        prepare(words(line), folder, text, files)
        command = f"dreamkit {completed(line, weights, fewer)}"
        start = time.monotonic()
        run = subprocess.run(command, shell=True, cwd=folder, text=True, capture_output=True, check=False)
        state = "ran     " if run.returncode == 0 else "FAILED  "
        print(f"{state}  {page.name}: dreamkit {line}  ({time.monotonic() - start:.0f} s)", flush=True)
        if run.returncode:
            failed += 1
            print("\n".join(f"          {each}" for each in run.stderr.splitlines()[-3:]), flush=True)
    return failed


def completed(line: str, weights: dict[str, str], fewer: dict[str, dict[str, str]]) -> str:
    """A command with the files of its networks, which it would download; it may replace what was made."""
    networks = re.findall(r"(?:-m|--model) (\w+)", line)
    known = [name for name in networks if name in weights and f"-w {name}" not in line]
    named = [f"{name}={weights[name]}" if len(networks) > 1 else weights[name] for name in known]
    head, comment, rest = line.partition("  #")
    command = line.split()[0]
    again = ["--overwrite"] if line.startswith(("convert ", "concept learn ")) else []
    few = [f"{flag} {value}" for flag, value in fewer.get(command, {}).items() if flag not in words(line)]
    return " ".join([head, *(f"-w {each}" for each in named), *again, *few]) + comment + rest


def prepare(arguments: list[str], folder: Path, text: str, files: list[Path]) -> None:
    """Makes the files that a command reads, and removes those that it writes."""
    names = iter(arguments)
    for word in names:
        if word in ("-o", "--record"):
            remove(folder / next(names))
        for name in re.findall(r"[\w./*-]+(?:\.\w+|/)|^(?:photos|sample)$", word):
            for path in expanded(folder / name):
                if path.stem in MASKS and path.suffix == ".png":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(ellipse(shape_of(arguments))).save(path)
                elif not path.exists():
                    make(path, text, files)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def expanded(path: Path) -> Iterator[Path]:
    """Three names for one with a star."""
    if "*" not in path.name:
        yield path
    else:
        yield from (path.with_name(path.name.replace("*", str(number))) for number in (1, 2, 3))


def make(path: Path, text: str, files: list[Path]) -> None:
    """A file, or a folder, of that name."""
    found = next((each for folder in files for each in sorted(folder.rglob(path.name))), None)
    ready = next((each for each in (PICTURES / path.name, TINY_CLIP / path.name) if each.is_file()), None)
    maker = MAKERS.get(path.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if source := ready or found:
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)
    elif path.name.endswith(".dream.png"):
        subprocess.run(["dreamkit", "dream", str(PICTURES / "chelsea.jpg"), "-o", str(path)], check=True)
    elif path.name == "dream.png":
        of_a_channel = ["-l", "mixed4c:277", "--recipe", "lucid", "-m", "pocket", "--steps", "64"]
        subprocess.run(["dreamkit", "dream", *of_a_channel, "-o", str(path)], check=True)
    elif path.suffix == ".toml":
        path.write_text((blocks(text, "toml") or ['layers = "mixed4c"'])[0], encoding="utf-8")
    elif path.name in ("photos", "sample", "photographs"):
        path.mkdir()
        photographs(path, parts=70 if path.name == "photographs" else 0)
    elif maker:
        maker(path)


def picture(path: Path) -> None:
    with Image.open(PICTURES / "chelsea.jpg") as image:
        image.convert("RGB").save(path)


def photographs(folder: Path, parts: int) -> None:
    """Three pictures, and so many parts of each, at most 100: 70 are enough for an atlas."""
    for name in ("chelsea", "coffee", "rocket"):
        with Image.open(PICTURES / f"{name}.jpg") as image:
            image.save(folder / f"{name}.jpg")
            for number in range(parts):
                left, top = number % 10 * image.width // 20, number // 10 * image.height // 20
                part = image.crop((left, top, left + image.width // 2, top + image.height // 2))
                part.save(folder / f"{name}-{number}.jpg")


def shape_of(arguments: list[str]) -> tuple[int, int]:
    """Height and width of the picture, or of the film, that a command dreams."""
    first = next((each for each in arguments if each.endswith((".jpg", ".mp4"))), "astronaut.jpg")
    if first.endswith(".mp4"):
        return FILM
    known = PICTURES / first
    with Image.open(known if known.is_file() else PICTURES / "chelsea.jpg") as image:
        return image.height, image.width


def ellipse(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A mask of that height and width."""
    height, width = shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(x**2 + y**2 < 0.5, 255, 0).astype(np.uint8)


def film(path: Path) -> None:
    """A hundred small frames that move to the left, in 67 seconds."""
    with Image.open(PICTURES / "hubble.jpg") as image:
        wide = np.asarray(image.convert("RGB").resize((320, FILM[0])))
    with Writer(path, FILM, Fraction(3, 2), overwrite=False) as writer:
        for number in range(100):
            writer.add(np.ascontiguousarray(wide[:, 2 * number : 2 * number + FILM[1]]))


MAKERS: dict[str, Callable[[Path], None]] = {
    ".jpg": picture,
    ".png": picture,
    ".mp4": film,
    ".wav": lambda path: drums.main(str(path)),
    ".mp3": lambda path: drums.main(str(path)),
}


if __name__ == "__main__":
    sys.exit(main())
