"""How TensorFlow is imported in a process of dreamkit's own: in part, and in full when more of it is used.

A kept step needs TensorFlow's runtime and a few of its modules, which are imported in a quarter of the time
of all 3,000. Until another attribute of `tensorflow` is used, its `__init__`, which imports the others, does
not run. A program that imports dreamkit gets all of TensorFlow at once.
"""

from __future__ import annotations

import gc
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from dreamkit.engine import process

_NAME = "tensorflow"
_PARTS = (
    "tensorflow.python.eager.context",
    "tensorflow.python.framework.constant_op",
    "tensorflow.python.framework.op_def_registry",
    "tensorflow.python.ops.gen_functional_ops",
)
_lock = RLock()


def import_tensorflow() -> None:
    """Imports TensorFlow: in a process of our own in part, if it can be, else all of it."""
    if _NAME in sys.modules:
        return
    if not process.is_own():
        import_module(_NAME)
        return
    found = find_spec(_NAME)
    if found is None or found.origin is None or _has_plugins() or not _import_part(found):
        _without_garbage(partial(import_module, _NAME))


class _Partial(ModuleType):
    """TensorFlow without what its `__init__` brings. It becomes the whole at the first use of that."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(_NAME, "TensorFlow, of which a part is imported.")
        self.__spec__ = spec
        self.__loader__ = spec.loader
        self.__file__ = spec.origin
        self.__package__ = _NAME
        self.__path__ = list(spec.submodule_search_locations or ())

    def __getattr__(self, name: str) -> Any:
        with _lock:  # another thread waits until it is whole
            if type(self) is _Partial:
                if _FINDER not in sys.meta_path:  # its `__init__` is running, or the parts are imported
                    raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
                self.complete()
        return getattr(self, name)

    def complete(self) -> None:
        """Runs TensorFlow's own `__init__` in this module."""
        sys.meta_path.remove(_FINDER)
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        _without_garbage(partial(spec.loader.exec_module, self))
        self.__class__ = ModuleType  # type: ignore[assignment]  # the same module, which is whole now


class _Finder:
    """Finds what only the whole has, such as `tensorflow.keras`. It is asked after all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        del path, target
        if not name.startswith(f"{_NAME}."):
            return None
        module = sys.modules[_NAME]
        with _lock:
            if isinstance(module, _Partial) and _FINDER in sys.meta_path:
                module.complete()
        return PathFinder.find_spec(name, module.__path__)


_FINDER = _Finder()


def _import_part(spec: ModuleSpec) -> bool:
    """Imports the parts without TensorFlow's `__init__`. False where one is missing or has changed."""
    module = _Partial(spec)
    sys.modules[_NAME] = module
    try:
        with process.collector_paused():
            # As TensorFlow's `__init__` does: `context` reads at its import which edition is wanted.
            os.environ["TF2_BEHAVIOR"] = "1"
            import_module("tensorflow.python.pywrap_tensorflow")
            import_module("tensorflow.python.tf2").enable()
            context, *_ = map(import_module, _PARTS)
            for folder in module.__path__:
                kernels = Path(folder, "core", "kernels")
                if kernels.exists():
                    import_module("tensorflow.python.framework.load_library").load_library(str(kernels))
            if not context.executing_eagerly():
                raise AttributeError("operations do not run at once")
            gc.freeze()  # what was imported stays: see `_without_garbage`
    except (ImportError, AttributeError):
        del sys.modules[_NAME]
        return False
    sys.meta_path.append(_FINDER)
    return True


def _has_plugins() -> bool:
    """Whether TensorFlow loads plugins when all of it is imported, such as one for another kind of GPU."""
    sites = {*sys.path, *site.getsitepackages(), site.getusersitepackages(), *sysconfig.get_paths().values()}
    folders = any(Path(each, "tensorflow-plugins").exists() for each in sites)
    return folders or "TF_PLUGGABLE_DEVICE_LIBRARY_PATH" in os.environ


def _without_garbage(imports: Callable[[], Any]) -> None:
    """Calls `imports` without the garbage collector looking through what it makes.

    TensorFlow's hundreds of thousands of objects live as long as the process. Looking for garbage among them
    takes a tenth of the import, and a quarter of a second or two at the process's end.
    """
    gc.collect()  # what is garbage already must not be kept with them
    with process.collector_paused():
        imports()
    gc.freeze()
