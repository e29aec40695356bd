"""dreamkit as a library: everything that the command line can do."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit import recipes
from dreamkit.checkpoint import Checkpoint
from dreamkit.config import DEFAULT_MODEL, DreamConfig, number, plain, wrapped_axes
from dreamkit.errors import (
    ConfigError,
    DreamkitWarning,
    ImageError,
    Interrupted,
    ModelError,
    shown,
)
from dreamkit.inputs import Ingredients, PathLike, Source, gather, remembered, same_shape
from dreamkit.media import image_sizes, image_writer, images, seams
from dreamkit.media.image_metadata import Authorship
from dreamkit.models.providers import ModelProvider, Preprocess
from dreamkit.models.registry import Registry
from dreamkit.models.weights import resolve, state
from dreamkit.recipes import File, Recipe, Share

if TYPE_CHECKING:
    import keras

    from dreamkit.engine.loop import Step
    from dreamkit.engine.objective_set import Part
    from dreamkit.engine.plan import Plan
    from dreamkit.engine.tf.network import Network

    Model: TypeAlias = str | ModelProvider | keras.Model | Network
    Models: TypeAlias = Model | Share | Sequence[Model | Share] | None

Weights: TypeAlias = PathLike | Mapping[str, PathLike] | None


@dataclass(frozen=True, slots=True)
class Dream:
    """A dream and what it was made of.

    Attributes:
        pixels: uint8 `(height, width, 3)`, or `(height, width, 4)` where the photograph had alpha.
        recipe: plain data, as it is written into a picture's metadata; None for one that was broken off.
        profile: the photograph's RGB colour profile, or None for sRGB.
        dpi: the photograph's dots per inch across and down, or None; only what the file says.
        authorship: the photograph's artist, copyright and caption, or None.
    """

    pixels: NDArray[np.uint8]
    recipe: dict[str, Any] | None
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    authorship: Authorship | None = None

    def save(self, path: PathLike, *, dpi: float | None = None, overwrite: bool = False) -> None:
        """Writes the dream with its recipe as PNG, JPEG, WebP or TIFF by the ending of `path`.

        `dpi` is what the file says of its dots per inch; None for the photograph's.

        Raises:
            ImageError: the file exists, or cannot be written.
        """
        image_writer.write(
            path,
            self.pixels,
            recipe=self.recipe,
            profile=self.profile,
            dpi=self.dpi if dpi is None else (dpi, dpi),
            authorship=self.authorship,
            overwrite=overwrite,
        )


def dream(
    image: Source = None,
    model: Models = None,
    *,
    weights: Weights = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    on_step: Callable[[Step], None] | None = None,
    **options: Any,
) -> NDArray[np.uint8]:
    """Dreams a picture, and returns uint8 `(height, width, 3)`, or 4 channels where it had alpha.

    Example::

        pixels = dreamkit.dream("photo.jpg", "inception_v3", layers="mixed4:128", octaves=3)

    Args:
        image: a path, a Pillow image, a uint8 array, or None for a dream of seeded noise.
        model: a name, a `ModelProvider`, a functional Keras model that eats RGB pixels 0 to 255, what
            `load` returned, or a list of these or of `Share`, which has a weight and layers as well. None
            for the recipe's, or else the network that dreamkit carries.
        weights: a weights file, or several by model name; None for the provider's own.
        config: the options; `options` are put over them.
        recipe: a built-in recipe's name, a TOML file, a dream, or what `recipes.find` returned.
        guide: a picture whose features are pulled to.
        mask: where to dream, in grey levels from black (not at all) to white; or several masks by name,
            for terms that name one, with the dream's own under an empty name.
        on_step: called after each step.
        **options: fields of `DreamConfig`, such as `layers`, `octaves`, `steps`, `seed`.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    return render(
        image,
        model,
        weights=weights,
        config=config,
        recipe=recipe,
        guide=guide,
        mask=mask,
        on_step=on_step,
        **options,
    ).pixels


def render(
    image: Source = None,
    model: Models = None,
    *,
    weights: Weights = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    on_step: Callable[[Step], None] | None = None,
    checkpoint: Checkpoint | None = None,
    **options: Any,
) -> Dream:
    """Like `dream`, and returns the `Dream` with its recipe, which can be saved.

    With a `checkpoint`, a dream that was broken off goes on; once the dream is saved, call its `done`.
    """
    gathered = _gathered(image, model, weights, config, recipe, guide, mask, options)
    return make(gathered, parts(gathered.shares, weights), on_step, checkpoint)


def _gathered(
    image: Source,
    model: Models,
    weights: Weights,
    config: DreamConfig | None,
    recipe: PathLike | Recipe | None,
    guide: Source,
    mask: Source | Mapping[str, Source],
    options: Mapping[str, Any],
) -> Ingredients:
    if config is not None and recipe is not None:
        raise ConfigError("config and recipe are both given; give one, and options over it")
    found = _recipe(recipe)
    shares, options = cast(found, shares_of(model), options, weights=weights)
    config = found.config(**options) if found else DreamConfig.of(config, **options)
    return gather(image, config, shares, found, guide=guide, mask=mask)


def plan(
    image: Source = None,
    model: Models = None,
    *,
    weights: Weights = None,
    config: DreamConfig | None = None,
    recipe: PathLike | Recipe | None = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    **options: Any,
) -> Plan:
    """What `dream` of the same would do: octaves, tiles, memory in bytes and the time of its steps.

    The network is loaded and one batch of tiles computed, by which the time is known; nothing is dreamed.

    Raises:
        DreamkitError: a wrong input, in one line.
    """
    gathered = _gathered(image, model, weights, config, recipe, guide, mask, options)
    return planned(gathered, parts(gathered.shares, weights))


def redo(
    dreamed: PathLike,
    image: Source = None,
    model: Models = None,
    *,
    weights: Weights = None,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
    on_step: Callable[[Step], None] | None = None,
) -> Dream:
    """Dreams a dream again, from the recipe that it carries.

    The same photograph gives the same bytes, on the same machine with the same versions; another one is
    dreamed as that one was. What differs from what the recipe tells of is warned of.

    Raises:
        RecipeError: the picture carries no recipe, or something that it was made of is not given.
    """
    found = recipes.of_picture(dreamed)
    gathered = gather_again(found, image, shares_of(model), guide=guide, mask=mask)
    told = parts(gathered.shares, weights)
    differences(found, told)
    return make(gathered, told, on_step)


def blend(
    dreamed: images.Picture, photo: images.Picture, amount: float, recipe: Mapping[str, Any] | None = None
) -> Dream:
    """Puts `amount` of a photograph, 0 to 1, back over its finished dream, without dreaming again.

    `recipe` is the dream's; the result carries it with the blend that it has now. The photograph is brought
    to the dream's size, and where the dream wraps, its seams are closed, as before it was dreamed.

    Raises:
        ImageError: the two have different proportions.
    """
    amount = DreamConfig.of(blend=amount).blend
    height, width, _ = dreamed.pixels.shape
    if not same_shape(photo, (height, width)):
        tall, wide, _ = photo.pixels.shape
        raise ImageError(
            f"the dream has {width} x {height} pixels and the photograph {wide} x {tall}, of another shape; "
            "give the photograph that it was dreamed from"
        )
    wrapped = wrapped_axes(_options_of(recipe).get("wrap"))
    under = seams.close(image_sizes.fit(photo, (height, width), wrapped), wrapped)[0].pixels
    pixels = dreamed.pixels + np.float32(amount) * (under.astype(np.float32) - dreamed.pixels)
    blended = np.rint(pixels).astype(np.uint8)
    if dreamed.alpha is not None:
        blended = np.dstack([blended, dreamed.alpha])
    authorship = dreamed.authorship or photo.authorship
    return Dream(blended, _blended(recipe, amount), dreamed.profile, dreamed.dpi, authorship)


def _options_of(recipe: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The options that a picture's recipe tells of, none where there are none."""
    options = None if recipe is None else recipe.get("options")
    return options if isinstance(options, Mapping) else {}


def _blended(recipe: Mapping[str, Any] | None, amount: float) -> dict[str, Any] | None:
    """The recipe of a dream that `amount` of its photograph was put over; None where it is none of ours."""
    options = _options_of(recipe)
    before = number(options.get("blend", 0.0), whole=False)
    if recipe is None or not options or before is None or not 0 <= before <= 1:
        return None
    return {**recipe, "options": {**options, "blend": before + amount * (1 - before)}}


def gather_again(
    recipe: Recipe,
    image: Source,
    given: Sequence[Share],
    *,
    guide: Source = None,
    mask: Source | Mapping[str, Source] = None,
) -> Ingredients:
    """What a finished dream is made of again, with a warning for each picture that is another."""
    shares, options = cast(recipe, given, {})
    gathered = gather(image, recipe.config(**options), shares, recipe, guide=guide, mask=mask)
    return remembered(gathered, recipe)


def _recipe(given: PathLike | Recipe | None) -> Recipe | None:
    if given is None or isinstance(given, Recipe):
        return given
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(
            f"recipe is a {type(given).__name__}; give a name, a path or what recipes.find returned"
        )
    return recipes.find(os.fspath(given))


def shares_of(model: Models) -> tuple[Share, ...]:
    """One network or several as shares; none for None."""
    if model is None:
        return ()
    several = model if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    return tuple(each if isinstance(each, Share) else Share(each) for each in several)


def cast(
    recipe: Recipe | None, given: Sequence[Share], options: Mapping[str, Any], *, weights: Weights = None
) -> tuple[tuple[Share, ...], dict[str, Any]]:
    """Who dreams a recipe: the networks given, else the recipe's, else the one that dreamkit carries.

    A recipe's layers are those of its own networks, and of networks with the same layers. Where others dream,
    which is also so where a built-in recipe's network is not at hand, they dream their own default layers,
    and a warning says so. Returns the shares, and `options` with what else that changes.
    """
    options = dict(options)
    if recipe is None or not recipe.shares:
        return tuple(given) or (Share(DEFAULT_MODEL),), options
    published = [share.model for share in recipe.shares]
    if not given and not recipe.built_in:
        return recipe.shares, options
    registry = Registry()
    if not given and all(_at_hand(name, weights, registry) for name in published):
        return recipe.shares, options
    chosen = tuple(given) or (Share(DEFAULT_MODEL),)
    names = " and ".join(_name(share.model) for share in chosen)
    whose = shown(" and ".join(published))
    absent = "" if given else f", which is not at hand (--model {published[0]} asks for it)"
    if len(chosen) == len(published) and all(
        name in (_name(share.model), _layers_of(share.model, registry))
        for share, name in zip(chosen, published, strict=True)
    ):
        if not given:
            warnings.warn(
                f"{recipe.name} was made with {whose}{absent}; {names} dreams its layers",
                DreamkitWarning,
                stacklevel=2,
            )
        return tuple(
            replace(own, model=share.model, weight=share.weight, layers=share.layers or own.layers)
            for share, own in zip(chosen, recipe.shares, strict=True)
        ), options
    if "schedule" not in options:
        options["schedule"] = tuple(
            {name: value for name, value in octave.items() if name != "layers"}
            for octave in recipe.options.get("schedule", ())
        )
    own_layers = options.get("layers") is None and all(share.layers is None for share in chosen)
    if own_layers:
        options["layers"] = None
    if own_layers or not given:
        how = " with its own default layers" if own_layers else ""
        warnings.warn(
            f"{recipe.name} was made with {whose}{absent}; {names} dreams it{how}",
            DreamkitWarning,
            stacklevel=2,
        )
    return chosen, options


def _at_hand(name: str, weights: Weights, registry: Registry) -> bool:
    """Whether a model can be loaded without asking anyone for anything."""
    try:
        provider = registry.provider(name)
    except ModelError:  # nothing provides it, or it is to be set up first
        return False
    return weights is not None or state(provider) != "to download"


def _name(model: Any) -> str:
    """What a model is called, in messages."""
    provider = getattr(model, "provider", model)
    return str(getattr(provider, "name", provider))


def _layers_of(model: Any, registry: Registry) -> str:
    """The model whose layers a model has as well, empty where there is none."""
    provider = getattr(model, "provider", model)
    if isinstance(provider, str):
        try:
            provider = registry.provider(provider)
        except ModelError:  # whoever loads it says so
            return ""
    return str(getattr(provider, "layers_of", ""))


def differences(recipe: Recipe, told: Sequence[Part]) -> None:
    """Warns of whatever a finished dream was made with that is another now."""
    before = [share.model for share in recipe.shares]
    names = [part.network.provider.name for part in told]
    if before != names:
        warnings.warn(
            f"{recipe.name} was dreamed by {shown(' and '.join(before))}, and {' and '.join(names)} "
            "dreams it now",
            DreamkitWarning,
            stacklevel=3,
        )
    for share, part in zip(recipe.shares, told, strict=False):
        name = part.network.provider.name
        if share.model == name and share.sha256 != part.network.digest:
            warnings.warn(
                f"the weights of {name} are not those of {recipe.name} (SHA-256 {shown(share.sha256, 15)}, "
                f"now {part.network.digest[:12]}...); the dream will differ",
                DreamkitWarning,
                stacklevel=3,
            )
    now = recipes.versions()
    others = [
        f"{shown(name)} {shown(version)} (now {now.get(name, 'unknown')})"
        for name, version in recipe.versions.items()
        if now.get(name) != version
    ]
    if others:
        warnings.warn(
            f"{recipe.name} was dreamed with {', '.join(others)}; bytes may differ",
            DreamkitWarning,
            stacklevel=3,
        )


def parts(
    shares: Sequence[Share], weights: Weights = None, *, progress: Callable[[int, int], None] | None = None
) -> list[Part]:
    """Loads the networks of `shares`.

    Raises:
        ModelError, WeightsError: as `load`; or weights are given for a network that is not there.
    """
    names = [_name(share.model) for share in shares]
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                raise ConfigError(f"weights are given for {name!r}, and {' and '.join(names)} dreams")
    elif weights is not None and len(shares) > 1:
        raise ConfigError(
            f"one weights file is given and {len(shares)} networks dream; say whose it is: {names[0]}=PATH"
        )
    # Every model and file is found before the first network is loaded, for which TensorFlow is imported.
    registry = Registry()
    files = [weights.get(name) if isinstance(weights, Mapping) else weights for name in names]
    found = [_found(share.model, path, progress, registry) for share, path in zip(shares, files, strict=True)]
    from dreamkit.engine.objective_set import Part

    loaded: dict[int, Network] = {}
    told = []
    for share, (provider, path) in zip(shares, found, strict=True):
        network = loaded.get(id(provider)) or _loaded(provider, path)
        loaded[id(provider)] = network
        told.append(Part(network, share.weight, share.layers))
    return told


def make(
    gathered: Ingredients,
    told: Sequence[Part],
    on_step: Callable[[Step], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Dream:
    """Dreams what was gathered, by the networks loaded; from its checkpoint, if it was broken off.

    Raises:
        LayerError, ConfigError, NumericError: as `engine.dream.dream`.
        Interrupted: Ctrl-C; it carries the picture so far, with the photograph's alpha.
    """
    from dreamkit.engine.loop import dream as run

    config, picture, guide = gathered.config, gathered.picture, gathered.guide
    masks = gathered.masks
    photo, pictures = _for_the_engine(gathered)
    alpha = None if picture is None else picture.alpha

    def finish(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels if alpha is None else np.dstack([pixels, alpha])

    def heard(step: Step) -> None:
        if on_step is not None:
            on_step(step)
        if checkpoint is not None:
            checkpoint.keep(step.state)

    start = checkpoint.begin(_told(gathered, told)) if checkpoint is not None else None
    try:
        outcome = run(photo, told, config, heard, start=start, **pictures)
    except Interrupted as interrupted:
        if interrupted.pixels is not None:
            interrupted.pixels = finish(interrupted.pixels)
        raise
    recipe = recipes.metadata(
        config,
        models=[
            {
                "name": part.network.provider.name,
                "sha256": part.network.digest,
                "weight": part.weight,
                "layers": plain(share.layers),
                "dreamed": dreamed,
            }
            for part, share, dreamed in zip(told, gathered.shares, outcome.layers, strict=True)
        ],
        photograph=None if picture is None else File(picture.name, picture.sha256),
        guide=None if guide is None else File(guide.name, guide.sha256),
        masks={name: _kept(mask) for name, mask in masks.items()},
        size=(photo.shape[0], photo.shape[1]),
        octaves=outcome.sizes,
        tile_size=outcome.tile_size,
    )
    if picture is None:
        return Dream(finish(outcome.pixels), recipe)
    return Dream(finish(outcome.pixels), recipe, picture.profile, picture.dpi, picture.authorship)


def dreamed(
    pixels: NDArray[np.uint8], told: Sequence[Part], config: DreamConfig, *, again: bool = False
) -> NDArray[np.uint8]:
    """Dreams pixels, uint8 `(height, width, 3)`, as they are: a frame of something larger.

    Where it is done `again`, what was warned of before is not warned of.
    """
    from dreamkit.engine.loop import dream as run

    with warnings.catch_warnings():
        if again:
            warnings.simplefilter("ignore", DreamkitWarning)
        return run(pixels, told, config).pixels


def signature(told: Sequence[Part], config: DreamConfig) -> dict[str, Any]:
    """Who dreams, and how, as plain data: equal where the same pixels become the same dream."""
    models = [
        [part.network.provider.name, part.network.digest, part.weight, plain(part.layers)] for part in told
    ]
    return {"options": config.to_dict(), "models": models}


def _told(gathered: Ingredients, told: Sequence[Part]) -> dict[str, Any]:
    """All that the bytes of a dream depend on, but for the machine."""
    pictures = {"photograph": gathered.picture, "guide": gathered.guide}
    pictures |= {f"mask {name}".strip(): mask for name, mask in gathered.masks.items()}
    hashes = {name: picture and picture.sha256 for name, picture in pictures.items()}
    return {**signature(told, gathered.config), **hashes, "versions": recipes.versions()}


def planned(gathered: Ingredients, told: Sequence[Part]) -> Plan:
    """What `make` of the same would do and take.

    Raises:
        LayerError, ConfigError: as `engine.dream.planned`.
    """
    from dreamkit.engine.loop import planned as plan_of

    photo, pictures = _for_the_engine(gathered)
    return plan_of(photo, told, gathered.config, **pictures)


def _for_the_engine(gathered: Ingredients) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The photograph or noise, uint8 `(height, width, 3)`, and the engine's `guide` and `regions`."""
    from dreamkit.engine import rng

    config, picture, guide = gathered.config, gathered.picture, gathered.guide
    photo = (
        rng.noise(config.seed, config.size, config.noise, config.wrapped)
        if picture is None
        else picture.pixels
    )
    regions = {name: images.grey_levels(mask) for name, mask in gathered.masks.items()}
    return photo, {"guide": None if guide is None else guide.pixels, "regions": regions}


def _kept(mask: images.Picture) -> File:
    """A mask in a recipe: the name of its file, or where there is none, itself."""
    if mask.name:
        return File(mask.name, mask.sha256)
    grey = images.grey_levels(mask)  # which is what comes out of the recipe again, and so what is hashed
    return File("", images.from_memory(grey).sha256, image_writer.to_png(grey))


def load(
    model: Model = DEFAULT_MODEL,
    weights: PathLike | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Network:
    """Loads a network once, for many dreams: pass the result as `model`.

    `progress` hears of a download: bytes so far and in all.

    Raises:
        ModelError: no such model, or it cannot be dreamed with.
        WeightsError: its weights cannot be found, fetched or read.
    """
    return _loaded(*_found(model, weights, progress, Registry()))


def _found(
    model: Model,
    weights: PathLike | None,
    progress: Callable[[int, int], None] | None,
    registry: Registry,
) -> tuple[ModelProvider | Network, Path | None]:
    """A model's provider and its weights file; a network that is loaded is itself."""
    if isinstance(model, str):
        provider = registry.provider(model)
    elif isinstance(model, ModelProvider):
        provider = model
    else:
        from dreamkit.engine.tf.network import Network

        if isinstance(model, Network):
            return model, None
        provider = _bare(model)
    return provider, resolve(provider, weights, progress)


def _loaded(provider: ModelProvider | Network, path: Path | None) -> Network:
    from dreamkit.engine.tf import network

    return provider if isinstance(provider, network.Network) else network.load(provider, path)


def _bare(model: Any) -> ModelProvider:
    """A provider for a Keras model that came without one."""
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"model is a {type(model).__name__}; give a name, a ModelProvider, a Keras model "
            "or what load() returned"
        )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", model.name).lstrip("._-") or "model"
    return ModelProvider(name=name, load=lambda _: model, preprocess=Preprocess(), layers={})
