"""How alike a network processes pictures, layer by layer.

After Geirhos et al., "Don't trust your eyes" (ICML 2024): visualisations of a unit can be processed quite
unlike the photographs that wake it, and then say little about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerSimilarity:
    """Rank correlations of the activations of a layer, averaged over places; means over pairs of pictures.

    Attributes:
        layer: its name.
        dream: of the dream and the best photographs.
        among: of the best photographs with each other.
        others: of the best photographs and others.
    """

    layer: str
    dream: float
    among: float
    others: float

    @property
    def share(self) -> float:
        """Where the dream stands between other photographs, 0, and the best ones, 1; nan where these are not
        more alike than others."""
        span = self.among - self.others
        return (self.dream - self.others) / span if span > 0 else float("nan")


def similarity(
    layer: str,
    dream: NDArray[np.floating[Any]],
    best: NDArray[np.floating[Any]],
    others: NDArray[np.floating[Any]],
) -> LayerSimilarity:
    """From the features of one dream `(channels,)`, and of photographs `(n, channels)`, two or more of
    `best`."""
    ranks = [_ranks(each) for each in (dream[None], best, others)]
    mine, theirs, foreign = (each @ ranks[1].T for each in ranks)
    pairs = theirs[~np.eye(len(best), dtype=bool)]
    return LayerSimilarity(layer, *(float(each.mean()) for each in (mine, pairs, foreign)))


def noise_like(pixels: NDArray[np.floating[Any]], random: np.random.Generator) -> NDArray[np.float32]:
    """Noise with the strength of each wave of `pixels` `(height, width, channels)`, and their mean colour.
    Its phases are random, the same for all channels, so that colours go together as they did."""
    height, width, _ = pixels.shape
    phases = np.angle(np.fft.fft2(random.standard_normal((height, width))))
    phases[0, 0] = 0.0
    waves = np.fft.fft2(pixels, axes=(0, 1)) * np.exp(1j * phases)[..., None]
    return np.clip(np.fft.ifft2(waves, axes=(0, 1)).real, 0.0, 255.0).astype(np.float32)


def _ranks(features: Sequence[NDArray[np.floating[Any]]] | NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The ranks of the channels of each picture, centred and of length one; equal ones share their mean."""
    rows = []
    for row in np.asarray(features):
        _, inverse, counts = np.unique(row, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
        centred = ranks - ranks.mean()
        rows.append(centred / (np.linalg.norm(centred) or 1.0))
    return np.stack(rows)
