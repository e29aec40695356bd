"""The packages that extend dreamkit.

A plugin is an installed distribution with an entry point in the group `dreamkit`. Its code runs only when
something is asked for that is not built in. A broken plugin costs one warning, which names the distribution
and says how to remove it. Everything else still works.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from dreamkit.errors import DreamkitWarning, first_line
from dreamkit.installation import DISTRIBUTION
from dreamkit.plugins import hookspecs
from dreamkit.version import __version__

BUILT_IN = "dreamkit"


@dataclass(slots=True)
class Plugin:
    """A package that extends dreamkit, as `dreamkit plugins` shows it.

    Attributes:
        name: of its entry point.
        distribution, version: of the installed package; the version is empty if its metadata is lost.
        models, objectives, regularisers, parametrisations, transforms, recipes, converters: the names of what
            it adds.
        failure: what went wrong, else empty.
    """

    name: str
    distribution: str
    version: str
    models: list[str] = field(default_factory=list)
    objectives: list[str] = field(default_factory=list)
    regularisers: list[str] = field(default_factory=list)
    parametrisations: list[str] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)
    recipes: list[str] = field(default_factory=list)
    converters: list[str] = field(default_factory=list)
    failure: str = ""


class Packages:
    """dreamkit itself and all plugins.

    Attributes:
        plugins: those that are loaded so far, dreamkit itself first.
    """

    def __init__(self, third_party: Iterable[EntryPoint] | None = None) -> None:
        """`third_party` are the entry points of plugins; None for those of the installed packages."""
        self.built_in = Plugin(name=BUILT_IN, distribution=DISTRIBUTION, version=__version__)
        self.plugins = [self.built_in]
        self._third_party = third_party
        self._loaded: list[tuple[Plugin, pluggy.PluginManager]] | None = None

    def third_party(self) -> Sequence[tuple[Plugin, pluggy.PluginManager]]:
        """Every plugin that can be loaded, with its hooks, by name of the distribution."""
        if self._loaded is None:
            self._loaded = []
            for entry_point in self._entry_points():
                name, version = _distribution(entry_point)
                plugin = Plugin(name=entry_point.name, distribution=name, version=version)
                self.plugins.append(plugin)
                try:
                    self._loaded.append((plugin, hooks(entry_point.load())))
                # A plugin may raise anything at all, and even try to leave the process.
                except (Exception, SystemExit) as error:
                    self.report(plugin, f"failed: {type(error).__name__}: {first_line(error)}")
        return self._loaded

    def report(self, plugin: Plugin, failure: str) -> None:
        """Keeps every failure for `dreamkit plugins`, and warns of the first one of each plugin."""
        if not plugin.failure:
            warnings.warn(
                f"plugin {plugin.distribution} {failure} (to remove it: pip uninstall {plugin.distribution})",
                DreamkitWarning,
                stacklevel=2,
            )
        if failure not in plugin.failure.split("; "):
            plugin.failure = "; ".join(filter(None, [plugin.failure, failure]))

    def _entry_points(self) -> list[EntryPoint]:
        try:
            found = entry_points(group=hookspecs.PROJECT) if self._third_party is None else self._third_party
        except Exception as error:  # metadata of any installed package may be damaged
            warnings.warn(
                f"the installed plugins cannot be listed: {first_line(error)}", DreamkitWarning, stacklevel=2
            )
            return []
        return sorted(found, key=lambda found: (_distribution(found)[0], found.name))


def hooks(module: object) -> pluggy.PluginManager:
    """The hooks that a module implements, apart from those of all other modules.

    Raises:
        PluginValidationError: it implements a hook that does not exist, or with other parameters.
        TypeError: it implements none.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    if not any(hook.get_hookimpls() for hook in vars(manager.hook).values() if hasattr(hook, "spec")):
        raise TypeError(
            "it does not implement a hook; mark dreamkit_model_providers or another with @dreamkit.hookimpl"
        )
    return manager


@cache
def installed() -> Packages:
    """The packages of this process. They are loaded once, so that a broken plugin costs one warning."""
    return Packages()


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of an entry point's package. Without metadata, the name is what it points to."""
    try:
        metadata: Any = entry_point.dist.metadata if entry_point.dist is not None else {}
        return metadata["Name"] or entry_point.value, metadata["Version"] or ""
    except Exception:  # its metadata is lost or damaged; its failures must still be reported
        return entry_point.value, ""
