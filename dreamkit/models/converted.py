"""Networks that `dreamkit convert` converted: each is a folder with a SavedModel and a record."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.errors import DreamkitWarning, ModelError, first_line
from dreamkit.media import folders, paths
from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel, TextTower
from dreamkit.models.text_tower import FOLDER, TextEncoder, TextInputs
from dreamkit.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECORD, SAVED_MODEL = "model.json", "saved_model"
FORMAT = 1
_AGAIN = "convert the model again, or remove its folder"
_MOST_BYTES = 16 << 20  # of a record; that of ResNet-152, the longest we know, has 300,000


def folder() -> Path:
    """The folder of converted networks. Each has a folder of its name in it."""
    return paths.data() / "models"


def record(path: Path) -> dict[str, Any]:
    """The contents of `model.json` in the folder `path`: see `docs/convert.md`.

    Raises:
        ModelError: it does not exist or is damaged.
    """
    file = path / RECORD
    try:
        if os.path.getsize(file) > _MOST_BYTES:
            raise ModelError(f"{file} is too large; {_AGAIN}")
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {file} ({first_line(error)}); {_AGAIN}") from error
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise ModelError(f"{file} was written by another version of dreamkit; {_AGAIN}")
    return read


def provider(path: Path, **known: Any) -> ModelProvider:
    """The provider of the network in the folder `path`. Fields in `known` replace those of its record.

    Raises:
        ModelError: the record is missing or damaged.
    """
    read = record(path)
    try:
        blobs: Mapping[str, Mapping[str, int]] = read["blobs"]
        text: Mapping[str, Any] = read.get("text") or {}
        saved = SavedModel(
            path=path / SAVED_MODEL,
            outputs={name: name for name in blobs},
            min_sizes={name: int(blob["min_size"]) for name, blob in blobs.items()},
            digest=_digest(read["sources"], read.get("fill"), text.get("sources", {})),
            is_trusted=False,  # who made the files can also have made their hashes
        )
        files: dict[str, str] = dict(read["files"])
        fields: dict[str, Any] = {
            "name": path.name,
            "load": partial(_load, saved, files),
            "preprocess": Preprocess(**read["preprocess"]),
            "layers": read["layers"],
            "min_size": int(read["min_size"]),
            "description": read["description"],
            "licence": read["licence"],
            "head": read.get("head", ""),
            "labels": read.get("labels", ()),
            "text": _text_tower(path / FOLDER, text, saved) if text else None,
        }
        return ModelProvider(**{**fields, **known})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelError(
            f"{path / RECORD} is damaged ({type(error).__name__}: {first_line(error)}); {_AGAIN}"
        ) from error


def _digest(sources: Mapping[str, str], fill: float | None, text: Mapping[str, str]) -> str:
    """SHA-256 of what decides the numbers: the same sources do not give the same files."""
    parts = [*sorted(sources.values()), *([] if fill is None else [f"fill {fill}"]), *sorted(text.values())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below `folder` but those of the system, by its path there."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and not paths.is_of_the_system(path.name)
    )
    return {path.relative_to(folder).as_posix(): paths.digest(path) for path in files}


def _load(saved: SavedModel, files: Mapping[str, str], weights: Path | None) -> SavedModel:
    """The SavedModel, if its files are unchanged."""
    if weights is not None:
        raise ValueError("a converted model contains its weights")
    if hashes(saved.path) != files:
        raise ModelError(f"{saved.path} is damaged or was changed; {_AGAIN}")
    return saved


def _text_tower(folder: Path, text: Mapping[str, Any], saved: SavedModel) -> TextTower:
    if text["layer"] not in saved.outputs:
        raise ValueError(f"there is no layer {text['layer']!r:.60}")
    files: dict[str, str] = dict(text["files"])
    return TextTower(
        layer=text["layer"],
        digest=saved.digest,
        embed=partial(_embed, folder, files, TextInputs(**text["inputs"])),
    )


def _embed(folder: Path, files: Mapping[str, str], inputs: TextInputs, text: str) -> NDArray[np.float32]:
    """A text's embedding, if the files of the text tower are unchanged."""
    if hashes(folder) != files:
        raise ModelError(f"{folder} is damaged or was changed; {_AGAIN}")
    return TextEncoder(folder).embedding(text, inputs)


@hookimpl
def dreamkit_model_providers() -> Iterable[ModelProvider]:
    folders.complete(folder())
    try:
        found = sorted(path for path in folder().iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # nothing was converted yet
        return
    for path in found:
        try:
            yield provider(path)
        except ModelError as error:
            warnings.warn(f"converted model {path.name} is skipped: {error}", DreamkitWarning, stacklevel=2)
