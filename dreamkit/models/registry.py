"""The models that dreamkit knows: built-in ones first, those of installed plugins on a miss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint

from dreamkit.errors import ModelError
from dreamkit.models.providers import ModelProvider
from dreamkit.plugins import packages, registry
from dreamkit.plugins.packages import Packages, Plugin

MODELS = registry.Kind(
    "model",
    "dreamkit_model_providers",
    ModelProvider,
    lambda: {
        name: f"dreamkit.models.{name}" for name in ("pocket", "inception5h", "inception_v3", "converted")
    },
    ModelError,
)


class Registry(registry.Registry[ModelProvider]):
    """All providers, and the plugin of each. Third-party code runs only when it is needed."""

    def __init__(self, third_party: Iterable[EntryPoint] | Packages | None = None) -> None:
        """`third_party` are the entry points of plugins; None for those of the installed packages."""
        among = third_party if isinstance(third_party, Packages) else Packages(third_party)
        super().__init__(MODELS, among)
        self._load_all_built_in()  # which is cheap, and a module may have several

    @property
    def plugins(self) -> list[Plugin]:
        """Those that are loaded so far, dreamkit itself first."""
        return self._packages.plugins

    def provider(self, name: str) -> ModelProvider:
        """The provider called `name`.

        Raises:
            ModelError: nothing provides it (near misses are suggested), or the user must set it up first.
        """
        provider = self.get(name)
        if provider.setup:
            raise ModelError(f"{name} must be set up first; run: {provider.setup}")
        return provider

    def is_registered(self, provider: ModelProvider) -> bool:
        """Whether `provider` is the one that its name stands for on the command line."""
        return self.has(provider.name) and self._found[provider.name][0] is provider

    def providers(self) -> Iterator[tuple[ModelProvider, Plugin]]:
        """Every provider with its plugin: built-in ones first, then by name."""
        return self.all()


@cache
def installed() -> Registry:
    """The registry of this process. Code that adds a model calls `installed.cache_clear()`."""
    return Registry(packages.installed())
