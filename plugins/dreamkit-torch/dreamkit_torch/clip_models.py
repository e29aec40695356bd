"""Contrastive pairs of Hugging Face's transformers, such as CLIP and SigLIP, with both of their towers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dreamkit.errors import ConvertError, first_line, shown
from dreamkit_torch.built_model import BuiltModel, BuiltText, Normalisation

_EXAMPLE = "a photo of a cat"


def build(name: str, *, published: bool) -> BuiltModel:
    """The pair in a repository of the hub or in a folder, with its weights or with random ones.

    Raises:
        ConvertError: it cannot be had, or is no such pair.
    """
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    source = f"clip:{Path(name).name if Path(name).is_dir() else name}"
    options = {"attn_implementation": "eager"}  # which the exporter knows
    try:
        if published:
            model = AutoModel.from_pretrained(name, use_safetensors=True, **options)
        else:
            model = AutoModel.from_config(AutoConfig.from_pretrained(name), **options)
        tokenizer = AutoTokenizer.from_pretrained(name).backend_tokenizer
    # Of the hub, of its HTTP library, of safetensors, and of whatever comes after it.
    except Exception as error:
        raise ConvertError(
            f"cannot load {source} ({type(error).__name__}: {shown(first_line(error), 160)}); give a "
            "repository or a folder with config.json, model.safetensors and tokenizer.json"
        ) from error
    vision, text = (getattr(model, f"{each}_model", None) for each in ("vision", "text"))
    if vision is None or text is None:
        raise ConvertError(
            f"{source} is a {shown(model.config.model_type)} and has no towers of pictures and texts; give a "
            "CLIP or a SigLIP"
        )
    identity = torch.nn.Identity()
    side = int(model.config.vision_config.image_size)
    length = int(model.config.text_config.max_position_embeddings)
    return BuiltModel(
        module=_tower(vision, "pixel_values", getattr(model, "visual_projection", identity)),
        size=(side, side),
        normalisation=_normalisation(name),
        text=BuiltText(
            module=_tower(text, "input_ids", getattr(model, "text_projection", identity)),
            ids=_padded(tokenizer.encode(_EXAMPLE).ids, length),
            tokenizer=tokenizer,
        ),
    )


def _tower(model: Any, name: str, projection: Any) -> Any:
    """A tower as a module from its one input to its embedding."""
    import torch

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model, self.embedding = model, projection

        def forward(self, given: Any) -> Any:
            return self.embedding(self.model(**{name: given}).pooler_output)

    return Tower()


def _padded(ids: Sequence[int], length: int) -> list[int]:
    return [*ids[:length], *[ids[-1]] * (length - len(ids))]


def _normalisation(name: str) -> Normalisation | None:
    """What preprocessor_config.json says; None if there is none."""
    from transformers import ImageProcessingMixin

    try:
        found, _ = ImageProcessingMixin.get_image_processor_dict(name)
        return Normalisation(found["image_mean"], found["image_std"])
    except (OSError, KeyError):
        return None
