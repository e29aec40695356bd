"""Groups: what a layer sees in one photograph, as a few directions that add up, and where each of them is.

The activations `A` `(places, channels)` are factorised, `A ~ W H`, with no number below zero: the rows of `H`
are directions of the layer, and the columns of `W` are maps (tensorflow/lucid, `ChannelReducer`, 2018; Fel et
al., "CRAFT", 2023). Nothing is random: it begins with the singular vectors of `A`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

_Matrix: TypeAlias = NDArray[np.float64]
_ROUNDS = 500  # at most
_LEAST_GAIN = 1e-6  # of the sum of squares: a round that gains less is the last


@dataclass(frozen=True)
class Groups:
    """The groups of a photograph, the one with the largest share of the activations first.

    Attributes:
        directions: one of the layer for each group, of length 1, float32 `(groups, channels)`.
        maps: how strong each group is at each place of the layer's map, float32 `(groups, height, width)`.
        explained: the share of the activations' sum of squares that the groups hold together, 0 to 1.
    """

    directions: NDArray[np.float32]
    maps: NDArray[np.float32]
    explained: float


def find(network: Network, layer: str, pixels: NDArray[np.float32], count: int) -> Groups:
    """Finds `count` groups of what `layer` sees in a photograph, `(height, width, 3)`, 0 to 255.

    Activations below zero, which some layers have, count as zero.

    Raises:
        LayerError: the layer does not exist.
        ConfigError: there are not so many groups.
    """
    ((maps,),) = network.activations([layer])(pixels[None])
    height, width, channels = maps.shape
    seen = np.maximum(maps.reshape(-1, channels).astype(np.float64), 0)
    if not 1 <= count <= min(seen.shape):
        raise ConfigError(
            f"{count} groups are asked for, and {layer} sees this photograph at {width} x {height} places by "
            f"{channels} channels; ask for 1 to {min(seen.shape)}"
        )
    where, what = factors(seen, count)
    lengths = np.linalg.norm(what, axis=1)
    there = int(np.count_nonzero(lengths * where.sum(0)))
    if there < count:
        raise ConfigError(f"{layer} sees only {there} groups in this photograph; ask for no more")
    what, where = what / lengths[:, None], where * lengths
    order = np.argsort(-np.square(where).sum(0), kind="stable")
    missed = np.square(seen - where @ what).sum() / np.square(seen).sum()
    return Groups(
        what[order].astype(np.float32),
        where.T[order].reshape(count, height, width).astype(np.float32),
        float(1 - missed),
    )


def factors(matrix: _Matrix, count: int) -> tuple[_Matrix, _Matrix]:
    """`W` `(rows, count)` and `H` `(count, columns)`, not below zero, whose product is near `matrix`.

    Each round sets every column of `W`, and then every row of `H`, to the best that it can be while all
    others stay ("HALS", Cichocki et al., 2007), so no round is worse than the one before.
    """
    *_, (where, what) = rounds(matrix, count)
    return where, what


def rounds(matrix: _Matrix, count: int) -> Iterator[tuple[_Matrix, _Matrix]]:
    """`factors` after each round; the first pair is what they begin with."""
    where, what = _start(matrix, count)
    whole = np.square(matrix).sum()
    before = np.square(matrix - where @ what).sum()
    yield where.copy(), what.copy()
    for _ in range(_ROUNDS):
        _improve(where, matrix @ what.T, what @ what.T)
        products, gram = matrix.T @ where, where.T @ where
        _improve(what.T, products, gram)
        yield where.copy(), what.copy()
        now = whole - 2 * (products * what.T).sum() + (gram * (what @ what.T)).sum()
        if before - now <= _LEAST_GAIN * whole:
            return
        before = now


def _improve(columns: _Matrix, products: _Matrix, gram: _Matrix) -> None:
    """Sets each of `columns`, in place, to the best not below zero, by the products of the matrix with the
    other factor, and by the other factor's Gram matrix. A column that nothing follows stays."""
    for number in range(columns.shape[1]):
        if gram[number, number] > 0:
            change = (products[:, number] - columns @ gram[:, number]) / gram[number, number]
            columns[:, number] = np.maximum(columns[:, number] + change, 0)


def _start(matrix: _Matrix, count: int) -> tuple[_Matrix, _Matrix]:
    """Of each pair of singular vectors, the halves above or below zero, whichever are the longer ("NNDSVD",
    Boutsidis and Gallopoulos, 2008). So the signs of the vectors do not matter."""
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    where, what = np.zeros((len(matrix), count)), np.zeros((count, matrix.shape[1]))
    for number in range(count):
        right = vectors[:, -1 - number]
        left = matrix @ right  # as long as the singular value
        if squares[-1 - number] <= 0:
            continue
        halves = [(np.maximum(sign * left, 0), np.maximum(sign * right, 0)) for sign in (1, -1)]
        above, beside = max(halves, key=lambda pair: np.linalg.norm(pair[0]) * np.linalg.norm(pair[1]))
        length = np.linalg.norm(beside)
        if length > 0:
            where[:, number], what[number] = above * length, beside / length
    return where, what
