"""The folder that a command writes: a new one, or one of its own, which it brings up to date."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from dreamkit.errors import ImageError, OutputExistsError, shown
from dreamkit.media import paths
from dreamkit.media.partial import is_partial

CELLS = "cells"  # the folder in it for pictures


def check(folder: Path, what: str, files: Collection[str]) -> None:
    """Makes sure, before any work, that `folder` can hold `what`, such as `a sheet`, and holds nothing else
    than its `files` and `cells/*.png`.

    Raises:
        OutputExistsError: it is a file, or holds other files.
        ImageError: it cannot be made or written to.
    """
    instead = "give a new folder with --output"
    if os.path.isdir(folder):
        try:
            strays = _strays(folder, files)
        except OSError as error:
            raise ImageError(f"{folder} cannot be read ({error.strerror}); {instead}") from error
        if strays:
            raise OutputExistsError(f"{folder} holds {shown(strays[0])}, not part of {what}; {instead}")
    elif os.path.lexists(folder):
        raise OutputExistsError(f"{folder} is not a folder; {instead}")
    elif not os.path.isdir(folder.parent):
        raise ImageError(f"the folder {folder.parent} does not exist; create it or choose another")
    writable = folder if os.path.isdir(folder) else folder.parent
    if not os.access(writable, os.W_OK):
        raise ImageError(f"the folder {writable} may not be written to; choose another")


def _strays(folder: Path, files: Collection[str]) -> list[str]:
    """The names in `folder` that do not belong to it. A result without cells may be anyone's."""
    cells = folder / CELLS
    own = {CELLS, *files} if os.path.isdir(cells) else set()
    strays = {name for name in os.listdir(folder) if name not in own}
    if own:
        strays |= {name for name in os.listdir(cells) if not name.endswith(".png")}
    return sorted(name for name in strays if not (is_partial(name) or paths.is_of_the_system(name)))
