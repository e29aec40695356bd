"""The offline copy of a site: which files its service worker keeps, and the build that they belong to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

WORKER = "service-worker.js"
_SITE_LINE = 'const SITE = { build: "", files: {}, later: [] };'  # of the worker
_BUILD = '<meta name="build" content=""'  # of the page


def write(folder: Path, later: Collection[str]) -> None:
    """Writes the hashes of a site's files, and the build, to its service worker; and the build to its page.

    Files below the folders `later` are kept when they are first used.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != WORKER)
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}
    worker = (folder / WORKER).read_text(encoding="utf-8")
    build = hashlib.sha256(json.dumps([worker, files]).encode()).hexdigest()[:16]
    index = folder / "index.html"
    page = index.read_text(encoding="utf-8").replace(_BUILD, _BUILD[:-1] + f'{build}"')
    index.write_text(page, encoding="utf-8")
    site = {
        "build": build,
        "files": files,
        "later": [name for name in files if any(name.startswith(f"{each}/") for each in later)],
    }
    text = worker.replace(_SITE_LINE, f"const SITE = {json.dumps(site)};")
    (folder / WORKER).write_text(text, encoding="utf-8")
    (folder / ".nojekyll").touch()  # GitHub Pages would leave out files whose names begin with an underscore


def leave_out(folder: Path) -> None:
    """Makes a site that the browser keeps no copy of."""
    (folder / WORKER).unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
