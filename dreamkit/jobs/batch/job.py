"""A job of a batch: one dream of one picture, and its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dreamkit.errors import ImageError
from dreamkit.jobs.batch.inputs import Input
from dreamkit.jobs.batch.request import BatchRequest
from dreamkit.media import storage


@dataclass(frozen=True, slots=True)
class Job:
    """One dream.

    Attributes:
        input: the picture.
        request: the number of the request.
        output: the dream's name in the store.
    """

    input: Input
    request: int
    output: str


def list_jobs(
    inputs: Sequence[Input], requests: Sequence[BatchRequest], suffix: str, *, folds_names: bool = False
) -> list[Job]:
    """The jobs of each request for each picture. Dreams have `suffix` in place of their pictures' own; where
    the dreams of two pictures would have the same name, both keep theirs before it.

    Args:
        folds_names: whether the names of the store fold: see `storage.folded`.

    Raises:
        ImageError: two dreams would have the same name all the same.
    """
    names = _names(inputs, suffix, folds_names=folds_names)
    return [
        Job(each, number, f"{request.name}/{name}" if request.name else name)
        for number, request in enumerate(requests)
        for each, name in zip(inputs, names, strict=True)
    ]


def _names(inputs: Sequence[Input], suffix: str, *, folds_names: bool) -> list[str]:
    """The names of dreams, of which no two are the same."""

    def same(name: str) -> str:
        return storage.folded(name) if folds_names else name

    names = [f"{PurePosixPath(each.name).with_suffix('')}{suffix}" for each in inputs]
    long = [f"{each.name}{suffix}" for each in inputs]
    while True:
        counts = Counter(map(same, names))
        doubled = [number for number, name in enumerate(names) if counts[same(name)] > 1]
        if not doubled:
            return names
        changed = [number for number in doubled if names[number] != long[number]]
        if not changed:
            first, second, *_ = [
                number for number in doubled if same(names[number]) == same(names[doubled[0]])
            ]
            short = PurePosixPath(inputs[first].name).with_suffix(suffix)
            raise ImageError(
                f"{inputs[first].source} and {inputs[second].source} would both become {short}; dream "
                "them into two folders, or give the folder above both"
            )
        for number in changed:
            names[number] = long[number]
