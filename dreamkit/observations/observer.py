"""Looking at photographs through a layer, some of them at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts.features import SIDE, square
from dreamkit.config import DreamConfig
from dreamkit.engine.loading import load_network
from dreamkit.errors import DreamkitWarning, ImageError
from dreamkit.executors.scheduler import OnEvent
from dreamkit.inputs import open_picture
from dreamkit.models.spec import ModelSpec

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

KEPT = 9  # photographs that are kept for each channel
_AT_ONCE = 8  # photographs in a batch
_LEAST_MAP = 5  # places along a side, from which on the places at the edge do not count


class Part(NamedTuple):
    """What was seen in some photographs.

    Attributes:
        activations: of places taken at random, float32 `(places, channels)`.
        taken_at: where: number of the photograph, row and column on the layer's map, int32 `(places, 3)`.
        strongest: each channel's largest activations, of one place in a photograph, in falling order; -inf
            where there are fewer photographs; float32 `(KEPT, channels)`.
        strongest_at: where, int32 `(KEPT, channels, 3)`.
        map_size: height and width of the layer's map, int32 `(2,)`; zeros where no photograph could be read.
    """

    activations: NDArray[np.float32]
    taken_at: NDArray[np.int32]
    strongest: NDArray[np.float32]
    strongest_at: NDArray[np.int32]
    map_size: NDArray[np.int32]


class Task(NamedTuple):
    """Photographs to look at: their paths, and the number of the first of them among all."""

    first: int
    paths: tuple[str, ...]


class Observer:
    """The worker that looks at photographs: the middle square of each, at one size."""

    def __init__(
        self, spec: ModelSpec, layer: str, samples: int, seed: int, network: Network | None = None
    ) -> None:
        """`samples` places are taken of each photograph. Without a network, a worker loads its own."""
        self._spec, self._layer, self._samples, self._seed = spec, layer, samples, seed
        self._network = network

    def begin(self) -> None:
        """Loads the network, unless it is."""
        if self._network is None:
            self._network = load_network(self._spec)

    def do(self, task: Task, _on_event: OnEvent) -> Part:
        """Looks at the photographs of a task; one that cannot be read is left out with a warning."""
        network = self._network
        assert network is not None
        side = side_for(network, self._layer)
        look = network.activations([self._layer])
        parts = [empty(network.channels(self._layer))]
        for numbers, squares in _batches(task, side):
            (seen,) = look(squares)
            parts += [self._part(number, maps) for number, maps in zip(numbers, seen, strict=True)]
        return merged(parts)

    def _part(self, number: int, maps: NDArray[np.float32]) -> Part:
        """What is kept of the activations `(height, width, channels)` of one photograph."""
        height, width, channels = maps.shape
        top, left = (int(side >= _LEAST_MAP) for side in (height, width))
        inside = maps[top : height - top, left : width - left]
        flat = inside.reshape(-1, channels)
        random = np.random.default_rng((self._seed, number))
        chosen = random.permutation(len(flat))[: self._samples]

        def at(indices: NDArray[np.int64]) -> NDArray[np.int32]:
            rows, columns = np.divmod(indices, inside.shape[1])
            places = [np.full_like(rows, number), rows + top, columns + left]
            found: NDArray[np.int32] = np.stack(places, -1).astype(np.int32)
            return found

        strongest = np.full((KEPT, channels), -np.inf, np.float32)
        strongest_at = np.zeros((KEPT, channels, 3), np.int32)
        best = flat.argmax(0)
        strongest[0], strongest_at[0] = flat[best, np.arange(channels)], at(best)
        size = np.array([height, width], np.int32)
        return Part(flat[chosen], at(chosen), strongest, strongest_at, size)


def side_for(network: Network, layer: str) -> int:
    """Pixels of the square that is seen of each photograph."""
    return max(SIDE, network.min_size([layer]))


def merged(parts: Sequence[Part]) -> Part:
    """One part of all; where activations are equal, those of earlier parts go first."""
    values = np.concatenate([part.strongest for part in parts])
    places = np.concatenate([part.strongest_at for part in parts])
    order = np.argsort(-values, 0, kind="stable")[:KEPT]
    return Part(
        np.concatenate([part.activations for part in parts]),
        np.concatenate([part.taken_at for part in parts]),
        np.take_along_axis(values, order, 0),
        np.take_along_axis(places, order[..., None], 0),
        np.max([part.map_size for part in parts], 0),
    )


def empty(channels: int) -> Part:
    """A part of no photographs."""
    return Part(
        np.zeros((0, channels), np.float32),
        np.zeros((0, 3), np.int32),
        np.full((KEPT, channels), -np.inf, np.float32),
        np.zeros((KEPT, channels, 3), np.int32),
        np.zeros(2, np.int32),
    )


def opened(path: str, side: int) -> NDArray[np.float32]:
    """The middle square of the photograph at `path`, `(side, side, 3)`, RGB 0 to 255.

    Raises:
        ImageError: it cannot be read.
    """
    picture = open_picture(path, DreamConfig())
    assert picture is not None
    return square(picture.pixels, side)


def _batches(task: Task, side: int) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    numbers: list[int] = []
    squares: list[NDArray[np.float32]] = []
    for number, path in enumerate(task.paths, task.first):
        try:
            squares.append(opened(path, side))
        except ImageError as error:
            warnings.warn(f"a photograph was left out: {error}", DreamkitWarning, stacklevel=2)
            continue
        numbers.append(number)
        if len(numbers) == _AT_ONCE:
            yield numbers, np.stack(squares)
            numbers, squares = [], []
    if numbers:
        yield numbers, np.stack(squares)
