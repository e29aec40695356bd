"""What dreamkit uses beside packages: encoders of films, the built page, Node.js, the folders of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dreamkit.errors import first_line
from dreamkit.installation import source_folder
from dreamkit.jobs.doctor.finding import BROKEN, MISSING, OK, Finding
from dreamkit.media import paths
from dreamkit.media.storage import FolderStore
from dreamkit.media.video_formats import VideoError, encoders, import_av


def films() -> Iterator[Finding]:
    """PyAV, FFmpeg in it, and the encoders of the formats that a film can have."""
    try:
        known = encoders()
    except VideoError as error:
        about, _, command = str(error).partition("; run: ")
        yield Finding(what="films", state=MISSING, about=about, command=command)
        return
    av = import_av()
    versions = {"pyav": str(av.__version__), "ffmpeg": str(av.ffmpeg_version_info)}
    there = [name for name, has in known.items() if has]
    lacking = [name for name, has in known.items() if not has]
    yield Finding(
        what="films",
        state=OK if there else BROKEN,
        about=f"PyAV {versions['pyav']}, FFmpeg {versions['ffmpeg']}: writes {', '.join(there) or 'none'}"
        + (f", not {', '.join(lacking)}" if lacking else ""),
        facts={**versions, "encoders": known},
    )


def page() -> Iterator[Finding]:
    """The built page, and Node.js in a copy of the repository, where the page is built."""
    from dreamkit.web import site

    source = source_folder()
    try:
        folder = site.bundle()
    except site.SiteError as error:
        about, _, _ = first_line(error).partition("; ")
        command = f"make web (in {source})" if source is not None else ""
        yield Finding(what="page", state=MISSING, about=about, command=command)
    else:
        yield Finding(what="page", state=OK, about=f"built, in {folder}", facts={"folder": str(folder)})
    if source is not None:
        yield _node()


def _node() -> Finding:
    what, for_what = "Node.js", "the page is built with it"
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        return Finding(what=what, state=MISSING, about=f"node or npm is not installed; {for_what}")
    ran = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    version = ran.stdout.strip()
    if ran.returncode or not version:
        return Finding(what=what, state=BROKEN, about=f"{program} does not run; {for_what}")
    return Finding(what=what, state=OK, about=f"{version}; {for_what}", facts={"version": version})


def folders() -> Iterator[Finding]:
    """The folders of downloads and compiled steps, and of what the user made."""
    found = {"cache": paths.cache(), "data": paths.data()}
    if found["cache"] == found["data"]:
        del found["data"]
    for name, folder in found.items():
        yield _folder(f"{name} folder", folder)


def _folder(what: str, folder: Path) -> Finding:
    there = _that_exists(folder)
    free = shutil.disk_usage(there).free
    size = sum(FolderStore(folder).sizes().values())
    can_write = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    holds = f"holds {size / 1e6:.0f} MB" if folder.is_dir() else "does not exist yet"
    about = f"{folder} {holds}; {free / 1e9:.1f} GB are free"
    if not can_write:
        about = f"{there} cannot be written to, so nothing is kept; set DREAMKIT_HOME to a folder of yours"
    return Finding(
        what=what,
        state=OK if can_write else BROKEN,
        about=about,
        facts={"path": str(folder), "bytes": size, "free_bytes": free, "writable": can_write},
    )


def _that_exists(path: Path) -> Path:
    """`path`, or the nearest folder around it that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())
