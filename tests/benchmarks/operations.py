"""Where the time of a step goes, by kind of operation.

    python tests/benchmarks/operations.py pocket inception_v3=WEIGHTS.h5

Prints a table of the networks' default steps, and writes it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework import function_def_to_graph

import dreamkit
import tables
from dreamkit.engine.tf import compiled_step, graph, rewrites
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.plugins import registry
from measuring import matrix_product

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
FORWARD, BACK, REST = "convolutions", "convolutions, back", "the rest"
KINDS = {
    FORWARD: ("Conv2D", "Conv2DWithBias", "DepthwiseConv2dNative", "DepthwiseConv2dNativeWithBias"),
    BACK: ("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput"),
    "pools": ("MaxPool", "AvgPool"),
    "pools, back": ("MaxPoolGrad", "AvgPoolGrad"),
    "normalisation of responses": ("LRN", "LRNGrad"),
    "ReLU": ("Relu", "ReluGrad"),
    "sums and products": (
        *("Add", "AddV2", "AddN", "Sub", "Mul", "RealDiv", "Square", "Sqrt", "Rsqrt", "RsqrtGrad", "Neg"),
        *("BiasAdd", "Sum", "Mean", "Select", "SelectV2", "Greater", "Maximum", "Minimum"),
    ),
    "copies": (
        *("ConcatV2", "Slice", "StridedSlice", "StridedSliceGrad", "Pad", "PadV2", "Split", "Transpose"),
        *("SpaceToDepth", "DepthToSpace", "Identity", "Tile", "Reshape", "ToTf"),
    ),
}
"""TensorFlow's operations by kind; oneDNN's have other names, which `kind_of` takes apart."""


class Step(NamedTuple):
    """What a step took.

    Attributes:
        kinds: milliseconds of the operations of each kind, the median of several steps. Two may run at once.
        wall: milliseconds of a step that nobody looks at, the median of several.
        gflop: of the convolutions, forward and back.
    """

    kinds: dict[str, float]
    wall: float
    gflop: float


def measure(network: Any, side: int, steps: int) -> Step:
    """The default step of a network on a square photograph."""
    layers = list(network.provider.layers)
    definition = _definition(network, layers)
    graph_def, outputs = function_def_to_graph.function_def_to_graph_def(definition)
    fetched = [outputs[name] for name in definition.ret.values()]
    picture = Image.open(ROOT / "docs" / "pictures" / "coffee.jpg").convert("RGB").resize((side, side))
    values = np.asarray(picture, np.float32)[None], np.ones(len(layers), np.float32)
    names = [f"{argument.name}:0" for argument in definition.signature.input_arg]
    fed = dict(zip(names, values, strict=True))
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # as dreamkit runs its steps
    with tf.Graph().as_default() as whole, tf.compat.v1.Session(graph=whole, config=config) as session:
        tf.import_graph_def(graph_def, name="")
        shapes = session.run([each.outputs[0] for each in _convolutions(whole)], fed)
        gflop = sum(map(_gflop, _convolutions(whole), shapes))
        walls, kinds = [], []
        for _ in range(steps):
            began = time.perf_counter()
            session.run(fetched, fed)
            walls.append(1000 * (time.perf_counter() - began))
            kinds.append(_traced(session, fetched, fed))
    seen = {kind: statistics.median(each[kind] for each in kinds) for kind in (*KINDS, REST)}
    return Step(seen, statistics.median(walls), gflop)


def _definition(network: Any, layers: list[str]) -> Any:
    objective = registry.installed(registry.OBJECTIVES).get("mean-square")
    specs = [ObjectiveSpec(layer, objective) for layer in layers]
    forward = graph.fold(network.cut(layers), rewrites.rewrite_graph)
    definition = compiled_step.function_def(compiled_step.build_step(forward, layers, specs, 0))
    assert definition is not None, "a step with functions of its own"
    return definition


def _convolutions(whole: Any) -> list[Any]:
    return [each for each in whole.get_operations() if each.type in KINDS[FORWARD]]


def _gflop(convolution: Any, result: Any) -> float:
    """Of a convolution forward and back, which is as much."""
    rows, columns, channels, _ = convolution.inputs[1].shape
    return float(2 * 2 * result.size * rows * columns * channels / 1e9)


def _traced(session: Any, fetched: list[str], fed: dict[str, Any]) -> Counter[str]:
    """Milliseconds by kind of a step that TensorFlow looks at."""
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    seen = tf.compat.v1.RunMetadata()
    session.run(fetched, fed, options=options, run_metadata=seen)
    spent: Counter[str] = Counter()
    for device in seen.step_stats.dev_stats:
        for node in device.node_stats:
            spent[kind_of(node.timeline_label)] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1000
    return spent


def kind_of(label: str) -> str:
    """The kind of an operation that a trace calls "name = Operation(inputs)"."""
    name = label.rpartition(" = ")[2].partition("(")[0]
    for prefix in ("_MklNative", "_Mkl", "_Native", "_"):
        name = name.removeprefix(prefix)
    name = name.replace("FusedConv2D", "Conv2D")
    return next((kind for kind, names in KINDS.items() if name in names), REST)


def table(found: dict[str, Step], speed: float, side: int) -> str:
    """Markdown; `speed` is that of a matrix product, in GFLOP/s."""

    def rows() -> Iterator[list[str]]:
        totals = {name: sum(step.kinds.values()) for name, step in found.items()}
        for kind in (*KINDS, REST):
            if any(step.kinds[kind] >= 0.05 for step in found.values()):
                spent = {name: step.kinds[kind] for name, step in found.items()}
                yield [kind, *(f"{each:.1f} ({each / totals[name]:.0%})" for name, each in spent.items())]
        yield ["all operations", *(f"{total:.1f}" for total in totals.values())]
        yield ["a step by the clock", *(f"{step.wall:.1f}" for step in found.values())]
        yield ["GFLOP of the convolutions", *(f"{step.gflop:.1f}" for step in found.values())]
        speeds = (step.gflop / (step.kinds[FORWARD] + step.kinds[BACK]) * 1000 for step in found.values())
        yield ["their GFLOP/s", *(f"{each:.0f}" for each in speeds)]

    head = ["milliseconds", *found]
    return (
        f"{side} x {side} pixels, TensorFlow {tf.__version__}; NumPy's matrix product makes {speed:.0f} "
        f"GFLOP/s.\n\n{tables.markdown(head, rows())}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "networks", nargs="*", default=["pocket"], help="names; NAME=WEIGHTS where weights are a file"
    )
    parser.add_argument("--quick", action="store_true", help="small and short; writes no page")
    given = parser.parse_args()
    side, steps = (128, 2) if given.quick else (512, 15)
    found = {}
    for named in given.networks:
        name, _, weights = named.partition("=")
        found[name] = measure(dreamkit.load(name, Path(weights) if weights else None), side, steps)
    text = table(found, matrix_product(), side)
    print(text)
    if not given.quick:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(tables.replace_between(page, text, tables.OPERATIONS), encoding="utf-8")


if __name__ == "__main__":
    main()
