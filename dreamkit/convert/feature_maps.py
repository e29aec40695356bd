"""The feature maps of a network, and which of them to dream by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["join", "activation", "softmax", "other"]
DEFAULT_SIDE = 224  # pixels, for a network that does not state the size of its input
MAX_SIDE = 1024  # pixels of a network's input; all feature maps of it are in memory at once
_DEFAULT_STRIDES = (16, 8, 4)  # in order of preference


@dataclass(frozen=True)
class FeatureMap:
    """One feature map.

    Attributes:
        channels: the number of its channels.
        stride: pixels of the picture between neighbouring activations; 0 if there is one for the picture.
        min_size: the shortest side of a picture, in pixels, that has this map.
        kind: what computes it: a join of several branches, an activation function, a softmax or another
            operation.
    """

    channels: int
    stride: int
    min_size: int
    kind: Kind = "other"


def find_head(maps: Mapping[str, FeatureMap], *, labelled: bool) -> str:
    """The map of class scores before any softmax, or an empty string if the network has none.

    The last map holds class scores if the classes are `labelled`, a softmax follows, or it has a single
    position.
    """
    name = next((name for name, each in reversed(list(maps.items())) if each.kind != "softmax"), "")
    last = list(maps.values())[-1]
    has_scores = labelled or last.kind == "softmax" or last.stride == 0
    return name if name and has_scores and maps[name].channels == last.channels else ""


def default_layer(maps: Mapping[str, FeatureMap]) -> str:
    """The middle one of the maps with a sixteenth of the picture's resolution.

    The published dreams of GoogLeNet, VGG and Inception use such layers. Joins come first, then
    activations, then other maps.
    """
    for kinds in (("join",), ("join", "activation"), ("join", "activation", "other")):
        for stride in _DEFAULT_STRIDES:
            found = [name for name, each in maps.items() if each.kind in kinds and each.stride == stride]
            if found:
                return found[len(found) // 2]
    found = [name for name, each in maps.items() if each.stride] or list(maps)
    return found[len(found) // 2]
