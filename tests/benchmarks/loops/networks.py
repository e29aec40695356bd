"""The networks of the benchmark and what is dreamed of each. Needs nothing."""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    """What is dreamed of a network.

    Attributes:
        title: of the network, in tables.
        layers: whose objectives are summed.
        objective: of each: the mean of the activations (`mean`), or of their squares (`mean-square`).
    """

    title: str
    layers: tuple[str, ...]
    objective: str


TASKS = {
    "inception_v3": Task("Inception v3", ("mixed3", "mixed5"), "mean"),  # as Keras' example and the tutorial
    "inception5h": Task("inception5h", ("mixed4c",), "mean-square"),  # as the notebooks of 2015
    "pocket": Task("pocket", ("mixed4c",), "mean-square"),
}
