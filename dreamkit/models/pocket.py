"""The network in the package: Google's inception5h with factorised convolutions.

The inputs of a convolution mostly lie in a few directions. So most convolutions up to the default layer are
factorised (see `architecture`). Each channel stands for the same channel of inception5h.
`scripts/distil_pocket.py` trained it; `pocket.md` describes how, and how well it dreams.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dreamkit.models import architecture, inception5h, inception_v3
from dreamkit.models.providers import ModelProvider, Preprocess
from dreamkit.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import keras

    from dreamkit.models.architecture import Architecture

WEIGHTS = Path(__file__).with_name("pocket.npz")
FIRST_EDITION = Path(__file__).with_name("pocket1.npz")  # Inception v3 up to `mixed4`, factorised


def read(weights: Path | None) -> Architecture:
    return architecture.read(weights or WEIGHTS)


def load(weights: Path | None) -> keras.Model:
    return architecture.model(*read(weights), name="pocket")


def load_first_edition(weights: Path | None) -> keras.Model:
    return architecture.model(*architecture.read(weights or FIRST_EDITION), name="pocket1")


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    yield ModelProvider(
        name="pocket",
        load=load,
        preprocess=inception5h.PREPROCESS,
        layers=inception5h.LAYERS,
        guide_layers=inception5h.GUIDE_LAYERS,
        concept_layers=inception5h.CONCEPT_LAYERS,
        weights=WEIGHTS,
        licence="Apache-2.0",
        description="inception5h made small: in the package, no download, and fast",
        main_layers=inception5h.MAIN_LAYERS,
        head=inception5h.HEAD,
        labels=inception5h.labels(),
        same_layers_as="inception5h",
    )
    yield ModelProvider(
        name="pocket1",
        load=load_first_edition,
        preprocess=Preprocess(mean=(127.5, 127.5, 127.5), scale=(1 / 127.5, 1 / 127.5, 1 / 127.5)),
        layers={"mixed4": 1.0},
        main_layers=inception_v3.MAIN_LAYERS[:5],
        weights=FIRST_EDITION,
        min_size=43,
        licence="Apache-2.0",
        description="the first edition of pocket, for pictures made with it",
    )
