"""The folder of a converted model: written whole or not at all, and described by `model.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dreamkit.convert.feature_maps import FeatureMap, find_head
from dreamkit.convert.options import ConversionOptions
from dreamkit.convert.parity import Report
from dreamkit.errors import ConvertError, first_line
from dreamkit.media import folders, locks, paths
from dreamkit.models import converted, registry
from dreamkit.version import __version__

_RECORDED_PACKAGES = (
    "tensorflow",
    "onnx2tf",
    "onnx",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "tokenizers",
    "numpy",
)


@contextmanager
def new_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder that becomes `folder` at the end of the block, or is removed if the block fails.

    Raises:
        ConvertError: `folder` exists and `overwrite` is not set, or it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folders.complete(folder.parent)
    except OSError as error:
        raise ConvertError(
            f"cannot write to {folder.parent} ({first_line(error)}); set DREAMKIT_HOME to a folder that you "
            "can write to"
        ) from error
    if folder.exists() and not overwrite:
        raise ConvertError(f"there is a converted model in {folder}; choose another name, or add --overwrite")
    try:
        with folders.written(folder) as new:
            yield new
        registry.installed.cache_clear()  # this process finds the new model, too
    except locks.LockedError as error:
        raise ConvertError(
            f"another dreamkit is converting {folder.name}; wait until it ends, or choose another name"
        ) from error
    except OSError as error:
        raise ConvertError(f"cannot write {folder} ({first_line(error)}); nothing was kept") from error


def write_record(
    folder: Path,
    options: ConversionOptions,
    layers: Sequence[str],
    size: tuple[int, int],
    maps: Mapping[str, FeatureMap],
    sources: Sequence[Path],
    report: Report,
    *,
    head: str | None = None,
    text: Mapping[str, Any] | None = None,
) -> None:
    """Writes `model.json` for the SavedModel in `folder`. It holds the names of `sources` but no paths.

    `head` is the map of class scores; None finds it among `maps`. `text` is the entry of a text tower.
    """
    record = {
        "format": converted.FORMAT,
        "description": options.description or f"converted from {Path(sources[-1]).name}",
        "licence": options.licence,
        "preprocess": asdict(options.preprocess),
        "layers": dict.fromkeys(layers, 1.0),
        "min_size": max(maps[name].min_size for name in layers),
        "size": list(size),
        "head": find_head(maps, labelled=bool(options.labels)) if head is None else head,
        "labels": list(options.labels),
        "fill": options.fill,
        "blobs": {name: _describe(each) for name, each in maps.items()},
        "sources": {Path(path).name: paths.digest(path) for path in sources},
        "files": converted.hashes(folder / converted.SAVED_MODEL),
        "versions": {"dreamkit": __version__, **dict(_package_versions())},
        "parity": report.to_dict(),
    }
    if text is not None:
        record["text"] = dict(text)
    (folder / converted.RECORD).write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def _describe(each: FeatureMap) -> dict[str, Any]:
    found = asdict(each)
    del found["is_end"]
    if each.multiple == 1:
        del found["multiple"]
    return found


def _package_versions() -> Iterator[tuple[str, str]]:
    for name in _RECORDED_PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
