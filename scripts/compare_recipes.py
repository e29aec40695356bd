"""Dreams one photograph by every built-in recipe: as published, and all with the same compute.

    python scripts/compare_recipes.py docs/pictures/coffee.jpg --model inception_v3 --out build/recipes

Prints a table in Markdown. "Equal compute" gives each recipe one network, its default layers, and as many
steps as bring the number of pixels that pass through the network to that of dreamkit's own recipe. The
objective is the mean square of the layers' activations in the finished 8-bit picture at its own size, divided
by that of the photograph; the recipes' own objectives are of different kinds and cannot be compared.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import dreamkit
from dreamkit import recipes
from dreamkit.config import STEPS
from dreamkit.engine import octaves


def pixel_steps(config: dreamkit.DreamConfig, size: tuple[int, int], min_size: int) -> int:
    """How many pixels pass through the network for one step in each octave."""
    scale, scheme = config.octave_scale, config.octave_scheme
    count = config.octaves or octaves.count(size, scale, scheme, min_size)
    run = octaves.plan(size, count, scale, scheme, min_size, config.first_octave)
    return sum(math.prod(octave.size) for octave in run)


def objective(network: Any, layers: Sequence[str], pixels: Any) -> float:
    """The mean over `layers` of their activations' mean square."""
    found = network.activations(layers)(pixels[None].astype(np.float32))
    return float(np.mean([np.square(each).mean() for each in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--model", default="inception_v3")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--max-size", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("build/recipes"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    network = dreamkit.load(given.model, given.weights)
    layers = list(network.provider.layers)
    with Image.open(given.photograph) as image:
        image.thumbnail((given.max_size, given.max_size), Image.Resampling.LANCZOS)
        photograph = np.asarray(image.convert("RGB"))
    size = photograph.shape[0], photograph.shape[1]
    before = objective(network, layers, photograph)
    own = recipes.find("default").config()
    budget = pixel_steps(own, size, network.min_size(layers)) * (own.steps or STEPS)
    dreamkit.dream(photograph, network, octaves=1, steps=1)  # so that no recipe waits for the trace
    print("| recipe | steps | seconds | objective | equal compute: steps | seconds | objective |")
    print("|---|---|---|---|---|---|---|")
    for name in recipes.built_in():
        config = recipes.find(name).config(layers=None, max_size=None)
        each = pixel_steps(config, size, network.min_size(layers))
        row = [name]
        for kind, steps in ("published", config.steps or STEPS), ("equal", max(1, round(budget / each))):
            began = time.monotonic()
            made = dreamkit.render(photograph, network, config=config, steps=steps)
            seconds = time.monotonic() - began
            made.save(given.out / f"{name}.{kind}.png", overwrite=True)
            raised = objective(network, layers, made.pixels[..., :3]) / before
            row += [str(steps), f"{seconds:.1f}", f"{raised:.1f}"]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
