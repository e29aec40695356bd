"""How far a converted network differs from its original: the report of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConvertError

LIMIT = 1e-4  # of an error; see `relative_error`


@dataclass(frozen=True)
class Run:
    """One comparison at one size.

    Attributes:
        oracle: the program that computed the original, with its version.
        size: height and width of the pictures.
        errors: the error of each blob; see `relative_error`.
    """

    oracle: str
    size: tuple[int, int]
    errors: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """All comparisons of a network.

    Attributes:
        runs: at least one.
        remarks: what was not compared, and why.
        limit: the largest error that is accepted.
    """

    runs: tuple[Run, ...]
    remarks: tuple[str, ...] = ()
    limit: float = LIMIT

    @property
    def worst(self) -> tuple[str, float]:
        """The blob with the largest error, and that error."""
        return max(
            ((name, error) for run in self.runs for name, error in run.errors.items()),
            key=lambda pair: pair[1],
        )

    def check(self) -> None:
        """Refuses a network that differs from its original.

        Raises:
            ConvertError: an error is above the limit or not a number.
        """
        name, error = self.worst
        if not math.isfinite(error):
            raise ConvertError(
                f"{name} has values that are not finite, in the original or in the converted network; are "
                "mean and scale right, and the weights undamaged? Nothing was kept"
            )
        if error > self.limit:
            raise ConvertError(
                f"the converted network differs from the original: {name} by {error:.1e} of its largest "
                f"value, more than {self.limit:.0e}; nothing was kept"
            )

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The report as a table: a header, then the errors of each blob, empty if it was not compared."""
        yield ("BLOB", *(f"{run.oracle}, {run.size[1]} x {run.size[0]}" for run in self.runs))
        for name in dict.fromkeys(name for run in self.runs for name in run.errors):
            yield (name, *(f"{run.errors[name]:.1e}" if name in run.errors else "" for run in self.runs))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Report:
        """The report that `to_dict` returned."""
        runs = (Run(run["oracle"], (run["size"][0], run["size"][1]), run["errors"]) for run in values["runs"])
        return cls(tuple(runs), tuple(values["remarks"]))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "limit": self.limit,
            "runs": [asdict(run) for run in self.runs],
            "remarks": list(self.remarks),
        }


def relative_error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """max|a - b| / max|b| of maps `found`, NHWC, and `expected`, NCHW.

    It is infinite if the sizes differ, a value is not finite, or only `expected` is all zeros.
    """
    found = np.moveaxis(found, -1, 1)
    if found.size != expected.size or not np.isfinite(expected).all():
        return math.inf
    difference = float(np.abs(found.reshape(expected.shape) - expected, dtype=np.float64).max())
    if not math.isfinite(difference):
        return math.inf
    largest = float(np.abs(expected).max())
    if not largest:
        return math.inf if difference else 0.0
    return difference / largest
