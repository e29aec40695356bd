"""Writes the steps that come with dreamkit: those of built-in networks, without their weights.

    python scripts/package_steps.py            # after a change of what is traced
    python scripts/package_steps.py --check    # whether tracing gives what is there, with this TensorFlow

Each network is traced with random weights, so no weights file is needed. `--check` traces it with others.
See `dreamkit/engine/tf/packaged_steps.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from dreamkit.engine import process
from dreamkit.engine.tf import compiled_step, network, packaged_steps
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.models import architecture, inception5h, inception_v3, pocket, registry
from dreamkit.plugins import registry as parts

TENSORFLOW = ["2.19", "2.21"]  # with which `--check` finds the same
PLANS = {"pocket": lambda: pocket.read(None), "inception5h": inception5h.plan}
PLAIN, DIRECTED = ("mean-square", False), ("mean", True)  # objective, and whether channels have weights
CONCEPT = [("mixed4c", *DIRECTED), ("mixed5a", *DIRECTED)]
STEPS: dict[str, list[list[tuple[str, str, bool]]]] = {
    "pocket": [
        *([(layer, *PLAIN)] for layer in ("conv2d2", *inception5h.MAIN_LAYERS)),
        [("mixed4a", *PLAIN), ("mixed3b", *PLAIN)],
        [("mixed4c", "mean-square", True)],
        [("mixed4c", "mean-square", True), ("mixed4d", "mean-square", True)],
        [(inception5h.HEAD, *DIRECTED)],
        *(CONCEPT * count for count in (1, 2, 3, 4)),
    ],
    "inception5h": [[("mixed4c", *PLAIN)]],
    "inception_v3": [
        [("mixed4", *PLAIN)],
        *([("mixed3", name, False), ("mixed5", name, False)] for name in ("mean-square", "mean")),
    ],
}
"""The objectives of each step: layer, objective, and whether channels have weights. Of pocket those of the
moods, the main layers, channels, a class and concepts; of the others those by default, and of Inception v3
also the layers of TensorFlow's tutorial, which most people try first."""


class Traced(NamedTuple):
    """A network's steps, and what must be known of the network.

    Attributes:
        entry: in the index.
        definitions: of the steps, a FunctionDef each, by their names in the package.
        arrays: the weights.
        notes: every constant that a step may have from them.
    """

    entry: dict[str, Any]
    definitions: dict[str, Any]
    arrays: packaged_steps.Arrays
    notes: list[str]


def traced(name: str, seed: int) -> Traced:
    """The network with random weights, traced as a dream traces it."""
    provider = registry.installed().provider(name)
    random = np.random.default_rng(seed)
    operations: list[architecture.Operation] = []
    arrays: dict[str, NDArray[Any]] = {}
    notes: list[str] = []

    def load(_: Path | None) -> keras.Model:
        if name in PLANS:
            found, own = PLANS[name]()
            operations.extend(found)
            arrays.update(drawn(own, random))
            notes.extend(f"array {key}" for key in arrays)
            notes.extend(f"blocks {key}" for key, array in arrays.items() if array.ndim == 4)
            return architecture.model(operations, arrays, name=name)
        model = provider.load(None)
        arrays.update(drawn_in(model, random))
        notes.extend(notes_of(model))
        return model

    loaded = network.load(replace(provider, load=load), None)
    objectives = parts.installed(parts.OBJECTIVES)
    keys: dict[str, str] = {}
    definitions: dict[str, Any] = {}
    strides: dict[str, int] = {}
    for number, terms in enumerate(STEPS[name]):
        specs = [ObjectiveSpec(layer, objectives.get(each), weighted) for layer, each, weighted in terms]
        file = f"{name}-{number}"
        keys[network.step_key([spec.key for spec in specs])] = file
        definitions[file] = compiled_step.function_def(loaded.traced_step(specs))
        strides |= {layer: loaded.probe.stride(layer) for layer, _, _ in terms if layer not in strides}
    entry = {
        "preprocess": repr(provider.preprocess),
        "structure": packaged_steps.structure(operations, arrays),
        "channels": {layer: loaded.channels(layer) for layer in loaded.layers},
        "strides": strides,
        "steps": keys,
    }
    return Traced(entry, definitions, arrays, notes)


def drawn_in(model: keras.Model, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """As `drawn`, set in a Keras model, under the keys of `inception_v3.read`."""
    found: dict[str, NDArray[Any]] = {}
    for kind, layers in layers_of(model).items():
        for number, layer in enumerate(layers):
            values = drawn({each.name: np.asarray(each) for each in layer.weights}, random)
            if "moving_variance" in values:
                values["moving_variance"] = np.abs(values["moving_variance"])
            layer.set_weights(list(values.values()))
            found |= {f"{inception_v3.numbered(kind, number)}/{key}": each for key, each in values.items()}
    return found


def notes_of(model: keras.Model) -> list[str]:
    """Every constant that a step may have, where each convolution has a batch normalisation behind it."""
    positions = {
        kind: {layer.name: inception_v3.numbered(kind, number) for number, layer in enumerate(layers)}
        for kind, layers in layers_of(model).items()
    }
    found = []
    for name, convolution in positions[inception_v3.CONVOLUTION].items():
        behind = name.replace(inception_v3.CONVOLUTION, inception_v3.NORMALISATION)  # made next
        normalisation = positions[inception_v3.NORMALISATION][behind]
        kernel, variance = f"{convolution}/kernel", f"{normalisation}/moving_variance"
        found += [f"folded-kernel {kernel} {variance}", f"folded-first-kernel {kernel} {variance}"]
        found.append(f"folded-offset {normalisation}/beta {normalisation}/moving_mean {variance}")
    return found


def layers_of(model: keras.Model) -> dict[str, list[Any]]:
    """The layers with weights by kind, in the model's order."""
    kinds = {
        inception_v3.CONVOLUTION: keras.layers.Conv2D,
        inception_v3.NORMALISATION: keras.layers.BatchNormalization,
    }
    return {kind: [each for each in model.layers if isinstance(each, layer)] for kind, layer in kinds.items()}


def drawn(arrays: packaged_steps.Arrays, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Other numbers, all different, in the same shapes."""
    return {key: random.standard_normal(array.shape, np.float32) for key, array in arrays.items()}


def write() -> None:
    """Writes the index and the steps."""
    networks = {}
    for old in packaged_steps.FOLDER.glob("*.step"):
        old.unlink()
    for name in STEPS:
        found = traced(name, seed=0)
        for file, definition in found.definitions.items():
            packaged_steps.packed(file, packaged_steps.emptied(definition, found.arrays, found.notes))
        networks[name] = found.entry
    index = {"tensorflow": TENSORFLOW, "sources": packaged_steps.sources(), "networks": networks}
    packaged_steps.INDEX.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def differences() -> list[str]:
    """What is in the package and is not what is traced now."""
    index = json.loads(packaged_steps.INDEX.read_text(encoding="utf-8"))
    found = [] if index["sources"] == packaged_steps.sources() else ["sources of dreamkit have changed"]
    for name in STEPS:
        now = traced(name, seed=1)
        if index["networks"].get(name) != now.entry:
            found.append(f"{name} is described otherwise")
            continue
        for file, definition in now.definitions.items():
            step = packaged_steps.filled(packaged_steps.unpacked(file), now.arrays)
            definition.signature.name = step.signature.name
            if step != definition:
                found.append(f"the step {file} is another")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where they differ")
    process.own()
    if not parser.parse_args().check:
        write()
    elif found := differences():
        sys.exit(f"{'; '.join(found)}; run python scripts/package_steps.py")


if __name__ == "__main__":
    main()
