"""What a node does: pictures go into a temporary folder, dreamkit runs there, its pictures come back."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import host, pictures, process
from .pictures import Tensor
from .process import DreamkitError

_NAME = re.compile(r"[\w.-]+")  # of a recipe that is known by its name
_RECIPE_KEY = "dreamkit"  # of the text in a PNG that holds a recipe as JSON
_SO_FAR = "so-far.jpg"
_SHOWN = (f"--so-far={_SO_FAR}", "--overwrite")  # where several are dreamed, it is there already


def dream(image: Tensor, options: Sequence[str], recipe: str | None, **others: Tensor | None) -> Tensor:
    """The dreams of the pictures of an IMAGE.

    Args:
        image: the pictures.
        options: of the command.
        recipe: its name or its text; None for none.
        **others: a mask and a guide, one or one for each picture; None for none.
    """
    with _folder() as folder:
        words = [*options, *_recipe_words(recipe, folder)]
        names = pictures.write(image, folder, "photograph")
        connected = {flag: each for flag, each in others.items() if each is not None}
        files = {flag: pictures.write(each, folder, flag) for flag, each in connected.items()}
        for flag, found in files.items():
            if len(found) not in (1, len(names)):
                raise DreamkitError(
                    f"{flag} has {len(found)} pictures and image has {len(names)}; give one, or as many"
                )
        progress = host.Progress(len(names))

        def show(event: dict[str, Any]) -> None:
            if event["event"] == "step":
                progress.show(event["done"], folder / _SO_FAR)

        dreams = [folder / f"dream{number + 1}.png" for number in range(len(names))]
        for number, name in enumerate(names):
            own = [f"--{flag}={found[number % len(found)]}" for flag, found in files.items()]
            command = ["dream", name, f"--output={dreams[number].name}", *_SHOWN, *own, *words]
            process.run(command, folder, show, host.check_interrupted)
            progress.next()
        return pictures.read(dreams)


def zoom(image: Tensor, options: Sequence[str], recipe: str | None) -> Tensor:
    """The frames of a zoom into each picture of an IMAGE. The arguments are those of `dream`."""
    with _folder() as folder:
        words = [*options, *_recipe_words(recipe, folder)]
        names = pictures.write(image, folder, "photograph")
        progress = host.Progress(len(names))

        def show(event: dict[str, Any]) -> None:
            if event["event"] == "frame":
                progress.show(event["done"] / event["total"], folder / event["path"])

        frames: list[Path] = []
        for number, name in enumerate(names):
            # Without an extension, the film is a folder of PNG files.
            film = folder / f"frames{number + 1}"
            process.run(["zoom", name, f"--output={film.name}", *words], folder, show, host.check_interrupted)
            frames += sorted(film.glob("*.png"))
            progress.next()
        return pictures.read(frames)


def recipe_of_text(text: str) -> str:
    """A recipe in a text, TOML or JSON, as dreamkit writes it in TOML."""
    with _folder() as folder:
        return process.answer("recipes", _written(text, folder), folder=folder)


def recipe_of_picture(path: Path) -> str:
    """The recipe that a picture carries, in TOML."""
    return process.answer("recipes", str(path))


def _recipe_words(recipe: str | None, folder: Path) -> list[str]:
    """A recipe on a command line: its name, or a file of its text."""
    if recipe is None or not recipe.strip():
        return []
    named = _NAME.fullmatch(recipe.strip())
    return [f"--recipe={named[0] if named else _written(recipe, folder)}"]


def _written(text: str, folder: Path) -> str:
    """The name of a file with a recipe in it: TOML, or a picture that carries JSON."""
    if text.lstrip().startswith("{"):
        texts = PngInfo()
        texts.add_itxt(_RECIPE_KEY, text)
        Image.new("RGB", (1, 1)).save(folder / "recipe.png", pnginfo=texts)
        return "recipe.png"
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return "recipe.toml"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dreamkit-") as folder:
        yield Path(folder)
