"""The loop of TensorFlow's tutorial (tensorflow/docs, site/en/tutorials/generative/deepdream.ipynb).

Written anew after its formulae, with its compiled function of any size, its tiles and its octaves. Its tiles
are 512 pixels; it leaves out the last one of several, so here a tile is as long as the picture where that is
longer, and the whole picture is dreamed. It rolls by up to a tile, here by the job's jitter.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from loops.job import Clock, Job, given, write_gradient
from loops.keras_networks import layers_of, objective_of

TILE = 512


class TiledGradients(tf.Module):
    """Gradients over tiles of a rolled picture."""

    def __init__(self, model: keras.Model, job: Job) -> None:
        self.model, self.job = model, job
        self.jitter = 0 if job.gradient else job.jitter

    def objective(self, tile: tf.Tensor) -> tf.Tensor:
        return objective_of(self.job, self.model(tf.expand_dims(tile, axis=0)))

    @tf.function(
        input_signature=(
            tf.TensorSpec([None, None, 3], tf.float32),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([], tf.int32),
        )
    )
    def __call__(self, image: tf.Tensor, size: tf.Tensor, tile: tf.Tensor) -> tf.Tensor:
        shift = tf.random.uniform([2], -self.jitter, self.jitter + 1, tf.int32)
        rolled = tf.roll(image, shift=shift, axis=[0, 1])
        gradients = tf.zeros_like(rolled)
        columns = tf.range(0, size[1], tile)[:-1]  # all but the last, unless it is the only one
        if not tf.cast(len(columns), bool):
            columns = tf.constant([0])
        rows = tf.range(0, size[0], tile)[:-1]
        if not tf.cast(len(rows), bool):
            rows = tf.constant([0])
        for column in columns:
            for row in rows:
                with tf.GradientTape() as tape:
                    tape.watch(rolled)
                    objective = self.objective(rolled[row : row + tile, column : column + tile])
                gradients = gradients + tape.gradient(objective, rolled)
        gradients = tf.roll(gradients, shift=-shift, axis=[0, 1])
        return gradients / (tf.math.reduce_std(gradients) + 1e-8)


def main() -> None:
    clock, job = Clock(), given()
    clock.imported()
    gradients_of = TiledGradients(layers_of(job), job)
    image, tile = tf.constant(job.pixels), tf.constant(max(TILE, job.size))
    if job.gradient:
        write_gradient(job.gradient, gradients_of(image, tf.constant([job.size] * 2), tile))
        return
    clock.begin()
    for side in job.sizes:
        size = tf.constant([side, side])
        image = tf.image.resize(image, size)
        for _ in range(job.steps):
            gradients = gradients_of(image, size, tile)
            image = tf.clip_by_value(image + gradients * job.step_size, -1, 1)
            image.numpy()  # the step is done
            clock.step()
    traces = gradients_of.__call__.experimental_get_tracing_count()
    clock.report((image.numpy() + 1) * 127.5, f"TensorFlow {tf.__version__}", traces)


if __name__ == "__main__":
    main()
