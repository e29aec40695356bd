"""What a network computes that can be dreamed: feature maps, and which of them to dream by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["join", "activation", "softmax", "other"]
STRIDE = 16
USUAL_SIDE = 224  # pixels, where a network does not say what size of picture it was made for
MOST_SIDE = 1024  # pixels of the picture that a network was made for; all it computes is looked at at once


@dataclass(frozen=True)
class Map:
    """One feature map.

    Attributes:
        channels: its number of channels.
        stride: pixels of the picture between neighbouring activations; 0 where it is one for the picture.
        min_size: the shortest side, in pixels, of a picture that gives one.
        kind: what it is the result of: several branches, an activation function, a softmax or something else.
    """

    channels: int
    stride: int
    min_size: int
    kind: Kind = "other"


def head(maps: Mapping[str, Map], *, labelled: bool) -> str:
    """The map of class scores before any softmax, or empty: what a network ends in, if that is classes.

    It is where the classes have labels, where a softmax follows, or where one score is given for the picture.
    """
    name = next((name for name, each in reversed(list(maps.items())) if each.kind != "softmax"), "")
    last = list(maps.values())[-1]
    scores = labelled or last.kind == "softmax" or last.stride == 0
    return name if name and scores and maps[name].channels == last.channels else ""


def middle(maps: Mapping[str, Map]) -> str:
    """The map at the middle of those where a network has come down to a sixteenth of the picture.

    There lie the layers that the published dreams of GoogLeNet, VGG and Inception are made of. Of the
    maps there, those count that several branches end in, else those that an activation gives.
    """
    for kinds in (("join",), ("join", "activation"), ("join", "activation", "other")):
        for stride in (STRIDE, STRIDE // 2, STRIDE // 4):
            found = [name for name, each in maps.items() if each.kind in kinds and each.stride == stride]
            if found:
                return found[len(found) // 2]
    return list(maps)[len(maps) // 2]
