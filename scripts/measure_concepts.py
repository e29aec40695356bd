"""How well concepts are told apart, and whether another network sees a concept that one network dreamed.

    python scripts/measure_concepts.py separation PHOTOS --model pocket --model inception_v3=inception_v3.h5
    python scripts/measure_concepts.py transfer PHOTOS rocket.jpg --model pocket --model inception_v3=...
    python scripts/measure_concepts.py learning PHOTOS --model pocket

`separation` learns concepts from 3, 5 and 10 photographs of a group. For each layer that is dreamed it
prints the separation that dreamkit reports (each picture left out in turn), and that of photographs of the
group that it was not learned from, against all photographs of other groups (AUC).

`transfer` dreams concepts with the first network. It prints how far each dream lies along the concept that
the other network learned from the same photographs, in standard deviations of other photographs, before
and after; and in brackets after, along the other concepts, as a mean.

`learning` times how long concepts take to learn once the network is loaded, and in the same run the plain way
to see the same layers: Keras' `predict`, a picture at a time.
"""

from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
import typer

import dreamkit
from dreamkit import api
from dreamkit.concepts import learning, reference, separation
from dreamkit.concepts.features import features, square
from dreamkit.direction_text import encoded
from dreamkit.engine.tf.network import Network
from dreamkit.inputs import open_picture

Array = npt.NDArray[Any]

CONCEPTS = ("butterflies", "buildings", "dogs", "lizards", "mushrooms", "boats")
COUNTS = (3, 5, 10)
DRAWS = 5  # sets of photographs that each concept is learned from
GROUPS = Path(__file__).with_name("concept_groups.toml")

app = typer.Typer(add_completion=False)
Photographs = Annotated[Path, typer.Argument(help="a folder of photographs that end in _LABEL.jpg")]
Models = Annotated[list[str], typer.Option("--model", help="NAME or NAME=WEIGHTS")]


def load(text: str) -> Network:
    name, _, weights = text.partition("=")
    return api.load(name, weights or None)


def groups(files: list[Path]) -> dict[str, list[int]]:
    """The photographs of each concept, by number."""
    labels = [file.stem.partition("_")[2] for file in files]
    found = tomllib.loads(GROUPS.read_text())
    return {name: [labels.index(label) for label in found[name]["labels"]] for name in CONCEPTS}


def reference_of(network: Network) -> reference.Reference:
    found = reference.find(network.provider.name, network.digest)
    assert found is not None
    return found


def seen(network: Network, files: list[Path]) -> dict[str, Array]:
    """The features of all photographs in the layers that concepts are dreamed in."""
    layers = list(network.provider.concept_layers)
    pictures = (open_picture(file, dreamkit.DreamConfig()).pixels for file in files)  # type: ignore[union-attr]
    return {layer: each.mean for layer, each in features(network, layers, pictures).items()}


def auc(inside: Array, outside: Array) -> float:
    return float((inside[:, None] > outside[None]).mean())


@app.command("separation")
def separation_table(photographs: Photographs, model: Models) -> None:
    """The table of separations."""
    files = sorted(photographs.glob("*.jpg"))
    by_concept = groups(files)
    print("| network, layer | pictures |", " | ".join(CONCEPTS), "| mean |")
    for network in map(load, model):
        known = reference_of(network)
        for layer, all_seen in seen(network, files).items():
            for count in COUNTS:
                found = [scores(all_seen, by_concept[name], count, known.layers[layer]) for name in CONCEPTS]
                cells = [f"{left:.3f} / {held:.3f}" if held >= 0 else "-" for left, held in found]
                mean = np.mean([held for _, held in found if held >= 0])
                print(f"| {network.provider.name}, {layer} | {count} |", " | ".join(cells), f"| {mean:.3f} |")


def scores(
    all_seen: Array, group: list[int], count: int, known: reference.LayerStatistics
) -> tuple[float, float]:
    """The reported separation and the held-out one; negative where the group has too few photographs."""
    if len(group) < count + 2:
        return -1.0, -1.0
    others = np.delete(all_seen, group, axis=0)
    left, held = [], []
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(group)
        weights = separation.direction(all_seen[order[:count]], known)
        left.append(separation.leave_one_out(all_seen[order[:count]], known))
        held.append(auc(all_seen[order[count:]] @ weights, others @ weights))
    return float(np.mean(left)), float(np.mean(held))


@app.command()
def transfer(photographs: Photographs, pictures: list[Path], model: Models) -> None:
    """The table of standard scores in the second network."""
    files = sorted(photographs.glob("*.jpg"))
    by_concept = groups(files)
    dreaming, looking = map(load, model)
    known = {network: reference_of(network) for network in (dreaming, looking)}
    layer = looking.provider.concept_layers[-1]
    learned = {
        network: {
            name: {
                each: separation.direction(values, known[network].layers[each])
                for each, values in seen(network, [files[number] for number in by_concept[name]]).items()
            }
            for name in CONCEPTS
        }
        for network in (dreaming, looking)
    }
    print(f"| concept | {' | '.join(path.stem for path in pictures)} |")
    for name in CONCEPTS:
        texts = {each: encoded(weights) for each, weights in learned[dreaming][name].items()}
        table = {"concept": name, "directions": {dreaming.digest: texts}}
        cells = []
        for path in pictures:
            before = open_picture(path, dreamkit.DreamConfig(max_size=512)).pixels  # type: ignore[union-attr]
            after = dreamkit.dream(before, dreaming, layers=[table])
            both = features(looking, [layer], [before, after])[layer].mean
            statistics = known[looking].layers[layer]
            along = {
                each: separation.standard_scores(both, learned[looking][each][layer], statistics)
                for each in CONCEPTS
            }
            before_it, after_it = along[name]
            others = np.mean([after for each, (_, after) in along.items() if each != name])
            cells.append(f"{before_it:+.1f} to {after_it:+.1f} ({others:+.1f})")
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


@app.command("learning")
def learning_table(photographs: Photographs, model: Models) -> None:
    """The table of times."""
    files = sorted(photographs.glob("*.jpg"))
    (network,) = map(load, model)
    layers = learning.main_layers(network)
    plain: Any = network.provider.load(None)
    plain = keras.Model(plain.inputs, [plain.get_layer(layer).output for layer in layers])
    preprocess = network.provider.preprocess
    print("| pictures | learn | Keras' predict |")
    print("|---|---|---|")
    for count in (3, 10, 100):
        chosen = files[:: len(files) // count][:count]
        started = time.perf_counter()
        learning.learn("it", chosen, network, keep=True)
        learned = time.perf_counter()
        for file in chosen:
            pixels = open_picture(file, dreamkit.DreamConfig()).pixels  # type: ignore[union-attr]
            plain.predict(preprocess(square(pixels)[None]), verbose=0)
        print(f"| {count} | {learned - started:.1f} s | {time.perf_counter() - learned:.1f} s |", flush=True)


if __name__ == "__main__":
    app()
