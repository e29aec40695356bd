"""One step of gradient ascent: dreamkit against the TensorFlow tutorial's own loop, and the arithmetic floor.

    python tests/benchmarks/bench_step.py --weights inception_v3.h5

The same job for both: Inception v3, layers mixed3 and mixed5, mean activation, gradient over its standard
deviation, one octave, a square picture of 512 pixels (the tutorial's loop covers all of it at that size).
Each side runs in processes of its own, in turn; the tutorial with TensorFlow's defaults. The floor is the
arithmetic of the step's convolutions, forward and back, at the speed of this machine's matrix product.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

LAYERS = ["mixed3", "mixed5"]
STEP_SIZE, TILE_SIZE, WARM_UP = 0.01, 512, 2


def picture(size: int) -> np.ndarray:
    """Seeded soft shapes, uint8."""
    rows, columns = np.mgrid[0:size, 0:size] / size * 20
    waves = [np.sin(rows * (1 + k) + np.cos(columns * 2)) for k in range(3)]
    return (128 + 100 * np.stack(waves, -1)).astype(np.uint8)


def report(times: list[float], traces: int, **more: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"step": statistics.median(times), "traces": traces, "peak_mb": peak, **more}))


def ours(weights: Path, size: int, steps: int) -> None:
    from dreamkit import DreamConfig, load
    from dreamkit.engine.dream import Part, dream

    network = load("inception_v3", weights)
    config = DreamConfig(
        layers=dict.fromkeys(LAYERS, 1.0), objective="mean", normalise="std", balance=False,
        octave_scheme="whole", octaves=1, steps=steps + WARM_UP, step_size=STEP_SIZE, tile_size=TILE_SIZE,
    )  # fmt: skip
    heard: list[float] = []
    dream(picture(size), [Part(network)], config, lambda _: heard.append(time.perf_counter()))
    report(list(np.diff(heard))[WARM_UP - 1 :], network.traces, gflop=gflop(network, size))


def gflop(network: object, size: int) -> float:
    """Multiplications and additions of the convolutions, forward and for the gradient of the pixels."""
    import tensorflow as tf

    from dreamkit.engine.network import fold

    graph_def = fold(network._cut(LAYERS)).graph.as_graph_def()  # type: ignore[attr-defined]
    total = 0
    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, [1, size, size, 3])
        tf.graph_util.import_graph_def(graph_def, input_map={"pixels": pixels}, name="")
        for operation in graph.get_operations():
            if operation.type == "Conv2D":
                height, width, channels, filters = operation.inputs[1].shape
                total += 2 * height * width * channels * filters * np.prod(operation.outputs[0].shape[1:3])
    return 2 * float(total) / 1e9


def tutorial(weights: Path, size: int, steps: int) -> None:
    """The loop of tensorflow/docs' deepdream.ipynb, written down again as it is published."""
    import keras
    import tensorflow as tf

    base = keras.applications.InceptionV3(include_top=False, weights=str(weights))
    model = keras.Model(inputs=base.input, outputs=[base.get_layer(name).output for name in LAYERS])

    def loss_of(tile: tf.Tensor) -> tf.Tensor:
        activations = model(tf.expand_dims(tile, axis=0))
        return tf.reduce_sum([tf.math.reduce_mean(activation) for activation in activations])

    @tf.function(
        input_signature=(
            tf.TensorSpec([None, None, 3], tf.float32),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([], tf.int32),
        )
    )
    def tiled_gradients(image: tf.Tensor, image_size: tf.Tensor, tile: tf.Tensor) -> tf.Tensor:
        shift = tf.random.uniform([2], -tile, tile, tf.int32)
        rolled = tf.roll(image, shift=shift, axis=[0, 1])
        gradients = tf.zeros_like(rolled)
        columns = tf.range(0, image_size[1], tile)[:-1]
        if not tf.cast(len(columns), bool):
            columns = tf.constant([0])
        rows = tf.range(0, image_size[0], tile)[:-1]
        if not tf.cast(len(rows), bool):
            rows = tf.constant([0])
        for x in columns:
            for y in rows:
                with tf.GradientTape() as tape:
                    tape.watch(rolled)
                    loss = loss_of(rolled[y : y + tile, x : x + tile])
                gradients = gradients + tape.gradient(loss, rolled)
        gradients = tf.roll(gradients, shift=-shift, axis=[0, 1])
        return gradients / (tf.math.reduce_std(gradients) + 1e-8)

    image = tf.constant(picture(size) / 127.5 - 1, tf.float32)
    times = []
    for _ in range(steps + WARM_UP):
        start = time.perf_counter()
        gradients = tiled_gradients(image, tf.constant([size, size]), tf.constant(TILE_SIZE))
        image = tf.clip_by_value(image + gradients * STEP_SIZE, -1, 1)
        image.numpy()
        times.append(time.perf_counter() - start)
    report(times[WARM_UP:], tiled_gradients.experimental_get_tracing_count())


def matrix_product() -> float:
    """GFLOP/s of NumPy's product of two 3000 x 3000 matrices, the best of seven."""
    a = np.random.default_rng(0).random((3000, 3000), np.float32)
    best = min(_timed(lambda: a @ a) for _ in range(7))
    return 2 * 3000**3 / best / 1e9


def _timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def child(side: str, arguments: argparse.Namespace) -> dict[str, float]:
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    command = [
        sys.executable, __file__, "--side", side, "--weights", str(arguments.weights),
        "--size", str(arguments.size), "--steps", str(arguments.steps),
    ]  # fmt: skip
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    return json.loads(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=("ours", "tutorial"))
    arguments = parser.parse_args()
    if arguments.side:
        {"ours": ours, "tutorial": tutorial}[arguments.side](
            arguments.weights, arguments.size, arguments.steps
        )
        return
    rounds: dict[str, list[dict[str, float]]] = {"ours": [], "tutorial": []}
    speeds = []
    for _ in range(arguments.rounds):
        speeds.append(matrix_product())
        for side, results in rounds.items():
            results.append(child(side, arguments))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {arguments.rounds} rounds")
    for side, results in rounds.items():
        steps = [result["step"] for result in results]
        print(
            f"{side:9} {statistics.median(steps):.3f} s a step ({min(steps):.3f} to {max(steps):.3f}), "
            f"{max(result['traces'] for result in results)} trace, "
            f"peak {max(result['peak_mb'] for result in results):.0f} MB"
        )
    ratios = [b["step"] / a["step"] for a, b in zip(rounds["ours"], rounds["tutorial"], strict=True)]
    print(f"ratio     {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    work, speed = rounds["ours"][0]["gflop"], max(speeds)
    median = statistics.median(result["step"] for result in rounds["ours"])
    print(
        f"floor     {work / speed:.3f} s: {work:.1f} GFLOP at {speed:.0f} GFLOP/s; "
        f"ours takes {median * speed / work:.2f} times that"
    )


if __name__ == "__main__":
    main()
