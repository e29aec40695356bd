"""Weights in a file: read without running code in it, and checked against the model."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamkit.errors import ConvertError, first_line, shown
from dreamkit_torch.built_model import BuiltModel

# Under which training programs keep a state dict, and what wrappers put before its keys.
_INSIDE = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")
_WRAPPERS = ("module.", "_orig_mod.")
_UNUSED = "num_batches_tracked"  # which only training uses
_SHOWN = 3


def read(path: Path) -> dict[str, Any]:
    """The tensors in a file, by key.

    Raises:
        ConvertError: it cannot be read, needs code to be read, or holds no state dict.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConvertError(
            f"{path.name} holds more than weights, or is damaged; dreamkit runs no code of a weights file. "
            "Save model.state_dict() alone, best as .safetensors"
        ) from error
    except Exception as error:  # of safetensors, zipfile, torch: they have no common base
        raise ConvertError(
            f"{path.name} cannot be read as a state dict ({shown(first_line(error), 160)}); save "
            "model.state_dict(), best as .safetensors"
        ) from error
    found = next((found[key] for key in _INSIDE if _is_mapping(found) and _is_mapping(found.get(key))), found)
    if not _is_mapping(found) or not found or not all(map(torch.is_tensor, found.values())):
        raise ConvertError(f"{path.name} holds no state dict; save model.state_dict(), best as .safetensors")
    for wrapper in _WRAPPERS:
        if all(key.startswith(wrapper) for key in found):
            found = {key.removeprefix(wrapper): each for key, each in found.items()}
    return dict(found)


def load(built: BuiltModel, path: Path, source: str) -> BuiltModel:
    """The model with the weights in a file, and with as many classes as they have.

    Raises:
        ConvertError: the file cannot be read, or does not fit; the message names the first keys.
    """
    found = read(path)
    classes = _classes(found, built.module.state_dict())
    if classes is not None and built.with_classes is not None:
        built = built.with_classes(classes)
    expected = built.module.state_dict()
    missing = [key for key in expected if key not in found and not key.endswith(_UNUSED)]
    unexpected = [key for key in found if key not in expected]
    shapes = [
        f"{key}: {_shape(found[key])} in place of {_shape(each)}"
        for key, each in expected.items()
        if key in found and found[key].shape != each.shape
    ]
    faults = [
        f"{len(keys)} {what} ({shown(', '.join(keys[:_SHOWN]), 200)}{', ...' if len(keys) > _SHOWN else ''})"
        for keys, what in ((missing, "missing"), (unexpected, "unexpected"), (shapes, "of another shape"))
        if keys
    ]
    if faults:
        raise ConvertError(
            f"{path.name} does not fit {source}; of its {len(expected)} keys, {'; '.join(faults)}"
        )
    built.module.load_state_dict(found, strict=False)
    return replace(built, licence="")  # which was that of the published weights


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _shape(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"


def _classes(found: Mapping[str, Any], expected: Mapping[str, Any]) -> int | None:
    """The classes of the weights, if these differ from the model in the size of its last layer only."""
    last = next((key for key in reversed(list(expected)) if expected[key].ndim > 1), None)
    if last is None or last not in found or found[last].ndim != expected[last].ndim:
        return None
    given, model = found[last].shape, expected[last].shape
    return int(given[0]) if given[0] != model[0] and given[1:] == model[1:] else None
