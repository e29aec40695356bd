"""The loop of Keras' example (keras-team/keras-io, examples/generative/deep_dream.py).

Written anew after its formulae: a compiled step, traced again for each size; octaves that put back what of
the photograph was lost in shrinking it. The objective, the division by the standard deviation, the roll and
the clip are the job's; the example's own border, mean of squares and mean-absolute division are not used.
"""

from __future__ import annotations

import tensorflow as tf

from loops.job import Clock, given, write_gradient
from loops.keras_networks import layers_of, objective_of


def main() -> None:
    clock, job = Clock(), given()
    clock.imported()
    extractor = layers_of(job)

    def gradient_of(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            objective = objective_of(job, extractor(image))
        gradient = tape.gradient(objective, image)
        return objective, gradient / tf.maximum(tf.math.reduce_std(gradient), 1e-8)

    @tf.function
    def gradient_ascent_step(image: tf.Tensor, step_size: float) -> tuple[tf.Tensor, tf.Tensor]:
        shift = tf.random.uniform([2], -job.jitter, job.jitter + 1, tf.int32)
        objective, gradient = gradient_of(tf.roll(image, shift, axis=[1, 2]))
        image += step_size * tf.roll(gradient, -shift, axis=[1, 2])
        return objective, tf.clip_by_value(image, -1, 1)

    original = tf.constant(job.pixels[None])
    if job.gradient:
        write_gradient(job.gradient, tf.function(gradient_of)(original)[1][0])
        return
    clock.begin()
    shrunk = tf.image.resize(original, [job.sizes[0]] * 2)
    image = tf.identity(original)
    for side in job.sizes:
        image = tf.image.resize(image, [side, side])
        for _ in range(job.steps):
            objective, image = gradient_ascent_step(image, job.step_size)
            float(objective), image.numpy()  # the example looks at the objective; the step is done
            clock.step()
        at_this_size = tf.image.resize(original, [side, side])
        image += at_this_size - tf.image.resize(shrunk, [side, side])
        shrunk = at_this_size
    pixels = (tf.clip_by_value(image[0], -1, 1).numpy() + 1) * 127.5
    traces = gradient_ascent_step.experimental_get_tracing_count()
    clock.report(pixels, f"TensorFlow {tf.__version__}", traces)


if __name__ == "__main__":
    main()
