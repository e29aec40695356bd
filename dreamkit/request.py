"""A dream described in full: the one description that every command makes and every session runs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from dreamkit import directions, part_values, recipes
from dreamkit.concepts import lookup
from dreamkit.config import DreamConfig, option_names, refuse
from dreamkit.errors import ConfigError, DreamkitWarning, RecipeError, did_you_mean, shown
from dreamkit.inputs import (
    ImageSource,
    PathLike,
    described,
    fit_mask,
    fit_stroke,
    open_guide,
    open_mask,
    open_photograph,
    open_strokes,
    recipe_file,
)
from dreamkit.media.images import Picture
from dreamkit.models.spec import ModelSpec, WeightsFiles, with_weights
from dreamkit.part_values import PYTHON
from dreamkit.plugins.registry import Kind
from dreamkit.recipes import File, Recipe, Stroke
from dreamkit.recipes.resolve import resolve_models
from dreamkit.recipes.timeline import without
from dreamkit.terms import has_choice

if TYPE_CHECKING:
    import keras

    from dreamkit.engine.tf.network import Network
    from dreamkit.models.providers import ModelProvider

    Model: TypeAlias = str | ModelProvider | keras.Model | Network
    Models: TypeAlias = Model | ModelSpec | Sequence[Model | ModelSpec] | None

Masks: TypeAlias = ImageSource | Mapping[str, ImageSource]
Timeline: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class DreamRequest:
    """One dream: who dreams what, how, and beside which pictures. Everything is read and checked, as far as
    that can be done without a network.

    Attributes:
        models: the networks.
        config: the options.
        image: the photograph, as it is dreamed; None for noise.
        guide: a picture whose features the dream follows, or None.
        masks: by name, at the photograph's size; the one with an empty name is for terms that name none.
        timeline: key frames of a film or a zoom, as a recipe has them.
        recipe: the recipe that it was made from, or None.
        strokes: of the page's brush on it, with their masks at the photograph's size.
    """

    models: tuple[ModelSpec, ...]
    config: DreamConfig
    image: Picture | None = None
    guide: Picture | None = None
    masks: Mapping[str, Picture] = field(default_factory=dict)
    timeline: tuple[Mapping[str, Any], ...] = ()
    recipe: Recipe | None = None
    strokes: tuple[tuple[Stroke, Picture], ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels, of the dream."""
        if self.image is None:
            return self.config.size
        height, width, _ = self.image.pixels.shape
        return height, width

    @property
    def names(self) -> str:
        """Its networks, in a message."""
        return " and ".join(spec.name for spec in self.models)

    @property
    def uses(self) -> dict[str, Kind[Any]]:
        """The plugins' parts that it uses, with their kinds."""
        return _uses(self.config, self.models, self.timeline)

    @property
    def choices(self) -> bool:
        """Whether the photograph chooses channels of a layer, as in `mixed4c:top8`."""
        entries = [*self.config.schedule, *self.timeline]
        layers = [self.config.layers, *(each.get("layers") for each in entries)]
        return any(map(has_choice, [*layers, *(spec.layers for spec in self.models)]))

    @property
    def camera(self) -> bool:
        """Whether its timeline moves a zoom's camera."""
        return any("camera" in entry for entry in self.timeline)

    @property
    def inputs(self) -> dict[str, PathLike | None]:
        """The files that it is read from, by what they are in a message; none is ever written over."""
        found: dict[str, PathLike | None] = {}
        for role, picture in (("photograph", self.image), ("guide", self.guide)):
            found[f"the {role} itself"] = picture.path if picture is not None else None
        for name, mask in self.masks.items():
            found[f"the mask {shown(name)} itself" if name else "the mask itself"] = mask.path
        if self.recipe is not None and not self.recipe.built_in:
            found["the recipe itself"] = self.recipe.name
        for spec in self.models:
            found[f"the weights file of {spec.name}"] = spec.weights
        return found

    def check_masks(self, names: Iterable[str]) -> None:
        """Checks that terms are under masks of these names, as they are under the one without a name.

        Raises:
            ConfigError: no term is under one.
        """
        _check_masks(names, self.config, self.models, self.timeline)

    def is_bounded(self, layers: Sequence[Any]) -> bool:
        """Whether masks bound the dream of networks with these layers, because every term is under one."""
        entries = (entry.get("layers") for entry in self.config.schedule)
        lists = [self.config.layers if each is None else each for each in (*layers, *entries)]
        terms = [term for each in lists for term in (each if isinstance(each, tuple) else [each])]
        under = {term.get("mask", "") if isinstance(term, Mapping) else "" for term in terms}
        return under <= set(self.masks)

    def on(self, image: ImageSource) -> DreamRequest:
        """The same dream of another photograph, or of noise for None; masks are brought to its size.

        Raises:
            ImageError: the photograph cannot be read, or is too large once it is enlarged.
            ConfigError: a mask has another shape than the photograph.
        """
        opened = open_photograph(image, self.config)
        request = replace(self, image=opened)
        return replace(
            request,
            masks={name: fit_mask(mask, request.size) for name, mask in self.masks.items()},
            strokes=tuple((stroke, fit_stroke(stroke, mask, request.size)) for stroke, mask in self.strokes),
        )

    def refuse(self, command: str, *names: str) -> None:
        """Refuses what `command` cannot do: of `names`, parts that the request has, and options.

        Raises:
            ConfigError: it has one of these parts, or such an option is not at its default.
        """
        for name in names:
            if name not in _PARTS:
                refuse(self.config, command, name)
            elif getattr(self, name):
                whose = f"the recipe {shown(self.recipe.name, 200)} has" if self.recipe else "there is"
                raise ConfigError(f"{whose} {_PARTS[name]}, which {command} cannot follow; leave it out")


_PARTS = {
    "guide": "a guide",
    "masks": "a mask",
    "strokes": "strokes of the brush",
    "timeline": "a timeline",
    "choices": "a choice of channels by the photograph",
    "camera": "a camera in its timeline",
}


def make_request(
    image: ImageSource = None,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: ImageSource = None,
    mask: Masks = None,
    **options: Any,
) -> DreamRequest:
    """The request that these arguments, those of `dreamkit.dream`, describe.

    What is given goes before what the recipe names; that is looked for in the recipe's own folder, or is in
    the recipe itself.

    Raises:
        DreamkitError: something is wrong, in one line.
    """
    found = _recipe(recipe)
    if found is not None and found.photograph is not None and found.versions and image is None:
        raise RecipeError(
            f"{found.name} was dreamed from {described(found.photograph)}; give that photograph, or another"
        )
    return without_image(
        model, weights=weights, config=config, recipe=found, guide=guide, mask=mask, **options
    ).on(image)


def without_image(
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: ImageSource = None,
    mask: Masks = None,
    **options: Any,
) -> DreamRequest:
    """As `make_request`, for photographs that come later: each is put in by `DreamRequest.on`.

    Raises:
        DreamkitError: something is wrong, in one line.
    """
    if config is not None and recipe is not None:
        raise ConfigError("config and recipe are both given; give one, and options over it")
    found = _recipe(recipe)
    given, options, config, found = _with_direction_files(specs_of(model), options, config, found)
    models, options = resolve_models(found, given, options, weights=weights)
    models = with_weights(models, weights)
    models, options, config, found = _with_directions(models, options, config, found)
    config = found.config(**options) if found else DreamConfig.of(config, **options)
    timeline = without(found.timeline, options) if found else ()
    config = _with_used_options(config, models, timeline, found, options)
    opened, masks = _beside(config, models, timeline, found, guide, mask)
    strokes = open_strokes(found, config) if found else ()
    return DreamRequest(models, config, None, opened, masks, timeline, found, strokes)


def request_again(
    recipe: Recipe,
    image: ImageSource,
    model: Models = None,
    *,
    weights: WeightsFiles = None,
    guide: ImageSource = None,
    mask: Masks = None,
) -> DreamRequest:
    """The request of a finished dream again, with a warning for each picture that is another.

    Raises:
        RecipeError: something that it was made of is not given.
    """
    request = make_request(image, model, weights=weights, recipe=recipe, guide=guide, mask=mask)
    if recipe.stopped:
        warnings.warn(
            f"{recipe.name} was stopped at {recipe.stopped}; this dream takes all its steps",
            DreamkitWarning,
            stacklevel=2,
        )

    def named(picture: Picture | None, file: File | None, what: str, otherwise: str) -> Picture | None:
        if picture is None:
            return None
        if file is not None and picture.sha256 == file.sha256:
            return replace(picture, name=file.name)
        given = picture.name or "what is given"
        differs = (
            f"{recipe.name} was dreamed without a {what}"
            if file is None
            else f"{given} is not the {what} {described(file)}"
        )
        warnings.warn(f"{differs}; {otherwise}", DreamkitWarning, stacklevel=3)
        return picture

    differently = "the dream will differ"
    return replace(
        request,
        image=named(request.image, recipe.photograph, "photograph", "this is dreamed as that was"),
        guide=named(request.guide, recipe.guide, "guide", differently),
        masks={
            name: named(mask, recipe.masks.get(name), "mask", differently) or mask
            for name, mask in request.masks.items()
        },
    )


def specs_of(model: Models) -> tuple[ModelSpec, ...]:
    """One network or several as specs; none for None."""
    if model is None:
        return ()
    several = model if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    return tuple(each if isinstance(each, ModelSpec) else ModelSpec(each) for each in several)


def _uses(config: DreamConfig, models: Sequence[ModelSpec], timeline: Timeline) -> dict[str, Kind[Any]]:
    options = {name: getattr(config, name) for name in option_names()}
    found = part_values.used(options, [spec.layers for spec in models])
    for entry in timeline:
        found |= part_values.used(entry)
    return found


def _with_used_options(
    config: DreamConfig,
    models: Sequence[ModelSpec],
    timeline: Timeline,
    recipe: Recipe | None,
    options: Mapping[str, Any],
) -> DreamConfig:
    """`config` with the plugin options of parts that it uses; a recipe may have more.

    Raises:
        ConfigError: options are given for a part that it does not use.
        RecipeError: the recipe was dreamed with a Python function.
    """
    if isinstance(config.objective, str) and config.objective.startswith(PYTHON):
        function = shown(config.objective.removeprefix(PYTHON))
        whose = "the recipe" if recipe is None else recipe.name
        raise RecipeError(
            f"{whose} has the Python function {function} as its objective, which no recipe can hold; "
            "give it again from Python: dreamkit.dream(..., objective=...)"
        )
    given = config.plugin_options or {}
    if not given:
        return config
    used = _uses(config, models, timeline)
    unused = [part for part in given if part not in used]
    asked = [part for part in unused if recipe is None or part in (options.get("plugin_options") or {})]
    if asked:
        raise ConfigError(
            f"there are options for {asked[0]}, which this dream does not use; choose {asked[0]} too, or "
            "leave them out"
        )
    kept = {part: values for part, values in given.items() if part in used}
    return replace(config, plugin_options=kept or None) if unused else config


def _with_direction_files(
    models: tuple[ModelSpec, ...], options: dict[str, Any], config: DreamConfig | None, recipe: Recipe | None
) -> tuple[tuple[ModelSpec, ...], dict[str, Any], DreamConfig | None, Recipe | None]:
    """What is given, with the numbers of directions that lie in files. A recipe's files lie beside it.

    Raises:
        ConfigError: a file does not exist or holds no such direction.
    """
    models = tuple(replace(spec, layers=directions.in_layers(spec.layers)) for spec in models)
    options = directions.in_options(options)
    if config is not None:
        named = {name: getattr(config, name) for name in ("layers", "schedule")}
        config = replace(config, **directions.in_options(named))
    return models, options, config, None if recipe is None else directions.in_recipe(recipe)


def _with_directions(
    models: tuple[ModelSpec, ...], options: dict[str, Any], config: DreamConfig | None, recipe: Recipe | None
) -> tuple[tuple[ModelSpec, ...], dict[str, Any], DreamConfig | None, Recipe | None]:
    """What is given, with the directions of the concepts that it names. What goes unused is left alone.

    Raises:
        ConceptError: a concept does not exist, or not for one of the networks.
    """
    models = tuple(
        replace(spec, layers=lookup.layers_with_directions(spec.layers, [spec])) for spec in models
    )
    shared = [spec for spec in models if spec.layers is None]
    options = lookup.with_directions(options, shared)
    if config is not None and "layers" not in options:
        named = {name: getattr(config, name) for name in ("layers", "schedule")}
        config = replace(config, **lookup.with_directions(named, shared))
    if recipe is not None and "layers" not in options:
        recipe = lookup.recipe_with_directions(recipe, shared)
    return models, options, config, recipe


def _recipe(given: PathLike | Recipe | None) -> Recipe | None:
    if given is None or isinstance(given, Recipe):
        return given
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(
            f"recipe is a {type(given).__name__}; give a name, a path or what recipes.find returned"
        )
    return recipes.find(os.fspath(given))


def _beside(
    config: DreamConfig,
    models: Sequence[ModelSpec],
    timeline: Timeline,
    recipe: Recipe | None,
    guide: ImageSource,
    mask: Masks,
) -> tuple[Picture | None, dict[str, Picture]]:
    """The guide and the masks by name, opened; those given go before the recipe's."""
    given: dict[str, ImageSource] = {}
    if isinstance(mask, Mapping):
        given = dict(mask)
    elif mask is not None:
        given = {"": mask}
    named = _check_masks(given, config, models, timeline)
    if recipe is not None:
        guide = guide if guide is not None else recipe_file(recipe, recipe.guide, "guide", config)
        left = config.max_pixels  # for all masks together: some hundred bytes can be many pixels
        for name, file in recipe.masks.items():
            if name not in given and name in ("", *named):
                within = replace(config, max_pixels=max(1, left))
                found = recipe_file(recipe, file, f"mask {shown(name)}".strip(), within)
                if isinstance(found, Picture):
                    left -= found.pixels.shape[0] * found.pixels.shape[1]
                given[name] = found
    return open_guide(guide, config), {name: open_mask(each, config) for name, each in given.items()}


def _check_masks(
    names: Iterable[str], config: DreamConfig, models: Sequence[ModelSpec], timeline: Timeline
) -> list[str]:
    """The names of masks that terms are under; checks that they have those in `names`."""
    own = {"layers": config.layers, "schedule": config.schedule}
    named = recipes.masks_named(own, models, timeline)
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"a mask has the name {name!r:.40}; the names of masks are texts")
        if name and name not in named:
            among = (
                did_you_mean(name, named) if named else "only a recipe's terms are; give it without a name"
            )
            raise ConfigError(f"no term is under the mask {shown(name)}; {among}")
    return named
