"""A session: a request with its networks loaded, which runs it, or variants of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamkit import fingerprint as fingerprints
from dreamkit.config import DreamConfig, plain
from dreamkit.engine.loading import load_models
from dreamkit.engine.profile import OFF, Unmeasured
from dreamkit.errors import DreamkitWarning, Interrupted, shown
from dreamkit.inputs import PathLike
from dreamkit.media import image_writer, images
from dreamkit.media.image_metadata import Authorship
from dreamkit.recipes import File, Recipe, metadata
from dreamkit.request import DreamRequest

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import LoadedModel
    from dreamkit.engine.plan import Plan
    from dreamkit.engine.progress import DreamResult, DreamState, StepEvent


@dataclass(frozen=True, slots=True)
class Dream:
    """A finished dream and its recipe.

    Attributes:
        pixels: uint8 `(height, width, 3)`, or `(height, width, 4)` where the photograph had alpha.
        recipe: plain data, as it is written into a picture's metadata; None for one that was interrupted.
        profile: the photograph's RGB colour profile, or None for sRGB.
        dpi: the photograph's dots per inch across and down, or None; no pixel depends on them.
        authorship: the photograph's artist, copyright and caption, or None.
        needs_alpha: whether the transparency is the dream's own, which no format may drop.
    """

    pixels: NDArray[np.uint8]
    recipe: dict[str, Any] | None
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    authorship: Authorship | None = None
    needs_alpha: bool = False

    def save(self, path: PathLike, *, dpi: float | None = None, overwrite: bool = False) -> None:
        """Writes the dream with its recipe as PNG, JPEG, WebP or TIFF; the extension selects the format.

        `dpi` marks the file with so many dots per inch; None for the photograph's.

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
            needs_alpha=self.needs_alpha,
        )


class Session:
    """A request, with its networks loaded once for as many dreams as wanted.

    Attributes:
        request: what `run` dreams unless it is given another one.
        models: its networks, loaded, with their weights and layers.
    """

    def __init__(
        self,
        request: DreamRequest,
        *,
        on_download: Callable[[int, int], None] | None = None,
        profile: Unmeasured = OFF,
    ) -> None:
        """Loads the networks of `request`.

        Args:
            request: what `run` dreams.
            on_download: called with the bytes of a download so far and in all.
            profile: measures where the time goes, from here on.

        Raises:
            ModelError, WeightsError: a network does not exist, or cannot be fetched or loaded.
        """
        self.request = request
        self._profile = profile
        self.models: list[LoadedModel] = load_models(request.models, on_download, profile)

    def run(
        self,
        request: DreamRequest | None = None,
        *,
        on_step: Callable[[StepEvent], None] | None = None,
        start: DreamState | None = None,
    ) -> Dream:
        """Dreams the session's request, or another one by the same networks; from `start`, if it is given.

        Raises:
            LayerError, ConfigError, NumericError, NetworkMemoryError: as `engine.loop.dream`.
            Interrupted: Ctrl-C; it carries the picture so far, with the photograph's alpha.
        """
        from dreamkit.engine import loop

        asked = request or self.request
        photo, pictures = _arrays(asked)
        request, models = self._with_channels(asked, photo)
        photographs = None if request.image is None else request.image.alpha
        try:
            if request.strokes:
                result = _painted(photo, models, request, on_step, **pictures)
            else:
                result = loop.dream(
                    photo, models, request.config, on_step, start=start, profile=self._profile, **pictures
                )
        except Interrupted as interrupted:
            if interrupted.pixels is not None:
                interrupted.pixels = _with_alpha(interrupted.pixels, photographs)
            raise
        recipe = self._recipe(request, models, result)
        recipe |= metadata.painted(request.recipe) if request.strokes else {}
        if asked.choices:
            recipe["asked"] = metadata.asked(asked.config, [model.layers for model in self.models])
        pixels = _with_alpha(result.pixels, photographs, result.alpha)
        return Dream(pixels, recipe, *file_metadata(request), needs_alpha=result.alpha is not None)

    def compute(
        self,
        request: DreamRequest,
        *,
        models: Sequence[LoadedModel] | None = None,
        on_step: Callable[[StepEvent], None] | None = None,
        quiet: bool = False,
    ) -> DreamResult:
        """The pixels of a dream, without recipe or alpha: a frame of something larger.

        Args:
            request: what is dreamed.
            models: the session's networks with other weights and layers; None for its own.
            on_step: called after each step.
            quiet: without warnings that have been given before.

        Raises:
            As `run`.
        """
        from dreamkit.engine import loop

        request.refuse("a frame", "strokes")
        photo, pictures = _arrays(request)
        request, chosen = self._with_channels(request, photo, models)
        with warnings.catch_warnings():
            if quiet:
                warnings.simplefilter("ignore", DreamkitWarning)
            return loop.dream(photo, chosen, request.config, on_step, **pictures)

    def plan(self) -> Plan:
        """What `run` would do and take. One batch of tiles is computed; nothing is dreamed.

        Raises:
            LayerError, ConfigError: as `engine.loop.planned`.
        """
        from dreamkit.engine import loop

        self.request.refuse("a plan", "strokes")
        photo, pictures = _arrays(self.request)
        request, models = self._with_channels(self.request, photo)
        return loop.planned(photo, models, request.config, **pictures)

    def fingerprint(self, request: DreamRequest | None = None) -> dict[str, Any]:
        """The fingerprint of the session's request, or of another one by the same networks."""
        return fingerprints.fingerprint(request or self.request, self.models)

    @staticmethod
    def machine(threads: int | None = None) -> dict[str, Any]:
        """What the last bits of a dream depend on here, by so many threads; None for this process's."""
        from dreamkit.engine.tf import machine

        return machine.describe(threads)

    def warn_of_differences(self, recipe: Recipe) -> None:
        """Warns of what a finished dream was made with and is another now: networks, weights, versions,
        machine."""
        names = [model.network.provider.name for model in self.models]
        before = [spec.name for spec in recipe.models]
        if before != names:
            _warn(
                f"{recipe.name} was dreamed by {shown(' and '.join(before))}, and {' and '.join(names)} "
                "dreams it now"
            )
        for spec, model in zip(recipe.models, self.models, strict=False):
            name, digest = model.network.provider.name, model.network.digest
            if spec.name == name and spec.sha256 != digest:
                _warn(
                    f"the weights of {name} are not those of {recipe.name} (SHA-256 "
                    f"{shown(spec.sha256, 15)}, now {digest[:12]}...); the dream will differ"
                )
        now = metadata.versions(self.request.uses)
        others = [
            f"{shown(name)} {shown(version)} (now {now.get(name, 'unknown')})"
            for name, version in recipe.versions.items()
            if now.get(name) != version
        ]
        others += filter(None, [fingerprints.machine_differences(recipe.machine, self.machine())])
        if others:
            _warn(f"{recipe.name} was dreamed with {', '.join(others)}; bytes may differ")

    def _with_channels(
        self,
        request: DreamRequest,
        photo: NDArray[np.uint8],
        models: Sequence[LoadedModel] | None = None,
    ) -> tuple[DreamRequest, Sequence[LoadedModel]]:
        """The request and the networks, with plain channels for those that the photograph chooses."""
        models = models or self.models
        if not request.choices:
            return request, models
        from dreamkit.engine import channel_choice

        config, chosen = channel_choice.with_channels(request.config, models, photo)
        return replace(request, config=config), chosen

    def _recipe(
        self, request: DreamRequest, models: Sequence[LoadedModel], result: DreamResult
    ) -> dict[str, Any]:
        image, guide = request.image, request.guide
        return metadata.describe(
            request.config,
            models=[
                {
                    "name": model.network.provider.name,
                    "sha256": model.network.digest,
                    "weight": model.weight,
                    "layers": plain(model.layers),
                    "dreamed": dreamed,
                }
                for model, dreamed in zip(models, result.layers, strict=True)
            ],
            photograph=None if image is None else File(image.name, image.sha256),
            guide=None if guide is None else File(guide.name, guide.sha256),
            masks={name: _mask_file(mask) for name, mask in request.masks.items()},
            size=request.size,
            octaves=result.sizes,
            tile_size=result.tile_size,
            machine=self.machine(),
            uses=request.uses,
        )


def file_metadata(
    request: DreamRequest,
) -> tuple[bytes | None, tuple[float, float] | None, Authorship | None]:
    """Colour profile, dots per inch and authorship of the photograph, as `Dream` takes them."""
    image = request.image
    return (None, None, None) if image is None else (image.profile, image.dpi, image.authorship)


def _with_alpha(pixels: NDArray[np.uint8], *alphas: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """`pixels` with the transparencies `(height, width)` that there are, as a fourth channel."""
    found = [alpha for alpha in alphas if alpha is not None]
    if not found:
        return pixels
    both = np.rint(np.prod([each / np.float32(255) for each in found], axis=0) * 255)
    return np.dstack([pixels, found[0] if len(found) == 1 else both.astype(np.uint8)])


def _warn(message: str) -> None:
    warnings.warn(message, DreamkitWarning, stacklevel=4)


def _arrays(request: DreamRequest) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The photograph or noise, uint8 `(height, width, 3)`, and the engine's `guide` and `regions`."""
    from dreamkit.engine import rng

    config = request.config
    photo = (
        rng.noise(config.seed, config.size, config.noise, config.wrapped)
        if request.image is None
        else request.image.pixels
    )
    regions = {name: images.grey_levels(mask) for name, mask in request.masks.items()}
    return photo, {"guide": None if request.guide is None else request.guide.pixels, "regions": regions}


def _painted(
    photo: NDArray[np.uint8],
    models: Sequence[LoadedModel],
    request: DreamRequest,
    on_step: Callable[[StepEvent], None] | None,
    **pictures: Any,
) -> DreamResult:
    """A dream with strokes of the brush on it, or the photograph with them."""
    from dreamkit.engine import growth, loop
    from dreamkit.engine.progress import DreamResult

    config = replace(request.config, blend=0.0)
    if request.recipe is not None and request.recipe.paints_photograph:
        result = DreamResult(photo, [{} for _ in models], [request.size], config.tile_size, None)
    else:
        result = loop.dream(photo, models, config, on_step, **pictures)
    picture = ground = result.pixels
    for stroke, mask in request.strokes:
        if stroke.options is None:
            picture = growth.erase(picture, ground, images.grey_levels(mask))
            continue
        high, low = (mask.pixels[..., digit].astype(np.int64) for digit in (0, 1))
        options = DreamConfig.of(None, **{**stroke.options, "max_memory": None})
        grown = growth.Growth(options, high * 256 + low, stroke.turns, stroke.lasts, stroke.least)
        picture = growth.grow(picture, models, grown, on_step)
    return replace(result, pixels=growth.blend(picture, photo, request.config.blend))


def _mask_file(mask: images.Picture) -> File:
    """A mask in a recipe: the name of its file, or itself where it came from memory."""
    if mask.name:
        return File(mask.name, mask.sha256)
    grey = images.grey_levels(mask)  # what is hashed is what will be read from the recipe again
    return File("", images.from_memory(grey).sha256, image_writer.to_png(grey))
