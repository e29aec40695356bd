"""A compiled step with and without `engine/rewrites.py`, per network and size.

The steps are given the same photograph and take turns. Wall clock and processor time are the least of all
rounds: processor time hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

import dreamkit
from dreamkit.engine.tf import compiled_step, graph, rewrites
from dreamkit.engine.tf.compiled_step import CompiledStep, ObjectiveSpec
from dreamkit.engine.tf.network import Network
from dreamkit.plugins import registry

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "networks", nargs="*", default=["pocket"], help="names; NAME=WEIGHTS where weights are a file"
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 384, 512])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow {tf.__version__}; ms a step")
    for named in options.networks:
        name, _, weights = named.partition("=")
        network = dreamkit.load(name, Path(weights) if weights else None)
        layers = list(network.provider.layers)
        pair = [_step(network, layers, rewrite) for rewrite in (lambda graph: graph, rewrites.rewrite_graph)]
        for side in options.sides:
            wall, processor, cosine = _compared(pair, len(layers), side, options.rounds)
            told = ", ".join(
                f"{what} {plain:.0f} to {rewritten:.0f} ({100 * (rewritten / plain - 1):+.0f} %)"
                for what, (plain, rewritten) in (("wall", wall), ("processor", processor))
            )
            print(f"{name} to {'+'.join(layers)}, {side} px: {told}; cosine {cosine:.7f}")


def _step(network: Network, layers: list[str], rewrite: object) -> CompiledStep:
    objective = registry.installed(registry.OBJECTIVES).get("mean-square")
    goals = [ObjectiveSpec(layer, objective) for layer in layers]
    function = compiled_step.build_step(graph.fold(network.cut(layers), rewrite), layers, goals, 0)
    definition = compiled_step.function_def(function)
    assert definition is not None, "a network with functions of its own is never rewritten"
    return CompiledStep(definition.SerializeToString())


def _compared(
    pair: list[CompiledStep], goals: int, side: int, rounds: int
) -> tuple[list[float], list[float], float]:
    picture = Image.open(ROOT / "docs" / "pictures" / "coffee.jpg").convert("RGB").resize((side, side))
    given = tf.constant(np.asarray(picture, np.float32)[None]), tf.ones(goals)
    gradients = [step(*given)[0].numpy().ravel().astype(np.float64) for step in pair]
    wall: list[list[float]] = [[], []]
    processor: list[list[float]] = [[], []]
    for _ in range(rounds):
        for number, step in enumerate(pair):
            began, used = time.perf_counter(), time.process_time()
            step(*given)[0].numpy()
            wall[number].append(1000 * (time.perf_counter() - began))
            processor[number].append(1000 * (time.process_time() - used))
    a, b = gradients
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return list(map(min, wall)), list(map(min, processor)), cosine


if __name__ == "__main__":
    main()
