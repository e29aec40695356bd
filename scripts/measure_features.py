"""How far the recipe `lucid` raises single channels, beside dreamkit's own, at equal steps.

    python scripts/measure_features.py inception5h mixed4c --channels 24 --out build/features

Both recipes dream the same channels from the same faint clouds, with as many steps in all. What is measured
is the channel's mean activation in the finished 8-bit picture. A sheet shows both, one above the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import dreamkit
from dreamkit.media import contact_sheet, image_writer

RECIPES = ("default", "lucid")


def activation(network: Any, layer: str, channel: int, pixels: Any) -> float:
    """The mean activation of one channel."""
    (found,) = network.activations([layer])(pixels[None].astype(np.float32))
    return float(found[..., channel].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("layer")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--channels", type=int, default=24, help="how many, evenly spread over the layer")
    parser.add_argument("--steps", type=int, default=192, help="in all octaves together")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--out", type=Path, default=Path("build/features"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    network = dreamkit.load(given.model, given.weights)
    count = network.channels(given.layer)
    chosen = [index * count // given.channels for index in range(given.channels)]
    cells: dict[str, list[contact_sheet.Cell]] = {recipe: [] for recipe in RECIPES}
    print("| channel | " + " | ".join(RECIPES) + " | ratio |\n|---|" + "---|" * (len(RECIPES) + 1))
    wins = 0
    for channel in chosen:
        reached = []
        for recipe in RECIPES:
            options = {"size": given.size, "noise": "faint", "layers": f"{given.layer}:{channel}"}
            probe = dreamkit.render(None, network, recipe=recipe, **{**options, "steps": 1})
            octaves = len((probe.recipe or {})["effective"]["octaves"])
            made = dreamkit.render(None, network, recipe=recipe, **options, steps=given.steps // octaves)
            reached.append(activation(network, given.layer, channel, made.pixels))
            cells[recipe].append(contact_sheet.Cell(made.pixels, f"{recipe} {given.layer}:{channel}"))
        wins += reached[1] > reached[0]
        ratio = reached[1] / reached[0] if reached[0] else float("inf")
        print(f"| {channel} | {reached[0]:.3f} | {reached[1]:.3f} | {ratio:.2f} |", flush=True)
    print(f"{RECIPES[1]} is higher on {wins} of {len(chosen)} channels")
    both = [cell for pair in zip(*cells.values(), strict=True) for cell in pair]
    image_writer.write(given.out / "features.png", contact_sheet.draw(both, 8), overwrite=True)


if __name__ == "__main__":
    main()
