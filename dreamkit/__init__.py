"""dreamkit: DeepDream with any network.

The public API. Importing it imports no TensorFlow; the first dream does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dreamkit.version import __version__

if TYPE_CHECKING:
    from dreamkit.api import dream, load, plan, redo, render
    from dreamkit.concepts.concept import Concept
    from dreamkit.config import DreamConfig
    from dreamkit.convert.exported import ExportedModel
    from dreamkit.convert.text_tower import TextFiles
    from dreamkit.errors import DreamkitError, DreamkitWarning, Interrupted
    from dreamkit.models.providers import ModelProvider, Preprocess, SavedModel, TextTower, Weights
    from dreamkit.models.spec import ModelSpec
    from dreamkit.plugins.converters import Converter
    from dreamkit.plugins.hookspecs import hookimpl
    from dreamkit.plugins.parts import Objective, Option, Parametrisation, Regulariser, Transform
    from dreamkit.request import DreamRequest, make_request
    from dreamkit.session import Dream, Session

__all__ = [
    "Concept",
    "Converter",
    "Dream",
    "DreamConfig",
    "DreamRequest",
    "DreamkitError",
    "DreamkitWarning",
    "ExportedModel",
    "Interrupted",
    "ModelProvider",
    "ModelSpec",
    "Objective",
    "Option",
    "Parametrisation",
    "Preprocess",
    "Regulariser",
    "SavedModel",
    "Session",
    "TextFiles",
    "TextTower",
    "Transform",
    "Weights",
    "__version__",
    "dream",
    "hookimpl",
    "load",
    "make_request",
    "plan",
    "redo",
    "render",
]

# Imported at first use: `dreamkit --help` is to answer at once, and Ctrl-C to find us when we can answer.
_LAZY = {
    "Concept": "dreamkit.concepts.concept",
    "Converter": "dreamkit.plugins.converters",
    "Dream": "dreamkit.session",
    "DreamConfig": "dreamkit.config",
    "DreamRequest": "dreamkit.request",
    "DreamkitError": "dreamkit.errors",
    "DreamkitWarning": "dreamkit.errors",
    "ExportedModel": "dreamkit.convert.exported",
    "Interrupted": "dreamkit.errors",
    "ModelProvider": "dreamkit.models.providers",
    "ModelSpec": "dreamkit.models.spec",
    "Objective": "dreamkit.plugins.parts",
    "Option": "dreamkit.plugins.parts",
    "Parametrisation": "dreamkit.plugins.parts",
    "Preprocess": "dreamkit.models.providers",
    "Regulariser": "dreamkit.plugins.parts",
    "SavedModel": "dreamkit.models.providers",
    "Session": "dreamkit.session",
    "TextFiles": "dreamkit.convert.text_tower",
    "TextTower": "dreamkit.models.providers",
    "Transform": "dreamkit.plugins.parts",
    "Weights": "dreamkit.models.providers",
    "dream": "dreamkit.api",
    "hookimpl": "dreamkit.plugins.hookspecs",
    "load": "dreamkit.api",
    "make_request": "dreamkit.request",
    "plan": "dreamkit.api",
    "redo": "dreamkit.api",
    "render": "dreamkit.api",
}
_RENAMED = {"Share": "ModelSpec"}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        import warnings

        now = _RENAMED[name]
        warnings.warn(f"dreamkit.{name} is called dreamkit.{now} now", DeprecationWarning, stacklevel=2)
        name = now
    if name not in _LAZY:
        raise AttributeError(f"module 'dreamkit' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
