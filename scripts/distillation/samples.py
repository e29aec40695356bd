"""What the pocket network learns from: crops of photographs, dreamed a little, with the teacher's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from distillation import lesson

Array = npt.NDArray[Any]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_SHORT_SIDE = 320  # pixels; more than a crop can show is memory for nothing


def photographs(folder: Path, held_out: bool) -> dict[str, Array]:
    """The photographs to train on, or those held out, by name; uint8 RGB, short side at most 320 pixels.

    Raises:
        SystemExit: there are too few.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    chosen = [path for index, path in enumerate(paths) if (index % lesson.HELD_OUT == 0) == held_out]
    if not chosen:
        raise SystemExit(f"{folder} holds {len(paths)} photographs; it takes at least two, JPEG, PNG or WebP")
    return {path.stem: shrunk(path) for path in chosen}


def shrunk(path: Path) -> Array:
    """A picture with its short side at most 320 pixels, uint8 RGB."""
    with Image.open(path) as opened:
        opened.draft("RGB", (_SHORT_SIDE, _SHORT_SIDE))
        picture = opened.convert("RGB")
    factor = min(1.0, _SHORT_SIDE / min(picture.size))
    size = round(picture.width * factor), round(picture.height * factor)
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def crop(pictures: Sequence[Array], side: int, random: np.random.Generator) -> Array:
    """A random crop of a random photograph at a random scale, mirrored or not; float32 `(side, side, 3)`."""
    picture = pictures[int(random.integers(len(pictures)))]
    height, width = picture.shape[:2]
    scale = max(np.exp(random.uniform(*np.log(lesson.SCALES))), side / min(height, width))
    shown = side / scale
    # Rounding may make the whole of a photograph longer than itself.
    left, top = random.uniform(0, max(width - shown, 0)), random.uniform(0, max(height - shown, 0))
    box = left, top, min(left + shown, width), min(top + shown, height)
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=2)
    pixels = np.asarray(image, np.float32)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def objective(channels: tuple[int, ...], random: np.random.Generator) -> tuple[Array, ...]:
    """Weights of every channel of every layer: one layer, all of its channels or a few."""
    weights = tuple(np.zeros(count, np.float32) for count in channels)
    layer = random.choice(len(channels), p=lesson.LAYERS)
    count = channels[layer]
    if random.random() < lesson.SOME_CHANNELS:
        some = random.permutation(count)[: int(np.exp(random.uniform(0, np.log(count / 8)))) + 1]
        weights[layer][some] = count / len(some)
    else:
        weights[layer][:] = 1
    return weights


@dataclass
class Pool:
    """Samples in memory: each is used some times, then dreamed on or replaced.

    A dream leads to pictures that no photograph looks like, and the network must be right there too. So
    half the samples are dreamed on by the teacher's gradient and half by the student's own.

    Attributes:
        answers: given pixels and channel weights, the teacher's pixel gradient (of norm 1) and activations.
    """

    pictures: Sequence[Array]
    answers: Callable[[Array, list[Array]], tuple[Array, list[Array]]]
    channels: tuple[int, ...]
    side: int
    batch: int
    random: np.random.Generator

    def __post_init__(self) -> None:
        self._pixels: list[Array] = []
        self._weights: list[tuple[Array, ...]] = []
        self._gradients: list[Array] = []
        self._features: list[list[Array]] = []
        self._students: dict[int, Array] = {}
        self._queue: list[int] = []
        self._oldest = 0

    def fill(self, size: int) -> None:
        """Adds samples until there are `size`, rounded up to whole batches."""
        while len(self._pixels) < size:
            self._answer([crop(self.pictures, self.side, self.random) for _ in range(self.batch)], None)

    def refresh(self) -> None:
        """Dreams the oldest batch of samples on, or replaces them."""
        places = range(self._oldest, self._oldest + self.batch)
        self._answer([self._next(place) for place in places], places)
        self._oldest = (self._oldest + self.batch) % len(self._pixels)

    def draw(self) -> tuple[list[int], Array, list[Array], Array, list[Array]]:
        """A batch, every sample once before any comes again: places, pixels, weights, gradients, features."""
        if len(self._queue) < self.batch:
            self._queue = list(self.random.permutation(len(self._pixels)))
        places = [self._queue.pop() for _ in range(self.batch)]

        def together(parts: list[Any]) -> Array:
            return np.stack([parts[place] for place in places])

        layers = range(len(self.channels))
        return (
            places,
            together(self._pixels),
            [np.stack([self._weights[place][layer] for place in places]) for layer in layers],
            together(self._gradients),
            [np.stack([self._features[place][layer] for place in places]) for layer in layers],
        )

    def remember(self, places: list[int], gradients: Array) -> None:
        """Keeps the student's own gradients, for dreaming on by them."""
        self._students.update(zip(places, gradients.astype(np.float16), strict=True))

    def _next(self, place: int) -> Array:
        random = self.random
        theirs = self._gradients[place]
        own = self._students.pop(place, theirs)
        if random.random() < lesson.AFRESH:
            return crop(self.pictures, self.side, random)
        gradient = (own if random.random() < 0.5 else theirs).astype(np.float32)
        step = random.uniform(*lesson.LEVELS) / max(float(np.abs(gradient).mean()), 1e-8)
        pixels = np.clip(self._pixels[place].astype(np.float32) + step * gradient, 0, 255)
        return self._enlarged(pixels) if random.random() < lesson.ZOOM else pixels

    def _enlarged(self, pixels: Array) -> Array:
        shown = self.side / lesson.OCTAVE_SCALE
        left, top = self.random.uniform(0, self.side - shown, 2)
        image = Image.fromarray(pixels.round().astype(np.uint8))
        box = left, top, left + shown, top + shown
        return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box=box), np.float32)

    def _answer(self, pixels: list[Array], places: range | None) -> None:
        weights = [objective(self.channels, self.random) for _ in pixels]
        gradients, features = self.answers(
            np.stack(pixels), [np.stack(layer) for layer in zip(*weights, strict=True)]
        )
        # Half precision keeps a thousand samples under a gigabyte; a unit vector needs scaling to fit it.
        gradients = (gradients * self.side).astype(np.float16)
        for index, pixel in enumerate(pixels):
            sample = (
                pixel.astype(np.float16),
                weights[index],
                gradients[index],
                [layer[index].astype(np.float16) for layer in features],
            )
            columns: tuple[list[Any], ...] = (self._pixels, self._weights, self._gradients, self._features)
            for column, value in zip(columns, sample, strict=True):
                if places is None:
                    column.append(value)
                else:
                    column[places[index]] = value
