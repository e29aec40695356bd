"""Terms that name a concept or a text get its directions: then no file is needed to dream them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dreamkit.concepts import library, texts
from dreamkit.concepts.concept import SUFFIX, Concept
from dreamkit.direction_text import encoded
from dreamkit.errors import ConceptError, shown
from dreamkit.models.spec import ModelSpec
from dreamkit.recipes import Recipe

_NAMED = frozenset({"concept", "text"})  # the keys of terms that get directions
_Place = Callable[[str], str]  # from what a term names to a concept's name, or to the path of its file


def with_directions(
    options: Mapping[str, Any], models: Sequence[ModelSpec], place: _Place = str
) -> dict[str, Any]:
    """`options` of a dream by `models`, with the directions of the concepts and texts that their layers name.

    Raises:
        ConceptError: a concept does not exist, or not for one of the networks.
        ModelError: one of the networks understands no texts, or not this one.
    """
    found = dict(options)
    if "layers" in found:
        found["layers"] = layers_with_directions(found["layers"], models, place)
    if "schedule" in found:
        found["schedule"] = tuple(with_directions(each, models, place) for each in found["schedule"])
    return found


def layers_with_directions(layers: Any, models: Sequence[ModelSpec], place: _Place = str) -> Any:
    """As `with_directions`, for `layers` in any form that `DreamConfig.layers` takes."""
    if isinstance(layers, Mapping) and _NAMED.intersection(layers):
        return _found(layers, models, place)
    if not isinstance(layers, list | tuple):
        return layers
    return tuple(
        _found(each, models, place) if isinstance(each, Mapping) and _NAMED.intersection(each) else each
        for each in layers
    )


def recipe_with_directions(recipe: Recipe, models: Sequence[ModelSpec]) -> Recipe:
    """`recipe` with the directions of its concepts and texts; the files of concepts lie beside it.

    Raises:
        ConceptError: as `with_directions`; or it names a file that is not beside it.
    """
    place = partial(_beside, recipe.folder)
    return replace(
        recipe,
        options=with_directions(recipe.options, models, place),
        timeline=tuple(with_directions(each, models, place) for each in recipe.timeline),
    )


def _found(table: Mapping[str, Any], models: Sequence[ModelSpec], place: _Place) -> Mapping[str, Any]:
    if "directions" in table:
        return table
    if "text" in table:
        return {**table, "directions": texts.directions(str(table["text"]), models)}
    text = place(str(table["concept"]))
    concepts = [library.find(text, spec.name) for spec in models if spec.weight]
    return {
        **table,
        "concept": concepts[0].name if concepts else text,
        "directions": {each.sha256: _directions(each, table.get("layer")) for each in concepts},
    }


def _directions(concept: Concept, layer: str | None) -> dict[str, str]:
    """The directions that a term dreams, by layer: of `layer`, or else of the concept's own layers."""
    layers = concept.layers if layer is None else (layer,)
    return {name: encoded(concept.direction(name).weights) for name in layers}


def _beside(folder: Path | None, text: str) -> str:
    """What a recipe in `folder` means by `text`; None for one that lies nowhere."""
    if not text.endswith(SUFFIX):
        return text
    if folder is None or Path(text).name != text or "\\" in text:
        raise ConceptError(
            f"the recipe names the concept {shown(text, 200)}; it can name a concept, or a file beside it "
            "without a folder"
        )
    return str(folder / text)
