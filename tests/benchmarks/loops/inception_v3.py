"""Inception v3's plan to mixed7, as data, and its arithmetic. Needs nothing.

After "Rethinking the Inception Architecture for Computer Vision" (Szegedy and others, 2015) and the network
that was published with it: every convolution is followed by batch normalisation without a scale and ReLU.
Convolutions stand in the order in which Keras makes, numbers and stores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Conv(NamedTuple):
    """A convolution. `same` pads with zeros so that the stride alone shrinks the map."""

    filters: int
    height: int
    width: int
    stride: int = 1
    same: bool = True


class Pool(NamedTuple):
    """Pooling over 3 x 3. The mean counts no padding; the maximum has none."""

    kind: str
    stride: int
    same: bool


Branch = tuple[Conv | Pool, ...]
MEAN, MAXIMUM = Pool("mean", 1, True), Pool("max", 2, False)


def _square(filters: int, side: int, stride: int = 1, *, same: bool = True) -> Conv:
    return Conv(filters, side, side, stride, same)


def _mixed_35(pooled: int) -> tuple[Branch, ...]:
    """Of maps of 35 x 35 where the picture is 299 x 299."""
    return (
        (_square(64, 1),),
        (_square(48, 1), _square(64, 5)),
        (_square(64, 1), _square(96, 3), _square(96, 3)),
        (MEAN, _square(pooled, 1)),
    )


def _mixed_17(inner: int) -> tuple[Branch, ...]:
    """Of maps of 17 x 17: squares of seven, taken apart into columns and rows."""
    row, column = Conv(inner, 1, 7), Conv(inner, 7, 1)
    return (
        (_square(192, 1),),
        (_square(inner, 1), row, Conv(192, 7, 1)),
        (_square(inner, 1), column, row, column, Conv(192, 1, 7)),
        (MEAN, _square(192, 1)),
    )


STEM: Branch = (
    _square(32, 3, 2, same=False),
    _square(32, 3, same=False),
    _square(64, 3),
    MAXIMUM,
    _square(80, 1, same=False),
    _square(192, 3, same=False),
    MAXIMUM,
)
MIXED: dict[str, tuple[Branch, ...]] = {
    "mixed0": _mixed_35(32),
    "mixed1": _mixed_35(64),
    "mixed2": _mixed_35(64),
    "mixed3": (
        (_square(384, 3, 2, same=False),),
        (_square(64, 1), _square(96, 3), _square(96, 3, 2, same=False)),
        (MAXIMUM,),
    ),
    "mixed4": _mixed_17(128),
    "mixed5": _mixed_17(160),
    "mixed6": _mixed_17(160),
    "mixed7": _mixed_17(192),
}


def to(layers: Iterable[str]) -> dict[str, tuple[Branch, ...]]:
    """The mixed layers up to the deepest of `layers`."""
    names = list(MIXED)
    deepest = max(names.index(layer) for layer in layers)
    return {name: MIXED[name] for name in names[: deepest + 1]}


def after(length: int, operation: Conv | Pool, window: int) -> int:
    """A side of the map that `operation`, with a window of that length along it, makes of one of `length`."""
    return -(-length // operation.stride) if operation.same else (length - window) // operation.stride + 1


def multiply_adds(conv: Conv, channels: int, size: tuple[int, int]) -> int:
    """Of one convolution of a map of `channels` channels whose result has `size` (height, width)."""
    return conv.height * conv.width * channels * conv.filters * size[0] * size[1]


def gflop(layers: Sequence[str], side: int) -> float:
    """Multiplications and additions of all convolutions, forward and for the gradient of the pixels."""
    total, channels, size = _of_branch(STEM, 3, (side, side))
    for branches in to(layers).values():
        results = [_of_branch(branch, channels, size) for branch in branches]
        total += sum(result[0] for result in results)
        channels, size = sum(result[1] for result in results), results[0][2]
    return 2 * 2 * total / 1e9  # an addition for each multiplication; back as much as forward


def _of_branch(branch: Branch, channels: int, size: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
    """Multiplications, and the channels and the size of what comes out."""
    total = 0
    for operation in branch:
        window = (operation.height, operation.width) if isinstance(operation, Conv) else (3, 3)
        size = after(size[0], operation, window[0]), after(size[1], operation, window[1])
        if isinstance(operation, Conv):
            total += multiply_adds(operation, channels, size)
            channels = operation.filters
    return total, channels, size
