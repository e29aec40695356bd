"""How much of a teacher's dream the pocket network dreams, layer by layer.

    python scripts/measure_pocket.py docs/pictures/*.jpg --teacher-weights inception5h.zip
    python scripts/measure_pocket.py photos/*.jpg --layer mixed4c --layer mixed5a --pocket-weights pocket.npz

Both networks dream every picture at one layer with the same options and the same seed. Then the teacher
measures, on the 8-bit results, how far each dream has raised the teacher's own objective: the pocket
network's share is its rise over the teacher's. Noise as strong as the pocket network's change stands beside
it. Then come the cosines between both networks' pixel gradients on the pictures themselves, of three
objectives: the mean square of all channels, random directions, and classes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import numpy.typing as npt
import typer

import dreamkit
from dreamkit.models.registry import Registry

Array = npt.NDArray[Any]

LAYERS = ("mixed3b", "mixed4a", "mixed4c", "mixed4e", "mixed5b")
KINDS = "all", "direction", "class"


@dataclass(frozen=True, slots=True)
class Row:
    """One picture: the share of the teacher's rise, and that of noise as strong."""

    name: str
    share: float
    noise: float


def shares(
    student: Any, teacher: Any, layer: str, pictures: Mapping[str, Array], **options: Any
) -> Iterator[Row]:
    """Dreams pictures, uint8 `(height, width, 3)`, with two loaded networks; `options` are the dream's."""
    random = np.random.default_rng(0)

    def objective(pixels: Array) -> float:
        return float(_gradient(teacher, layer, pixels, "all").objectives[0])

    for name, picture in pictures.items():
        theirs, own = (dreamkit.dream(picture, net, layers=[layer], **options) for net in (teacher, student))
        strength = np.sqrt(np.mean(np.square(own.astype(float) - picture)))
        noisy = np.clip(np.rint(picture + random.normal(0, strength, picture.shape)), 0, 255)
        before = objective(picture)
        rise = objective(theirs) - before
        yield Row(name, (objective(own) - before) / rise, (objective(noisy) - before) / rise)


def cosines(
    student: Any, teacher: Any, layer: str, pictures: Mapping[str, Array], kind: str, seed: int = 0
) -> list[float]:
    """The cosine between two networks' pixel gradients, for every picture.

    `kind` is the objective: `all` channels of `layer`, a random `direction` of them, or a random `class`,
    which is a channel of `layer`.
    """
    random = np.random.default_rng(seed)
    found = []
    for picture in pictures.values():
        drawn = random.integers(1 << 30)
        own, theirs = (
            _gradient(net, layer, picture, kind, np.random.default_rng(drawn)).gradient.ravel()
            for net in (student, teacher)
        )
        norm = float(np.linalg.norm(own) * np.linalg.norm(theirs))
        found.append(float(np.dot(own, theirs)) / norm if norm else 0.0)
    return found


def _gradient(
    network: Any, layer: str, pixels: Array, kind: str, random: np.random.Generator | None = None
) -> Any:
    """The objective and the pixel gradient of a network on one picture."""
    from dreamkit.engine.tf.compiled_step import ObjectiveSpec
    from dreamkit.plugins import registry

    objectives = registry.installed(registry.OBJECTIVES)
    batch, ones = pixels[None].astype(np.float32), np.ones(1, np.float32)
    if kind == "all" or random is None:
        return network.step([ObjectiveSpec(layer, objectives.get("mean-square"))])(batch, ones)
    weights = np.zeros(network.channels(layer), np.float32)
    if kind == "class":
        weights[random.integers(len(weights))] = 1
    else:
        weights[:] = random.standard_normal(len(weights))
    return network.step([ObjectiveSpec(layer, objectives.get("mean"), channel_weights=True)])(
        batch, ones, [weights]
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


def step_seconds(
    networks: Mapping[str, Any], layer: str, side: int = 512, rounds: int = 7
) -> dict[str, float]:
    """The median time of one gradient of a picture at `layer`, the networks taking turns."""
    pixels = np.random.default_rng(0).uniform(0, 255, (side, side, 3))
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            began = time.perf_counter()
            _gradient(network, layer, pixels, "all")
            if turn:  # the first traces
                taken[name].append(time.perf_counter() - began)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def table(layer: str, rows: Iterable[Row]) -> str:
    """The rows and their mean, as Markdown; each is printed as soon as it is there."""
    lines = [f"| dreamed at {layer} | share | noise |", "|---|---|---|"]
    print(*lines, sep="\n", flush=True)
    kept = []
    for row in rows:
        kept.append(row)
        lines.append(f"| {row.name} | {row.share:.3f} | {row.noise:.3f} |")
        print(lines[-1], flush=True)
    share, noise = (np.mean([getattr(row, what) for row in kept]) for what in ("share", "noise"))
    lines.append(f"| **mean of {len(kept)}** | **{share:.3f}** | {noise:.3f} |")
    print(lines[-1], flush=True)
    return "\n".join(lines)


def main(
    pictures: Annotated[list[Path], typer.Argument(help="photographs", exists=True, dir_okay=False)],
    teacher: Annotated[str, typer.Option(help="a model that has pocket's layers")] = "inception5h",
    teacher_weights: Annotated[Path | None, typer.Option(help="the teacher's weights file")] = None,
    pocket_weights: Annotated[Path | None, typer.Option(help="other weights than those carried")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="measured; default: five of them")] = None,
    dreamed: Annotated[bool, typer.Option(help="whether to dream, which takes most of the time")] = True,
    max_size: Annotated[int, typer.Option(min=75, help="longest side of a picture")] = 384,
) -> None:
    """Measures the pocket network against its teacher."""
    from dreamkit.media import image_sizes, images
    from dreamkit.models.weights import resolve

    provider = Registry().provider(teacher)
    plans = {
        "pocket": Registry().provider("pocket").load(pocket_weights),
        teacher: provider.load(resolve(provider, teacher_weights)),
    }
    networks = {
        "pocket": dreamkit.load("pocket", pocket_weights),
        teacher: dreamkit.load(teacher, teacher_weights),
    }
    shown = {path.stem: image_sizes.shrink(images.read(path, 10**9), max_size).pixels for path in pictures}
    pair = networks["pocket"], networks[teacher]
    for each in layer or LAYERS:
        cost = {name: arithmetic(plan, each, 512) / 1e9 for name, plan in plans.items()}
        seconds = step_seconds(networks, each)
        print(
            f"\n{each}:",
            ", ".join(f"{name} {cost[name]:.2f} GFLOP, {seconds[name]:.3f} s" for name in networks),
            "for a gradient of 512 x 512 pixels",
        )
        for kind in KINDS[:2]:
            print(f"cosine, {kind}: {np.mean(cosines(*pair, each, shown, kind)):.3f}", flush=True)
        if dreamed:
            table(each, shares(*pair, each, shown))
    if provider.head:
        measured = np.mean(cosines(*pair, provider.head, shown, "class"))
        print(f"\n{provider.head}: cosine, class: {measured:.3f}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except dreamkit.DreamkitError as error:
        raise SystemExit(f"error: {error}") from None
