"""dreamkit, by its library."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import numpy as np

from loops.job import Clock, Job, given, picture, write_gradient


def options(job: Job) -> dict[str, Any]:
    """The job in dreamkit's words. Where it is whole, the picture is one tile, as in the other loops."""
    return {
        "layers": dict.fromkeys(job.layers, 1.0),
        "objective": job.objective,
        "balance": False,
        "normalise": "std",
        "color": "free",
        "smooth": "none",
        "octave_scheme": "whole",
        "octaves": job.octaves,
        "octave_scale": job.scale,
        "first_octave": 1 - job.octaves,
        "steps": job.steps,
        "step_size": job.step_size,
        "jitter": job.jitter,
        "tile_size": max(512, job.size),
        "precision": job.variant or "float32",
    }


def main() -> None:
    clock, job = Clock(), given()
    import dreamkit
    from dreamkit.engine import process, tensorflow_import

    process.own()  # as the command does, which imports no more of TensorFlow than a dream needs
    tensorflow_import.import_tensorflow()
    clock.imported()
    own = dict(job.options or {})
    network = dreamkit.load(own.pop("model", job.model), job.weights)
    asked = own if job.options is not None else options(job)
    photo = picture(job.size)
    if job.gradient:
        steps: list[Any] = []
        asked |= {"steps": 1, "jitter": 0, "clip": False}
        dreamkit.dream(photo, network, on_step=lambda step: steps.append(step.pixels.copy()), **asked)
        write_gradient(job.gradient, steps[0] - photo.astype(np.float32))
        return
    clock.begin()
    pixels = dreamkit.dream(photo, network, on_step=lambda _: clock.step(), **asked)
    clock.report(pixels, f"TensorFlow {version('tensorflow')}", network.traces, _card_mb())


def _card_mb() -> float | None:
    """The peak memory of the GPU, where the loop may use one."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1":
        return None
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return float(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20)


if __name__ == "__main__":
    main()
