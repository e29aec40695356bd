"""The speed of a product of two matrices on TensorFlow's first GPU, or without one on the processor."""

from __future__ import annotations

import json
import time

import tensorflow as tf

SIDES = {"GPU": 8192, "CPU": 2048}
PRECISIONS = {"GPU": ("float32", "float16"), "CPU": ("float32", "bfloat16")}


def gflops(device: str, precision: str, side: int) -> float:
    """GFLOP/s, of the best of seven."""
    best = float("inf")
    with tf.device(device):
        matrix = tf.cast(tf.random.stateless_uniform((side, side), (0, 0)), precision)
        for _ in range(7):
            began = time.perf_counter()
            tf.reduce_sum(matrix @ matrix).numpy()  # waits for the card
            best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9


def main() -> None:
    cards = tf.config.list_physical_devices("GPU")
    kind = "GPU" if cards else "CPU"
    name = tf.config.experimental.get_device_details(cards[0]).get("device_name", "a GPU") if cards else None
    speeds = [gflops(f"{kind}:0", precision, SIDES[kind]) for precision in PRECISIONS[kind]]
    print(json.dumps({"card": name, "float32": speeds[0], "half": speeds[1]}))


if __name__ == "__main__":
    main()
