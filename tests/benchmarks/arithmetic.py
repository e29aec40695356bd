"""The arithmetic of a step of each network of the benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamkit.models import architecture, inception5h, pocket
from loops import inception_v3
from loops.networks import TASKS

READ = {"inception5h": inception5h.read, "pocket": pocket.read}


def gflop(model: str, weights: str | None, side: int) -> float:
    """Multiplications and additions of all convolutions, forward and for the gradient of the pixels."""
    layers = TASKS[model].layers
    if model == "inception_v3":
        return inception_v3.gflop(layers, side)
    operations, arrays = READ[model](weights and Path(weights))
    return of_operations(architecture.cut(operations, layers), arrays, side)


def of_operations(
    operations: Sequence[architecture.Operation], arrays: Mapping[str, Any], side: int
) -> float:
    """As `gflop`, of a network that is a list of operations."""
    sides, total = {architecture.INPUT: side}, 0
    for each in operations:
        before = sides[each.inputs[0]]
        sides[each.name] = _side_after(each, before, arrays)
        if each.kind == "convolution":
            shapes = [arrays[key].shape for key in architecture.factors(each.name, arrays)]
            areas = [height * width for height, width, *_ in shapes]
            strided = areas.index(max(areas))  # the factors before it see the larger map
            total += sum(
                math.prod(shape) * (before if number < strided else sides[each.name]) ** 2
                for number, shape in enumerate(shapes)
            )
    return 2 * 2 * total / 1e9  # an addition for each multiplication; back as much as forward


def _side_after(operation: architecture.Operation, side: int, arrays: Mapping[str, Any]) -> int:
    stride = operation.options.get("stride", 1)
    if operation.options.get("padding", "same") == "same":
        return -(-side // stride)
    if operation.kind == "convolution":
        shapes = [arrays[key].shape for key in architecture.factors(operation.name, arrays)]
        window = max(shape[0] for shape in shapes)
    else:
        window = operation.options["size"]
    return (side - window) // stride + 1
