"""How far recipes of feature visualisation raise single channels, beside dreamkit's own, at equal cost.

    python scripts/measure_features.py inception5h mixed4c --channels 24 --out build/features
    python scripts/measure_features.py pocket mixed4c --channels 8 --recipes default lucid maco

All recipes dream the same channels, with as many passes through the network in all: a step of eight views
counts as eight. Measured is the mean activation of the channel in the finished 8-bit picture. A sheet shows
them, one above the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import dreamkit
from dreamkit import recipes
from dreamkit.media import contact_sheet, image_writer

RECIPES = ("default", "lucid")
NOISE = {"maco": "white"}  # others begin with the same faint clouds


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
    parser.add_argument("--steps", type=int, default=192, help="in all octaves and views together")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), help="the first is compared with")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--out", type=Path, default=Path("build/features"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    network = dreamkit.load(given.model, given.weights)
    count = network.channels(given.layer)
    chosen = [index * count // given.channels for index in range(given.channels)]
    names = given.recipes
    cells: dict[str, list[contact_sheet.Cell]] = {recipe: [] for recipe in names}
    print("| channel | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    wins = dict.fromkeys(names[1:], 0)
    for channel in chosen:
        reached = []
        for recipe in names:
            options: dict[str, Any] = {"size": given.size, "layers": f"{given.layer}:{channel}"}
            options["noise"] = NOISE.get(recipe, "faint")
            probe = dreamkit.render(None, network, recipe=recipe, **{**options, "steps": 1})
            octaves = len((probe.recipe or {})["effective"]["octaves"])
            passes = octaves * recipes.find(recipe).config().views
            made = dreamkit.render(None, network, recipe=recipe, **options, steps=given.steps // passes)
            reached.append(activation(network, given.layer, channel, made.pixels))
            cells[recipe].append(contact_sheet.Cell(made.pixels, f"{recipe} {given.layer}:{channel}"))
        for recipe, found in zip(names[1:], reached[1:], strict=True):
            wins[recipe] += found > reached[0]
        print(f"| {channel} | " + " | ".join(f"{each:.3f}" for each in reached) + " |", flush=True)
    for recipe, count in wins.items():
        print(f"{recipe} is higher than {names[0]} on {count} of {len(chosen)} channels")
    rows = [cell for row in cells.values() for cell in row]
    image_writer.write(given.out / "features.png", contact_sheet.draw(rows, len(chosen)), overwrite=True)


if __name__ == "__main__":
    main()
