"""What a dream raises: layers with weights, as a pure function of activations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import LayerError, did_you_mean

Terms = dict[str, float]


def parse_terms(given: Iterable[str] | Mapping[str, float], layers: Sequence[str]) -> Terms:
    """Layer terms such as `mixed3,mixed5=0.5` as layer names with weights; a layer named twice adds up.
    A layer of weight zero is as good as not named.

    An exact layer name wins before any parsing, so names that hold commas or equals signs work.
    A mapping holds exact names.

    Raises:
        LayerError: a term names no layer (near misses are suggested), a weight is no number, or no
            weight differs from zero.
    """
    known = set(layers)
    terms: Terms = {}
    for name, weight in given.items() if isinstance(given, Mapping) else _split(given, known):
        if name not in known:
            raise LayerError(f"there is no layer {name!r}; {did_you_mean(name, layers)}")
        terms[name] = terms.get(name, 0.0) + weight
    if not any(terms.values()):
        raise LayerError(f"every weight of {', '.join(terms)} is zero; give at least one layer a pull")
    return {name: weight for name, weight in terms.items() if weight}


def _split(given: Iterable[str], known: set[str]) -> Iterable[tuple[str, float]]:
    for text in given:
        for term in [text] if text in known else text.split(","):
            name = term.strip()
            if name in known or "=" not in name:
                yield name, 1.0
                continue
            name, _, weight = name.rpartition("=")
            yield name.strip(), _weight(weight, term)


def _weight(text: str, term: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise LayerError(f"{text!r} in {term.strip()!r} is no weight; write a number, such as mixed5=0.5")
    return weight


def pulls(weights: Sequence[float], mean_squares: NDArray[np.float64], objective: str) -> NDArray[np.float32]:
    """The balanced factor of each layer's objective: its weight over the size of its activations.

    `mean_squares` are those of each layer's activations at the start. The mean is divided by their
    root and the mean of squares by themselves, so that a layer pulls the same whatever unit its
    activations have. A layer that is silent at the start keeps its weight.
    """
    sizes = mean_squares if objective == "mean-square" else np.sqrt(mean_squares)
    balanced: NDArray[np.float32] = (np.asarray(weights) / np.where(sizes > 0, sizes, 1.0)).astype(np.float32)
    return balanced
