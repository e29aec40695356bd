"""The message for a layer that a network does not have."""

from __future__ import annotations

from collections.abc import Sequence

from dreamkit.errors import LayerError, did_you_mean, shown
from dreamkit.models import registry
from dreamkit.models.providers import ModelProvider

_SHOWN = 12  # layers to choose from


def unknown_layer(
    provider: ModelProvider, name: str, layers: Sequence[str], main: Sequence[str], depths: Sequence[str]
) -> LayerError:
    """The error for `name`, with near misses, or else with layers to choose from.

    Args:
        provider: of the network.
        name: as the user typed it.
        layers: all layers of the network.
        main: those worth choosing, from the picture inwards.
        depths: names of depths, which are possible in place of a layer.
    """
    parts = [f"there is no layer {shown(name)!r}; {_choice(name, layers, main, depths)}"]
    built_in = registry.installed().built_in()
    others = [
        other.name for other in built_in if other.name != provider.name and name in _known_layers(other)
    ]
    if others:
        have = "has" if len(others) == 1 else "have"
        parts.append(f"{' and '.join(others)} {have} a layer of this name (--model {others[-1]})")
    if registry.installed().is_registered(provider):
        parts.append(f"dreamkit layers {provider.name} lists all")
    # A question mark ends the first part by itself.
    return LayerError("; ".join(parts).replace("?; ", "? "))


def _choice(name: str, layers: Sequence[str], main: Sequence[str], depths: Sequence[str]) -> str:
    near = did_you_mean(name, dict.fromkeys([*layers, *depths]))
    if near.startswith("did you mean"):
        return near
    some = main[:: -(-len(main) // _SHOWN)] if main else main
    return did_you_mean("", dict.fromkeys([*some, *depths]), show=_SHOWN + len(depths))


def _known_layers(provider: ModelProvider) -> set[str]:
    """The layers of a network that its provider names, without loading it."""
    return {*provider.main_layers, *provider.layers, *provider.guide_layers}
