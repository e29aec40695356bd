"""Networks loaded: from a name, a provider or a Keras model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from dreamkit.engine.profile import IMPORT, OFF, Unmeasured
from dreamkit.errors import ModelError
from dreamkit.models import registry
from dreamkit.models.providers import ModelProvider, Preprocess
from dreamkit.models.spec import ModelSpec
from dreamkit.models.weights import resolve

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import LoadedModel
    from dreamkit.engine.tf.network import Network

    Opened: TypeAlias = tuple[ModelProvider | Network, Path | None]

OnDownload: TypeAlias = Callable[[int, int], None] | None


def load_models(
    specs: Sequence[ModelSpec], on_download: OnDownload = None, profile: Unmeasured = OFF
) -> list[LoadedModel]:
    """Loads the networks of `specs`, each once. `on_download` gets the bytes so far and in all.

    Raises:
        ModelError: a model does not exist, or cannot be dreamed with.
        WeightsError: its weights cannot be found, fetched or read.
    """
    # Every model and file is found before TensorFlow is imported to load the first.
    found = [_found(spec, on_download) for spec in specs]
    with profile.span(IMPORT):
        from dreamkit.engine.objective_set import LoadedModel

    networks: dict[int, Network] = {}
    loaded = []
    for spec, (provider, path) in zip(specs, found, strict=True):
        network = networks.get(id(provider)) or _loaded(provider, path, profile)
        networks[id(provider)] = network
        loaded.append(LoadedModel(network, spec.weight, spec.layers))
    return loaded


def load_network(spec: ModelSpec, on_download: OnDownload = None) -> Network:
    """Loads the network of one spec.

    Raises:
        ModelError, WeightsError: as `load_models`.
    """
    return _loaded(*_found(spec, on_download))


def _found(spec: ModelSpec, on_download: OnDownload) -> Opened:
    """A model's provider and its weights file; a loaded network is itself."""
    if isinstance(spec.model, str):
        provider = registry.installed().provider(spec.model)
    elif isinstance(spec.model, ModelProvider):
        provider = spec.model
    else:
        from dreamkit.engine.tf.network import Network

        if isinstance(spec.model, Network):
            return spec.model, None
        provider = _provider_of(spec.model)
    return provider, resolve(provider, spec.weights, on_download)


def _loaded(provider: ModelProvider | Network, path: Path | None, profile: Unmeasured = OFF) -> Network:
    from dreamkit.engine.tf import network

    return provider if isinstance(provider, network.Network) else network.load(provider, path, profile)


def _provider_of(model: Any) -> ModelProvider:
    """A provider for a Keras model that came without one."""
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model is a {type(model).__name__}; give a name, a ModelProvider, a Keras model "
            "or what load() returned"
        )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", model.name).lstrip("._-") or "model"
    return ModelProvider(name=name, load=lambda _: model, preprocess=Preprocess(), layers={})
