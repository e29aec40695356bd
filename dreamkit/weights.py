"""Weights files: fetched once into the user's cache, verified at every use, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.errors import WeightsError, first_line
from dreamkit.providers import ModelProvider, Weights

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds for a server to answer and between two pieces of a file; a slow download that moves is let be.
CONNECT_TIMEOUT, READ_TIMEOUT = 15.0, 60.0


def home() -> Path:
    """Where dreamkit keeps what it downloads: `DREAMKIT_HOME`, else the platform's cache folder."""
    given = os.environ.get("DREAMKIT_HOME")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("dreamkit", appauthor=False))


def cached_path(weights: Weights) -> Path:
    """Where `weights` lie once fetched."""
    return home() / "weights" / weights.file_name


def state(provider: ModelProvider) -> str:
    """Where a provider's weights are: `built in`, `cached` or `to download`."""
    if provider.weights is None:
        return "built in"
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
        if not path.is_file() or not os.access(path, os.R_OK):
            what = "is a folder" if path.is_dir() else "cannot be read" if path.exists() else "does not exist"
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
    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(progress) if progress else False,
        chunk_size=1 << 16,
        timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
        headers={"Accept-Encoding": "identity"},
    )
    try:
        pooch.retrieve(
            weights.url, known_hash=weights.hash, fname=path.name, path=path.parent, downloader=downloader
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


class _Bar:
    """A progress callback in the shape that pooch drives: it sets `total` and calls these three."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress
        self.total = 0
        self.done = 0

    def update(self, count: int) -> None:
        self.done += count
        self.progress(self.done, self.total)

    def reset(self, total: int | None = None) -> None:
        # Pooch ends by resetting the bar and filling it once more.
        self.done = 0
        self.total = total or self.total

    def close(self) -> Any:
        pass
