"""The models that dreamkit knows: built-in ones first, those of installed plugins on a miss.

A plugin is an installed distribution with an entry point in the group `dreamkit`. A broken plugin costs one
warning, which names the distribution and says how to remove it. Everything else still works.
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
    """A package that provides models, as `dreamkit plugins` shows it.

    Attributes:
        name: of its entry point.
        distribution, version: of the installed package; the version is empty if its metadata is lost.
        models: the names of the models that it provides.
        failure: what went wrong, else empty.
    """

    name: str
    distribution: str
    version: str
    models: list[str] = field(default_factory=list)
    failure: str = ""


class Registry:
    """All providers, and the plugin of each. Third-party code runs only when it is needed.

    Attributes:
        plugins: those that are loaded so far, dreamkit itself first.
    """

    def __init__(self, third_party: Iterable[EntryPoint] | None = None) -> None:
        """`third_party` are the entry points of plugins; None for those of the installed packages."""
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
            ModelError: nothing provides it (near misses are suggested), or the user must set it up first.
        """
        if not self.owner(name):
            raise ModelError(
                f"there is no model {shown(name)!r}; {did_you_mean(name, self._providers)} "
                "(plugins provide more models)"
            )
        provider = self._providers[name][0]
        if provider.setup:
            raise ModelError(f"{name} must be set up first; run: {provider.setup}")
        return provider

    def owner(self, name: str) -> str:
        """The distribution that provides the model `name`, empty if there is none."""
        if name not in self._providers:
            self._load_third_party()
        return self._providers[name][1].distribution if name in self._providers else ""

    def is_registered(self, provider: ModelProvider) -> bool:
        """Whether `provider` is the one that its name stands for on the command line."""
        return bool(self.owner(provider.name)) and self._providers[provider.name][0] is provider

    def built_in(self) -> Iterator[ModelProvider]:
        """The providers of the networks that come with dreamkit. No third-party code runs."""
        return (provider for provider, plugin in self._providers.values() if plugin.name == BUILT_IN)

    def providers(self) -> Iterator[tuple[ModelProvider, Plugin]]:
        """Every provider with its plugin: built-in ones first, then by name."""
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
            warnings.warn(
                f"the installed plugins cannot be listed: {first_line(error)}", DreamkitWarning, stacklevel=2
            )
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
        """Adds the providers of a module's hook. Raises whatever the plugin raises."""
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(module)
        manager.check_pending()
        implementations = manager.hook.dreamkit_model_providers.get_hookimpls()
        if not implementations:
            raise TypeError(
                "it does not implement a hook; mark dreamkit_model_providers with @dreamkit.hookimpl"
            )
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
        """Keeps every failure for `dreamkit plugins`, and warns of the first one of each plugin."""
        if not plugin.failure:
            warnings.warn(
                f"plugin {plugin.distribution} {failure} (to remove it: pip uninstall {plugin.distribution})",
                DreamkitWarning,
                stacklevel=2,
            )
        plugin.failure = "; ".join(filter(None, [plugin.failure, failure]))


@cache
def installed() -> Registry:
    """The registry of this process. There is one, so that a broken plugin costs one warning.

    Code that adds a model calls `installed.cache_clear()`.
    """
    return Registry()


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of an entry point's package. Without metadata, the name is what it points to."""
    try:
        metadata: Any = entry_point.dist.metadata if entry_point.dist is not None else {}
        return metadata["Name"] or entry_point.value, metadata["Version"] or ""
    except Exception:  # its metadata is lost or damaged; its failures must still be reported
        return entry_point.value, ""
