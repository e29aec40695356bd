"""The networks as Keras models, for the loops in TensorFlow."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from dreamkit.models import inception5h, pocket
from loops.job import Job

_LOAD = {"inception5h": inception5h.load, "pocket": pocket.load}


def layers_of(job: Job) -> keras.Model:
    """From a batch of pictures in units to the activations of the job's layers: a list, or one tensor."""
    if job.model == "inception_v3":
        base = keras.applications.InceptionV3(include_top=False, weights=job.weights)
        return keras.Model(base.inputs, [base.get_layer(name).output for name in job.layers])
    base = _LOAD[job.model](job.weights and Path(job.weights))
    layers = keras.Model(base.inputs, [base.get_layer(name).output for name in job.layers])
    units = keras.Input((None, None, 3))
    pixels = keras.layers.Rescaling(127.5, 127.5 - inception5h.PREPROCESS.mean[0])(units)
    return keras.Model(units, layers(pixels))


def objective_of(job: Job, activations: list[tf.Tensor] | tf.Tensor) -> tf.Tensor:
    """The sum of the layers' objectives."""
    layers = activations if isinstance(activations, list) else [activations]
    squared = job.objective == "mean-square"
    return tf.add_n([tf.reduce_mean(tf.square(each) if squared else each) for each in layers])
