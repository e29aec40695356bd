"""The one identity of a dream: all that its bytes depend on, but for the machine, as plain data.

Work files, films, zooms, batches and sheets compare it to decide whether what is there is the dream that
would be made now. On another machine the same dream differs in its last bits alone, so what was begun there
is continued here, with a warning that names what differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dreamkit import recipes
from dreamkit.config import plain
from dreamkit.errors import shown

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import LoadedModel
    from dreamkit.media.images import Picture
    from dreamkit.request import DreamRequest


_MACHINE = {"processor": "processor", "gpu": "GPU", "threads": "threads", "onednn": "oneDNN"}


def fingerprint(request: DreamRequest, models: Sequence[LoadedModel]) -> dict[str, Any]:
    """Of a request, by the networks loaded for it.

    Equal fingerprints on one machine give equal bytes. Files count by their SHA-256, not by their names.
    """
    return of_parts(
        request,
        [
            [each.network.provider.name, each.network.digest, each.weight, plain(each.layers)]
            for each in models
        ],
    )


def of_parts(request: DreamRequest, models: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """As `fingerprint`, where networks are known by name, SHA-256 of the weights, weight and layers."""
    pictures = {"photograph": request.image, "guide": request.guide}
    return {
        "options": request.config.to_dict(),
        "models": [list(model) for model in models],
        **{name: _sha256(picture) for name, picture in pictures.items()},
        "masks": {name: _sha256(mask) for name, mask in request.masks.items()},
        "timeline": [plain(dict(entry)) for entry in request.timeline],
        "versions": recipes.versions(request.uses),
        **({"strokes": [_sha256(mask) for _, mask in request.strokes]} if request.strokes else {}),
    }


def from_metadata(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Of a finished dream, by the recipe in its file.

    Raises:
        KeyError, TypeError, AttributeError: it is not the recipe of a dream.
    """
    models = [[each[name] for name in ("name", "sha256", "weight", "layers")] for each in recipe["models"]]
    photograph, guide = recipe["photograph"], recipe.get("guide")
    options, asked = recipe["options"], recipe.get("asked")
    if asked is not None:  # the photograph chose channels, of layers that were given without
        options = {**options, **{name: asked[name] for name in ("layers", "schedule")}}
        models = [[*model[:3], layers] for model, layers in zip(models, asked["models"], strict=True)]
    return {
        "options": options,
        "models": models,
        "photograph": photograph and photograph["sha256"],
        "guide": guide and guide["sha256"],
        "masks": {name: each["sha256"] for name, each in recipe.get("masks", {}).items()},
        "timeline": [],
        "versions": {"dreamkit": recipe["dreamkit"], **recipe["versions"]},
    }


def digest(found: Mapping[str, Any]) -> str:
    """A fingerprint as 32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:32]


def machine_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two machines, for a warning; empty where nothing does, or where one is unknown.

    Both are as `engine.tf.machine.describe` gives them.
    """
    return ", ".join(
        f"{label} {shown(str(before.get(name, 'none')))} (now {now.get(name, 'none')})"
        for name, label in _MACHINE.items()
        if before and before.get(name) != now.get(name)
    )


def _sha256(picture: Picture | None) -> str | None:
    return None if picture is None else picture.sha256
