"""What a network sees in a picture: the activations of its layers, averaged over places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import resize

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

SIDE = 224  # pixels of the square that is seen of each picture, or more where a network needs it
_AT_ONCE = 8  # pictures in a batch
_EDGE = 6  # the outer sixth of a map's sides is its edge


class Features(NamedTuple):
    """The activations of a layer in several pictures.

    Attributes:
        mean: over all places, float32 `(pictures, channels)`.
        edge: over the places in the outer sixth of the height and of the width.
        middle: over the other places.
    """

    mean: NDArray[np.float32]
    edge: NDArray[np.float32]
    middle: NDArray[np.float32]


def square(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.float32]:
    """The middle of a picture `(height, width, 3)` as a square of `side` pixels, its shorter side whole."""
    height, width, _ = pixels.shape
    shorter = min(height, width)
    size = max(side, round(height * side / shorter)), max(side, round(width * side / shorter))
    sized = resize(pixels, size)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    return sized[top : top + side, left : left + side]


def features(
    network: Network, layers: Sequence[str], pictures: Iterable[NDArray[np.uint8]]
) -> dict[str, Features]:
    """The features of `layers` in `pictures`, each uint8 `(height, width, 3)`; memory holds a few at a time.

    Raises:
        LayerError: a layer does not exist.
    """
    side = max(SIDE, network.min_size(layers))
    activations = network.activations(layers)
    found: dict[str, list[Features]] = {layer: [] for layer in layers}
    for few in _squares(pictures, side):
        for layer, maps in zip(layers, activations(few), strict=True):
            found[layer].append(_averaged(maps))
    return {
        layer: Features(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        for layer, parts in found.items()
    }


def _squares(pictures: Iterable[NDArray[np.uint8]], side: int) -> Iterator[NDArray[np.float32]]:
    remaining = iter(pictures)
    while few := [square(pixels, side) for pixels in islice(remaining, _AT_ONCE)]:
        yield np.stack(few)


def _averaged(maps: NDArray[np.float32]) -> Features:
    """The features in `maps` `(pictures, height, width, channels)`."""
    height, width = maps.shape[1:3]
    down, right = -(-height // _EDGE), -(-width // _EDGE)
    middle = maps[:, down : height - down, right : width - right]
    if not middle.size:
        middle = maps
    mean, inside = maps.mean((1, 2)), middle.mean((1, 2))
    outside = height * width - middle.shape[1] * middle.shape[2]
    edge = (mean * (height * width) - inside * (middle.shape[1] * middle.shape[2])) / max(1, outside)
    return Features(mean, edge if outside else inside, inside)
