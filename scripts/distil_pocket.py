"""Trains the pocket network: a teacher's convolutions in thin steps, taught to dream like the teacher.

    python scripts/distil_pocket.py --teacher-weights inception_v3.h5 --photographs FOLDER --minutes 60

The thin steps begin as the best low-rank factors of the teacher's own convolutions. Then they learn two
things on crops of photographs, plain and dreamed upon: the teacher's activations, and the direction in
which the teacher's objectives change with the pixels, which is all that a dream follows (Sobolev training,
Czarnecki et al. 2017, arXiv 1706.04859).

Stopped and started again with the same --out, it goes on from its checkpoint. It runs on whatever
TensorFlow finds, a processor or a GPU. --minutes is the whole time of training, which the step size
follows to zero: the same seed draws the same crops, but how many of them fit is the machine's.

--trained trains nothing: it makes the model card of what `distil_on_gpu.py` trained.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
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
import measure_pocket
from distillation import factorise, lesson, samples, training
from distillation.training import Network, Trainer
from dreamkit.models import pocket
from dreamkit.plugins import Registry
from dreamkit.weights import resolve

Array = npt.NDArray[Any]

_CALIBRATION = 32, 299  # crops and their side, to see what the teacher's convolutions do
_PRICING = 8, 139  # crops and their side, to see what thinning one of them costs
_HELD_OUT = 96  # crops


def teacher_arrays(teacher: str, weights: Path | None) -> tuple[factorise.Arrays, Path]:
    """The teacher's convolutions with batch norm folded in, and the file they come from.

    Args:
        teacher: a registered model, or an npz of such convolutions.
        weights: the weights file of a registered model, instead of fetching one.

    Raises:
        SystemExit: it has not Inception v3's plan.
        DreamkitError: there is no such model or file.
    """
    if teacher.endswith(".npz"):
        with np.load(teacher, allow_pickle=False) as arrays:
            return {key: arrays[key].astype(np.float32) for key in arrays.files}, Path(teacher)
    provider = Registry().provider(teacher)
    path = resolve(provider, weights)
    if path is None:
        raise SystemExit(f"{teacher} has no weights file; give one that is trained")
    try:
        return folded(provider.load(path)), path
    except (ValueError, AttributeError) as error:
        raise SystemExit(
            f"{teacher} has not Inception v3's plan ({error}); the pocket network begins as its teacher"
        ) from error


def folded(inception: Any) -> factorise.Arrays:
    """The convolutions of Keras' Inception v3 to `mixed4`, each with the batch norm behind it."""
    found: factorise.Arrays = {}
    for number in range(factorise.CONVOLUTIONS):
        name = factorise.name(number)
        (kernel,) = inception.get_layer(name).get_weights()
        norm = inception.get_layer(name.replace("conv2d", "batch_normalization"))
        beta, mean, variance = norm.get_weights()
        scale = 1 / np.sqrt(variance + norm.epsilon)
        found[f"{name}/kernel"] = kernel * scale
        found[f"{name}/bias"] = beta - mean * scale
    return found


def swap(model: Any, arrays: factorise.Arrays) -> None:
    """Puts whole kernels and biases into the teacher."""
    for key, array in arrays.items():
        name, _, kind = key.partition("/")
        layer = model.get_layer(f"{name}_kernel")
        (layer.kernel if kind == "kernel" else layer.bias).assign(array)


def moments_of(teacher: Network, pictures: Sequence[Array], random: np.random.Generator) -> dict[int, Any]:
    """What the teacher's convolutions do on real pictures."""
    count, side = _CALIBRATION
    layers = [
        teacher.model.get_layer(f"{factorise.name(n)}_kernel") for n in range(1, factorise.CONVOLUTIONS)
    ]
    inside = keras.Model(teacher.model.input, [[layer.input, layer.output] for layer in layers])

    @tf.function
    def sums(pixels: Any) -> Any:
        found = []
        for x, y in inside(pixels / 127.5 - 1.0):
            flat_x, flat_y = (tf.reshape(values, (-1, values.shape[-1])) for values in (x, y))
            found.append(
                (
                    tf.matmul(flat_x, flat_x, transpose_a=True) / tf.cast(tf.shape(flat_x)[0], tf.float32),
                    tf.matmul(flat_y, flat_y, transpose_a=True) / tf.cast(tf.shape(flat_y)[0], tf.float32),
                    tf.reduce_mean(flat_y, 0),
                    (tf.shape(flat_x)[0], tf.shape(flat_y)[0]),
                )
            )
        return found

    totals: list[Any] = []
    for _ in range(count):
        one = tf.nest.map_structure(
            lambda value: value.numpy(), sums(samples.crop(pictures, side, random)[None])
        )
        totals = one if not totals else tf.nest.map_structure(np.add, totals, one)
    return {
        number: factorise.Moments(
            inputs=xx / count,
            outputs=yy / count - np.outer(mean / count, mean / count),
            mean=mean / count,
            positions=(int(before) // count, int(after) // count),
        )
        for number, (xx, yy, mean, (before, after)) in enumerate(totals, 1)
    }


def thin_arrays(
    teacher: Network,
    whole: factorise.Arrays,
    pictures: Sequence[Array],
    share: float,
    random: np.random.Generator,
) -> factorise.Arrays:
    """The student to begin with: the teacher's convolutions at the ranks that turn its gradient least."""
    places = factorise.sites(whole, moments_of(teacher, pictures, random))
    count, side = _PRICING
    pixels = tf.constant(np.stack([samples.crop(pictures, side, random) for _ in range(count)]))
    objective = [tf.zeros((count, channels)) for channels in teacher.channels]
    objective[-1] = tf.ones_like(objective[-1])

    @tf.function
    def direction() -> Any:
        return training.unit(teacher(pixels, objective)[0])

    before = direction()

    def turned(arrays: factorise.Arrays) -> float:
        swap(teacher.model, arrays)
        cosine = tf.reduce_mean(tf.reduce_sum(before * direction(), (1, 2, 3)))
        swap(teacher.model, {key: whole[key] for key in arrays})
        return float(cosine)

    biases = {number: whole[f"{factorise.name(number)}/bias"] for number in range(factorise.CONVOLUTIONS)}
    price = factorise.prices(places, biases, turned)
    chosen = factorise.ranks(places, price, share)
    arrays = dict(whole)
    for site in places:
        picked = chosen[site.key]
        print(f"  {site.key:<12} price {price[site.key]:6.2f}  ranks {picked or 'whole'}")
        if picked is not None:
            for number in site.numbers:
                del arrays[f"{factorise.name(number)}/kernel"]
            arrays |= site.thin(picked, biases)
    wanted = [factorise.name(number) for number in range(factorise.CONVOLUTIONS)] + [*factorise.SIBLINGS]
    return {key: array for key, array in arrays.items() if key.split("/")[0] in wanted}


def provider_of(name: str, arrays: factorise.Arrays) -> dreamkit.ModelProvider:
    """A provider like pocket's with other arrays."""
    (carried,) = pocket.dreamkit_model_providers()
    return dataclasses.replace(carried, name=name, load=lambda _: pocket.network(arrays))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def machine() -> str:
    """What the training ran on."""
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return ", ".join(gpus) or f"{os.cpu_count()} processor cores ({platform.machine()})"


def card(trained: dict[str, Any], teacher: Any, student: Any, pictures: dict[str, Array]) -> str:
    """The model card: what `trained` tells, then what is measured here."""
    newline = "\n"  # an f-string of Python 3.11 takes no backslash
    shown = newline.join(f"| {what} | {value} |" for what, value in trained.items())
    costs = []
    for layer in pocket.LAYERS:
        own, theirs = (measure_pocket.arithmetic(net.model, layer, 512) / 1e9 for net in (student, teacher))
        costs.append(f"| {layer} | {own:.2f} | {theirs:.2f} | {own / theirs:.3f} |")
    networks = {
        name: dreamkit.load(provider_of(name, training.arrays_of(net.model)))
        for name, net in (("pocket", student), ("teacher", teacher))
    }
    seconds = measure_pocket.step_seconds(networks)
    shares = measure_pocket.table(measure_pocket.share(networks["pocket"], networks["teacher"], pictures))
    return f"""# The pocket network

Inception v3's plan to `mixed4` with its convolutions in thin steps, made by `scripts/distil_pocket.py`.
For dreaming; it classifies nothing.

| | |
|---|---|
{shown}

## Arithmetic

Of the convolutions, for one pass over 512 x 512 pixels, in GFLOP.

| to | pocket | teacher | ratio |
|---|---|---|---|
{newline.join(costs)}

A gradient of 512 x 512 pixels at `mixed4` took {seconds["pocket"]:.3f} s, and the teacher's
{seconds["teacher"]:.3f} s, {seconds["teacher"] / seconds["pocket"]:.1f} times as long.

## How much of the teacher's dream it dreams

On photographs held out from training and on pictures from elsewhere, with dreamkit's default options:
the rise of the teacher's objective through pocket's dream over its rise through the teacher's own; the same
for noise as strong as pocket's change; and the cosine between both networks' pixel gradients there.

{shares}
"""


def begun(
    checkpoint: Path,
    guide: Network,
    whole: factorise.Arrays,
    pictures: Sequence[Array],
    share: float,
    learning_rate: float,
    seed: int,
) -> tuple[Trainer, np.random.Generator]:
    """A trainer, from the checkpoint where there is one, and the draws of its crops."""
    if not checkpoint.exists():
        random = np.random.default_rng(seed)
        print(f"{len(pictures)} photographs; ranks for {share:.3f} of the teacher's arithmetic:")
        begin = thin_arrays(guide, whole, pictures, share, random)
        return Trainer(Network(pocket.network(begin)), learning_rate), random
    with np.load(checkpoint, allow_pickle=False) as arrays:
        found = dict(arrays)
    trainer = Trainer(Network(pocket.network(found)), learning_rate)
    trainer.restore(found)
    print(f"going on after {trainer.seconds / 60:.1f} minutes, {trainer.seen} crops")
    return trainer, np.random.default_rng([seed, trainer.steps])


def main(
    photographs: Annotated[Path, typer.Option(help="a folder of pictures", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="for checkpoint, weights and card")] = Path("build/pocket"),
    teacher: Annotated[str, typer.Option(help="a model, or an npz of its convolutions")] = "inception_v3",
    teacher_weights: Annotated[Path | None, typer.Option(help="the teacher's weights file")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="of training, in all")] = 60.0,
    share: Annotated[float, typer.Option(min=0.01, max=1.0, help="of the teacher's arithmetic")] = 1 / 6,
    side: Annotated[int, typer.Option(min=75, help="of a crop, in pixels")] = 139,
    batch: Annotated[int, typer.Option(min=1, help="crops in a step")] = 24,
    pool: Annotated[int, typer.Option(min=1, help="crops in memory")] = 960,
    uses: Annotated[int, typer.Option(min=1, help="steps with a crop before it is dreamed on")] = 3,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 2e-3,
    measured: Annotated[int, typer.Option(min=1, help="held-out photographs dreamed for the card")] = 12,
    elsewhere: Annotated[list[Path] | None, typer.Option(help="another picture for the card")] = None,
    trained: Annotated[
        Path | None,
        typer.Option(help="trained.json beside a finished pocket.npz", exists=True, dir_okay=False),
    ] = None,
    seed: int = 0,
) -> None:
    """Trains the pocket network from a teacher and a folder of photographs."""
    tf.random.set_seed(seed)
    pictures, unseen = (samples.photographs(photographs, held_out) for held_out in (False, True))
    whole, source = teacher_arrays(teacher, teacher_weights)
    guide = Network(pocket.network(whole))
    out.mkdir(parents=True, exist_ok=True)
    weights = out / "pocket.npz"
    if trained is None:
        shown = [*pictures.values()]
        facts = taught(
            guide,
            whole,
            shown,
            [*unseen.values()],
            out,
            minutes,
            share,
            side,
            batch,
            pool,
            uses,
            learning_rate,
            seed,
        )
    else:
        facts = json.loads(trained.read_text())
        weights = trained.with_name(weights.name)
    with np.load(weights, allow_pickle=False) as arrays:
        shipped = Network(pocket.network({key: arrays[key].astype(np.float32) for key in arrays.files}))
    told = {
        "weights": f"{weights.stat().st_size / 1e6:.2f} MB, float16, sha256 {sha256(weights)}",
        "teacher": f"{Path(teacher).stem}, {source.name}, sha256 {sha256(source)}",
        "terms": "Apache-2.0, as dreamkit and as the teacher; the photographs' own terms are not stated by "
        "those who collected them, and none of them is part of dreamkit",
        "photographs": f"{len(pictures)} to train on, {len(unseen)} held out, every {lesson.HELD_OUT}th",
        "trained": "{crops} crops of {side} px, {seconds} s on {machine}, seed {seed}".format(**facts),
        "cosine with the teacher's pixel gradients, mixed0 to mixed4": training.figures(facts["cosines"]),
        "relative squared error of activations, mixed0 to mixed4": training.figures(facts["errors"]),
    }
    names = list(unseen)[:: max(1, len(unseen) // measured)][:measured]
    dreamed = {name: unseen[name] for name in names} | {
        path.stem: samples.shrunk(path) for path in elsewhere or []
    }
    (out / "pocket.md").write_text(card(told, guide, shipped, dreamed))
    print(f"wrote {out / 'pocket.md'}, of {weights}")


def taught(
    guide: Network,
    whole: factorise.Arrays,
    shown: Sequence[Array],
    unseen: Sequence[Array],
    out: Path,
    minutes: float,
    share: float,
    side: int,
    batch: int,
    pool: int,
    uses: int,
    learning_rate: float,
    seed: int,
) -> dict[str, Any]:
    """Trains on the photographs `shown`, writes the weights into `out`, and returns what the card tells."""
    checkpoint = out / "checkpoint.npz"
    trainer, random = begun(checkpoint, guide, whole, shown, share, learning_rate, seed)

    answers = training.teacher_answers(guide)
    fixed = np.random.default_rng([seed, 1])
    held = samples.Pool(unseen, answers, guide.channels, side, batch, fixed)
    held.fill(_HELD_OUT)
    held.refresh()  # some of them dreamed upon
    tests = [training.tensors(held.draw()) for _ in range(max(1, _HELD_OUT // batch))]
    print("before   ", training.described(*training.held_out(trainer, tests)), flush=True)
    seen = samples.Pool(shown, answers, guide.channels, side, batch, random)
    seen.fill(pool)
    training.train(trainer, seen, tests, minutes, uses, checkpoint)
    cosines, errors = training.held_out(trainer, tests)
    print("after    ", training.described(cosines, errors), flush=True)

    half = {key: array.astype(np.float16) for key, array in training.arrays_of(trainer.student.model).items()}
    training.write(out / "pocket.npz", half)
    return {
        "crops": trainer.seen,
        "side": side,
        "seconds": round(trainer.seconds),
        "machine": machine(),
        "seed": seed,
        "cosines": cosines,
        "errors": errors,
    }


if __name__ == "__main__":
    try:
        typer.run(main)
    except dreamkit.DreamkitError as error:
        raise SystemExit(f"error: {error}") from None
