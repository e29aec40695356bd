"""dreamkit: DeepDream with any network.

The public API. Importing it imports no TensorFlow; the first dream does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dreamkit.config import DreamConfig
from dreamkit.errors import DreamkitError, DreamkitWarning
from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel, Weights
from dreamkit.version import __version__

if TYPE_CHECKING:
    from dreamkit.api import Dream, dream, load, plan, redo, render
    from dreamkit.models.hookspecs import hookimpl
    from dreamkit.recipes import ModelSpec

__all__ = [
    "Dream",
    "DreamConfig",
    "DreamkitError",
    "DreamkitWarning",
    "ModelProvider",
    "ModelSpec",
    "Preprocess",
    "SavedModel",
    "Weights",
    "__version__",
    "dream",
    "hookimpl",
    "load",
    "plan",
    "redo",
    "render",
]

# Imported at first use: they cost more than `dreamkit --help` should.
_LAZY = {
    "Dream": "dreamkit.api",
    "dream": "dreamkit.api",
    "load": "dreamkit.api",
    "plan": "dreamkit.api",
    "redo": "dreamkit.api",
    "render": "dreamkit.api",
    "ModelSpec": "dreamkit.recipes",
    "hookimpl": "dreamkit.models.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'dreamkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
