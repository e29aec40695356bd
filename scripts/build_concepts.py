"""Measures the reference photographs of dreamkit's networks, and learns the concepts that come with it.

Only numbers are written: into `dreamkit/concepts/references` and `dreamkit/concepts/library`.

    python scripts/build_concepts.py PHOTOS --model pocket --model inception5h=inception5h.zip

PHOTOS is a folder of photographs of all kinds, whose file names end in `_LABEL.jpg`; `concept_groups.toml`
says which labels each concept is learned from. At most ten of a group are among the reference photographs.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from dreamkit import api
from dreamkit.concepts import learning, reference
from dreamkit.concepts.concept import Concept
from dreamkit.engine.tf.network import Network

HERE = Path(__file__).parent
LAYERS = {
    "pocket": ["mixed4c", "mixed4e", "mixed5a"],
    "inception5h": ["mixed4c", "mixed4e", "mixed5a"],
    "inception_v3": ["mixed5", "mixed7"],
}
MOST = 10  # reference photographs of one group
PACKAGE = HERE.parent / "dreamkit" / "concepts"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="the folder")
    parser.add_argument("--model", action="append", required=True, metavar="NAME[=WEIGHTS]")
    parser.add_argument("--no-references", action="store_true", help="keep the references there are")
    given = parser.parse_args()
    photographs = sorted(given.photographs.glob("*.jpg"))
    groups = tomllib.loads((HERE / "concept_groups.toml").read_text())
    for text in given.model:
        name, _, weights = text.partition("=")
        network = api.load(name, weights or None)
        if not given.no_references:
            write_reference(network, of_all_kinds(photographs, groups))
        if name not in LAYERS:
            continue
        learned = [learn(each, group, photographs, network) for each, group in groups.items()]
        path = PACKAGE / "library" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("[\n" + ",\n".join(each.to_json().strip() for each in learned) + "\n]\n")
        print(f"wrote {path} ({path.stat().st_size / 1e3:.0f} kB)")


def of_all_kinds(photographs: list[Path], groups: dict[str, Any]) -> list[Path]:
    """At most ten `photographs` of each group: with a hundred dogs among them, no dog would stand out."""
    left_out: set[str] = set()
    for group in groups.values():
        labels = group["labels"]
        kept = {labels[round(number * (len(labels) - 1) / (MOST - 1))] for number in range(MOST)}
        left_out |= set(labels) - kept if len(labels) > MOST else set()
    return [path for path in photographs if path.stem.partition("_")[2] not in left_out]


def write_reference(network: Network, photographs: list[Path]) -> None:
    found = learning.measure(network, learning.main_layers(network), photographs)
    path = PACKAGE / "references" / f"{network.provider.name}.npz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(reference.to_bytes(found))
    print(f"wrote {path} ({path.stat().st_size / 1e3:.0f} kB)")


def learn(name: str, group: dict[str, Any], photographs: list[Path], network: Network) -> Concept:
    """The concept of one group, in the layers that concepts are dreamed in, and one between them."""
    found = [path.stem.partition("_")[2] for path in photographs]
    if wrong := [label for label in group["labels"] if found.count(label) != 1]:
        raise SystemExit(f"{name}: there is not one photograph of {', '.join(wrong)}")
    pictures = [path for path, label in zip(photographs, found, strict=True) if label in group["labels"]]
    learned = learning.learn(name, pictures, network, layers=LAYERS[network.provider.name], keep=True)
    shares = {layer: f"{each.separation:.2f}" for layer, each in learned.concept.directions.items()}
    print(network.provider.name, name, len(pictures), shares, *learned.notes)
    return learned.concept


if __name__ == "__main__":
    main()
