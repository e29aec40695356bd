"""The student and how it learns: its errors, its steps, its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from distillation import lesson
from distillation.factorise import Arrays
from distillation.samples import Pool
from dreamkit.models import pocket

Array = npt.NDArray[Any]

_REPORT = 60.0  # seconds between progress lines
_CHECKPOINT = 120.0  # seconds


class Network:
    """A network's activations at pocket's layers, and the pixel gradient of an objective there.

    An objective is, for every crop, the weighted mean over channels of the squared activations.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.outputs = keras.Model(model.input, [model.get_layer(layer).output for layer in pocket.LAYERS])
        self.channels = tuple(int(output.shape[-1]) for output in self.outputs.outputs)

    def __call__(self, pixels: Any, weights: list[Any]) -> tuple[Any, list[Any]]:
        """Pixel gradients `(n, height, width, 3)` and activations, for float32 tensors."""
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            activations = self.outputs(pixels / 127.5 - 1.0)
            value = 0.0
            for activation, weight in zip(activations, weights, strict=True):
                per_channel = tf.reduce_mean(tf.square(activation), (1, 2))
                value += tf.reduce_sum(tf.reduce_mean(per_channel * weight, 1))
        return tape.gradient(value, pixels), activations


def unit(gradient: Any) -> Any:
    """Every picture's gradient, of norm one; one that is nothing stays nothing."""
    return gradient * tf.math.rsqrt(tf.reduce_sum(tf.square(gradient), (1, 2, 3), True) + 1e-24)


def arrays_of(model: Any) -> Arrays:
    """A network's arrays, as `pocket.network` takes them."""
    found: Arrays = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        name, _, kind = layer.name.rpartition("_")
        found[f"{name}/{kind}"] = layer.kernel.numpy()
        if layer.use_bias:
            found[f"{name}/bias"] = layer.bias.numpy()
    return found


def write(path: Path, arrays: dict[str, Array]) -> None:
    """An npz, whole or not at all."""
    partial = path.with_name(f"{path.name}.part")
    with open(partial, "wb") as file:
        np.savez_compressed(file, **cast("dict[str, Any]", arrays))
    partial.replace(path)


class Trainer:
    """The student, what moves it, and how far it is."""

    def __init__(self, student: Network, rate: float) -> None:
        self.student = student
        self.variables = student.model.trainable_variables
        self.optimizer = keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=lesson.CLIP)
        self.optimizer.build(self.variables)
        self.rate = rate
        self.seconds = 0.0
        self.steps = self.seen = 0
        self._step = tf.function(self._step_eagerly)
        self.errors = tf.function(self._errors)

    def step(self, batch: list[Any], done: float) -> tuple[Array, Array, Array]:
        """One step, after the part `done` of the training: the student's gradients, cosines and errors."""
        warm_up = min(1.0, (self.steps + 1) / lesson.WARM_UP)
        self.optimizer.learning_rate.assign(self.rate * warm_up * max(1 - done, 0.0))
        gradients, cosines, errors = self._step(*batch)
        self.steps += 1
        self.seen += len(batch[0])
        return gradients.numpy(), cosines.numpy(), errors.numpy()

    def _step_eagerly(self, *batch: Any) -> Any:
        with tf.GradientTape() as tape:
            gradients, cosines, errors = self._errors(*batch)
            wrong = 2 * tf.reduce_mean(1 - cosines) + lesson.FEATURES * tf.reduce_sum(errors)
        self.optimizer.apply_gradients(zip(tape.gradient(wrong, self.variables), self.variables, strict=True))
        return gradients, cosines, errors

    def _errors(self, pixels: Any, weights: Any, gradients: Any, features: Any) -> Any:
        """The student's unit gradients, their cosines, and the relative squared error of every layer."""
        own, activations = self.student(pixels, weights)
        own, theirs = unit(own), unit(gradients)
        errors = []
        for activation, feature in zip(activations, features, strict=True):
            missed = tf.reduce_sum(tf.square(activation - feature))
            errors.append(missed / tf.reduce_sum(tf.square(feature)))
        return own, tf.reduce_sum(own * theirs, (1, 2, 3)), tf.stack(errors)

    def save(self, path: Path) -> None:
        """Writes a checkpoint: the student's arrays by name, the optimizer's in its order."""
        progress = np.array([self.seconds, self.steps, self.seen])
        moved = {f"optimizer/{i}": value.numpy() for i, value in enumerate(self.optimizer.variables)}
        write(path, {**arrays_of(self.student.model), **moved, "progress": progress})

    def restore(self, checkpoint: dict[str, Array]) -> None:
        """Takes up the optimizer and the progress; the student is built from the checkpoint's arrays."""
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(checkpoint[f"optimizer/{i}"])
        seconds, steps, seen = checkpoint["progress"]
        self.seconds, self.steps, self.seen = float(seconds), int(steps), int(seen)


def held_out(trainer: Trainer, batches: list[list[Any]]) -> tuple[Array, Array]:
    """Cosine and error at every layer, over crops of photographs never trained on."""
    cosines: list[list[float]] = [[] for _ in pocket.LAYERS]
    errors = []
    for batch in batches:
        _, cosine, error = trainer.errors(*batch)
        for value, *weights in zip(cosine.numpy(), *batch[1], strict=True):
            layer = next(i for i, weight in enumerate(weights) if np.any(weight))
            cosines[layer].append(float(value))
        errors.append(error.numpy())
    return np.array([np.mean(of_layer or [np.nan]) for of_layer in cosines]), np.mean(errors, 0)


def described(cosines: Array, errors: Array) -> str:
    """One line of figures, layer by layer."""
    return f"cosine {figures(cosines)}  error {figures(errors)}"


def figures(values: Array) -> str:
    """Of all layers, with three digits."""
    return " ".join(f"{value:.3f}" for value in values)


def teacher_answers(teacher: Network) -> Callable[[Array, list[Array]], tuple[Array, list[Array]]]:
    """What `Pool` asks of the teacher."""

    @tf.function
    def answer(pixels: Any, weights: list[Any]) -> Any:
        gradients, activations = teacher(pixels, weights)
        return unit(gradients), activations

    def answers(pixels: Array, weights: list[Array]) -> tuple[Array, list[Array]]:
        gradients, activations = answer(tf.constant(pixels), [tf.constant(weight) for weight in weights])
        return gradients.numpy(), [activation.numpy() for activation in activations]

    return answers


def tensors(drawn: tuple[Any, ...]) -> list[Any]:
    """A batch of a pool as float32 tensors, without its places."""
    found: list[Any] = tf.nest.map_structure(
        lambda array: tf.constant(array.astype(np.float32)), list(drawn[1:])
    )
    return found


def train(
    trainer: Trainer, seen: Pool, tests: list[list[Any]], minutes: float, uses: int, checkpoint: Path
) -> None:
    """Trains until `minutes` are full, with a line of figures and a checkpoint now and then."""
    began, spent = time.monotonic(), trainer.seconds
    reported = saved = began
    recent: list[Array] = []
    while trainer.seconds < minutes * 60:
        drawn = seen.draw()
        gradients, cosines, _ = trainer.step(tensors(drawn), trainer.seconds / (minutes * 60))
        seen.remember(drawn[0], gradients * seen.side)
        if trainer.steps % uses == 0:
            seen.refresh()
        recent = [*recent[-49:], cosines]
        now = time.monotonic()
        trainer.seconds = spent + now - began
        if now - reported > _REPORT:
            reported = now
            print(
                f"{trainer.seconds / 60:6.1f} min  {trainer.seen:7d} crops  "
                f"train {np.mean(recent):.3f}  {described(*held_out(trainer, tests))}",
                flush=True,
            )
        if now - saved > _CHECKPOINT:
            saved = now
            trainer.save(checkpoint)
    trainer.save(checkpoint)
