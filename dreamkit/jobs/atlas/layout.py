"""Where activations lie on the map, and what its cells dream.

The method is that of "Activation Atlas" (Carter et al., Distill 2019): activations are laid out in two
dimensions by UMAP, a grid is laid over them, and each cell is dreamed along the mean of its activations,
whitened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConfigError
from dreamkit.installation import extra_command

_NEIGHBOURS, _LEAST_DISTANCE = 20, 0.01  # of UMAP
_MARGIN = 0.1  # of what lies between the percentiles, which is kept beyond them
_RIDGE = 1e-3  # of the mean of the diagonal, without which a silent channel has no inverse


@dataclass(frozen=True)
class GridCell:
    """A cell with enough activations.

    Attributes:
        column, row: where it is on the map, from 0.
        members: which activations are in it, the nearest to their mean first.
        mean: of their activations, float32 `(channels,)`.
        direction: whitened, the largest number 1 or -1, float32 `(channels,)`.
    """

    column: int
    row: int
    members: NDArray[np.int64]
    mean: NDArray[np.float32]
    direction: NDArray[np.float32]


def project(activations: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """The places of `activations` `(n, channels)` on the map, `(n, 2)`, 0 to 1.

    Raises:
        ConfigError: UMAP is not installed, or there are too few activations.
    """
    import warnings

    if len(activations) <= _NEIGHBOURS:
        raise ConfigError(
            f"an atlas of {len(activations)} activations shows nothing; give more photographs or a larger "
            "--samples"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries' own imports, and that a seed takes one thread
            from umap import UMAP

            umap = UMAP(n_neighbors=_NEIGHBOURS, min_dist=_LEAST_DISTANCE, metric="cosine", random_state=seed)
            found = umap.fit_transform(activations).astype(np.float64)
    except ImportError:
        raise ConfigError(f"an atlas needs UMAP; install it: {extra_command('atlas')}") from None
    low, high = np.percentile(found, (1, 99), axis=0)
    margin = _MARGIN * (high - low)
    places = (found - (low - margin)) / np.maximum(high - low + 2 * margin, 1e-12)
    clipped: NDArray[np.float64] = np.clip(places, 0.0, 1.0).astype(np.float64)
    return clipped


def whitener(activations: NDArray[np.float32]) -> NDArray[np.float64]:
    """The inverse of the mean of the outer products of `activations` `(n, channels)`."""
    values = activations.astype(np.float64)
    products = values.T @ values / len(values)
    ridge = _RIDGE * float(np.trace(products)) / len(products)
    found: NDArray[np.float64] = np.linalg.inv(products + ridge * np.eye(len(products))).astype(np.float64)
    return found


def grid(
    activations: NDArray[np.float32], places: NDArray[np.float64], side: int, least: int
) -> Iterator[GridCell]:
    """The cells of a grid of `side` columns and rows with `least` activations or more, row by row."""
    columns, rows = np.minimum((places * side).astype(int), side - 1).T
    whiten = whitener(activations)
    for number in range(side * side):
        row, column = divmod(number, side)
        members = np.flatnonzero((rows == row) & (columns == column))
        if len(members) < least:
            continue
        mean = activations[members].mean(0)
        direction = mean.astype(np.float64) @ whiten
        largest = float(np.abs(direction).max())
        if not largest or not math.isfinite(largest):
            continue
        nearest = np.argsort(((activations[members] - mean) ** 2).sum(1), kind="stable")
        yield GridCell(column, row, members[nearest], mean, (direction / largest).astype(np.float32))
