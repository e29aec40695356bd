"""The direction of a concept in one layer, and how well it tells the concept from other photographs.

All functions are pure and take features: activations averaged over the places of each picture's map.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts.reference import LayerStatistics

SHRINKAGE = (
    5.0  # in mean variances; measured on eight concepts of 1 to 10 pictures: .1 is worse, 10 no better
)
Features = NDArray[np.floating[Any]]


def discriminant(
    features: Features, reference: LayerStatistics, mean: Features | None = None
) -> NDArray[np.float64]:
    """Fisher's linear discriminant: S^-1 (mean of the pictures - mean of the others), `(channels,)`.

    The pictures have the `features` `(pictures, channels)`, the others the `mean` `(channels,)`, by default
    that of the reference; S is the reference's covariance, shrunk.
    """
    others = reference.mean if mean is None else mean
    return reference.whitened(features.astype(np.float64).mean(0) - others, SHRINKAGE)


def direction(features: Features, reference: LayerStatistics) -> NDArray[np.float32]:
    """The discriminant of the pictures with `features` `(pictures, channels)`, scaled to a largest size of 1;
    zero where they are the reference's mean."""
    found = discriminant(features, reference)
    return (found / (np.abs(found).max() or 1.0)).astype(np.float32)


def standard_scores(
    features: Features, weights: NDArray[np.float32], reference: LayerStatistics
) -> NDArray[np.float64]:
    """How far `features` `(pictures, channels)` lie from the reference along a direction, in standard
    deviations of the reference; `(pictures,)`."""
    deviation = math.sqrt(reference.variance_along(weights))
    along: NDArray[np.float64] = (features.astype(np.float64) - reference.mean) @ weights
    return along / deviation if deviation > 0 else np.zeros_like(along)


def leave_one_out(features: Features, reference: LayerStatistics) -> float:
    """The share of reference photographs that a picture of the concept stands out from, 0 to 1, on average.

    0.5 is chance; NaN for one picture.
    """
    return float(np.mean(left_out(features, reference))) if len(features) > 1 else math.nan


def left_out(features: Features, reference: LayerStatistics) -> list[float]:
    """That share for each picture: it is left out, the direction is learned from the others, and its place
    among the reference photographs is read from a normal distribution."""
    shares = []
    for index in range(len(features)):
        others = np.delete(features, index, axis=0)
        (score,) = standard_scores(features[index : index + 1], direction(others, reference), reference)
        shares.append(normal_share(float(score)))
    return shares


def normal_share(score: float) -> float:
    """The share of a normal distribution below a standard score."""
    return 0.5 * (1 + math.erf(score / math.sqrt(2)))
