"""A concept shown, out of nothing and in pictures, and tested with a class."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts import reference, tcav
from dreamkit.concepts.concept import Concept
from dreamkit.concepts.features import SIDE, square
from dreamkit.config import DreamConfig
from dreamkit.engine.resize import resize
from dreamkit.errors import ConceptError
from dreamkit.inputs import PathLike, open_picture
from dreamkit.media import contact_sheet

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

CELL = 320  # pixels of the shorter side of a picture on the sheet
_DIM = 0.25  # brightness where a concept is not
_COLUMNS = 4
# Standard deviations of ordinary photographs that are shown as full light. Where a concept is in a picture, a
# layer is 10 to 30 along it; in other pictures, nowhere more than 1 to 5.
_FULL = 8.0


@dataclass(frozen=True)
class ConceptTest:
    """A concept's test with a class.

    Attributes:
        label: the class, as the user named it.
        pictures: how many pictures of the class there were.
        layers: a score for each layer of the concept that the class score depends on.
    """

    label: str
    pictures: int
    layers: tuple[tcav.LayerScore, ...]


def score(
    concept: Concept,
    network: Network,
    label: str,
    pictures: Sequence[PathLike],
    *,
    seed: int = 0,
    on_picture: Callable[[int, int], None] | None = None,
) -> ConceptTest:
    """Whether the score of the class `label` rises along a concept, in `pictures` of that class.

    Raises:
        LayerError: the network has no class scores, or no such class.
        ConceptError: there is no reference for random concepts.
        ImageError: a picture cannot be read.
    """
    from dreamkit.engine.tf.sensitivity import score_gradients

    head, number = network.class_term(label)
    compared = reference_of(network, concept)
    layers = [layer for layer in concept.directions if layer in compared.layers and layer != head]
    gradients = score_gradients(network, layers, head, number)
    found: list[list[NDArray[np.float32]]] = []
    side = max(SIDE, network.min_size([head, *layers]))
    for done, pixels in enumerate(_opened(pictures), 1):
        found.append([each[0] for each in gradients(square(pixels, side)[None])])
        if on_picture is not None:
            on_picture(done, len(pictures))
    scores = tuple(
        tcav.score(
            layer,
            concept.directions[layer],
            np.stack(of_layer),
            compared.layers[layer],
            concept.pictures,
            seed,
        )
        for layer, of_layer in zip(layers, zip(*found, strict=True), strict=True)
    )
    return ConceptTest(label, len(pictures), scores)


def small(pictures: Sequence[PathLike]) -> dict[str, NDArray[np.uint8]]:
    """The pictures by file name, uint8 `(height, width, 3)`, with a shorter side of `CELL` pixels.

    Raises:
        ImageError: one cannot be read.
    """
    opened = zip(pictures, _opened(pictures), strict=True)
    return {os.path.basename(path): _fitted(pixels) for path, pixels in opened}


def sheet(
    concept: Concept, network: Network, dreamed: NDArray[np.uint8], pictures: Mapping[str, NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """A dream of a concept beside pictures by name, each lit where the concept is; uint8
    `(height, width, 3)`."""
    cells = [contact_sheet.Cell(_fitted(dreamed), f"{concept.name}, from nothing")]
    layer = concept.layers[-1]
    heat = heat_map(network, concept, layer)
    cells += [contact_sheet.Cell(_lit(pixels, heat(pixels)), name) for name, pixels in pictures.items()]
    title = f"{concept.name} in {layer} of {concept.network}"
    return contact_sheet.draw(cells, min(_COLUMNS, len(cells)), title=title)


def heat_map(
    network: Network, concept: Concept, layer: str
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The function from a picture to how much of a concept is at each place, against the average of other
    photographs: `(height, width)` of the layer's map, 0 to 1. The largest is 1 if the concept is in the
    picture at all."""
    activations = network.activations([layer])
    statistics = reference_of(network, concept).layers[layer]
    weights = concept.direction(layer).weights
    full = _FULL * math.sqrt(statistics.variance_along(weights))

    def heat(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        (maps,) = activations(pixels[None].astype(np.float32))
        along: NDArray[np.float32] = np.maximum((maps[0] - statistics.mean) @ weights, 0.0)
        return along / (max(full, float(along.max())) or 1.0)

    return heat


def reference_of(network: Network, concept: Concept) -> reference.Reference:
    """The reference photographs that a concept was compared with.

    Raises:
        ConceptError: it was learned with other weights, or there are none.
    """
    if concept.sha256 != network.digest:
        raise ConceptError(
            f"the concept {concept.name} was learned with other weights of {network.provider.name}; "
            f"learn it again: dreamkit concept learn {concept.name} PICTURES"
        )
    found = reference.find(network.provider.name, network.digest)
    if found is None or not found.layers.keys() >= set(concept.layers):
        raise ConceptError(
            f"the photographs that {concept.name} was compared with are not known here; learn it again with "
            f"--against FOLDER"
        )
    return found


def _opened(pictures: Sequence[PathLike]) -> Iterator[NDArray[np.uint8]]:
    for path in pictures:
        picture = open_picture(path, DreamConfig())
        assert picture is not None  # it has a path
        yield picture.pixels


def _fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with a shorter side of `CELL` pixels."""
    height, width, _ = pixels.shape
    scale = CELL / min(height, width)
    return _bytes(resize(pixels[..., :3], (round(height * scale), round(width * scale))))


def _lit(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture that is dark but where `heat` is."""
    height, width, _ = pixels.shape
    light = resize(heat[..., None], (height, width))
    return _bytes(pixels * (_DIM + (1 - _DIM) * light))


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
