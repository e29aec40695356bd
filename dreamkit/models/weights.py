"""Weights files: downloaded once into the user's cache, and verified at every use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.errors import WeightsError, first_line
from dreamkit.media import file_kinds, paths
from dreamkit.models.providers import ModelProvider, Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_NOT_THE_FILE = {"lfs", "annex", "html", "empty"}  # never weights, whichever plugin reads them
# What can stand for a model's own weights, by the end of their name: Keras takes more than HDF5, and
# inception5h its graph without the archive.
_SAME_USE = {".npz": {"npz"}, ".h5": {"hdf5", "keras", "json"}, ".zip": {"zip", "graph"}}


def cached_path(weights: Weights) -> Path:
    """The path of `weights` in the cache, downloaded or not."""
    return paths.cache() / "weights" / weights.file_name


def state(provider: ModelProvider) -> str:
    """The state of a provider's weights: `ready`, `cached`, `to download` or `to set up`."""
    if provider.setup:
        return "to set up"
    if not isinstance(provider.weights, Weights):
        return "ready"
    return "cached" if cached_path(provider.weights).is_file() else "to download"


def is_whole(weights: Weights) -> bool:
    """Whether `weights` are in the cache, and are what they should be."""
    from dreamkit.media import downloads

    path = cached_path(weights)
    return path.is_file() and downloads.digest(path, weights.hash.partition(":")[0]) == weights.hash


def resolve(
    provider: ModelProvider,
    given: str | os.PathLike[str] | None,
    progress: Callable[[int, int], None] | None = None,
) -> Path | None:
    """The weights file of a provider: `given` if it is not None, else the provider's own.

    None if the provider needs none. `progress` gets the bytes so far and in all (0 if unknown).

    Raises:
        WeightsError: `given` is not a readable file or is of another kind, or the download failed or is
            damaged.
    """
    if given is not None:
        path = Path(os.path.expanduser(given))
        # os.path returns False for a name that no file can have; Path raises an error.
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            is_there = "cannot be read" if os.path.exists(path) else "does not exist"
            what = "is a folder" if os.path.isdir(path) else is_there
            raise WeightsError(
                f"weights file {path} {what}; give the path of a weights file of {provider.name}"
            )
        wanted = f"a weights file of {provider.name}, or name the file's network with --model"
        found = file_kinds.describe(path, _possible_kinds(provider), wanted)
        if found is not None:
            raise WeightsError(f"{path} {found}")
        return path
    if isinstance(provider.weights, Weights):
        return fetch(provider.weights, progress)
    return provider.weights


def _possible_kinds(provider: ModelProvider) -> Collection[str]:
    """The kinds of file that a provider may read weights from; nobody knows what a plugin's code reads."""
    own = provider.weights.file_name if isinstance(provider.weights, Weights) else provider.weights
    known = _SAME_USE.get(Path(own).suffix) if own else None
    return known or file_kinds.KINDS.keys() - _NOT_THE_FILE


def fetch(weights: Weights, progress: Callable[[int, int], None] | None = None) -> Path:
    """The path of `weights` in the cache. They are downloaded if they are missing or damaged.

    Raises:
        WeightsError: there is no network, the server fails, the file is cut off or has another hash, or the
            cache folder cannot be written. The next try resumes a download that broke off.
    """
    from dreamkit.media import downloads

    path = cached_path(weights)
    try:
        if is_whole(weights):
            return path
        downloads.download(weights.url, path, hash=weights.hash, progress=progress)
    except WeightsError as error:
        raise WeightsError(
            f"{error}; or put the file into {path.parent} as {path.name}, or give one with --weights PATH"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"cannot keep weights in {path.parent} ({first_line(error)}); set DREAMKIT_HOME"
        ) from error
    return path
