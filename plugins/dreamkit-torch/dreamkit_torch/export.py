"""The child process: builds a model in PyTorch, writes it as ONNX, and compares the two.

`torch.onnx.export(..., dynamo=True)` notes the modules of each node, from which dreamkit names layers, and
takes adaptive pooling of any size. The older exporter is faster, but does neither, and PyTorch is going to
remove it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamkit.errors import ConvertError, first_line, shown
from dreamkit_torch import clip_models, module_file, state_dict, timm_models, torchvision_models
from dreamkit_torch.built_model import BuiltModel, BuiltText, Normalisation

SEED = 0  # of random weights, and of the picture to compare with
_LIMIT = 1e-4  # of a difference, in parts of the largest number
_CHANNELS = (1, 3, 4)  # of pictures


def export(
    on_stage: Callable[[str], None],
    kind: str,
    name: str,
    factory: str,
    weights: str | None,
    random: bool,
    size: Sequence[int] | None,
    file: str,
) -> dict[str, Any]:
    """Writes a model to `file`, and returns what `dreamkit.ExportedModel` takes.

    Raises:
        ConvertError: it cannot be built, takes no pictures, or its file computes something else.
    """
    import torch

    source = f"{Path(name).name}:{factory}" if kind == "file" else f"{kind}:{name}"
    if kind == "clip" and Path(name).is_dir():
        source = f"clip:{Path(name).name}"
    published = weights is None and not random
    if kind != "file":
        # Whatever a library passes to torch.load, no code in a weights file runs.
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
        if published:
            on_stage(f"fetching the weights of {source}, unless they are in its cache")
        else:
            on_stage(f"building {source}" + (f" with random weights, seed {SEED}" if random else ""))
    else:
        on_stage(f"building {source}")
    torch.manual_seed(SEED)
    sides = None if size is None else (size[0], size[1])
    built = _build(kind, name, factory, sides, published=published)
    if weights is not None:
        on_stage(f"reading {Path(weights).name}")
        built = state_dict.load(built, Path(weights), source)
    elif random:
        built = replace(built, licence="", labels=())
    height, width = size or built.size
    module = built.module.eval().float().requires_grad_(False)
    picture = torch.randn(
        (1, _channels(module), height, width), generator=torch.Generator().manual_seed(SEED)
    )
    expected = _outputs(module, picture, source)
    on_stage(f"exporting {source} at {width} x {height}")
    _write(module, picture, file, source)
    on_stage("comparing the ONNX file with PyTorch")
    error = _compare(file, picture, expected)
    text = None
    if built.text is not None:
        text, text_error = _export_text(built.text, Path(file).parent, source, on_stage)
        error = max(error, text_error)
    return {
        "text": text,
        "file": file,
        "preprocess": _preprocess(built.normalisation),
        "labels": list(built.labels),
        "licence": built.licence,
        "checked": f"largest difference between PyTorch {torch.__version__} and its ONNX file: {error:.1e}; "
        f"the limit is {_LIMIT:.0e}",
    }


def _export_text(
    text: BuiltText, folder: Path, source: str, on_stage: Callable[[str], None]
) -> tuple[list[str], float]:
    """Writes a text tower and its tokenizer; returns their paths, and the tower's difference from PyTorch."""
    import torch

    tower, tokenizer = folder / "text.onnx", folder / "tokenizer.json"
    module = text.module.eval().float().requires_grad_(False)
    ids = torch.tensor([list(text.ids)])
    with torch.no_grad():
        expected = [module(ids).numpy()]
    on_stage(f"exporting the text tower of {source} for {len(text.ids)} tokens")
    _write(module, ids, str(tower), source)
    text.tokenizer.save(str(tokenizer))
    return [str(tower), str(tokenizer)], _compare(str(tower), ids, expected)


def _build(
    kind: str, name: str, factory: str, size: tuple[int, int] | None, *, published: bool
) -> BuiltModel:
    if kind == "file":
        return module_file.build(name, factory)
    if kind == "hf":
        return timm_models.build_from_hub(name, size, published=published)
    if kind == "clip":
        return clip_models.build(name, published=published)
    if kind == "timm":
        return timm_models.build(name, size, published=published)
    return torchvision_models.build(name, published=published)


def _channels(module: Any) -> int:
    """The channels of the pictures that a module takes, by its first convolution."""
    import torch

    first = next((each for each in module.modules() if isinstance(each, torch.nn.Conv2d)), None)
    return first.in_channels if first is not None and first.in_channels in _CHANNELS else 3


def _outputs(module: Any, picture: Any, source: str) -> list[NDArray[np.float32]]:
    """What a module computes of a picture.

    Raises:
        ConvertError: it does not take pictures, or returns no tensors.
    """
    import torch

    shape = " x ".join(map(str, picture.shape))
    try:
        with torch.no_grad():
            result = module(picture)
    except Exception as error:  # of whatever it computes
        raise ConvertError(
            f"{source} does not take a picture of {shape} ({type(error).__name__}: "
            f"{shown(first_line(error), 160)}); give a model of one batch of pictures, or another --size"
        ) from error
    found = [each.numpy() for each in _tensors(result) if each.is_floating_point()]
    if not found:
        raise ConvertError(f"{source} returns no numbers for a picture of {shape}; give a model that does")
    return found


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors in what a module returns, in the order of the exporter's outputs."""
    import torch

    if torch.is_tensor(value):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _write(module: Any, picture: Any, file: str, source: str) -> None:
    import torch

    try:
        torch.onnx.export(module, (picture,), file, dynamo=True, external_data=False, verbose=False)
    except Exception as error:  # of the exporter, or of the model where it is traced
        reason = shown(first_line(error.__cause__ or error), 200)
        raise ConvertError(
            f"PyTorch cannot export {source} to ONNX ({type(error).__name__}: {reason}); its forward must "
            "not depend on the numbers in a picture"
        ) from error


def _compare(file: str, picture: Any, expected: Sequence[NDArray[np.float32]]) -> float:
    """The largest difference between an ONNX file and what PyTorch computed.

    Raises:
        ConvertError: it is above the limit; the message names the output.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs() if "float" in each.type]
    found = session.run(names, {session.get_inputs()[0].name: picture.numpy()})
    errors = [_difference(one, other) for one, other in zip(found, expected, strict=True)]
    worst = max(range(len(errors)), key=errors.__getitem__)
    if not errors[worst] <= _LIMIT:
        raise ConvertError(
            f"the ONNX file differs from PyTorch: its output {shown(names[worst])} by {errors[worst]:.1e} of "
            f"its largest value, more than {_LIMIT:.0e}; nothing was kept"
        )
    return errors[worst]


def _difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """max|a - b| / max|b|, or infinite if the shapes differ or a value is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all() or not np.isfinite(expected).all():
        return float("inf")
    difference, largest = float(np.abs(found - expected).max()), float(np.abs(expected).max())
    return difference / largest if largest else (float("inf") if difference else 0.0)


def _preprocess(normalisation: Normalisation | None) -> dict[str, Any] | None:
    """The normalisation as that of pixels from 0 to 255, RGB."""
    if normalisation is None:
        return None
    mean, std = (list(each) * (3 // len(each)) for each in normalisation)  # grey has one of each
    return {"mean": [255 * each for each in mean[:3]], "scale": [1 / (255 * each) for each in std[:3]]}
