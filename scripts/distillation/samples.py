"""What the pocket network learns from: crops of photographs, dreamed a little, with the teacher's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def drawn_layer(names: Sequence[str], default: str, random: np.random.Generator) -> str:
    """The layer of a batch's objectives: often the default one, else one before or behind it."""
    middle = names.index(default)
    turn = random.random()
    if turn < lesson.DEFAULT:
        return default
    among = names[middle + 1 :] if turn < lesson.DEFAULT + lesson.DEEP else names[:middle]
    return str(random.choice(list(among) or [default]))


Objective = tuple[Array, Array]  # of a layer's channels: weights of their squares, and of themselves


def objective(count: int, head: bool, random: np.random.Generator) -> Objective:
    """An objective of a layer of `count` channels: the squares of all or some, a direction, or a class."""
    squares, plain = np.zeros(count, np.float32), np.zeros(count, np.float32)
    kind = random.random()
    if head:
        plain[random.integers(count)] = count
    elif kind < lesson.DIRECTION:
        plain[:] = random.standard_normal(count)
    elif kind < lesson.DIRECTION + lesson.SOME_CHANNELS:
        some = random.permutation(count)[: int(np.exp(random.uniform(0, np.log(count / 8)))) + 1]
        squares[some] = count / len(some)
    else:
        squares[:] = 1
    return squares, plain


@dataclass
class Batch:
    """Crops that are seen together, and the teacher's answers; arrays are float16 but for the objectives.

    Attributes:
        layer: the one that all their objectives are of.
        gradients: the teacher's pixel gradients, of norm `side`: a unit vector would not fit float16.
        students: the student's own, once it was asked.
    """

    layer: str
    pixels: Array
    squares: Array
    plain: Array
    gradients: Array
    features: list[Array]
    students: Array | None = None


@dataclass
class Pool:
    """Batches in memory: each is used some times, then dreamed on or replaced.

    A dream leads to pictures that no photograph looks like, and the network must be right there too. So
    half the crops are dreamed on by the teacher's gradient and half by the student's own.

    Attributes:
        answers: given a layer, pixels and an objective's weights, the teacher's pixel gradients (of norm 1)
            and its activations as far as that layer's.
        channels: of each layer that is taught, from the picture inwards; the last one may be a head.
        default: the layer that is dreamed by default.
    """

    pictures: Sequence[Array]
    answers: Callable[[str, Array, Array, Array], tuple[Array, list[Array]]]
    channels: Mapping[str, int]
    default: str
    head: str
    side: int
    size: int
    random: np.random.Generator

    def __post_init__(self) -> None:
        self.batches: list[Batch] = []
        self._queue: list[int] = []
        self._oldest = 0

    def fill(self, count: int) -> None:
        """Adds batches until there are `count`."""
        while len(self.batches) < count:
            self.batches.append(self._answered(np.stack([self._crop() for _ in range(self.size)])))

    def refresh(self) -> None:
        """Dreams the oldest batch on, or replaces it."""
        old = self.batches[self._oldest]
        gradients = old.gradients.astype(np.float32)
        own = gradients if old.students is None else old.students.astype(np.float32)
        each_pair = zip(old.pixels.astype(np.float32), gradients, own, strict=True)
        pixels = [self._next(*each) for each in each_pair]
        self.batches[self._oldest] = self._answered(np.stack(pixels))
        self._oldest = (self._oldest + 1) % len(self.batches)

    def draw(self) -> Batch:
        """A batch, each one once before any comes again."""
        if not self._queue:
            self._queue = list(self.random.permutation(len(self.batches)))
        return self.batches[self._queue.pop()]

    def _crop(self) -> Array:
        return crop(self.pictures, self.side, self.random)

    def _layer(self) -> str:
        return drawn_layer(list(self.channels), self.default, self.random)

    def _next(self, pixels: Array, theirs: Array, own: Array) -> Array:
        random = self.random
        if random.random() < lesson.AFRESH:
            return self._crop()
        gradient = own if random.random() < 0.5 else theirs
        step = random.uniform(*lesson.LEVELS) / max(float(np.abs(gradient).mean()), 1e-8)
        dreamed = np.clip(pixels + step * gradient, 0, 255)
        return self._enlarged(dreamed) if random.random() < lesson.ZOOM else dreamed

    def _enlarged(self, pixels: Array) -> Array:
        shown = self.side / lesson.OCTAVE_SCALE
        left, top = self.random.uniform(0, self.side - shown, 2)
        image = Image.fromarray(pixels.round().astype(np.uint8))
        box = left, top, left + shown, top + shown
        return np.asarray(image.resize(image.size, Image.Resampling.BILINEAR, box=box), np.float32)

    def _answered(self, pixels: Array) -> Batch:
        layer = self._layer()
        drawn = [objective(self.channels[layer], layer == self.head, self.random) for _ in pixels]
        squares, plain = (np.stack(each) for each in zip(*drawn, strict=True))
        gradients, features = self.answers(layer, pixels, squares, plain)
        return Batch(
            layer,
            pixels.astype(np.float16),
            squares,
            plain,
            (gradients * self.side).astype(np.float16),
            [each.astype(np.float16) for each in features],
        )
