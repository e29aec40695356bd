"""The built-in recipes that a page offers for a network, as its pictures to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dreamkit import recipes
from dreamkit.config import DreamConfig
from dreamkit.errors import ConfigError, LayerError
from dreamkit.recipes import Recipe
from dreamkit.recipes.resolve import has_layers_of
from dreamkit.web import concept_files, page_recipe

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network

# Those that look most unlike each other, first; a page shows as many as fit its rows. Visualisations from
# noise and recipes of minutes are not among them.
_OFFERED = (
    "creatures",
    "garden",
    "architecture",
    "clockwork",
    "neon",
    "painterly",
    "engraving",
    "google-2015",
    "hughy-2020",
    "keras-example",
    "smooth",
)
_MOST = 7


def of_network(network: Network, exported: Sequence[str]) -> list[dict[str, Any]]:
    """The recipes that a page dreams with the layers of `network` that are `exported`.

    Each has a name, a description and all options. `layers` are texts as in the page's links, where
    `concept NAME` is a concept.
    """
    found = [
        {
            "name": recipe.name,
            "description": recipe.description,
            "options": {**DreamConfig.of(recipe.config(), layers=None).to_dict(), "layers": terms},
        }
        for recipe, terms in _dreamable(network, exported)
        if set(_layers(terms)) <= set(exported)
    ]
    return found[:_MOST]


def with_their_layers(network: Network, exported: Sequence[str]) -> list[str]:
    """`exported`, and those layers of recipes for which no more of the network needs to be exported."""
    deepest = max(map(network.layers.index, exported))
    wanted = {*exported, *(layer for _, terms in _dreamable(network, exported) for layer in _layers(terms))}
    return [layer for layer in network.layers[: deepest + 1] if layer in wanted]


def _dreamable(network: Network, exported: Sequence[str]) -> Iterator[tuple[Recipe, list[str]]]:
    """The recipes that a page dreams with `network`, and their layers as its links write them."""
    concepts = concept_files.names_of(network, exported)
    for recipe in map(recipes.find, _OFFERED):
        if has_layers_of(network, recipe):
            try:
                page_recipe.check_config(recipe.config())
                yield recipe, list(_texts(recipe.options.get("layers") or (), network, concepts))
            except (ConfigError, LayerError):  # a page cannot dream it, or the network lacks a layer
                continue


def _texts(layers: Sequence[Any], network: Network, concepts: Sequence[str]) -> Iterator[str]:
    for term in layers:
        if not isinstance(term, Mapping):
            yield from map(str, page_recipe.exact([term], network))
        elif term.get("concept") in concepts:
            yield f"concept {term['concept']}"
        else:
            raise LayerError(f"{term} is not a concept of this page")


def _layers(terms: Sequence[str]) -> list[str]:
    """The layers that texts name; those of concepts are left out."""
    return [term.partition("=")[0].partition(":")[0] for term in terms if not term.startswith("concept ")]
