"""One channel by Xplique's `optimize`, as its documentation calls it, without its transforms."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import xplique
from xplique.features_visualizations import Objective, optimize

from loops.job import Clock, given


def main() -> None:
    clock, job = Clock(), given()
    clock.imported()
    ((layer, channel),) = (term.split(":") for term in job.layers)
    model = keras.applications.InceptionV3(
        include_top=False, weights=job.weights, input_shape=(job.size, job.size, 3)
    )

    class Timed(keras.optimizers.Adam):  # type: ignore[misc]
        def apply_gradients(self, pairs: Any) -> Any:
            done = super().apply_gradients(pairs)
            clock.step()
            return done

    objective = Objective.channel(model, layer, int(channel))
    tf.random.set_seed(0)
    clock.begin()
    pictures, _ = optimize(
        objective,
        optimizer=Timed(job.step_size),
        nb_steps=job.steps,
        values_range=(-1, 1),
        transformations=None,
        custom_shape=(job.size, job.size),
    )
    pixels = np.clip(np.rint((pictures[-1][0].numpy() + 1) * 127.5), 0, 255).astype(np.uint8)
    clock.report(pixels, f"Xplique {xplique.__version__}, TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
