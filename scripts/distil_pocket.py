"""Trains the pocket network: a teacher's convolutions in thin steps, taught to dream like the teacher.

    python scripts/distil_pocket.py --teacher-weights inception5h.zip --photographs FOLDER --minutes 60

The thin steps begin as the best low-rank factors of the teacher's own convolutions. Then they learn two
things on crops of photographs, plain and dreamed upon: the teacher's activations, and the direction in
which the teacher's objectives change with the pixels, which is all that a dream follows (Sobolev training,
Czarnecki et al. 2017, arXiv 1706.04859).

Stopped and started again with the same --out, it goes on from its checkpoint. It runs on whatever
TensorFlow finds, a processor or a GPU. --minutes is the whole time of training, which the step size
follows to zero: the same seed draws the same crops, but how many of them fit is the machine's. --steps
makes them as many on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import typer

import dreamkit
from distillation import factorise, samples, training
from distillation import teacher as teachers
from distillation.training import Network, Trainer
from dreamkit.models import architecture, layers
from dreamkit.models.registry import Registry

Array = npt.NDArray[Any]

_CALIBRATION = 288  # side of the crops that show what the teacher's convolutions do
_PRICING = 144  # side of those that show what thinning one of them costs
_HELD_OUT = 24  # batches of crops of photographs held out


def moments_of(
    teacher: Network, names: Sequence[str], pictures: Sequence[Array], count: int, random: np.random.Generator
) -> dict[str, factorise.Moments]:
    """What the convolutions `names` of the teacher do on `count` crops of real pictures."""
    found = [teacher.model.get_layer(name) for name in names]
    inside = keras.Model(teacher.model.input, [[layer.input, layer.output] for layer in found])

    def sums(values: Any) -> Any:
        flat = tf.reshape(values, (-1, values.shape[-1]))
        products = tf.matmul(flat, flat, transpose_a=True) / tf.cast(tf.shape(flat)[0], tf.float32)
        return products, tf.reduce_mean(flat, 0), tf.shape(flat)[0]

    @tf.function
    def measured(pixels: Any) -> Any:
        return [(sums(x), sums(y)) for x, y in inside(teacher.preprocess(pixels))]

    totals: Any = None
    for _ in range(count):
        pixels = tf.constant(samples.crop(pictures, _CALIBRATION, random)[None])
        one = tf.nest.map_structure(lambda value: value.numpy() / count, measured(pixels))
        totals = one if totals is None else tf.nest.map_structure(np.add, totals, one)
    return {
        name: factorise.Moments(
            inputs=inputs,
            outputs=outputs - np.outer(mean, mean),
            mean=mean,
            positions=(round(before), round(after)),
        )
        for name, ((inputs, _, before), (outputs, mean, after)) in zip(names, totals, strict=True)
    }


def thin_arrays(
    teacher: Network,
    whole: factorise.Arrays,
    default: str,
    pictures: Sequence[Array],
    shares: Sequence[float],
    crops: int,
    random: np.random.Generator,
) -> list[factorise.Arrays]:
    """The student to begin with, at each of `shares`: the teacher's convolutions, those as far as the layer
    dreamed by default at the ranks that turn the gradients least. The first convolution stays whole.

    `crops` of the pictures show what the convolutions do, and a few more what thinning them costs.
    """
    needed = architecture.cut(teacher.operations, [default])
    first, *names = [each.name for each in needed if each.kind == "convolution"]
    moments = moments_of(teacher, [first, *names], pictures, crops, random)
    every, *places = (
        factorise.Site.of(name, whole[f"{name}/kernel"], whole[f"{name}/bias"], moments[name])
        for name in (first, *names)
    )
    count = max(1, crops * 3 // 16)
    pixels = tf.constant(np.stack([samples.crop(pictures, _PRICING, random) for _ in range(count)]))
    layers = list(teacher.channels)
    compiled: dict[str, Any] = {}

    def directions() -> list[Any]:
        for layer in layers:
            if layer not in compiled:
                ones = tf.ones((count, teacher.channels[layer]))
                compiled[layer] = tf.function(
                    lambda layer=layer, ones=ones: training.unit(teacher(layer, pixels, ones, 0 * ones)[0])
                )
        return [compiled[layer]() for layer in layers]

    before = directions()

    def turned(arrays: factorise.Arrays) -> float:
        teacher.assign(arrays)
        pairs = zip(before, directions(), strict=True)
        cosines = [tf.reduce_mean(tf.reduce_sum(a * b, (1, 2, 3))) for a, b in pairs]
        teacher.assign({key: whole[key] for key in arrays})
        return (float(cosines[layers.index(default)]) + float(np.mean(cosines))) / 2

    price = factorise.prices(places, turned)
    made = []
    for share in shares:
        chosen = factorise.ranks(places, price, every.cost(None), share)
        arrays = dict(whole)
        for site in places:
            if chosen[site.name] is not None:
                del arrays[f"{site.name}/kernel"]
                arrays |= site.thin(chosen[site.name])
        thinned = " ".join(f"{name} {kept}" for name, kept in chosen.items() if kept)
        print(f"  {share:.2f} {thinned}", flush=True)
        made.append(arrays)
    return made


def begun(
    checkpoint: Path,
    guide: Network,
    whole: factorise.Arrays,
    default: str,
    pictures: Sequence[Array],
    share: float,
    crops: int,
    learning_rate: float,
    seed: int,
    student: Path | None,
) -> tuple[Trainer, np.random.Generator]:
    """A trainer, from the checkpoint where there is one, else from the weights of a `student`, else from thin
    steps; and the draws of its crops."""
    layers = list(guide.channels)
    operations = teachers.lighter(guide.operations)
    if not checkpoint.exists() and student is not None:
        operations, begin = architecture.read(student)
        network = Network(operations, begin, layers, guide.preprocess)
        return Trainer(network, learning_rate), np.random.default_rng([seed, 2])
    if not checkpoint.exists():
        random = np.random.default_rng(seed)
        print(f"{len(pictures)} photographs; ranks for {share:.3f} of the teacher's cost:")
        (begin,) = thin_arrays(guide, whole, default, pictures, [share], crops, random)
        return Trainer(Network(operations, begin, layers, guide.preprocess), learning_rate), random
    with np.load(checkpoint, allow_pickle=False) as arrays:
        found = dict(arrays)
    trainer = Trainer(Network(operations, found, layers, guide.preprocess), learning_rate)
    trainer.restore(found)
    print(f"going on after {trainer.seconds / 60:.1f} minutes, {trainer.seen} crops")
    return trainer, np.random.default_rng([seed, trainer.steps])


def main(
    photographs: Annotated[Path, typer.Option(help="a folder of pictures", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="for checkpoint, weights and card")] = Path("build/pocket"),
    teacher: Annotated[str, typer.Option(help="a model of plain convolutions")] = "inception5h",
    teacher_weights: Annotated[Path | None, typer.Option(help="the teacher's weights file")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="of training, in all")] = 60.0,
    steps: Annotated[int | None, typer.Option(min=1, help="of training, in all, instead of minutes")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="of the teacher's cost")] = 0.8,
    student: Annotated[
        Path | None, typer.Option(help="weights of a student to train further", exists=True, dir_okay=False)
    ] = None,
    crops: Annotated[int, typer.Option(min=1, help="that show what the teacher's convolutions do")] = 64,
    taught: Annotated[
        list[str] | None, typer.Option("--layer", help="taught besides the default one; default: every join")
    ] = None,
    side: Annotated[int, typer.Option(min=75, help="of a crop, in pixels")] = 144,
    batch: Annotated[int, typer.Option(min=1, help="crops in a step")] = 16,
    pool: Annotated[int, typer.Option(min=1, help="batches in memory")] = 64,
    uses: Annotated[int, typer.Option(min=1, help="steps with a batch before it is dreamed on")] = 3,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 3e-4,
    seed: int = 0,
) -> None:
    """Trains the pocket network from a teacher and a folder of photographs."""
    tf.random.set_seed(seed)
    layers.ResponseNormalisation.banded = True
    pictures, unseen = (samples.photographs(photographs, held_out) for held_out in (False, True))
    provider = Registry().provider(teacher)
    operations, whole, _ = teachers.read(provider, teacher_weights)
    default = next(iter(provider.layers))
    wanted = {default, *(taught or architecture.joins(operations)), provider.head}
    names = [each.name for each in operations if each.name in wanted]
    guide = Network(operations, whole, names, provider.preprocess)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.npz"
    trainer, random = begun(
        checkpoint, guide, whole, default, [*pictures.values()], share, crops, learning_rate, seed, student
    )
    answers = training.teacher_answers(guide)

    def pool_of(shown: Sequence[Array], draws: np.random.Generator) -> samples.Pool:
        return samples.Pool(shown, answers, guide.channels, default, provider.head, side, batch, draws)

    held = pool_of([*unseen.values()], np.random.default_rng([seed, 1]))
    held.fill(_HELD_OUT)
    for _ in range(_HELD_OUT // 2):
        held.refresh()  # half of them dreamed upon
    print("before   ", training.described(training.held_out(trainer, held.batches)), flush=True)
    seen = pool_of([*pictures.values()], random)
    seen.fill(pool)
    training.train(trainer, seen, held.batches, minutes, steps, uses, checkpoint)
    measured = training.held_out(trainer, held.batches)
    print("after    ", training.described(measured), flush=True)
    trained = trainer.student
    near = {each.name for each in architecture.cut(trained.operations, [default])}
    coarse = [each.name for each in trained.operations if each.name not in near]
    architecture.write(out / "pocket.npz", trained.operations, trained.arrays(), coarse)


if __name__ == "__main__":
    try:
        typer.run(main)
    except dreamkit.DreamkitError as error:
        raise SystemExit(f"error: {error}") from None
