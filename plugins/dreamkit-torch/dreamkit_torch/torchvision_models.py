"""Models of torchvision."""

from __future__ import annotations

from functools import partial
from typing import Any

from dreamkit.errors import ConvertError, did_you_mean, first_line, shown
from dreamkit_torch.built_model import DEFAULT_SIDE, BuiltModel, Normalisation


def build(name: str, *, published: bool) -> BuiltModel:
    """The model of torchvision called `name`, with its `published` weights or with random ones.

    `name` may name the weights, as in `resnet50.IMAGENET1K_V1`.

    Raises:
        ConvertError: there is no such model, or its weights cannot be had.
    """
    from torchvision import models

    architecture, _, tag = name.partition(".")
    if architecture not in models.list_models():
        raise ConvertError(
            f"torchvision has no model {shown(name)!r}; {did_you_mean(architecture, models.list_models())}"
        )
    known = models.get_model_weights(architecture)
    if tag and tag not in known.__members__:
        raise ConvertError(
            f"torchvision has no weights {shown(tag)!r} for {architecture}; "
            f"{did_you_mean(tag, known.__members__)}"
        )
    weights = known[tag] if tag else getattr(known, "DEFAULT", None)
    if not published:
        return _described(_create(architecture), weights, partial(_with_classes, architecture, weights))
    if weights is None:
        raise ConvertError(
            f"torchvision has no weights for {name}; give a file with --weights FILE, or --weights random"
        )
    try:
        module = _create(architecture, weights=weights)
    except Exception as error:  # of urllib, of a damaged file in the cache
        raise ConvertError(
            f"cannot fetch the weights of torchvision:{name} ({type(error).__name__}: "
            f"{shown(first_line(error), 160)}); without a network, give a file with --weights FILE, or "
            "--weights random"
        ) from error
    return _described(module, weights)


def _create(architecture: str, **options: Any) -> Any:
    from torchvision import models

    # Backbones are part of a model's own weights, and are not fetched beside them.
    if "weights_backbone" in _parameters(architecture):
        options["weights_backbone"] = None
    module = models.get_model(architecture, **{"weights": None, **options})
    if hasattr(module, "transform_input"):
        # Published weights of Inception and GoogLeNet are for it, and so is the published normalisation.
        module.transform_input = True
    return module


def _parameters(architecture: str) -> set[str]:
    import inspect

    from torchvision import models

    return set(inspect.signature(models.get_model_builder(architecture)).parameters)


def _with_classes(architecture: str, weights: Any, classes: int) -> BuiltModel:
    return _described(_create(architecture, num_classes=classes), weights, classes=classes)


def _described(module: Any, weights: Any, with_classes: Any = None, classes: int | None = None) -> BuiltModel:
    """A module with what the record of `weights` says."""
    if weights is None:
        return BuiltModel(module=module, with_classes=with_classes)
    transforms = weights.transforms()
    side = (
        getattr(transforms, "crop_size", None) or getattr(transforms, "resize_size", None) or [DEFAULT_SIDE]
    )
    mean, std = getattr(transforms, "mean", None), getattr(transforms, "std", None)
    labels = list(weights.meta.get("categories") or ())
    return BuiltModel(
        module=module,
        size=(side[0], side[-1]),
        normalisation=Normalisation(mean, std) if mean and std else None,
        labels=labels if classes is None else [],
        licence=weights.meta.get("license") or "",
        with_classes=with_classes,
    )
