"""Concepts found by name: those that the user learned, those that come with dreamkit, and files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path

from dreamkit.concepts import concept
from dreamkit.concepts.concept import SUFFIX, Concept
from dreamkit.errors import (
    ConceptError,
    DreamkitWarning,
    OutputExistsError,
    did_you_mean,
    first_line,
    shown,
)
from dreamkit.media import paths
from dreamkit.names import is_name


def folder() -> Path:
    """The folder of the concepts that the user learned. Each has a folder of its name, with a file for each
    network in it."""
    return paths.data() / "concepts" / "learned"


def path_of(name: str, network: str) -> Path:
    """Where a learned concept is kept."""
    return folder() / concept.check_name(name) / f"{paths.safe_name(network)}{SUFFIX}"


def find(text: str, network: str) -> Concept:
    """The concept `text` of a network: a file's path, a learned concept, or one that comes with dreamkit.

    Raises:
        ConceptError: there is none, it is damaged, or it is of another network.
    """
    if text.endswith(SUFFIX):
        found = concept.read(text)
        if found.network != network:
            raise ConceptError(
                f"{shown(text, 200)} is a concept of {shown(found.network)}, not of {network}; add --model "
                f"{shown(found.network)}, or learn it with dreamkit concept learn {found.name} PICTURES "
                f"--model {network}"
            )
        return found
    learned = path_of(text, network) if is_name(text) else None
    if learned is not None and learned.is_file():
        return concept.read(learned)
    if (text, network) in built_in():
        return built_in()[text, network]
    raise _unknown(text, network)


def names(network: str) -> list[str]:
    """The concepts of a network, learned ones first."""
    return list(dict.fromkeys(each.name for each in of_network(network)))


def of_network(network: str) -> Iterator[Concept]:
    """The concepts of a network: those that the user learned, then dreamkit's of other names."""
    own = {each.name: each for each in learned() if each.network == network}
    yield from own.values()
    yield from (each for (name, of), each in built_in().items() if of == network and name not in own)


def learned() -> Iterator[Concept]:
    """The concepts that the user learned. A damaged one is left out, with a warning."""
    for path in sorted(folder().glob(f"*/*{SUFFIX}")):
        try:
            yield concept.read(path)
        except ConceptError as error:
            warnings.warn(str(error), DreamkitWarning, stacklevel=2)


def check_free(name: str, network: str, *, overwrite: bool) -> Path:
    """Where a concept will be kept, once it is sure that no other of its network has the name.

    Raises:
        ConceptError: it cannot be a name.
        OutputExistsError: one has it, and must not be replaced.
    """
    path = path_of(name, network)
    if overwrite:
        return path
    if path.exists():
        raise OutputExistsError(
            f"there is a concept {name} of {network} already; choose another name, or give --overwrite"
        )
    if (name, network) in built_in():
        raise OutputExistsError(
            f"{name} is a concept that comes with dreamkit for {network}; choose another name, or give "
            "--overwrite to use yours instead"
        )
    return path


def remove(name: str, network: str) -> Path:
    """Deletes a concept that the user learned; returns the path of the file that it was in.

    Raises:
        ConceptError: there is none, or it cannot be deleted.
    """
    path = path_of(name, network)
    if not path.is_file():
        known = [each.name for each in learned() if each.network == network]
        raise ConceptError(f"you have no concept {name} of {network}; {did_you_mean(name, known)}")
    try:
        path.unlink()
    except OSError as error:
        raise ConceptError(f"cannot delete {path} ({first_line(error)})") from error
    with suppress(OSError):  # concepts of other networks are in it
        path.parent.rmdir()
    return path


@cache
def built_in() -> dict[tuple[str, str], Concept]:
    """The concepts that come with dreamkit, by name and network."""
    found: dict[tuple[str, str], Concept] = {}
    inside = resources.files(__package__).joinpath("library")
    for file in sorted(inside.iterdir(), key=lambda file: file.name) if inside.is_dir() else ():
        if file.name.endswith(SUFFIX):
            for each in concept.parse_several(file.read_text(encoding="utf-8"), file.name):
                found[each.name, each.network] = each
    return found


def _unknown(text: str, network: str) -> ConceptError:
    """The error for a concept that a network does not have."""
    others = sorted({each.network for each in (*learned(), *built_in().values()) if each.name == text})
    if others:
        return ConceptError(
            f"the concept {shown(text)} is not learned for {network}, only for {', '.join(others)}; learn it "
            f"with dreamkit concept learn {text} PICTURES --model {network}, or choose another network"
        )
    if os.path.isfile(text):
        return ConceptError(f"{shown(text, 200)} is not a concept's file, whose name ends in {SUFFIX}")
    if os.path.isfile(f"{text}{SUFFIX}"):
        return ConceptError(f"there is no concept {shown(text)!r}; did you mean the file {text}{SUFFIX}?")
    known = names(network)
    hint = did_you_mean(text, known) if known else f"{network} has none"
    return ConceptError(
        f"there is no concept {shown(text)!r}, and dreamkit concept learn makes one from pictures; {hint}"
    )
