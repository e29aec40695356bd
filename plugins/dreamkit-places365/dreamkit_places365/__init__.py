"""The Caffe networks that MIT trained on Places365, as models for dreamkit.

Their weights are Caffe models, so each is converted once: `python -m dreamkit_places365 googlenet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dreamkit import DreamkitError, ModelProvider, SavedModel, hookimpl
from dreamkit.media import paths
from dreamkit.models import converted
from dreamkit_places365.networks import LICENCE, NETWORKS, PREPROCESS, Network


def folder(network: Network) -> Path:
    """The folder of `network` after its conversion."""
    return paths.data() / "places365" / network.name


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    for network in NETWORKS:
        path, name = folder(network), f"places365_{network.name}"
        setup = f"python -m dreamkit_places365 {network.name}"
        if path.exists():
            try:
                yield converted.provider(path, name=name)
                continue
            except DreamkitError:  # damaged, or of another version of dreamkit
                setup += " --overwrite"
        yield ModelProvider(
            name=name,
            load=_not_set_up,
            preprocess=PREPROCESS,
            layers=dict.fromkeys(network.layers, 1.0),
            description=network.description,
            licence=LICENCE,
            setup=setup,
        )


def _not_set_up(_weights: Path | None) -> SavedModel:
    raise RuntimeError("dreamkit does not load a model that has a setup command")
