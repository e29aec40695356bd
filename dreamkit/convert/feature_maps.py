"""The feature maps of a network, and which of them to dream by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["join", "activation", "normalisation", "softmax", "dense", "other"]
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
        kind: what computes it: a join of several branches, an activation function, a softmax, a dense layer
            or another operation.
        is_end: whether nothing of the original follows but a softmax.
        multiple: the pictures that have this map are multiples of so many pixels. Others are padded.
    """

    channels: int
    stride: int
    min_size: int
    kind: Kind = "other"
    is_end: bool = True
    multiple: int = 1


@dataclass(frozen=True)
class Kept:
    """How much of a network was kept.

    Attributes:
        convolutions: those that were kept and those of the original, dense layers among them.
        joins: of branches, likewise.
        stopped: the first operation that was not kept, such as "Reshape x", or empty.
        size: the height and width of windows that larger pictures are cut into; None without windows.
        off_grid: how many layers were left out whose places do not lie on the grid of the others.
        not_whole: why the rest cannot be kept for one size of picture either, or empty.
    """

    convolutions: tuple[int, int]
    joins: tuple[int, int] = (0, 0)
    stopped: str = ""
    size: tuple[int, int] | None = None
    off_grid: int = 0
    not_whole: str = ""

    def __str__(self) -> str:
        kept, all_ = self.convolutions
        text = f"kept {kept} of {all_} convolutions"
        if self.joins[1]:
            text += f", {self.joins[0]} of {self.joins[1]} joins"
        if self.size:
            text += f", in windows of {self.size[1]} x {self.size[0]}"
        if self.off_grid:
            text += (
                "; left out, because their places are not on the grid of the others: "
                f"{self.off_grid} layer{'s' if self.off_grid > 1 else ''}"
            )
        text += f"; stopped at {self.stopped}" if self.stopped else ""
        return text + (f"; not kept whole for one size: {self.not_whole}" if self.not_whole else "")

    @property
    def is_little(self) -> bool:
        """Whether less than a third was kept, which is hardly the network that was given."""
        kept, all_ = self.convolutions
        return 3 * kept < all_


def comparison_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Three sizes besides the original one: smaller, slightly larger and much larger, none square."""
    height, width = size
    return [
        (max(1, round(0.61 * height)), max(1, round(0.53 * width))),
        (height + 1, width + 17),
        (round(1.29 * height), round(1.18 * width)),
    ]


def rounded_up(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The next height and width that are multiples."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


def find_head(maps: Mapping[str, FeatureMap], *, labelled: bool) -> str:
    """The map of class scores before any softmax, or an empty string if the network has none.

    The last map holds class scores if nothing of the original follows it, and the classes are `labelled`, a
    softmax follows, a dense layer computes it, or it has a single position and is more than a normalisation,
    which is where networks of features end.
    """
    name = next((name for name, each in reversed(list(maps.items())) if each.kind != "softmax"), "")
    last = list(maps.values())[-1]
    is_vector = last.stride == 0 and last.kind != "normalisation"
    has_scores = labelled or last.kind in ("softmax", "dense") or is_vector
    return name if name and has_scores and last.is_end and maps[name].channels == last.channels else ""


def default_layer(maps: Mapping[str, FeatureMap]) -> str:
    """The middle one of the maps with a sixteenth of the picture's resolution.

    The published dreams of GoogLeNet, VGG and Inception use such layers. Joins come first, then
    activations, then other maps.
    """
    for kinds in (("join",), ("join", "activation"), ("join", "activation", "normalisation", "other")):
        for stride in _DEFAULT_STRIDES:
            found = [name for name, each in maps.items() if each.kind in kinds and each.stride == stride]
            if found:
                return found[len(found) // 2]
    spread = [name for name, each in maps.items() if each.stride] or list(maps)
    return spread[len(spread) // 2]
