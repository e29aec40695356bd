"""The nodes: Dream, Dream with mask and guide, Zoom, Recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar

from . import host, inputs, runs
from .inputs import Inputs
from .pictures import Tensor
from .process import DreamkitError

Types = dict[str, Inputs]
Run = TypeVar("Run", bound=Callable[..., Any])

_OPTIONS = ("layers", "strength", "blend", "color", "octaves", "steps", "wrap", "seed")
_GUIDED = ("layers", "strength", "blend", "color", "octaves", "steps", "wrap", "guide_style", "seed")
_MOVING = ("layers", "strength", "blend", "color", "octaves", "steps", "seed")  # a zoom cannot wrap
_FRAMES = 30  # of a zoom: a second, because ComfyUI holds all of them in memory
_NO_PICTURE = "none"

_IMAGE: Inputs = {"image": ("IMAGE", {"tooltip": "The pictures to dream, each by itself."})}
_RECIPE: Inputs = {
    "recipe": (
        "STRING",
        {
            "forceInput": True,
            "tooltip": "The name of a recipe, or its text as TOML: from the node Recipe, or any text. Inputs "
            "that are not at their defaults replace its options.",
        },
    )
}
_CAMERA: Inputs = {
    "frames": ("INT", {"default": _FRAMES, "min": 1, "tooltip": "How many frames."}),
    "zoom": (
        "FLOAT",
        {
            "default": 0.0,
            "min": 0.0,
            "max": 2.0,
            "step": 0.01,
            "tooltip": "How much larger each frame is, 0.5 to 2; below 1, the camera moves away. 0: by the "
            "move, by the recipe or dreamkit's own.",
        },
    ),
    "rotate": (
        "FLOAT",
        {
            "default": 0.0,
            "min": -180.0,
            "max": 180.0,
            "step": 0.1,
            "tooltip": "Degrees that each frame is turned by, clockwise. 0: by the move or the recipe.",
        },
    ),
    "move": (
        "STRING",
        {
            "default": "",
            "tooltip": "How the camera moves along the film: tunnel, pan or spiral. Empty: evenly, as zoom "
            "and rotate say.",
        },
    ),
    "loop": ("BOOLEAN", {"default": False, "tooltip": "Let the last frame lead to the first."}),
}


def _said_in_one_line(run: Run) -> Run:
    """Lets an error of dreamkit leave a node without the places in this package that it came through."""

    @wraps(run)
    def node(*arguments: Any, **given: Any) -> Any:
        try:
            return run(*arguments, **given)
        except DreamkitError as error:
            raise error.with_traceback(None) from None

    return node  # type: ignore[return-value]


class _Node:
    """What the nodes share. ComfyUI checks no values: dreamkit does, and says what is possible."""

    CATEGORY: ClassVar[str] = "dreamkit"

    @classmethod
    def VALIDATE_INPUTS(cls, **_: Any) -> bool:  # noqa: N802 - ComfyUI's name
        return True


class Dream(_Node):
    """Dreams each picture of a batch."""

    DESCRIPTION = "DeepDream: shows each picture to a network, and lets what the network sees grow in it."
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)
    RETURN_NAMES: ClassVar[tuple[str, ...]] = ("image",)
    FUNCTION = "dream"

    @classmethod
    def INPUT_TYPES(cls) -> Types:  # noqa: N802
        return {
            "required": {**_IMAGE, **inputs.networks(), **inputs.options(_OPTIONS)},
            "optional": _RECIPE,
        }

    @_said_in_one_line
    def dream(self, image: Tensor, recipe: str | None = None, **options: Any) -> tuple[Tensor]:
        return (runs.dream(image, inputs.arguments(options), recipe),)


class GuidedDream(_Node):
    """Dreams each picture of a batch where a mask allows it, after a guide."""

    DESCRIPTION = "DeepDream where a mask is white, of the shapes in a guide. Both are optional."
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)
    RETURN_NAMES: ClassVar[tuple[str, ...]] = ("image",)
    FUNCTION = "dream"

    @classmethod
    def INPUT_TYPES(cls) -> Types:  # noqa: N802
        several = "One for all pictures, or one for each."
        mask = {"tooltip": f"Where to dream: white fully, grey partly, black not at all. {several}"}
        guide = {"tooltip": f"The picture that the dream takes its shapes from. {several}"}
        return {
            "required": {**_IMAGE, **inputs.networks(), **inputs.options(_GUIDED)},
            "optional": {"mask": ("MASK", mask), "guide": ("IMAGE", guide), **_RECIPE},
        }

    @_said_in_one_line
    def dream(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        guide: Tensor | None = None,
        recipe: str | None = None,
        **options: Any,
    ) -> tuple[Tensor]:
        return (runs.dream(image, inputs.arguments(options), recipe, mask=mask, guide=guide),)


class Zoom(_Node):
    """Dreams an endless zoom into each picture of a batch."""

    DESCRIPTION = "An endless zoom: each frame is dreamed from a closer look at the last one."
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)
    RETURN_NAMES: ClassVar[tuple[str, ...]] = ("frames",)
    FUNCTION = "zoom_in"

    @classmethod
    def INPUT_TYPES(cls) -> Types:  # noqa: N802
        return {
            "required": {**_IMAGE, **_CAMERA, **inputs.networks(), **inputs.options(_MOVING)},
            "optional": _RECIPE,
        }

    @_said_in_one_line
    def zoom_in(
        self,
        image: Tensor,
        frames: int,
        zoom: float,
        rotate: float,
        move: str,
        loop: bool,
        recipe: str | None = None,
        **options: Any,
    ) -> tuple[Tensor]:
        camera = {"zoom": zoom, "rotate": rotate, "move": move}
        words = [f"--frames={frames}", *(f"--{name}={value}" for name, value in camera.items() if value)]
        words += ["--loop"] if loop else []
        return (runs.zoom(image, [*words, *inputs.arguments(options)], recipe),)


class Recipe(_Node):
    """Gives a recipe to the other nodes."""

    DESCRIPTION = "A recipe for the other nodes: by name, as a text, or from a picture that dreamkit dreamed."
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("STRING",)
    RETURN_NAMES: ClassVar[tuple[str, ...]] = ("recipe",)
    FUNCTION = "find"

    @classmethod
    def INPUT_TYPES(cls) -> Types:  # noqa: N802
        name = {"tooltip": "A recipe that comes with dreamkit or one of its plugins."}
        text = {
            "default": "",
            "multiline": True,
            "tooltip": "A recipe as TOML, such as `jitter = 16`, or as the JSON that a dream carries. If it "
            "is given, it takes the place of the name.",
        }
        picture = {
            "default": _NO_PICTURE,
            "image_upload": True,
            "tooltip": "A picture that dreamkit dreamed: its recipe takes the place of the name.",
        }
        required: Inputs = {
            "name": (list(inputs.offered().recipes), name),
            "text": ("STRING", text),
            "picture": ([_NO_PICTURE, *host.input_files()], picture),  # an optional one could not be uploaded
        }
        return {"required": required}

    @classmethod
    def IS_CHANGED(cls, picture: str = _NO_PICTURE, **_: Any) -> str:  # noqa: N802
        """Another text where the picture of the same name is another one."""
        if picture == _NO_PICTURE:
            return ""
        return hashlib.sha256(host.input_file(picture).read_bytes()).hexdigest()

    @_said_in_one_line
    def find(self, name: str, text: str, picture: str = _NO_PICTURE) -> tuple[str]:
        if picture != _NO_PICTURE and text.strip():
            raise DreamkitError("a text and a picture are given; give the recipe by one of them")
        if picture != _NO_PICTURE:
            return (runs.recipe_of_picture(host.input_file(picture)),)
        return (runs.recipe_of_text(text) if text.strip() else name,)


NODE_CLASS_MAPPINGS: dict[str, type[_Node]] = {
    "DreamkitDream": Dream,
    "DreamkitGuidedDream": GuidedDream,
    "DreamkitZoom": Zoom,
    "DreamkitRecipe": Recipe,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DreamkitDream": "Dream",
    "DreamkitGuidedDream": "Dream with mask and guide",
    "DreamkitZoom": "Zoom",
    "DreamkitRecipe": "Recipe",
}
