"""Measures the reference photographs of dreamkit's networks, and learns the concepts that come with it.

Only numbers are written: into `dreamkit/concepts/references` and `dreamkit/concepts/library`.

    python scripts/build_concepts.py PHOTOS --model pocket --model inception5h=inception5h.zip

PHOTOS is a folder of photographs of all kinds, whose file names end in `_LABEL.jpg`; `concept_groups.toml`
says which labels each concept is learned from.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from dreamkit import api
from dreamkit.concepts import learning, reference
from dreamkit.concepts.concept import Concept

HERE = Path(__file__).parent
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
        if not given.no_references:
            write_reference(name, weights or None, photographs)
        learned = [learn(each, group, photographs, name, weights or None) for each, group in groups.items()]
        path = PACKAGE / "library" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("[\n" + ",\n".join(each.to_json().strip() for each in learned) + "\n]\n")
        print(f"wrote {path} ({path.stat().st_size / 1e3:.0f} kB)")


def write_reference(name: str, weights: str | None, photographs: list[Path]) -> None:
    network = api.load(name, weights)
    found = learning.measure(network, learning.main_layers(network), photographs)
    path = PACKAGE / "references" / f"{name}.npz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(reference.to_bytes(found))
    print(f"wrote {path} ({path.stat().st_size / 1e3:.0f} kB)")


def learn(
    name: str, group: dict[str, Any], photographs: list[Path], model: str, weights: str | None
) -> Concept:
    """The concept of one group, in the layers that its network dreams concepts in."""
    pictures = [path for path in photographs if path.stem.partition("_")[2] in group["labels"]]
    if len(pictures) != len(group["labels"]):
        missing = set(group["labels"]) - {path.stem.partition("_")[2] for path in pictures}
        raise SystemExit(f"{name}: no photograph of {', '.join(missing)}")
    learned = learning.learn(name, pictures, model, weights=weights, layers=group.get("layers"), keep=True)
    shares = {layer: f"{each.separation:.2f}" for layer, each in learned.concept.directions.items()}
    print(model, name, len(pictures), shares, *learned.notes)
    return learned.concept


if __name__ == "__main__":
    main()
