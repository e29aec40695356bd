"""Models that a function in a user's own Python file returns."""

from __future__ import annotations

import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from dreamkit.errors import ConvertError, did_you_mean, first_line, shown
from dreamkit_torch import timm_models
from dreamkit_torch.built_model import BuiltModel


def build(file: str, function: str) -> BuiltModel:
    """What `function` in the Python file returns.

    Raises:
        ConvertError: the file has no such function, its code raises, or it returns no model.
    """
    import torch

    path = Path(file)
    module = _imported(path)
    made = getattr(module, function, None)
    if not callable(made):
        functions = [
            name for name, each in vars(module).items() if callable(each) and not name.startswith("_")
        ]
        raise ConvertError(
            f"{path.name} has no function {shown(function)!r}; {did_you_mean(function, functions)}"
        )
    try:
        model = made()
    except (Exception, SystemExit) as error:
        raise ConvertError(f"{path.name}:{function} {_raised(path, error)}") from error
    if not isinstance(model, torch.nn.Module):
        raise ConvertError(
            f"{path.name}:{function} returns {type(model).__name__}, not a torch.nn.Module; return the model"
        )
    return timm_models.described(model) or BuiltModel(module=model)


def _imported(path: Path) -> ModuleType:
    """The module in a file, which can import its neighbours."""
    sys.path.insert(0, str(path.parent))
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConvertError(f"{path.name} {_raised(path, error)}") from error
    return module


def _raised(path: Path, error: BaseException) -> str:
    """What was raised, and the last line of the file that led to it."""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    if not lines and isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    where = f" (line {lines[-1]})" if lines else ""
    return f"raises {type(error).__name__}: {shown(first_line(error), 200)}{where}"
