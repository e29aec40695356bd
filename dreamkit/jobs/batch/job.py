"""A job of a batch: one dream of one picture, and its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dreamkit.errors import ImageError
from dreamkit.jobs.batch.inputs import Input
from dreamkit.jobs.batch.request import BatchRequest


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


def list_jobs(inputs: Sequence[Input], requests: Sequence[BatchRequest], suffix: str) -> list[Job]:
    """The jobs of each request for each picture. Dreams have `suffix` in place of their pictures' own; where
    two pictures differ in their suffixes alone, both keep theirs before it.

    Raises:
        ImageError: two pictures have the same name.
    """
    names = Counter(each.name for each in inputs)
    for name, count in names.items():
        if count > 1:
            first, second, *_ = [each.source for each in inputs if each.name == name]
            raise ImageError(
                f"{first} and {second} would both become {PurePosixPath(name).with_suffix(suffix)}; dream "
                "them into two folders, or give the folder above both"
            )
    stems = Counter(_stem(each) for each in inputs)
    jobs = []
    for number, request in enumerate(requests):
        for each in inputs:
            stem = _stem(each)
            name = f"{each.name if stems[stem] > 1 else stem}{suffix}"
            jobs.append(Job(each, number, f"{request.name}/{name}" if request.name else name))
    return jobs


def _stem(picture: Input) -> str:
    return str(PurePosixPath(picture.name).with_suffix(""))
