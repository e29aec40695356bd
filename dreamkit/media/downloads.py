"""Files from the network, whole or not at all; a download that broke off is continued by the next call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.errors import WeightsError, first_line
from dreamkit.media import files, locks, moves, paths

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int], None]

# Seconds for a server to answer, and between two pieces of a file; a slow download is not cut off.
CONNECT_TIMEOUT, READ_TIMEOUT = 15.0, 60.0
_PIECE = 1 << 16  # bytes
_MOST_OF_A_VERSION = 1 << 10  # bytes


def digest(path: Path, algorithm: str = "sha256") -> str:
    """`sha256:...` or `md5:...` of a file."""
    return f"{algorithm}:{paths.digest(path, algorithm)}"


def download(url: str, path: Path, *, hash: str | None = None, progress: Progress | None = None) -> None:  # noqa: A002
    """Fetches `url` to `path`, which is replaced once the file is whole.

    After a broken connection or Ctrl-C, the beginning is kept beside it as `.part`. The next call asks for
    the rest, if the server confirms that the file is the same. `progress` gets the bytes so far and in all
    (0 if unknown).

    Raises:
        WeightsError: no network, a server that fails, a file that is cut off or does not have `hash`, or
            another process is fetching it.
        OSError: the file cannot be written. Nothing is kept then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    try:
        with locks.exclusive(path.with_name(f"{path.name}.part.lock")):
            _download(url, path, hash, progress)
    except locks.LockedError as error:
        raise WeightsError(f"another program is fetching {url} already; wait until it is done") from error


def _download(url: str, path: Path, hash: str | None, progress: Progress | None) -> None:  # noqa: A002
    import requests
    import urllib3

    part = path.with_name(f"{path.name}.part")
    stamp = path.with_name(f"{path.name}.part.version")
    try:
        part.touch()
        _fetch(url, part, stamp, part.stat().st_size, progress)
    # What a server makes up reaches further down: a redirect to nowhere, headers of other letters.
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        _discard(part, stamp, only_if_empty=True)
        raise WeightsError(f"cannot download {url} ({_reason(error)})") from error
    except OSError:
        _discard(part, stamp)
        raise
    if hash is not None and digest(part, hash.partition(":")[0]) != hash:
        _discard(part, stamp)
        raise WeightsError(f"{url} arrived damaged or changed: it should have {hash}")
    moves.replace(part, path)
    _discard(part, stamp)


def _fetch(url: str, part: Path, stamp: Path, done: int, progress: Progress | None) -> None:
    """Asks for what `part` lacks, or for the whole file, and writes it to `part`."""
    import requests

    headers = {"Accept-Encoding": "identity"}  # else the length is not the file's
    version = _kept_version(stamp) if done else ""
    if version:
        headers |= {"Range": f"bytes={done}-", "If-Range": version}
    with requests.get(url, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), headers=headers) as response:
        if response.status_code == 416 and version:  # there is no rest: the file is whole, or has changed
            stamp.unlink()
            return _fetch(url, part, stamp, done, progress)
        response.raise_for_status()
        continues = response.status_code == 206
        done = done if continues else 0
        length = _length(response)
        total = done + length if length else 0
        with open(part, "ab" if continues else "wb") as file:
            # Only now is what there was of another version gone: a kill before this continues nothing.
            if version := _version(response):
                stamp.write_text(version, encoding="utf-8")
            else:
                stamp.unlink(missing_ok=True)
            for piece in response.iter_content(_PIECE):
                done += file.write(piece)
                if progress is not None:
                    progress(done, total)
    return None


def _kept_version(stamp: Path) -> str:
    """The version that a part was begun from; empty where it is not known."""
    try:
        found = files.read(stamp, _MOST_OF_A_VERSION).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
    return found if found.isprintable() else ""


def _length(response: requests.Response) -> int:
    """The bytes that a response announces; 0 where it does not, or makes no sense."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _version(response: requests.Response) -> str:
    """The server's name for this state of the file; empty if it gives no reliable one."""
    tag = response.headers.get("ETag", "")
    return response.headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag


def _discard(part: Path, stamp: Path, *, only_if_empty: bool = False) -> None:
    if only_if_empty and part.exists() and part.stat().st_size and stamp.exists():
        return
    part.unlink(missing_ok=True)
    stamp.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """Why a download failed, in words."""
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
