"""Learning a concept: from pictures to directions, with all that can be said of them."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts import library, reference, separation
from dreamkit.concepts.concept import Concept, Direction, check_name
from dreamkit.concepts.features import Features, features
from dreamkit.concepts.reference import LayerStatistics, Reference
from dreamkit.config import DEFAULT_MODEL, DreamConfig
from dreamkit.direction_text import rounded
from dreamkit.engine.loading import load_network
from dreamkit.errors import ConceptError, DreamkitWarning, ImageError, LayerError, shown
from dreamkit.inputs import ImageSource, PathLike, open_picture
from dreamkit.models.spec import ModelSpec
from dreamkit.terms import layer_named

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.media.images import Picture
    from dreamkit.request import Model

_LEAST_SEPARATION = 0.6  # chance is 0.5; of ten threes of unrelated photographs, about seven are below
_FEW = 100  # photographs to compare with
_CONFUSED = 0.9  # share of reference photographs that a similar concept puts the pictures above
_MOST_PICTURES = 10_000
OnPicture = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Learned:
    """A concept that was learned, and what was seen while learning it.

    Attributes:
        concept: the concept.
        compared_with: how many other photographs it was compared with.
        notes: what may be wrong with it, a line each.
        similar: other concepts that are seen in its pictures as well, the most similar first.
    """

    concept: Concept
    compared_with: int
    notes: tuple[str, ...] = ()
    similar: tuple[str, ...] = ()


def learn(
    name: str,
    pictures: Sequence[ImageSource],
    model: Model | None = None,
    *,
    weights: PathLike | None = None,
    against: Sequence[ImageSource] | None = None,
    layers: Sequence[str] | None = None,
    keep: bool = False,
    on_picture: OnPicture = None,
    on_download: OnPicture = None,
) -> Learned:
    """Learns what `pictures` have in common: see `Concept.learn`.

    `on_picture` is called after each picture, with how many were seen and how many there are.
    """
    check_name(name)
    _check_files(pictures, against)
    spec = ModelSpec(model or DEFAULT_MODEL, weights=None if weights is None else os.fspath(weights))
    network = load_network(spec, on_download)
    compared = _reference(network, layers, against, on_picture)
    wanted = _layers(network, layers, compared)
    seen, names = _features(network, wanted, pictures, on_picture)
    directions = {
        layer: _direction(seen[layer].mean, compared.layers[layer])
        for layer in wanted
        if _tells_apart(seen[layer].mean, compared.layers[layer])
    }
    dreamed = _dreamed(network, directions)
    concept = Concept(name, network.provider.name, network.digest, directions, dreamed, len(names))
    if not keep:
        _check_separation(concept, seen, names, compared)
    notes = _notes(concept, seen)
    if compared.photographs < _FEW:
        notes += (f"it was compared with {compared.photographs} photographs; some hundred tell more",)
    return Learned(concept, compared.photographs, notes, _similar(concept, seen, compared))


def _tells_apart(seen: NDArray[np.float32], compared: LayerStatistics) -> bool:
    """Whether a layer sees any difference, between photographs and between them and the pictures."""
    return compared.mean_variance > 0 and bool(np.any(seen.mean(0) != compared.mean))


def _direction(seen: NDArray[np.float32], compared: LayerStatistics) -> Direction:
    """The direction of a layer, and how well it tells its pictures apart."""
    found = separation.discriminant(seen, compared)
    scale = float(np.abs(found).max())
    weights = rounded((found / scale).astype(np.float32))
    return Direction(weights, separation.leave_one_out(seen, compared), scale)


def measure(
    network: Network,
    layers: Sequence[str],
    photographs: Sequence[ImageSource],
    on_picture: OnPicture = None,
) -> Reference:
    """The reference of a network, from photographs of all kinds.

    Raises:
        ConceptError: they are too few.
    """
    _check_count(len(photographs))
    seen, names = _features(network, layers, photographs, on_picture)
    count = len(names)
    _check_count(count)  # without those that are the same
    return Reference(
        network.provider.name,
        network.digest,
        count,
        {layer: reference.measured(each.mean) for layer, each in seen.items()},
        _source(photographs),
    )


def _check_count(photographs: int) -> None:
    if photographs < reference.LEAST:
        raise ConceptError(
            f"there are {photographs} photographs to compare with; give at least {reference.LEAST}, of all "
            "kinds; some hundred are good"
        )


def _reference(
    network: Network,
    layers: Sequence[str] | None,
    against: Sequence[ImageSource] | None,
    on_picture: OnPicture,
) -> Reference:
    """What the pictures are compared with: photographs that are given, else what is known of the network.

    Those given are kept for the next time, where the package has none of the network.
    """
    built_in = reference.built_in(network.provider.name, network.digest)
    kept = None if built_in else reference.kept(network.digest)
    if against is None:
        found = built_in or kept
        if found is None:
            raise ConceptError(
                f"dreamkit has no photographs to compare with for {network.provider.name}; give a folder of "
                "some hundred of all kinds with --against FOLDER"
            )
        return found
    source = _source(against)
    wanted = [layer_named(each, network) for each in layers or ()] or main_layers(network)
    if kept is not None and source and kept.source == source and kept.layers.keys() >= set(wanted):
        return kept
    found = measure(network, wanted, against, on_picture)
    if built_in is None:
        reference.keep(found)
    return found


def _source(photographs: Sequence[ImageSource]) -> str:
    """What identifies `photographs`, where they are all files; else empty."""
    files = [each for each in photographs if isinstance(each, str | os.PathLike)]
    return reference.source_of(files) if len(files) == len(photographs) else ""


def _layers(network: Network, layers: Sequence[str] | None, compared: Reference) -> list[str]:
    """The layers to learn."""
    if not layers:
        return [layer for layer in network.layers if layer in compared.layers]
    wanted = [layer_named(each, network) for each in layers]
    for layer in wanted:
        if layer not in compared.layers:
            raise LayerError(
                f"there are no photographs to compare with in {layer} of {network.provider.name}, only in "
                f"{', '.join(compared.layers)}; give them with --against FOLDER"
            )
    return list(dict.fromkeys(wanted))


def main_layers(network: Network) -> list[str]:
    """The layers worth learning: as the provider says, else those that branches end in."""
    known = [layer for layer in network.provider.main_layers if layer in network.layers]
    return known or network.probe.main_layers(network.provider.layers)


def _dreamed(network: Network, directions: dict[str, Direction]) -> tuple[str, ...]:
    """The layers that a concept is dreamed in: the provider's own, else the one that separates it best."""
    if not directions:
        raise ConceptError("no layer tells the pictures from other photographs; give others")
    own = [layer for layer in network.provider.concept_layers if layer in directions]
    best = max(directions, key=lambda layer: np.nan_to_num(directions[layer].separation))
    return tuple(own) or (best,)


def _features(
    network: Network, layers: Sequence[str], pictures: Sequence[ImageSource], on_picture: OnPicture
) -> tuple[dict[str, Features], list[str]]:
    """The features of `layers` in pictures of different contents, and the names of these pictures."""
    hashes: dict[str, str] = {}

    def opened() -> Iterator[NDArray[np.uint8]]:
        for number, source in enumerate(pictures, 1):
            picture = _opened(source)
            name = picture.name or f"picture {number}"
            if picture.sha256 in hashes:
                _warn(f"{name} and {hashes[picture.sha256]} are the same picture; it counts once")
            else:
                hashes[picture.sha256] = name
                yield picture.pixels
            if on_picture is not None:
                on_picture(number, len(pictures))

    found = features(network, layers, opened())
    return found, list(hashes.values())


def _opened(source: ImageSource) -> Picture:
    picture = open_picture(source, DreamConfig())
    if picture is None:
        raise ConceptError("a picture is None; give paths, Pillow images or arrays")
    return picture


def _check_files(pictures: Sequence[ImageSource], against: Sequence[ImageSource] | None) -> None:
    """Checks, before a network is loaded, that there are pictures and that files exist."""
    if isinstance(pictures, str | os.PathLike):
        raise ConceptError("pictures is one path; give a list of pictures")
    if not pictures:
        raise ConceptError("there is no picture to learn from; give one or more")
    if len(pictures) > _MOST_PICTURES or len(against or ()) > _MOST_PICTURES:
        raise ConceptError(f"there are more than {_MOST_PICTURES} pictures; some hundred are enough")
    for each in (*pictures, *(against or ())):
        if isinstance(each, str | os.PathLike) and not os.path.isfile(each):
            raise ImageError(f"there is no file {shown(os.fspath(each), 200)}")


def _check_separation(
    concept: Concept, seen: dict[str, Features], names: list[str], compared: Reference
) -> None:
    """Refuses pictures of nothing in common."""
    shares = {layer: concept.directions[layer].separation for layer in concept.layers}
    best = max(shares, key=lambda layer: np.nan_to_num(shares[layer]))
    if math.isnan(shares[best]) or shares[best] >= _LEAST_SEPARATION:
        return
    each = separation.left_out(seen[best].mean, compared.layers[best])
    raise ConceptError(
        f"these {concept.pictures} pictures have little in common in {best} of {concept.network}: a picture "
        f"fits what the others share better than {shares[best]:.0%} of other photographs do, on average; "
        f"chance is 50%, and {_LEAST_SEPARATION:.0%} are needed. {shown(names[int(np.argmin(each))])} fits "
        "least. Give more pictures or more similar ones, or learn the concept anyway with --keep"
    )


def _notes(concept: Concept, seen: dict[str, Features]) -> tuple[str, ...]:
    """What may be wrong with a concept, a line each."""
    notes = []
    if concept.pictures == 1:
        notes.append(
            "it was learned from one picture, so it is all of that picture; with two or more, it is what "
            "they have in common"
        )
    layer = concept.layers[-1]
    weights, where = concept.directions[layer].weights, seen[layer]
    outside, inside = where.edge @ weights, where.middle @ weights
    if concept.pictures > 1 and (outside > inside).mean() > 0.5:
        notes.append(
            f"in {int((outside > inside).sum())} of {concept.pictures} pictures it is stronger at the edges "
            "than in the middle: it may be a background that they share"
        )
    size = np.sort(np.abs(weights) ** 2)
    if size[-1] > 0.5 * size.sum():
        notes.append(f"channel {int(np.abs(weights).argmax())} of {layer} has most of it")
    return tuple(notes)


def _similar(concept: Concept, seen: dict[str, Features], compared: Reference) -> tuple[str, ...]:
    """Other concepts that are seen in the same pictures: dreamkit's own, or else those that were learned."""
    layer = concept.layers[-1]
    found: dict[str, float] = {}
    known = [each for (_, network), each in library.built_in().items() if network == concept.network]
    for other in known or library.of_network(concept.network):
        if other.sha256 == concept.sha256 and layer in other.directions and other.name != concept.name:
            scores = separation.standard_scores(
                seen[layer].mean, other.directions[layer].weights, compared.layers[layer]
            )
            found[other.name] = float(np.mean([separation.normal_share(each) for each in scores]))
    ranked = sorted(found, key=lambda name: -found[name])
    return tuple(name for name in ranked if found[name] >= _CONFUSED)[:3]


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=2)
