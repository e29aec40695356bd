"""A concept: what some pictures have in common, as directions of a network's layers; and its file.

A direction has one weight for each channel of a layer (a concept activation vector: Kim et al. 2018,
arXiv:1711.11279). The file is JSON with numbers in it: nothing in it is followed or run.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.direction_text import decoded, encoded
from dreamkit.errors import ConceptError, first_line, shown
from dreamkit.media import atomic, files, image_writer
from dreamkit.names import RULE, is_name

if TYPE_CHECKING:
    from dreamkit.concepts.learning import Learned
    from dreamkit.inputs import ImageSource, PathLike
    from dreamkit.request import Model

SUFFIX = ".json"
_FORMAT = 1
_DAMAGED = "is damaged, or no concept's file; get it again, or learn the concept again"
_MOST_BYTES = 4 << 20  # of a concept's file; one of all layers of Inception v3 has 0.1 MB


@dataclass(frozen=True)
class Direction:
    """A concept in one layer.

    Attributes:
        weights: one for each channel, float32 `(channels,)`; the largest is 1 in size.
        separation: the share of other photographs that a picture of the concept which was not learned from
            stands out from, 0 to 1; 0.5 is chance, and NaN unknown.
        scale: what `weights` were divided by.
    """

    weights: NDArray[np.float32]
    separation: float = math.nan
    scale: float = 1.0


@dataclass(frozen=True)
class Concept:
    """What some pictures have in common, in the layers of one network.

    Attributes:
        name: letters, digits, `.`, `_` and `-`.
        network: the name of the network.
        sha256: of the network's weights.
        directions: by layer, from the picture inwards.
        layers: those that are dreamed unless others are named.
        pictures: how many it was learned from.
    """

    name: str
    network: str
    sha256: str
    directions: Mapping[str, Direction] = field(repr=False)
    layers: tuple[str, ...]
    pictures: int = 0

    def __post_init__(self) -> None:
        """Raises a ConceptError for what makes no sense."""
        check_name(self.name)
        if not self.directions:
            raise ConceptError(f"the concept {self.name} has no layer")
        for layer in self.layers:
            self.direction(layer)

    def direction(self, layer: str) -> Direction:
        """The direction of a layer.

        Raises:
            ConceptError: it has none.
        """
        if layer not in self.directions:
            raise ConceptError(
                f"the concept {self.name} was not learned in {shown(layer)} of {self.network}, only in "
                f"{', '.join(self.directions)}; choose one of these"
            )
        return self.directions[layer]

    @staticmethod
    def learn(
        name: str,
        pictures: Sequence[ImageSource],
        model: Model | None = None,
        *,
        weights: PathLike | None = None,
        against: Sequence[ImageSource] | None = None,
        layers: Sequence[str] | None = None,
        keep: bool = False,
    ) -> Learned:
        """Learns what `pictures` have in common and other photographs do not.

        Example::

            learned = dreamkit.Concept.learn("butterflies", ["1.jpg", "2.jpg", "3.jpg"])
            learned.concept.save("butterflies.json")

        Args:
            name: of the concept.
            pictures: one or more, as `dreamkit.dream` takes them.
            model: the network; None for the one that dreamkit carries.
            weights: its weights file; None for its own.
            against: other photographs to compare with, at least 20; None for those that dreamkit knows of,
                or that were given before.
            layers: the layers to learn; None for those that branches end in.
            keep: whether pictures may have nothing in common.

        Raises:
            ConceptError: pictures is empty, nothing is known to compare with, or they have nothing in common.
            DreamkitError: a picture or the network cannot be read.
        """
        from dreamkit.concepts.learning import learn

        return learn(name, pictures, model, weights=weights, against=against, layers=layers, keep=keep)

    def save(self, path: PathLike, *, overwrite: bool = False) -> None:
        """Writes the concept's file, whole or not at all.

        Raises:
            ImageError: it exists, or cannot be written.
        """
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        atomic.write(Path(path), self.to_json().encode(), overwrite=overwrite)

    def to_json(self) -> str:
        """The text of its file."""
        content = {
            "name": self.name,
            "network": self.network,
            "network_sha256": self.sha256,
            "pictures": self.pictures,
            "layers": list(self.layers),
            "directions": {
                layer: {
                    "weights": encoded(each.weights),
                    "separation": None if math.isnan(each.separation) else round(each.separation, 4),
                    "scale": float(f"{each.scale:.6g}"),
                }
                for layer, each in self.directions.items()
            },
        }
        return json.dumps({"dreamkit_concept": _FORMAT, **content, "sha256": _hash(content)}, indent=1) + "\n"


def read(path: PathLike) -> Concept:
    """The concept in a file.

    Raises:
        ConceptError: there is none, or it is damaged, too large, or of another version.
    """
    name = shown(os.fspath(path), 200)
    try:
        text = files.read(path, _MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise ConceptError(f"{name} {_DAMAGED}") from error
    except OSError as error:
        raise ConceptError(
            f"cannot read the concept {name} ({first_line(error)}); `dreamkit concepts` lists what there is"
        ) from error
    return parse(text, name)


def parse(text: str, where: str) -> Concept:
    """The concept that `text` is; `where` is for messages.

    Raises:
        ConceptError: as `read`.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConceptError(f"{where} {_DAMAGED}") from error
    return _of(found, where)


def parse_several(text: str, where: str) -> list[Concept]:
    """The concepts in a list of such texts, as dreamkit's own library is.

    Raises:
        ConceptError: as `read`.
    """
    return [_of(each, where) for each in json.loads(text)]


def _of(found: Any, where: str) -> Concept:
    """The concept that a file's contents are."""
    try:
        content = dict(found)
        version, digest = content.pop("dreamkit_concept"), content.pop("sha256")
    except (KeyError, TypeError, ValueError) as error:
        raise ConceptError(f"{where} {_DAMAGED}") from error
    if version != _FORMAT:
        raise ConceptError(f"{where} was written by another version of dreamkit; learn it again")
    if digest != _hash(content):
        raise ConceptError(f"{where} {_DAMAGED}")
    try:
        return Concept(
            name=content["name"],
            network=_text(content["network"]),
            sha256=_text(content["network_sha256"]),
            directions={
                layer: Direction(
                    decoded(each["weights"]), _separation(each["separation"]), _scale(each["scale"])
                )
                for layer, each in content["directions"].items()
            },
            layers=tuple(map(_text, content["layers"])),
            pictures=int(content["pictures"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConceptError(f"{where} {_DAMAGED}; {first_line(error)[:100]}") from error


def check_output(path: Path, *, overwrite: bool) -> None:
    """Checks, before anything is learned, that a concept's file can be written to `path`.

    Raises:
        ConceptError: its name is not that of a concept's file.
        ImageError: it exists, or its folder does not.
    """
    if path.suffix != SUFFIX:
        raise ConceptError(f"{path} is not a concept's file; give a name that ends in {SUFFIX}")
    atomic.check_path(path, overwrite=overwrite)


def check_name(name: Any) -> str:
    """The name of a concept.

    Raises:
        ConceptError: it is not one.
    """
    if not isinstance(name, str) or not is_name(name):
        raise ConceptError(f"{shown(str(name), 100)!r} is not a concept's name; it takes {RULE}")
    if name.lower().endswith((SUFFIX, *image_writer.SUFFIXES)):
        raise ConceptError(
            f"{name} is the name of a file; write a NAME first: dreamkit concept learn NAME PICTURE..."
        )
    return name


def _separation(value: Any) -> float:
    return math.nan if value is None else min(1.0, max(0.0, float(value)))


def _scale(value: Any) -> float:
    if not 0 < float(value) < math.inf:
        raise ValueError("a scale in it is not a positive number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
