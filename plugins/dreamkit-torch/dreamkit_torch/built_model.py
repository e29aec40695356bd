"""A model that was built, with what its library knows about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

DEFAULT_SIDE = 224  # pixels, where nothing says for which size a model was made


class Normalisation(NamedTuple):
    """Mean and standard deviation of a model's input, by channel, of pixels from 0 to 1."""

    mean: Sequence[float]
    std: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class BuiltText:
    """The text tower of a contrastive pair.

    Attributes:
        module: from token numbers, int64 `(1, tokens)`, to an embedding, a `torch.nn.Module`.
        ids: the token numbers of a text, padded to the length that the module takes.
        tokenizer: a `tokenizers.Tokenizer`.
    """

    module: Any
    ids: Sequence[int]
    tokenizer: Any


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """A model that was built.

    Attributes:
        module: the model, a `torch.nn.Module`.
        size: height and width of the pictures for which it was made.
        normalisation: of its input; None if unknown.
        labels: the names of its classes, in order.
        licence: the terms of its weights.
        with_classes: builds it with another number of classes; None if it cannot be.
        text: the text tower that was trained with it, if there is one.
    """

    module: Any
    size: tuple[int, int] = (DEFAULT_SIDE, DEFAULT_SIDE)
    normalisation: Normalisation | None = None
    labels: Sequence[str] = ()
    licence: str = ""
    with_classes: Callable[[int], BuiltModel] | None = None
    text: BuiltText | None = None
