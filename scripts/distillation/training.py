"""The student and how it learns: its errors, its steps, its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from distillation import lesson
from distillation.factorise import Arrays
from distillation.samples import Batch, Pool
from dreamkit.models import architecture
from dreamkit.models.architecture import Operation

Array = npt.NDArray[Any]

_REPORT = 60.0  # seconds between progress lines
_CHECKPOINT = 120.0  # seconds


class Network:
    """A network's activations at the layers that are taught, and pixel gradients of objectives there.

    An objective is, for every crop, the mean over a layer's channels of its weighted squared activations and
    its weighted activations.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        arrays: Arrays,
        layers: Sequence[str],
        preprocess: Callable[[Any], Any],
    ) -> None:
        self.operations = architecture.cut(operations, layers)
        self.model = architecture.model(self.operations, arrays, "network")
        self.preprocess = preprocess
        outputs = [self.model.get_layer(layer).output for layer in layers]
        self.channels = {layer: int(each.shape[-1]) for layer, each in zip(layers, outputs, strict=True)}
        # Nothing behind an objective's layer is computed for it.
        self.to = {
            layer: keras.Model(self.model.input, outputs[: index + 1]) for index, layer in enumerate(layers)
        }

    def __call__(self, layer: str, pixels: Any, squares: Any, plain: Any) -> tuple[Any, list[Any]]:
        """Pixel gradients `(n, height, width, 3)` and activations as far as `layer`, for float32 tensors."""
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            activations = tf.nest.flatten(self.to[layer](self.preprocess(pixels)))
            last = activations[-1]
            squared, mean = tf.reduce_mean(tf.square(last), (1, 2)), tf.reduce_mean(last, (1, 2))
            weighted = squared * squares + mean * plain
            value = tf.reduce_sum(tf.reduce_mean(weighted, 1))
        return tape.gradient(value, pixels), activations

    def assign(self, arrays: Arrays) -> None:
        """Puts whole kernels and biases in the places of those that it has."""
        for key, array in arrays.items():
            name, _, kind = key.partition("/")
            layer = self.model.get_layer(name)
            (layer.bias if kind == "bias" else layer.kernels[0]).assign(array)

    def arrays(self) -> Arrays:
        """Its arrays, as `architecture.model` takes them."""
        return {
            f"{layer.name}/{variable.name}": variable.numpy()
            for layer in self.model.layers
            for variable in layer.weights
        }


def unit(gradient: Any) -> Any:
    """Every picture's gradient, of norm one; one that is nothing stays nothing."""
    return gradient * tf.math.rsqrt(tf.reduce_sum(tf.square(gradient), (1, 2, 3), True) + 1e-24)


def smoothed(gradient: Any) -> Any:
    """A gradient after the three blurs of `dreamkit.engine.updates.smoothing.gaussian`, of norm one."""
    reach = np.arange(-4, 5, dtype=np.float64)
    taps = [np.exp(-(reach**2) / (2 * (lesson.SMOOTH * width) ** 2)) for width in (0.5, 1.0, 2.0)]
    kernel = np.sum([np.outer(each, each) / each.sum() ** 2 for each in taps], axis=0).astype(np.float32)
    padded = tf.pad(gradient, [[0, 0], [4, 4], [4, 4], [0, 0]], "REFLECT")
    return unit(
        tf.nn.depthwise_conv2d(padded, np.repeat(kernel[..., None], 3, -1)[..., None], [1, 1, 1, 1], "VALID")
    )


def write(path: Path, arrays: dict[str, Array]) -> None:
    """An npz, whole or not at all."""
    partial = path.with_name(f"{path.name}.part")
    with open(partial, "wb") as file:
        np.savez_compressed(file, **cast("dict[str, Any]", arrays))
    partial.replace(path)


class RelativeAdam(keras.optimizers.Adam):  # type: ignore[misc]  # Keras carries no types
    """Adam whose steps are shares of what each array was at the beginning, in its root mean square.

    Factors of a convolution, and the layers of a teacher that eats 0 to 255, differ a thousandfold in size.
    """

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self._sizes = [max(1e-4, float(np.sqrt(np.mean(np.square(each.numpy()))))) for each in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(
            gradient, variable, learning_rate * self._sizes[self._get_variable_index(variable)]
        )


class Trainer:
    """The student, what moves it, and how far it is."""

    def __init__(self, student: Network, rate: float) -> None:
        self.student = student
        self.variables = student.model.trainable_variables
        self.optimizer = RelativeAdam(rate, beta_2=0.99, global_clipnorm=lesson.CLIP)
        self.optimizer.build(self.variables)
        self.rate = rate
        self.seconds = 0.0
        self.steps = self.seen = 0
        self._compiled: dict[str, tuple[Any, Any]] = {}

    def step(self, batch: Batch, done: float) -> tuple[Array, Array, Array]:
        """One step, after the part `done` of the training: the student's gradients, cosines and errors."""
        warm_up = min(1.0, (self.steps + 1) / lesson.WARM_UP)
        self.optimizer.learning_rate.assign(self.rate * warm_up * max(1 - done, 0.0))
        gradients, cosines, errors = self._functions(batch.layer)[0](*tensors(batch))
        self.steps += 1
        self.seen += len(batch.pixels)
        return gradients.numpy(), cosines.numpy(), errors.numpy()

    def errors(self, batch: Batch) -> tuple[Array, Array]:
        """Cosines, plain and smoothed `(2, n)`, and the relative squared error of each layer."""
        _, cosines, errors = self._functions(batch.layer)[1](*tensors(batch))
        return cosines.numpy(), errors.numpy()

    def _functions(self, layer: str) -> tuple[Any, Any]:
        if layer not in self._compiled:

            def step(*batch: Any) -> Any:
                with tf.GradientTape() as tape:
                    gradients, cosines, errors = self._errors(layer, *batch)
                    wrong = 2 * tf.reduce_mean(1 - cosines) + lesson.FEATURES * tf.reduce_mean(errors)
                # What lies behind this objective's layer stays as it is.
                pairs = zip(tape.gradient(wrong, self.variables), self.variables, strict=True)
                zeros = [(tf.zeros_like(v) if g is None else g, v) for g, v in pairs]
                self.optimizer.apply_gradients(zeros)
                return gradients, cosines, errors

            self._compiled[layer] = tf.function(step), tf.function(lambda *batch: self._errors(layer, *batch))
        return self._compiled[layer]

    def _errors(
        self, layer: str, pixels: Any, squares: Any, plain: Any, gradients: Any, features: Any
    ) -> Any:
        """The student's unit gradients, their cosines, and the relative squared error of every layer."""
        own, activations = self.student(layer, pixels, squares, plain)
        own, theirs = unit(own), unit(gradients)
        errors = []
        for activation, feature in zip(activations, features, strict=True):
            missed = tf.reduce_sum(tf.square(activation - feature))
            errors.append(missed / tf.reduce_sum(tf.square(feature)))
        pairs = (own, theirs), (smoothed(own), smoothed(theirs))
        return own, tf.stack([tf.reduce_sum(a * b, (1, 2, 3)) for a, b in pairs]), tf.stack(errors)

    def save(self, path: Path) -> None:
        """Writes a checkpoint: the student's arrays by name, the optimizer's in its order."""
        progress = np.array([self.seconds, self.steps, self.seen])
        moved = {f"optimizer:{i}": value.numpy() for i, value in enumerate(self.optimizer.variables)}
        write(path, {**self.student.arrays(), **moved, "progress": progress})

    def restore(self, checkpoint: dict[str, Array]) -> None:
        """Takes up the optimizer and the progress; the student is built from the checkpoint's arrays."""
        for i, variable in enumerate(self.optimizer.variables):
            variable.assign(checkpoint[f"optimizer:{i}"])
        seconds, steps, seen = checkpoint["progress"]
        self.seconds, self.steps, self.seen = float(seconds), int(steps), int(seen)


def tensors(batch: Batch) -> list[Any]:
    """A batch as float32 tensors."""
    found: list[Any] = tf.nest.map_structure(
        lambda array: tf.constant(array.astype(np.float32)),
        [batch.pixels, batch.squares, batch.plain, batch.gradients, batch.features],
    )
    return found


def held_out(trainer: Trainer, batches: Sequence[Batch]) -> dict[str, tuple[float, float, float]]:
    """Cosine, that of smoothed gradients, and error at every layer, over crops never trained on."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for batch in batches:
        cosines, errors = trainer.errors(batch)
        plain, smooth = cosines.mean(1)
        found.setdefault(batch.layer, []).append((float(plain), float(smooth), float(errors[-1])))
    return {
        layer: cast("tuple[float, float, float]", tuple(np.mean(found[layer], 0)))
        for layer in trainer.student.channels
        if layer in found
    }


def described(measured: dict[str, tuple[float, float, float]]) -> str:
    """One line of figures, layer by layer: cosine, smoothed cosine, error."""
    return "  ".join(f"{layer} " + " ".join(f"{each:.3f}" for each in of) for layer, of in measured.items())


def teacher_answers(teacher: Network) -> Callable[[str, Array, Array, Array], tuple[Array, list[Array]]]:
    """What `Pool` asks of the teacher."""
    compiled: dict[str, Any] = {}

    def answers(layer: str, pixels: Array, squares: Array, plain: Array) -> tuple[Array, list[Array]]:
        if layer not in compiled:

            def answer(*given: Any) -> Any:
                gradients, activations = teacher(layer, *given)
                return unit(gradients), activations

            compiled[layer] = tf.function(answer)
        gradients, activations = compiled[layer](*map(tf.constant, (pixels, squares, plain)))
        return gradients.numpy(), [each.numpy() for each in activations]

    return answers


def train(
    trainer: Trainer,
    seen: Pool,
    tests: Sequence[Batch],
    minutes: float,
    steps: int | None,
    uses: int,
    checkpoint: Path,
) -> None:
    """Trains until `minutes` are full, or for `steps`, with figures and a checkpoint now and then."""

    def done() -> float:
        return trainer.seconds / (minutes * 60) if steps is None else trainer.steps / steps

    began, spent = time.monotonic(), trainer.seconds
    reported = saved = began
    recent: list[float] = []
    while done() < 1:
        batch = seen.draw()
        gradients, cosines, _ = trainer.step(batch, done())
        batch.students = (gradients * seen.side).astype(np.float16)
        if trainer.steps % uses == 0:
            seen.refresh()
        recent = [*recent[-49:], float(cosines.mean())]
        now = time.monotonic()
        trainer.seconds = spent + now - began
        if now - reported > _REPORT:
            reported = now
            print(
                f"{trainer.seconds / 60:6.1f} min  {trainer.seen:7d} crops  "
                f"train {np.mean(recent):.3f}  {described(held_out(trainer, tests))}",
                flush=True,
            )
        if now - saved > _CHECKPOINT:
            saved = now
            trainer.save(checkpoint)
    trainer.save(checkpoint)
