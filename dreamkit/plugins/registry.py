"""What is found by name: built-in records first, those of plugins on a miss.

Built-in records come from the same hooks as a plugin's. No plugin can replace one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dreamkit.errors import (
    ConfigError,
    DreamkitError,
    PluginError,
    UsageError,
    did_you_mean,
    first_line,
    shown,
)
from dreamkit.plugins import converters, parts

if TYPE_CHECKING:  # which costs `dreamkit --help` more than it may
    from dreamkit.plugins.packages import Packages, Plugin

T = TypeVar("T")


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of record.

    Attributes:
        what: its name in messages, such as `objective`; with an s, the field of `Plugin`.
        hook: the hook that returns records.
        record: their type.
        built_in: names of built-in records and the modules with their hooks. A module that has several
            stands under any name.
        error: what is raised where there is no record of a name.
        name_of: the name of a record. Raises a TypeError for what is not one.
    """

    what: str
    hook: str
    record: type[T]
    built_in: Callable[[], Mapping[str, str]]
    error: type[DreamkitError] = ConfigError
    name_of: Callable[[Any], str] = attrgetter("name")


class Registry(Generic[T]):
    """All records of one kind, and the plugin of each. Third-party code runs only when it is needed."""

    def __init__(self, kind: Kind[T], among: Packages | None = None) -> None:
        """`among` are the packages; None for those of this process."""
        self.kind = kind
        self._among = among
        self._modules = dict(kind.built_in())
        self._found: dict[str, tuple[T, Plugin]] = {}
        self._complete = False

    @property
    def _packages(self) -> Packages:
        if self._among is None:
            from dreamkit.plugins import packages

            self._among = packages.installed()
        return self._among

    def get(self, name: str) -> T:
        """The record called `name`.

        Raises:
            DreamkitError: there is none; of the type `kind.error`, with near misses.
        """
        if not self.has(name):
            raise self.kind.error(
                f"there is no {self.kind.what} {shown(name)!r}; {did_you_mean(name, self.names())} "
                f"(plugins provide more {self.kind.what}s)"
            )
        if name not in self._found:
            self._load_built_in(self._modules.pop(name))
        return self._found[name][0]

    def has(self, name: str) -> bool:
        """Whether there is a record called `name`. For a built-in one, nothing is imported."""
        if name not in self._found and name not in self._modules:
            self._load_third_party()
        return name in self._found or name in self._modules

    def names(self) -> list[str]:
        """The names of all records that are known so far, built-in ones first."""
        built_in = [name for name, (_, plugin) in self._found.items() if plugin is self._packages.built_in]
        return list(dict.fromkeys([*built_in, *self._modules, *self._found]))

    def owner(self, name: str) -> str:
        """The distribution that provides the record `name`, empty if there is none."""
        if not self.has(name):
            return ""
        return (
            self._found[name][1].distribution if name in self._found else self._packages.built_in.distribution
        )

    def plugin(self, name: str) -> Plugin | None:
        """The plugin that provides the record `name`; None if it is built in or there is none."""
        found = self._found.get(name) if self.has(name) else None
        return None if found is None or found[1] is self._packages.built_in else found[1]

    def is_built_in(self, record: T) -> bool:
        """Whether `record` came with dreamkit. No third-party code runs."""
        name = self.kind.name_of(record)
        return name in self.kind.built_in() and self.get(name) == record

    def is_third_party(self, record: T) -> bool:
        """Whether `record` is one that a plugin's package registered."""
        name = self.kind.name_of(record)
        return name in self._found and self.plugin(name) is not None and self._found[name][0] == record

    def built_in(self) -> Iterator[T]:
        """The records that come with dreamkit. No third-party code runs."""
        self._load_all_built_in()
        return iter([record for record, plugin in self._found.values() if plugin is self._packages.built_in])

    def all(self) -> Iterator[tuple[T, Plugin]]:
        """Every record with its plugin: built-in ones first, then by name."""
        self._load_all_built_in()
        self._load_third_party()
        built_in = self._packages.built_in
        names = sorted(self._found, key=lambda name: (self._found[name][1] is not built_in, name))
        return iter([self._found[name] for name in names])

    def third_party(self) -> Iterator[tuple[T, Plugin]]:
        """Every record of a plugin. No built-in record is imported."""
        self._load_third_party()
        return iter([pair for pair in self._found.values() if pair[1] is not self._packages.built_in])

    def _load_all_built_in(self) -> None:
        for module in dict.fromkeys(self._modules.values()):
            self._load_built_in(module)
        self._modules.clear()

    def _load_built_in(self, module: str) -> None:
        from dreamkit.plugins.packages import hooks

        self._collect(getattr(hooks(import_module(module)).hook, self.kind.hook), self._packages.built_in)

    def _load_third_party(self) -> None:
        if self._complete:
            return
        self._complete = True
        for plugin, manager in self._packages.third_party():
            try:
                self._collect(getattr(manager.hook, self.kind.hook), plugin)
            # A plugin may raise anything at all, and even try to leave the process.
            except (Exception, SystemExit) as error:
                self._packages.report(plugin, f"failed: {type(error).__name__}: {first_line(error)}")

    def _collect(self, hook: Any, plugin: Plugin) -> None:
        """Adds the records that a hook returns. Raises whatever the plugin raises."""
        kind = self.kind.record.__name__
        for implementation in hook.get_hookimpls():
            returned: object = implementation.function()
            if not isinstance(returned, Iterable):
                raise TypeError(f"its hook returned {returned!r}, not an iterable of {kind}")
            for record in returned:
                if not isinstance(record, self.kind.record):
                    raise TypeError(f"its hook returned {record!r}, not {_article(kind)}")
                self._add(record, plugin)

    def _add(self, record: T, plugin: Plugin) -> None:
        name = self.kind.name_of(record)
        is_built_in = plugin is self._packages.built_in
        if name in self._found or (name in self._modules and not is_built_in):
            if not is_built_in:
                self._packages.report(
                    plugin,
                    f"{self.kind.what} {name!r} is already provided by {self.owner(name)}; that one is used",
                )
            return
        listed = getattr(plugin, f"{self.kind.what}s")
        if name not in listed:
            listed.append(name)
        self._found[name] = record, plugin


def in_package(package: str) -> Callable[[], Mapping[str, str]]:
    """Built-in parts that are modules of a package: each module is called as its part, with `_` for `-`."""

    def modules() -> Mapping[str, str]:
        # The folder is listed, and not imported: its modules import NumPy or TensorFlow.
        folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), *package.split(".")[1:])
        files = sorted(os.listdir(folder))
        names = [file.removesuffix(".py") for file in files if file.endswith(".py") and file[0] != "_"]
        return {name.replace("_", "-"): f"{package}.{name}" for name in names}

    return modules


OBJECTIVES = Kind(
    "objective", "dreamkit_objectives", parts.Objective, in_package("dreamkit.engine.tf.objectives")
)
REGULARISERS = Kind(
    "regulariser", "dreamkit_regularisers", parts.Regulariser, in_package("dreamkit.engine.regularisers")
)
PARAMETRISATIONS = Kind(
    "parametrisation",
    "dreamkit_parametrisations",
    parts.Parametrisation,
    in_package("dreamkit.engine.parametrisations"),
)
TRANSFORMS = Kind(
    "transform", "dreamkit_transforms", parts.Transform, in_package("dreamkit.engine.transforms")
)
CONVERTERS = Kind(
    "converter",
    "dreamkit_converters",
    converters.Converter,
    lambda: dict.fromkeys(("caffe", "onnx", "keras", "tensorflow"), "dreamkit.convert.converters"),
    UsageError,
)
PARTS: tuple[Kind[Any], ...] = (OBJECTIVES, REGULARISERS, PARAMETRISATIONS, TRANSFORMS)


@cache
def installed(kind: Kind[T]) -> Registry[T]:
    """The registry of a kind of part in this process."""
    return Registry(kind)


@contextmanager
def blamed(kind: Kind[Any], part: parts.Part) -> Iterator[None]:
    """Turns an error in the code of a plugin's part into one line that names the part and its package.

    Errors in dreamkit's own parts, and in a Python function that a caller passed, stay as they are.

    Raises:
        PluginError: the plugin's code raised something.
    """
    try:
        yield
    except (DreamkitError, MemoryError):
        raise
    except Exception as error:
        blame(kind, part, error)
        raise


def blame(kind: Kind[Any], part: parts.Part, error: Exception) -> None:
    """Raises the line for an `error` of a part; returns if the part is not a plugin's.

    Raises:
        PluginError: it is a plugin's.
    """
    registry = installed(kind)
    if not registry.is_third_party(part):
        return
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    raise PluginError(
        f"the {kind.what} {part.name} of {registry.owner(part.name)} failed: "
        f"{type(error).__name__}: {shown(first_line(error), 200)} "
        f"({os.path.basename(last.filename)}, line {last.lineno})"
    ) from error


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
