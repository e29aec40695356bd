"""How a batch dreams all of its pictures: networks, options, guide and masks."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dreamkit import api
from dreamkit.config import DreamConfig, plain
from dreamkit.inputs import Source, beside, open_picture
from dreamkit.jobs.atlas import safe_name
from dreamkit.media import images, paths
from dreamkit.models.registry import Registry
from dreamkit.models.weights import resolve as resolve_weights
from dreamkit.recipes import Recipe, Share


@dataclass(frozen=True)
class BatchRequest:
    """How to dream all pictures. A batch has one request or several.

    Attributes:
        name: of its folder, if there are several requests, else empty.
        shares, config, guide, masks: as in `Ingredients`; guide and masks have been read.
        weights: paths of weights files by models, or None for the models' own.
        digest: of all that a dream depends on, except its picture.
    """

    name: str
    shares: tuple[Share, ...]
    config: DreamConfig
    guide: images.Picture | None = None
    masks: Mapping[str, Source] = field(default_factory=dict)
    weights: Mapping[str, str] | None = None
    digest: str = ""

    def weights_size(self) -> int:
        """Bytes of all weights files."""
        registry = Registry()
        given = self.weights or {}
        files = [
            resolve_weights(registry.provider(share.model), given.get(share.model)) for share in self.shares
        ]
        return sum(file.stat().st_size for file in files if file is not None)


def resolve(
    name: str,
    shares: tuple[Share, ...],
    config: DreamConfig,
    recipe: Recipe | None = None,
    *,
    weights: api.Weights = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    progress: Callable[[int, int], None] | None = None,
) -> BatchRequest:
    """A request with all that it needs: weights are downloaded, guide and masks are read.

    Raises:
        DreamkitError: something does not exist or cannot be used.
    """
    picture, sources = beside(config, shares, recipe, guide=guide, mask=mask)
    masks = {each: open_picture(source, replace(config, max_size=None)) for each, source in sources.items()}
    registry = Registry()
    files: dict[str, str] = {}
    models = []
    for share in shares:
        given = weights.get(share.model) if isinstance(weights, Mapping) else weights
        path = resolve_weights(registry.provider(share.model), given, progress)
        if given is not None:
            files[share.model] = os.path.abspath(given)
        models.append([share.model, paths.digest(path) if path else "", share.weight, plain(share.layers)])
    hashes = {each: mask.sha256 for each, mask in masks.items() if mask}
    digest = _digest(config.to_dict(), models, picture.sha256 if picture else None, hashes)
    return BatchRequest(name, shares, config, picture, masks, files or None, digest)


def folder_name(recipe: str | None, model: str | None) -> str:
    """The name of a request's folder, if there are several."""
    parts = [Path(recipe).stem if recipe else "", model or ""]
    return "-".join(safe_name(part) for part in parts if part)


def digests(recipe: Mapping[str, Any]) -> tuple[str, str] | None:
    """The hash of the picture and the digest of the request, from the recipe that a dream carries; None if
    the recipe lacks something."""
    try:
        models = [
            [each[name] for name in ("name", "sha256", "weight", "layers")] for each in recipe["models"]
        ]
        guide = recipe["guide"]["sha256"] if "guide" in recipe else None
        masks = {name: each["sha256"] for name, each in recipe.get("masks", {}).items()}
        return recipe["photograph"]["sha256"], _digest(recipe["options"], models, guide, masks)
    except (KeyError, TypeError, AttributeError):
        return None


def _digest(
    options: Mapping[str, Any], models: Sequence[Sequence[Any]], guide: str | None, masks: Mapping[str, str]
) -> str:
    everything = {"options": options, "models": models, "guide": guide, "masks": masks}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]
