"""Weights files: fetched once into the user's cache, verified at every use, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.errors import WeightsError, first_line
from dreamkit.media import paths
from dreamkit.models.providers import ModelProvider, Weights

if TYPE_CHECKING:
    from collections.abc import Callable


def cached_path(weights: Weights) -> Path:
    """Where `weights` lie once fetched."""
    return paths.cache() / "weights" / weights.file_name


def state(provider: ModelProvider) -> str:
    """Where a provider's weights are: `ready`, `cached`, `to download` or `to set up`."""
    if provider.setup:
        return "to set up"
    if not isinstance(provider.weights, Weights):
        return "ready"
    return "cached" if cached_path(provider.weights).is_file() else "to download"


def resolve(
    provider: ModelProvider,
    given: str | os.PathLike[str] | None,
    progress: Callable[[int, int], None] | None = None,
) -> Path | None:
    """The weights file to load a provider with: `given` where there is one, else the fetched one.

    None where the provider needs none. `progress` hears bytes so far and in all (0 where unknown).

    Raises:
        WeightsError: `given` is no readable file, or the download failed or arrived damaged.
    """
    if given is not None:
        path = Path(given).expanduser()
        # os.path's own questions: they answer no, where Path's raise, for a name that cannot be one.
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            is_there = "cannot be read" if os.path.exists(path) else "does not exist"
            what = "is a folder" if os.path.isdir(path) else is_there
            raise WeightsError(
                f"weights file {path} {what}; give the path of a weights file of {provider.name}"
            )
        return path
    if isinstance(provider.weights, Weights):
        return fetch(provider.weights, progress)
    return provider.weights


def fetch(weights: Weights, progress: Callable[[int, int], None] | None = None) -> Path:
    """The path of `weights` in the cache; they are downloaded where they are missing or damaged.

    Raises:
        WeightsError: no network, a server that fails, a file that is cut off or has another hash, or a
            cache folder that cannot be written. Trying again goes on where a connection broke off.
    """
    from dreamkit.media import downloads

    path = cached_path(weights)
    try:
        if path.is_file() and downloads.digest(path, weights.hash.partition(":")[0]) == weights.hash:
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
