"""How much of its teacher's dream the pocket network dreams.

    python scripts/measure_pocket.py docs/pictures/*.jpg --teacher-weights inception_v3.h5

Both networks dream every picture with the same options and the same seed. Then the teacher says, of the
8-bit results, how far each has raised the teacher's own objective at its default layers: the pocket
network's share is its rise over the teacher's. Noise as strong as the pocket network's change stands
beside it, and the cosine between both networks' pixel gradients on the picture itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import numpy.typing as npt
import typer

import dreamkit
from dreamkit.models import pocket
from dreamkit.plugins import Registry

Array = npt.NDArray[Any]

LAYERS = ("mixed4",)


@dataclass(frozen=True, slots=True)
class Row:
    """One picture: the student's share, that of noise as strong, the cosine of the pixel gradients."""

    name: str
    share: float
    noise: float
    cosine: float


def share(student: Any, teacher: Any, pictures: Mapping[str, Array], **options: Any) -> Iterable[Row]:
    """Measures two loaded networks on pictures, uint8 `(height, width, 3)`; `options` are the dream's."""
    random = np.random.default_rng(0)

    def look(network: Any, pixels: Array) -> tuple[float, Array]:
        found = network.ascent(_goals())(pixels[None].astype(np.float32), np.ones(1, np.float32))
        return float(found.objectives[0]), found.gradient[0]

    for name, picture in pictures.items():
        theirs, own = (dreamkit.dream(picture, net, layers=LAYERS, **options) for net in (teacher, student))
        strength = np.sqrt(np.mean(np.square(own.astype(float) - picture)))
        noisy = np.clip(np.rint(picture + random.normal(0, strength, picture.shape)), 0, 255)
        before, gradient = look(teacher, picture)
        rise = look(teacher, theirs)[0] - before
        own_gradient = look(student, picture)[1]
        yield Row(
            name,
            (look(teacher, own)[0] - before) / rise,
            (look(teacher, noisy)[0] - before) / rise,
            float(
                np.vdot(gradient, own_gradient) / (np.linalg.norm(gradient) * np.linalg.norm(own_gradient))
            ),
        )


def arithmetic(model: Any, layer: str, side: int) -> float:
    """Multiplications and additions of the convolutions up to `layer` for one square picture."""
    import keras
    import tensorflow as tf

    cut = keras.Model(model.input, model.get_layer(layer).output)
    shapes = tf.function(lambda pixels: cut(pixels)).get_concrete_function(
        tf.TensorSpec((1, side, side, 3), tf.float32)
    )
    total = 0.0
    for operation in shapes.graph.get_operations():
        if operation.type == "Conv2D":
            kernel, output = operation.inputs[1].shape, operation.outputs[0].shape
            total += 2 * float(np.prod(kernel)) * output[1] * output[2]
    return total


def _goals() -> list[Any]:
    from dreamkit.engine.steps import Goal

    return [Goal(layer, "mean-square") for layer in LAYERS]


def step_seconds(networks: Mapping[str, Any], side: int = 512, rounds: int = 7) -> dict[str, float]:
    """The median time of one gradient of a picture, the networks taking turns."""
    pixels = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3)).astype(np.float32)
    pulls = np.ones(1, np.float32)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            began = time.perf_counter()
            network.ascent(_goals())(pixels, pulls)
            if turn:  # the first traces
                taken[name].append(time.perf_counter() - began)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def table(rows: Iterable[Row]) -> str:
    """The rows and their mean, as Markdown; each is printed as soon as it is there."""
    lines = ["| picture | share | noise | cosine |", "|---|---|---|---|"]
    kept = []
    for row in rows:
        kept.append(row)
        lines.append(f"| {row.name} | {row.share:.3f} | {row.noise:.3f} | {row.cosine:.3f} |")
        print(lines[-1], flush=True)
    means = (np.mean([getattr(row, what) for row in kept]) for what in ("share", "noise", "cosine"))
    lines.append("| **mean of {}** | **{:.3f}** | {:.3f} | {:.3f} |".format(len(kept), *means))
    print(lines[-1], flush=True)
    return "\n".join(lines)


def main(
    pictures: Annotated[list[Path], typer.Argument(help="photographs", exists=True, dir_okay=False)],
    teacher: Annotated[str, typer.Option(help="a model that has pocket's layers")] = "inception_v3",
    teacher_weights: Annotated[Path | None, typer.Option(help="the teacher's weights file")] = None,
    pocket_weights: Annotated[Path | None, typer.Option(help="other weights than those carried")] = None,
    max_size: Annotated[int, typer.Option(min=75, help="longest side of a picture")] = 384,
) -> None:
    """Measures the pocket network against its teacher."""
    from dreamkit import images

    registry = Registry()
    networks = {
        teacher: dreamkit.load(teacher, teacher_weights),
        "pocket": dreamkit.load("pocket", pocket_weights),
    }
    plans = {name: registry.provider(name).load(None) for name in networks}
    for layer in pocket.LAYERS:
        print(
            layer,
            ", ".join(
                f"{name} {arithmetic(plan, layer, 512) / 1e9:.2f} GFLOP" for name, plan in plans.items()
            ),
        )
    for name, seconds in step_seconds(networks).items():
        print(f"{name}: {seconds:.3f} s for a gradient of 512 x 512 pixels at {', '.join(LAYERS)}")
    shown = {path.stem: images.shrink(images.read(path, 10**9), max_size).pixels for path in pictures}
    table(share(networks["pocket"], networks[teacher], shown))


if __name__ == "__main__":
    try:
        typer.run(main)
    except dreamkit.DreamkitError as error:
        raise SystemExit(f"error: {error}") from None
