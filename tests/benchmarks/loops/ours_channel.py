"""One channel from faint clouds, by dreamkit's recipe `lucid` without its transforms."""

from __future__ import annotations

from loops.job import Clock, given


def main() -> None:
    clock, job = Clock(), given()
    import dreamkit
    from dreamkit.engine import process

    process.own()

    # isort: split
    import tensorflow as tf

    clock.imported()
    network = dreamkit.load(job.model, job.weights)
    options = {"layers": job.layers, "size": job.size, "steps": job.steps, "step_size": job.step_size}
    still = {"jitter": 0, "rotate": 0.0, "zoom": 0.0}
    clock.begin()
    pixels = dreamkit.dream(None, network, recipe="lucid", on_step=lambda _: clock.step(), **options, **still)
    clock.report(pixels, f"TensorFlow {tf.__version__}", network.traces)


if __name__ == "__main__":
    main()
