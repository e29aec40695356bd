"""Texts as directions: the embeddings that the text towers of networks give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dreamkit.direction_text import encoded
from dreamkit.errors import ModelError
from dreamkit.models.providers import ModelProvider, TextTower
from dreamkit.models.registry import installed
from dreamkit.models.spec import ModelSpec


def directions(text: str, models: Sequence[ModelSpec]) -> dict[str, dict[str, str]]:
    """The embedding of a text for each of `models`, as text, by the SHA-256 of the weights and by layer.

    Raises:
        ModelError: a network understands no texts, or this one is too long for it.
    """
    towers = [_tower(spec) for spec in models if spec.weight]
    return {each.digest: {each.layer: encoded(each.embed(text))} for each in towers}


def _tower(spec: ModelSpec) -> TextTower:
    found = _provider(spec.model)
    if isinstance(found, ModelProvider) and found.text is not None:
        return found.text
    able = [each.name for each, _ in installed().providers() if each.text is not None]
    choose = f"choose one that does, such as {able[0]}" if able else "convert a CLIP: see docs/text.md"
    raise ModelError(f"{spec.name} understands no text; {choose}")


def _provider(model: Any) -> Any:
    """The provider of a model, which may be a name, a provider, a loaded network or something else."""
    return installed().provider(model) if isinstance(model, str) else getattr(model, "provider", model)
