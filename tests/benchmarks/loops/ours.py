"""dreamkit, by its library."""

from __future__ import annotations

from typing import Any

import numpy as np

from loops.job import Clock, Job, given, picture, write_gradient


def options(job: Job) -> dict[str, Any]:
    """The job in dreamkit's words. Where it is whole, the picture is one tile, as in the other loops."""
    return {
        "layers": dict.fromkeys(job.layers, 1.0),
        "objective": "mean",
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
    from dreamkit.engine import process

    process.own()

    # isort: split
    import tensorflow as tf

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
    card_mb = None
    if tf.config.list_logical_devices("GPU"):
        card_mb = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    clock.report(pixels, f"TensorFlow {tf.__version__}", network.traces, card_mb)


if __name__ == "__main__":
    main()
