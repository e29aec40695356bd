"""Files with the names of a network's classes."""

from __future__ import annotations

from pathlib import Path

from dreamkit.convert.files import read_file
from dreamkit.errors import ConvertError
from dreamkit.media import files

_MAX_BYTES = 16 << 20


def read_labels(path: Path) -> list[str]:
    """The names in a file with one line for each class: `tench`, `n01440764 tench` or `/a/airfield 0`.

    A WordNet number at the start and the number of the class at the end are dropped, as are empty lines.

    Raises:
        ConvertError: the file cannot be read or has no names.
    """
    try:
        lines = files.text(read_file(path, "file of labels", _MAX_BYTES)).splitlines()
    except UnicodeDecodeError as error:
        raise ConvertError(f"{path} is not a text file; give one line for each class") from error
    labels = [_name(line.split(), place) for place, line in enumerate(line for line in lines if line.strip())]
    if not labels:
        raise ConvertError(f"{path} has no labels; give one line for each class")
    return labels


def _name(words: list[str], place: int) -> str:
    """The name of the class number `place`, from the words of its line."""
    if len(words) > 1 and words[-1] == str(place):
        words = words[:-1]
    if len(words) > 1 and _is_wordnet_number(words[0]):
        words = words[1:]
    return " ".join(words)


def _is_wordnet_number(word: str) -> bool:
    return len(word) == 9 and word[0] == "n" and word[1:].isdecimal()
