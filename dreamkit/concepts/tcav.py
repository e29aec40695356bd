"""Testing with concept activation vectors: whether a class score rises along a concept (Kim et al. 2018).

For each picture of a class, the derivative of its score along the concept's direction in a layer is positive
or not; the TCAV score is the share of pictures where it is. As in the paper, the direction is learned many
times, against other random sets of photographs each time, and a two-sided t-test compares its scores with
those of random concepts. The photographs themselves are not kept, so the sets are drawn from the normal
distribution with their mean and covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts import separation
from dreamkit.concepts.concept import Direction
from dreamkit.concepts.reference import LayerStatistics

RUNS = 200  # of the concept, and random concepts
SET = 50  # photographs that a concept is compared with in each run
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LayerScore:
    """The test of a concept in one layer.

    Attributes:
        layer: its name.
        score: the share of pictures whose class score rises along the concept, the mean of all runs.
        random: that of random concepts.
        p_value: of the two-sided t-test between both; not corrected for the number of layers.
        as_far: the share of random concepts whose score is as far from a half as the concept's, or further.
    """

    layer: str
    score: float
    random: float
    p_value: float
    as_far: float


def score(
    layer: str,
    direction: Direction,
    gradients: Array,
    reference: LayerStatistics,
    pictures: int,
    seed: int = 0,
) -> LayerScore:
    """The test of a direction that was learned from `pictures` pictures, with the `gradients`
    `(pictures, channels)` of a class score."""
    draw = np.random.default_rng(seed)
    learned = direction.weights.astype(np.float64) * direction.scale
    own, random = np.empty(RUNS), np.empty(RUNS)
    for run in range(RUNS):
        others = _drawn(reference, SET, draw).mean(0)
        # The discriminant is linear in the mean of the photographs that it is learned against.
        moved = reference.whitened(reference.mean - others, separation.SHRINKAGE)
        own[run] = _score(learned + moved, gradients)
        some = _drawn(reference, max(1, pictures), draw)
        random[run] = _score(separation.discriminant(some, reference, others), gradients)
    as_far = np.abs(random - 0.5) >= abs(own.mean() - 0.5) - 1e-9
    return LayerScore(
        layer, float(own.mean()), float(random.mean()), _p_value(own, random), float(as_far.mean())
    )


def _score(weights: Array, gradients: Array) -> float:
    return float(np.mean(gradients @ weights > 0))


def _drawn(reference: LayerStatistics, count: int, draw: np.random.Generator) -> Array:
    """Features of `count` photographs `(count, channels)`, from the reference's normal distribution."""
    channels, rank = reference.factors.shape
    drawn: Array = (
        reference.mean
        + draw.standard_normal((count, rank)) @ reference.factors.T
        + draw.standard_normal((count, channels)) * np.sqrt(reference.variances)
    )
    return drawn


def _p_value(one: Array, other: Array) -> float:
    """Of Welch's two-sided t-test; with so many runs, t has a normal distribution."""
    error = math.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one))
    difference = abs(float(one.mean() - other.mean()))
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(difference / error / math.sqrt(2))
