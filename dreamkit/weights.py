"""Weights files: fetched once into the user's cache, verified at every use, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit import folders
from dreamkit.errors import WeightsError, first_line
from dreamkit.providers import ModelProvider, Weights

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds for a server to answer and between two pieces of a file; a slow download that moves is let be.
CONNECT_TIMEOUT, READ_TIMEOUT = 15.0, 60.0
_PIECE = 1 << 16  # bytes


def cached_path(weights: Weights) -> Path:
    """Where `weights` lie once fetched."""
    return folders.cache() / "weights" / weights.file_name


def state(provider: ModelProvider) -> str:
    """Where a provider's weights are: `ready`, `cached`, `to download` or `to set up`."""
    if provider.setup:
        return "to set up"
    if provider.weights is None:
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
    if provider.weights is None:
        return None
    return fetch(provider.weights, progress)


def fetch(weights: Weights, progress: Callable[[int, int], None] | None = None) -> Path:
    """The path of `weights` in the cache; they are downloaded where they are missing or damaged.

    Raises:
        WeightsError: no network, a server that fails, a file that is cut off or has another hash, or a
            cache folder that cannot be written. Nothing is left behind, so trying again starts afresh.
    """
    import pooch
    import requests

    path = cached_path(weights)
    # Pooch announces what we say better ourselves.
    pooch.get_logger().setLevel("ERROR")

    def download(url: str, partial: str, _: object) -> None:
        with (
            requests.get(
                url,
                stream=True,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                headers={"Accept-Encoding": "identity"},  # else the length is not the file's
            ) as response,
            open(partial, "wb") as file,
        ):
            response.raise_for_status()
            total, done = int(response.headers.get("Content-Length", 0)), 0
            for piece in response.iter_content(_PIECE):
                done += file.write(piece)
                if progress is not None:
                    progress(done, total)

    try:
        pooch.retrieve(
            weights.url, known_hash=weights.hash, fname=path.name, path=path.parent, downloader=download
        )
    except requests.RequestException as error:
        raise WeightsError(_by_hand(weights, f"cannot download {weights.url} ({_reason(error)})")) from error
    except ValueError as error:  # pooch's word for another hash
        raise WeightsError(
            _by_hand(weights, f"{weights.url} arrived damaged or changed: it should have {weights.hash}")
        ) from error
    except OSError as error:
        raise WeightsError(
            f"cannot keep weights in {path.parent} ({first_line(error)}); set DREAMKIT_HOME"
        ) from error
    return path


def _by_hand(weights: Weights, problem: str) -> str:
    return (
        f"{problem};\nput the file into {cached_path(weights).parent} as {weights.file_name}, "
        "or give one with --weights PATH"
    )


def _reason(error: Exception) -> str:
    """What went wrong with a download, in words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        from urllib.parse import urlsplit

        host = urlsplit(error.request.url).netloc if error.request is not None else "the server"
        return (
            "the server stopped sending" if "Read timed out" in str(error) else f"no connection to {host!s}"
        )
    return first_line(error)
