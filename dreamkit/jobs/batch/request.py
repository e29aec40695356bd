"""How a batch dreams all of its pictures: one request, with a folder of its own if there are several."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamkit import fingerprint
from dreamkit.config import plain
from dreamkit.media import paths
from dreamkit.models import registry, weights
from dreamkit.request import DreamRequest


@dataclass(frozen=True)
class BatchRequest:
    """How to dream all pictures. A batch has one request or several.

    Attributes:
        name: of its folder, if there are several requests, else empty.
        request: without an image.
        models: name, SHA-256 of the weights file (empty if there is none), weight and layers of each.
        digest: of the request's fingerprint, without a photograph.
        weights_size: bytes of all weights files.
    """

    name: str
    request: DreamRequest
    models: tuple[tuple[Any, ...], ...] = ()
    digest: str = ""
    weights_size: int = 0

    def digests_of(self, recipe: Mapping[str, Any]) -> tuple[str, str] | None:
        """The hash of the picture and the digest of the request, from the recipe that a dream carries; None
        if the recipe lacks something."""
        try:
            found = fingerprint.from_metadata(recipe)
            # Where no file holds the weights, their hash is known only once the network is loaded.
            for model, known in zip(found["models"], self.models, strict=False):
                model[1] = model[1] if known[1] else ""
            photograph, found["photograph"] = found["photograph"], None
        except (KeyError, TypeError, AttributeError):
            return None
        return photograph, fingerprint.digest(found)


def resolve(
    name: str, request: DreamRequest, *, on_download: Callable[[int, int], None] | None = None
) -> BatchRequest:
    """A request with all that it needs at hand: its weights are downloaded.

    Raises:
        DreamkitError: something does not exist or cannot be used.
    """
    request.refuse("a batch", "timeline", "strokes")
    specs, models, size = [], [], 0
    for spec in request.models:
        path = weights.resolve(registry.installed().provider(spec.name), spec.weights, on_download)
        given = None if spec.weights is None else str(Path(os.path.expanduser(spec.weights)).absolute())
        specs.append(replace(spec, weights=given))
        models.append((spec.name, paths.digest(path) if path else "", spec.weight, plain(spec.layers)))
        size += path.stat().st_size if path else 0
    request = replace(request, models=tuple(specs))
    digest = fingerprint.digest(fingerprint.of_parts(request, models))
    return BatchRequest(name, request, tuple(models), digest, size)


def folder_name(recipe: str | None, model: str | None) -> str:
    """The name of a request's folder, if there are several."""
    parts = [Path(recipe).stem if recipe else "", model or ""]
    return "-".join(paths.safe_name(part) for part in parts if part)
