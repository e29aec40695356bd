"""The pictures that files, folders, patterns, lists and URLs stand for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from dreamkit.errors import ImageError, first_line, shown
from dreamkit.jobs.batch.manifest import FOLDER
from dreamkit.jobs.batch.source import identity, location
from dreamkit.media import files, image_writer, storage
from dreamkit.media.remote import is_url, name_of

_SUFFIXES = frozenset({*image_writer.SUFFIXES, ".gif", ".bmp", ".ppm", ".pgm", ".tga", ".jp2"})
_LISTS = frozenset({".txt", ".lst"})
_MOST_OF_LIST = 1 << 28  # bytes: two million paths


@dataclass(frozen=True, slots=True)
class Input:
    """A picture to dream.

    Attributes:
        source: its path, or a URL for fsspec.
        name: of its dream, with `/` between folders and the picture's own suffix.
    """

    source: str
    name: str


def expand(given: Sequence[str], output: str = "") -> list[Input]:
    """The pictures that files, folders, patterns, lists and URLs stand for, each once, in the order given.
    Those in the folder `output` are left out, because they are dreams.

    Pictures in a folder, at any depth, keep their paths in it; those of a pattern, their paths from its first
    part with a wildcard on; those of a list (a text file with a path in each line), if their paths are
    relative, the paths themselves.

    Raises:
        ImageError: one of `given` stands for no picture.
    """
    found: dict[str, Input] = {}
    for text in given:
        for each in _expand(text):
            found.setdefault(location(each.source), each)
    if output and not is_url(output):
        within = _below(output, [path for path in found if not is_url(path)])
        if len(within) == len(found):
            raise ImageError(f"the pictures are in {output}, where the dreams would go; choose another -o")
        for path in within:
            del found[path]
    return list(found.values())


def _below(output: str, found: Iterable[str]) -> list[str]:
    """Those of the paths `found` that are in the folder `output`, whatever capitals it is given in."""
    known = cache(identity)
    folder = known(Path(output))
    if folder is None:
        return []
    return [path for path in found if folder in map(known, Path(os.path.realpath(path)).parents)]


def and_more(names: Sequence[Any]) -> str:
    """The end of a message that names only the first of `names`."""
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _expand(text: str) -> Iterable[Input]:
    if is_url(text):
        return list(_expand_url(text))
    if os.path.isdir(text):
        return _expand_folder(Path(text))
    if os.path.isfile(text):
        path = Path(text)
        return _expand_list(path) if path.suffix.lower() in _LISTS else [Input(text, path.name)]
    if glob.has_magic(text):
        return _expand_pattern(text)
    raise ImageError(f"{text} does not exist; give pictures, folders, patterns or a list")


def _expand_folder(folder: Path) -> list[Input]:
    found = sorted(_pictures_below(folder))
    if not found:
        raise ImageError(f"{folder} holds no pictures; give a folder that does")
    return [Input(str(path), path.relative_to(folder).as_posix()) for path in found]


def _pictures_below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".") and each != FOLDER]
        for name in names:
            if Path(name).suffix.lower() in _SUFFIXES and not name.startswith("."):
                yield Path(where, name)


def _expand_pattern(pattern: str) -> list[Input]:
    root = Path(*_before_wildcards(pattern))
    # Path.glob follows no links to folders for `**`, so a loop of links ends. It finds hidden files too.
    rest = Path(pattern).relative_to(root)
    hidden = any(part.startswith(".") for part in rest.parts)
    found = sorted(
        path
        for path in root.glob(str(rest))
        if path.is_file()
        and (hidden or not any(part.startswith(".") for part in path.relative_to(root).parts))
    )
    if not found:
        raise ImageError(f"{pattern} matches no file; give a pattern that does")
    return [Input(str(path), path.relative_to(root).as_posix()) for path in found]


def _before_wildcards(pattern: str) -> Iterator[str]:
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def _expand_list(path: Path) -> list[Input]:
    try:
        lines = files.text(files.read(path, _MOST_OF_LIST)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"cannot read the list {path} ({first_line(error)})") from error
    found = []
    for line in filter(None, map(str.strip, lines)):
        if is_url(line):
            found.append(Input(line, name_in(name_of(line))))
        elif not line.startswith("#"):
            found.append(Input(str(path.parent / line), name_in(line)))
    if not found:
        raise ImageError(f"the list {path} names no pictures; write a path or URL into each line")
    # A picture that does not exist fails like a damaged one. If none exists, the file is not a list.
    if not any(is_url(each.source) or os.path.isfile(each.source) for each in found):
        raise ImageError(
            f"{path} is read as a list of pictures and names {shown(found[0].source)}{and_more(found)}, none "
            "of which exists; write paths from its own folder"
        )
    return found


def name_in(path: str, flavour: type[PurePath] = PurePath) -> str:
    """The name, below the folder of the dreams, for the picture at `path` in a list or a store: the path
    itself, or its last part where the path would lead out of any folder."""
    given = flavour(path)
    stays = not given.anchor and ".." not in given.parts  # of Windows, `C:a.jpg` and `\\a.jpg` do not
    return (given.as_posix() if stays and given.name else given.name) or "_"


def _expand_url(url: str) -> Iterator[Input]:

    url = url.rstrip("/")
    found = storage.open_store(url).sizes()
    names = [name for name in found if PurePosixPath(name).suffix.lower() in _SUFFIXES]
    if PurePosixPath(url).suffix.lower() in _SUFFIXES:
        yield Input(url, name_in(name_of(url)))
    elif not names:
        raise ImageError(f"{url} holds no pictures; give a URL that does")
    yield from (Input(f"{url}/{name}", name_in(name)) for name in sorted(names) if name)
