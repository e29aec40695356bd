"""The key of a compiled network in the cache: a text of everything that the network depends on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from dreamkit.models.providers import ModelProvider, Preprocess

_PACKAGES = "tensorflow", "keras", "numpy"
_SETTINGS = "TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"
_OWN = frozenset(
    {".py", ".npz", ".step"}
)  # of dreamkit's files: its code, pocket's weights and packaged steps; no other changes a step
_NO_SOURCE = frozenset({"__pycache__", "node_modules"})  # folders


def cache_key(provider: ModelProvider, digest: str) -> str | None:
    """The key of a provider's network, or None if its code is not in files.

    It contains `digest`, the hash of the weights; the sizes and times of the files of dreamkit and of the
    packages with `load` and `preprocess`; and the versions and settings of the libraries that compute.
    """
    functions = [code(function) for function in (provider.load, provider.preprocess)]
    if None in functions:
        return None
    parts = [
        provider.name,
        digest,
        *functions,
        _state(sys.modules["dreamkit"]),
        sys.version,
        *(version(package) for package in _PACKAGES),
        *(f"{setting}={os.environ.get(setting, '')}" for setting in _SETTINGS),
    ]
    return "\n".join(map(str, parts))


def code(function: Any) -> str | None:
    """A text that identifies a function's code; None if the code, or a value in it, is not in a file."""
    if isinstance(function, Preprocess):
        return repr(function)
    if isinstance(function, partial):
        inner = code(function.func)
        return inner and f"{inner} {function.args!r} {sorted(function.keywords.items())!r}"
    if not isinstance(function, FunctionType) or "<" in function.__qualname__ or function.__closure__:
        return None
    module = sys.modules.get(function.__module__)
    state = _state(sys.modules[module.__name__.partition(".")[0]]) if module else ""
    return (
        f"{function.__module__}.{function.__qualname__} {function.__defaults__!r} {state}" if state else None
    )


def _state(module: ModuleType) -> str:
    """Sizes and times of the files that the results of a module or package may depend on; empty if none.

    For a package, these are its code and data; for dreamkit, its code and its weights.
    """
    return " ".join(
        f"{path}:{state.st_size}:{state.st_mtime_ns}"
        for path in sorted(_files(module))
        for state in [path.stat()]
    )


def _files(module: ModuleType) -> Iterator[Path]:
    if not hasattr(module, "__path__"):
        if getattr(module, "__file__", None):
            yield Path(str(module.__file__))
        return
    for root in module.__path__:
        for folder, below, names in os.walk(root):
            below[:] = [name for name in below if name not in _NO_SOURCE and not name.startswith(".")]
            for name in names:
                path = Path(folder, name)
                if (module.__name__ != "dreamkit" or path.suffix in _OWN) and path.is_file():
                    yield path
