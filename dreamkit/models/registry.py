"""Who provides which model: built-ins first, installed plugins on a miss.

A plugin is any installed distribution with an entry point in the group `dreamkit`. One that is broken
costs one warning, which names the distribution and says how to remove it; everything else goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from dreamkit.errors import DreamkitWarning, ModelError, did_you_mean, first_line, shown
from dreamkit.installation import DISTRIBUTION
from dreamkit.models import hookspecs
from dreamkit.models.providers import ModelProvider
from dreamkit.version import __version__

BUILT_IN = "dreamkit"
_BUILT_IN_MODULES = tuple(
    f"dreamkit.models.{name}" for name in ("pocket", "inception5h", "inception_v3", "converted")
)


@dataclass(slots=True)
class Plugin:
    """One source of models, as `dreamkit plugins` shows it."""

    name: str
    distribution: str
    version: str
    models: list[str] = field(default_factory=list)
    failure: str = ""


class Registry:
    """All providers, and where each came from. Third-party code runs only when it must."""

    def __init__(self, third_party: Iterable[EntryPoint] | None = None) -> None:
        self.plugins: list[Plugin] = []
        self._providers: dict[str, tuple[ModelProvider, Plugin]] = {}
        self._third_party = third_party
        self._complete = False
        built_in = Plugin(name=BUILT_IN, distribution=DISTRIBUTION, version=__version__)
        self.plugins.append(built_in)
        for module in _BUILT_IN_MODULES:
            self._collect(import_module(module), built_in)

    def provider(self, name: str) -> ModelProvider:
        """The provider called `name`.

        Raises:
            ModelError: nothing provides it, and near misses are suggested; or it is to be set up first.
        """
        if not self.owner(name):
            raise ModelError(
                f"there is no model {shown(name)!r}; {did_you_mean(name, self._providers)} "
                "(plugins bring more)"
            )
        provider = self._providers[name][0]
        if provider.setup:
            raise ModelError(f"{name} is to be set up first; run: {provider.setup}")
        return provider

    def owner(self, name: str) -> str:
        """The distribution that provides `name`, empty where nothing does."""
        if name not in self._providers:
            self._load_third_party()
        return self._providers[name][1].distribution if name in self._providers else ""

    def providers(self) -> Iterator[tuple[ModelProvider, Plugin]]:
        """Every provider with the plugin it comes from, built-ins first, then by name."""
        self._load_third_party()
        yield from sorted(
            self._providers.values(), key=lambda pair: (pair[1].distribution != DISTRIBUTION, pair[0].name)
        )

    def _load_third_party(self) -> None:
        if self._complete:
            return
        self._complete = True
        try:
            found = entry_points(group=hookspecs.PROJECT) if self._third_party is None else self._third_party
        except Exception as error:  # metadata of any installed package may be damaged
            warnings.warn(f"plugins cannot be looked for: {first_line(error)}", DreamkitWarning, stacklevel=2)
            return
        for entry_point in sorted(found, key=lambda found: (_distribution(found)[0], found.name)):
            name, version = _distribution(entry_point)
            plugin = Plugin(name=entry_point.name, distribution=name, version=version)
            self.plugins.append(plugin)
            try:
                self._collect(entry_point.load(), plugin)
            # A plugin may raise anything at all, and even try to leave the process.
            except (Exception, SystemExit) as error:
                self._report(plugin, f"failed: {type(error).__name__}: {first_line(error)}")

    def _collect(self, module: object, plugin: Plugin) -> None:
        """Adds what `module`'s hook returns. Raises whatever the plugin raises."""
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(module)
        manager.check_pending()
        implementations = manager.hook.dreamkit_model_providers.get_hookimpls()
        if not implementations:
            raise TypeError("it implements no hook; mark dreamkit_model_providers with @dreamkit.hookimpl")
        for implementation in implementations:
            returned: object = implementation.function()
            if not isinstance(returned, Iterable):
                raise TypeError(f"its hook returned {returned!r}, not an iterable of ModelProvider")
            for provider in returned:
                self._add(provider, plugin)

    def _add(self, provider: object, plugin: Plugin) -> None:
        if not isinstance(provider, ModelProvider):
            raise TypeError(f"its hook returned {provider!r}, not a ModelProvider")
        if provider.name in self._providers:
            owner = self._providers[provider.name][1].distribution
            self._report(plugin, f"model {provider.name!r} is already provided by {owner}; that one is used")
            return
        plugin.models.append(provider.name)
        self._providers[provider.name] = provider, plugin

    def _report(self, plugin: Plugin, failure: str) -> None:
        """Keeps every failure for `dreamkit plugins`, and warns of a plugin's first."""
        if not plugin.failure:
            warnings.warn(
                f"plugin {plugin.distribution} {failure} (to remove it: pip uninstall {plugin.distribution})",
                DreamkitWarning,
                stacklevel=2,
            )
        plugin.failure = "; ".join(filter(None, [plugin.failure, failure]))


@cache
def installed() -> Registry:
    """The registry of this process, made once, so that what is wrong with a plugin is said once.

    Whoever adds a model calls `installed.cache_clear()`.
    """
    return Registry()


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of an entry point's package; what it points to where the metadata is lost."""
    try:
        metadata: Any = entry_point.dist.metadata if entry_point.dist is not None else {}
        return metadata["Name"] or entry_point.value, metadata["Version"] or ""
    except Exception:  # a package whose metadata is lost or damaged is still told of, by its entry point
        return entry_point.value, ""
