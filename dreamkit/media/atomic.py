"""Files written whole or not at all, and the paths they may take."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

from dreamkit.errors import ConfigError, ImageError, OutputExistsError, first_line
from dreamkit.media import moves, partial, paths


def write(path: Path, data: bytes | memoryview, *, overwrite: bool) -> None:
    """Writes a file, whole or not at all.

    Raises:
        ImageError: it cannot be written; without `overwrite`, it exists.
    """
    write_with(path, lambda file: file.write(data), overwrite=overwrite)


def write_with(path: Path, writer: Callable[[IO[bytes]], object], *, overwrite: bool) -> None:
    """Like `write`, for what `writer` writes to the open file."""
    with write_errors(path), partial.file_for(path) as written:
        with written.open("wb") as file:
            writer(file)
            file.flush()
            os.fsync(file.fileno())
        move_into_place(written, path, overwrite=overwrite)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError into an ImageError that gives the reason in one line."""
    try:
        yield
    except OSError as error:
        reason = "no space left" if error.errno == errno.ENOSPC else first_line(error)
        raise ImageError(f"cannot write {path} ({reason}); nothing was written") from error


def move_into_place(written: Path, path: Path, *, overwrite: bool) -> None:
    """Renames `written`, a file or a folder, to `path`. Without `overwrite`, an existing file is kept. Of the
    folders, an empty one alone is replaced.

    Raises:
        OutputExistsError: without `overwrite`, `path` exists by now; or it is a folder that is not empty.
        OSError: it cannot be renamed.
    """
    if written.is_dir() and path.is_dir():
        try:
            remove_empty(path)  # Windows does not replace it by itself
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise OutputExistsError(f"the folder {path} is not empty; choose another") from None
    if overwrite:
        moves.replace(written, path)
        return
    try:
        path.hardlink_to(written)
    except FileExistsError:
        raise OutputExistsError(f"{path} exists; choose another name or give --overwrite") from None
    except OSError:  # a file system without links
        moves.rename(written, path)


def remove_empty(folder: Path) -> None:
    """Removes a folder that holds nothing but what the system left in it.

    Raises:
        OSError: it holds something else, or cannot be removed.
    """
    names = os.listdir(folder)
    if all(map(paths.is_of_the_system, names)):
        for name in names:
            (folder / name).unlink()
    folder.rmdir()


def check_path(path: Path, *, overwrite: bool) -> None:
    """Checks that a file can be written to `path`, and removes what killed runs left half-written beside it.

    Raises:
        ImageError: a missing or read-only folder, or an existing file without `overwrite`.
    """
    if os.path.isdir(path):
        raise ImageError(f"{path} is a folder; give a file name in it")
    check_parent(path)
    try:
        exists = path.exists()
    except OSError as error:
        raise ImageError(
            f"{path.name[:40]}... cannot be a file name ({error.strerror}); choose another"
        ) from error
    if exists and not overwrite:
        raise OutputExistsError(f"{path} exists; choose another name or give --overwrite")
    partial.remove_abandoned(path.parent)


def check_parent(path: Path) -> None:
    """Checks that there is a folder to write `path` into.

    Raises:
        ImageError: there is none, or it is read-only.
    """
    if not os.path.isdir(path.parent):
        raise ImageError(f"the folder {path.parent} does not exist; create it or choose another")
    if not os.access(path.parent, os.W_OK):
        raise ImageError(f"the folder {path.parent} may not be written to; choose another")


def refuse_inputs(path: Path, inputs: Mapping[str, str | os.PathLike[str] | None]) -> None:
    """Refuses to write over a file that is read, whatever the options are and whatever links lead to it.

    Args:
        path: where something will be written.
        inputs: the files that are read, by what they are: `the photograph itself`. None is for no file.

    Raises:
        ConfigError: it is one of them.
    """
    for what, source in inputs.items():
        with suppress(OSError, ValueError):  # one of them does not exist
            if source is not None and os.path.samefile(path, source):
                raise ConfigError(f"{path} is {what}; write somewhere else")


def free_path(stem: str, suffix: str = ".png") -> Path:
    """The first of `STEM.png`, `STEM-2.png`, ... that does not exist."""
    return next(path for path in numbered_paths(stem, suffix) if not path.exists())


def numbered_paths(stem: str, suffix: str = ".png") -> Iterator[Path]:
    """`STEM.png`, `STEM-2.png`, ... without end."""
    yield Path(f"{stem}{suffix}")
    yield from (Path(f"{stem}-{number}{suffix}") for number in count(2))
