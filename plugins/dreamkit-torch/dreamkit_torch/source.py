"""What the command line says of a model: where it comes from, and the size of its pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dreamkit import DreamkitError

_KINDS = "timm:NAME, torchvision:NAME, hf:OWNER/REPO, clip:OWNER/REPO, clip:FOLDER or FILE.py:FUNCTION"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_MAX_SIDE = 1024  # that dreamkit converts


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        kind: `timm`, `torchvision`, `hf`, `clip` or `file`.
        name: of the model; for `file`, the path, and for `clip`, a repository or the path of a folder.
        factory: for `file`, the name of the function that returns the model.
        text: what messages call it.
    """

    kind: str
    name: str
    factory: str
    text: str


def parse_source(text: str) -> Source:
    """The source that `text` names.

    Raises:
        DreamkitError: it names none, or a file that does not exist.
    """
    kind, colon, name = text.partition(":")
    if kind in ("timm", "torchvision", "hf") and colon:
        if not name:
            raise DreamkitError(f"{text} names no model; give {_KINDS}")
        if kind == "hf" and not _REPOSITORY.fullmatch(name):
            raise DreamkitError(
                f"{text} is not a repository of the Hugging Face hub; give hf:OWNER/REPO, such as "
                "hf:timm/resnet18.a1_in1k"
            )
        return Source(kind, name, "", text)
    if kind == "clip" and colon:
        if Path(name).is_dir():
            return Source(kind, str(Path(name).resolve()), "", f"clip:{Path(name).name}")
        if not _REPOSITORY.fullmatch(name):
            raise DreamkitError(
                f"{text} is neither a folder nor a repository of the Hugging Face hub; give clip:OWNER/REPO, "
                "such as clip:openai/clip-vit-base-patch32"
            )
        return Source(kind, name, "", text)
    path, _, factory = text.rpartition(":")
    if path.endswith(".py"):
        if not Path(path).is_file():
            raise DreamkitError(f"{path} does not exist; give {_KINDS}")
        return Source("file", str(Path(path).resolve()), factory, f"{Path(path).name}:{factory}")
    if text.endswith(".py"):
        raise DreamkitError(f"{text} names no function; give FILE.py:FUNCTION")
    raise DreamkitError(f"{text!r} names no model; give {_KINDS}")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Height and width in a text such as `224` or `224x320`.

    Raises:
        DreamkitError: it is not a size.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(each.isascii() and each.isdecimal() for each in sides):
        raise DreamkitError(f"--size is {text!r}; it takes pixels, as in 224 or 224x320 (height x width)")
    height, width = int(sides[0]), int(sides[-1])
    if not (0 < height <= _MAX_SIDE and 0 < width <= _MAX_SIDE):
        raise DreamkitError(f"--size is {text!r}; each side takes 1 to {_MAX_SIDE} pixels")
    return height, width
