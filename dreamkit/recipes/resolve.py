"""Which networks dream a recipe, and its layers or their own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dreamkit.config import DEFAULT_MODEL
from dreamkit.errors import DreamkitWarning, ModelError, shown
from dreamkit.models.registry import Registry, installed
from dreamkit.models.spec import ModelSpec, WeightsFiles
from dreamkit.models.weights import state
from dreamkit.recipes.recipe import Recipe


def resolve_models(
    recipe: Recipe | None,
    given: Sequence[ModelSpec],
    options: Mapping[str, Any],
    *,
    weights: WeightsFiles = None,
) -> tuple[tuple[ModelSpec, ...], dict[str, Any]]:
    """The networks given, else the recipe's, else the one that dreamkit carries.

    A recipe's layers are those of its own networks, and of networks with the same layers; concepts and texts
    that it names are those of any network that has them. Other networks dream their default layers, and a
    warning says so; that is also so where the network of a built-in recipe cannot be loaded without a
    download or a set-up.

    Returns:
        The networks, and `options` with what else that changes.
    """
    options = dict(options)
    if recipe is None or not recipe.models:
        return tuple(given) or (ModelSpec(DEFAULT_MODEL),), options
    if not given and not recipe.built_in:
        return recipe.models, options
    registry = installed()
    published = [spec.name for spec in recipe.models]
    if not given and all(_is_at_hand(name, weights, registry) for name in published):
        return recipe.models, options
    chosen = tuple(given) or (ModelSpec(DEFAULT_MODEL),)
    names = " and ".join(spec.name for spec in chosen)
    made_with = f"{recipe.name} was made with {shown(' and '.join(published))}"
    if not given:
        made_with += f", which is not at hand (--model {published[0]} asks for it)"
    if _has_same_layers(chosen, published, registry):
        if not given:
            warnings.warn(f"{made_with}; {names} dreams its layers", DreamkitWarning, stacklevel=2)
        return tuple(
            replace(own, model=spec.model, weight=spec.weight, layers=spec.layers or own.layers)
            for spec, own in zip(chosen, recipe.models, strict=True)
        ), options
    if given and _names_no_layers(recipe):
        return chosen, options
    if "schedule" not in options:
        options["schedule"] = tuple(
            {name: value for name, value in octave.items() if name != "layers"}
            for octave in recipe.options.get("schedule", ())
        )
    own_layers = options.get("layers") is None and all(spec.layers is None for spec in chosen)
    if own_layers:
        options["layers"] = None
    if own_layers or not given:
        how = " with its own default layers" if own_layers else ""
        warnings.warn(f"{made_with}; {names} dreams it{how}", DreamkitWarning, stacklevel=2)
    return chosen, options


def has_layers_of(model: Any, recipe: Recipe) -> bool:
    """Whether `model` knows what a recipe's layers are: it has those of the recipe's network, or they are
    concepts and texts alone, by name."""
    named = [spec.name for spec in recipe.models]
    own = len(named) == 1 and recipe.models[0].layers is None and recipe.models[0].weight == 1
    return own and (_has_same_layers([ModelSpec(model)], named, installed()) or _names_no_layers(recipe))


def _is_at_hand(name: str, weights: WeightsFiles, registry: Registry) -> bool:
    """Whether a model can be loaded without a download or a set-up."""
    try:
        provider = registry.provider(name)
    except ModelError:  # nothing provides it, or it must be set up first
        return False
    return weights is not None or state(provider) != "to download"


def _has_same_layers(chosen: Sequence[ModelSpec], published: Sequence[str], registry: Registry) -> bool:
    """Whether each of `chosen` is the published network, or has its layers."""
    return len(chosen) == len(published) and all(
        spec.name == name or _whose_layers(spec.model, registry) == _whose_layers(name, registry)
        for spec, name in zip(chosen, published, strict=True)
    )


def _whose_layers(model: Any, registry: Registry) -> str:
    """The model that is known for the layers that a model has: itself, or the one that it follows."""
    provider = getattr(model, "provider", model)
    if isinstance(provider, str):
        try:
            provider = registry.provider(provider)
        except ModelError:  # loading it will say so
            return str(provider)
    return str(getattr(provider, "same_layers_as", "") or getattr(provider, "name", ""))


def _names_no_layers(recipe: Recipe) -> bool:
    """Whether the recipe's terms are concepts and texts by name alone, which other networks may know too."""
    lists = [each["layers"] for each in (recipe.options, *recipe.timeline) if each.get("layers") is not None]
    terms = [term for each in lists for term in (each if isinstance(each, list | tuple) else [each])]
    return bool(terms) and all(
        isinstance(term, Mapping)
        and term.keys() & {"concept", "text"}
        and not term.keys() & {"layer", "directions"}
        for term in terms
    )
