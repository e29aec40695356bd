"""Reference photographs: what a network sees in photographs of all kinds, to compare a concept's with.

Of each layer only the mean and the covariance of its activations are kept, averaged over each photograph.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConceptError, first_line
from dreamkit.media import arrays, atomic, files, paths

LEAST = 20  # photographs
_RANK = 24  # of the covariance that is kept; more tells held-out photographs apart no better
_FORMAT = 1
_MOST_BYTES = 64 << 20  # of a file, and of what is in it
_HALF = np.dtype("<f2")


class LayerStatistics(NamedTuple):
    """The activations of a layer over the reference photographs, each photograph's averaged over its places.

    Attributes:
        mean: float32 `(channels,)`.
        factors: float32 `(channels, rank)`.
        variances: float32 `(channels,)`. The covariance is `factors @ factors.T + diag(variances)`.
    """

    mean: NDArray[np.float32]
    factors: NDArray[np.float32]
    variances: NDArray[np.float32]

    @property
    def mean_variance(self) -> float:
        """The variance of a channel, on average."""
        return float(np.mean(self.variances) + np.sum(self.factors**2) / len(self.mean))

    @property
    def unit(self) -> float:
        """What its numbers are written in, so that none is too large or too small: a standard deviation."""
        return math.sqrt(self.mean_variance) or 1.0

    def variance_along(self, weights: NDArray[np.floating[Any]]) -> float:
        """The variance of the activations' product with `weights` `(channels,)`."""
        return float(np.sum((weights @ self.factors) ** 2) + np.sum(weights**2 * self.variances))

    def whitened(self, vector: NDArray[np.floating[Any]], shrinkage: float) -> NDArray[np.float64]:
        """The inverse of the covariance, with `shrinkage` times its mean variance on the diagonal, times
        `vector` `(channels,)`; by Woodbury's identity."""
        diagonal = self.variances.astype(np.float64) + shrinkage * self.mean_variance
        factors = self.factors.astype(np.float64)
        scaled = factors / diagonal[:, None]
        inner = np.eye(factors.shape[1]) + factors.T @ scaled
        found: NDArray[np.float64] = vector / diagonal - scaled @ np.linalg.solve(inner, scaled.T @ vector)
        return found


@dataclass(frozen=True)
class Reference:
    """The statistics of the reference photographs in one network.

    Attributes:
        network: the name of the network.
        sha256: of its weights.
        photographs: how many they are.
        layers: the statistics by layer, from the picture inwards.
        source: SHA-256 of what they were measured from: the list of the files.
    """

    network: str
    sha256: str
    photographs: int
    layers: Mapping[str, LayerStatistics]
    source: str = ""


def measured(features: NDArray[np.floating[Any]]) -> LayerStatistics:
    """The statistics of `features` `(photographs, channels)`."""
    values = features.astype(np.float64)
    mean = values.mean(0)
    centred = (values - mean) / math.sqrt(len(values) - 1)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    factors = (axes[:_RANK] * sizes[:_RANK, None]).T
    variances = np.maximum(np.sum(centred**2, 0) - np.sum(factors**2, 1), 0.0)
    return LayerStatistics(*(each.astype(np.float32) for each in (mean, factors, variances)))


def find(network: str, sha256: str) -> Reference | None:
    """The reference of a network: the one in the package, else the one kept by `keep`; None for neither.

    Raises:
        ConceptError: its file is damaged.
    """
    return built_in(network, sha256) or kept(sha256)


def built_in(network: str, sha256: str) -> Reference | None:
    """The reference in the package, for a network with weights of this SHA-256."""
    inside = resources.files(__package__).joinpath("references", f"{network}.npz")
    if not inside.is_file():
        return None
    found = _parsed(inside.read_bytes(), f"the reference of {network}")
    return found if found.sha256 == sha256 else None


def kept(sha256: str) -> Reference | None:
    """The reference that `keep` has kept.

    Raises:
        ConceptError: its file is damaged.
    """
    path = path_of(sha256)
    return read(path) if path.is_file() else None


def path_of(sha256: str) -> Path:
    """Where the reference of the network with weights of this SHA-256 is kept."""
    return paths.data() / "concepts" / "references" / f"{sha256[:32]}.npz"


def keep(reference: Reference) -> Path:
    """Keeps a reference for the next time; returns its path.

    Raises:
        ConceptError: it cannot be written.
    """
    path = path_of(reference.sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConceptError(f"cannot write {path} ({first_line(error)})") from error
    atomic.write(path, to_bytes(reference), overwrite=True)
    return path


def read(path: Path) -> Reference:
    """The reference in a file.

    Raises:
        ConceptError: it is damaged, too large, or of another version.
    """
    try:
        data = files.read(path, _MOST_BYTES)
    except OSError as error:
        raise ConceptError(f"cannot read {path} ({first_line(error)})") from error
    return _parsed(data, str(path))


def to_bytes(reference: Reference) -> bytes:
    """The contents of a reference's file: float16 numbers in NumPy's archive of arrays."""
    found: dict[str, NDArray[Any]] = {}
    units = []
    for number, layer in enumerate(reference.layers.values()):
        unit = layer.unit
        units.append(unit)
        found[f"mean_{number}"] = layer.mean / np.float32(unit)  # which may be far from zero
        found[f"factors_{number}"] = (layer.factors / unit).astype(_HALF)
        found[f"variances_{number}"] = (layer.variances / unit**2).astype(_HALF)
    about = {
        "format": _FORMAT,
        "network": reference.network,
        "sha256": reference.sha256,
        "photographs": reference.photographs,
        "source": reference.source,
        "layers": dict(zip(reference.layers, units, strict=True)),
    }
    found["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **found)
    return file.getvalue()


def _parsed(data: bytes, where: str) -> Reference:
    try:
        found = arrays.read_from(io.BytesIO(data), _MOST_BYTES)
        about = json.loads(found["about"].tobytes())
        if about["format"] != _FORMAT:
            raise ValueError("it was written by another version of dreamkit")
        layers = {
            name: _layer(found, number, float(unit))
            for number, (name, unit) in enumerate(about["layers"].items())
        }
        return Reference(
            str(about["network"]),
            str(about["sha256"]),
            int(about["photographs"]),
            layers,
            str(about["source"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConceptError(f"{where} cannot be used ({first_line(error)[:100]}); delete it") from error


def _layer(found: Mapping[str, NDArray[Any]], number: int, unit: float) -> LayerStatistics:
    mean, factors, variances = (
        found[f"{what}_{number}"].astype(np.float32) for what in ("mean", "factors", "variances")
    )
    channels = len(mean)
    if factors.shape[:1] != (channels,) or factors.ndim != 2 or variances.shape != (channels,):
        raise ValueError("its arrays have shapes that do not agree")
    if not all(np.isfinite(each).all() for each in (mean, factors, variances, unit)):
        raise ValueError("it has numbers that are not finite")
    return LayerStatistics(
        mean * np.float32(unit), factors * np.float32(unit), variances * np.float32(unit**2)
    )


def source_of(files: Sequence[str | os.PathLike[str]]) -> str:
    """SHA-256 of a list of files: of their paths, sizes and times of change."""
    about = [(os.path.abspath(file), os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in files]
    return hashlib.sha256(repr(about).encode("utf-8", "surrogateescape")).hexdigest()
