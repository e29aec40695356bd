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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import process
from dreamkit.engine.tf import compiled_step, network, packaged_steps
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.models import architecture, inception5h, pocket, registry
from dreamkit.plugins import registry as parts

TENSORFLOW = ["2.19", "2.21"]  # with which `--check` finds the same
PLANS = {"pocket": lambda: pocket.read(None), "inception5h": inception5h.plan}


class Traced(NamedTuple):
    """A network's step for its default layers, and what must be known of the network."""

    name: str
    entry: dict[str, Any]
    definition: Any
    arrays: packaged_steps.Arrays


def traced(name: str, seed: int) -> Traced:
    """The network with random weights, traced as a dream with default options traces it."""
    provider = registry.installed().provider(name)
    operations, arrays = PLANS[name]()
    arrays = drawn(arrays, np.random.default_rng(seed))
    loaded = network.load(
        replace(provider, load=lambda _: architecture.model(operations, arrays, name=name)), None
    )
    objective = parts.installed(parts.OBJECTIVES).get(str(DreamConfig().objective))
    specs = [ObjectiveSpec(layer, objective) for layer in provider.layers]
    definition = compiled_step.function_def(loaded.traced_step(specs))
    file = "-".join([name, *provider.layers])
    entry = {
        "preprocess": repr(provider.preprocess),
        "structure": packaged_steps.structure(operations, arrays),
        "channels": {layer: loaded.channels(layer) for layer in loaded.layers},
        "strides": {layer: loaded.probe.stride(layer) for layer in provider.layers},
        "steps": {network.step_key([spec.key for spec in specs]): file},
    }
    return Traced(name, entry, definition, arrays)


def drawn(arrays: packaged_steps.Arrays, random: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Other numbers, all different, in the same shapes."""
    return {key: random.standard_normal(array.shape, np.float32) for key, array in arrays.items()}


def write() -> None:
    """Writes the index and the steps."""
    networks = {}
    for name in PLANS:
        found = traced(name, seed=0)
        (file,) = found.entry["steps"].values()
        packaged_steps.packed(file, packaged_steps.emptied(found.definition, found.arrays))
        networks[name] = found.entry
    index = {"tensorflow": TENSORFLOW, "sources": packaged_steps.sources(), "networks": networks}
    packaged_steps.INDEX.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def differences() -> list[str]:
    """What is in the package and is not what is traced now."""
    index = json.loads(packaged_steps.INDEX.read_text(encoding="utf-8"))
    found = [] if index["sources"] == packaged_steps.sources() else ["sources of dreamkit have changed"]
    for name in PLANS:
        now = traced(name, seed=1)
        if index["networks"].get(name) != now.entry:
            found.append(f"{name} is described otherwise")
            continue
        (file,) = now.entry["steps"].values()
        step = packaged_steps.filled(packaged_steps.unpacked(file), now.arrays)
        now.definition.signature.name = step.signature.name
        if step != now.definition:
            found.append(f"the step of {name} is another")
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
