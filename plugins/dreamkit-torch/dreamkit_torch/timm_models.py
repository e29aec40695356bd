"""Models of timm, and those that it loads from the Hugging Face hub."""

from __future__ import annotations

from functools import partial
from typing import Any

from dreamkit.errors import ConvertError, did_you_mean, first_line, shown
from dreamkit_torch.built_model import BuiltModel, Normalisation

_NO_WEIGHTS = "give a file with --weights FILE, or --weights random"


def build(name: str, size: tuple[int, int] | None = None, *, published: bool) -> BuiltModel:
    """The model of timm called `name`, with its `published` weights or with random ones.

    A transformer is built for pictures of `size` (height, width); timm resamples its position embeddings.

    Raises:
        ConvertError: there is no such model, or its weights cannot be had.
    """
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ConvertError(f"timm has no model {shown(name)!r}; {did_you_mean(name, timm.list_models())}")
    known = timm.list_pretrained(f"{architecture}.*") or timm.list_pretrained(architecture)
    if tag and name not in known:
        raise ConvertError(f"timm has no weights {shown(name)!r}; {did_you_mean(name, known)}")
    if published and not known:
        raise ConvertError(f"timm has no weights for {name}; {_NO_WEIGHTS}")
    return _create(name, f"timm:{name}", size, published=published)


def build_from_hub(repository: str, size: tuple[int, int] | None = None, *, published: bool) -> BuiltModel:
    """The model of timm in a repository of the Hugging Face hub; see `build`."""
    return _create(f"hf-hub:{repository}", f"hf:{repository}", size, published=published)


def described(module: Any) -> BuiltModel | None:
    """A module with what its own configuration says, if it is a model of timm."""
    return _described(module) if getattr(module, "pretrained_cfg", None) else None


def _create(
    name: str, text: str, size: tuple[int, int] | None, *, published: bool, **options: Any
) -> BuiltModel:
    import timm

    create = partial(timm.create_model, name, pretrained=published, exportable=True, **options)
    try:
        try:
            module = create() if size is None else create(img_size=size)
        except TypeError:  # a network that takes pictures of any size
            module = create()
    # Of urllib, of the hub, of its HTTP library, and of whatever comes after it.
    except Exception as error:
        what = "weights" if published else "configuration"
        raise ConvertError(
            f"cannot fetch the {what} of {text} ({type(error).__name__}: {shown(first_line(error), 160)})"
            + (f"; without a network, {_NO_WEIGHTS}" if published else "; is there a network?")
        ) from error
    if published:
        return _described(module)
    return _described(module, partial(_with_classes, name, text, size))


def _with_classes(name: str, text: str, size: tuple[int, int] | None, classes: int) -> BuiltModel:
    return _create(name, text, size, published=False, num_classes=classes)


def _described(module: Any, with_classes: Any = None) -> BuiltModel:
    from timm.data import resolve_model_data_config

    config: dict[str, Any] = module.pretrained_cfg or {}
    data = resolve_model_data_config(module)
    return BuiltModel(
        module=module,
        size=(data["input_size"][1], data["input_size"][2]),
        normalisation=Normalisation(data["mean"], data["std"]),
        labels=_labels(module, config),
        licence=config.get("license") or "",
        with_classes=with_classes,
    )


def _labels(module: Any, config: dict[str, Any]) -> list[str]:
    """The names of the classes: those of the configuration, or ImageNet's if it has as many classes."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    classes = getattr(module, "num_classes", 0)
    if classes != config.get("num_classes"):
        return []
    names, described = config.get("label_names"), config.get("label_descriptions")
    if names:
        return [described.get(each, each) if isinstance(described, dict) else each for each in names]
    subset = infer_imagenet_subset(module)
    return ImageNetInfo(subset).label_descriptions() if subset else []
