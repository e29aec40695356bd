"""`dreamkit convert torch`. PyTorch itself is imported only in a child process: see `export`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamkit import DreamkitError, ExportedModel, Preprocess, TextFiles
from dreamkit.cli import conversions
from dreamkit.convert import sandbox
from dreamkit.installation import plugin_command
from dreamkit_torch.source import Source, parse_size, parse_source

_SECONDS = 6 * 3600  # for a large model over a slow line
_MODEL_BYTES = 1 << 30  # which sets the limit of memory: the size is not known before


def torch(
    model: Annotated[
        str,
        typer.Argument(
            help="timm:NAME, torchvision:NAME, hf:OWNER/REPO (a model of timm on the Hugging Face hub), "
            "clip:OWNER/REPO or clip:FOLDER (a CLIP of transformers, for --text), or FILE.py:FUNCTION, a "
            "function of yours that returns the model."
        ),
    ],
    name: conversions.Name,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE|random",
            help="A state dict, as .safetensors or as .pt or .pth without code in it; or random weights. "
            "Default: the published weights, from the cache of the library or from the network.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="H[xW]",
            help="The size of picture to export it for. Default: that for which it was trained.",
            show_default=False,
        ),
    ] = None,
    layers: conversions.Layers = None,
    order: conversions.Order = None,
    mean: conversions.Mean = None,
    scale: conversions.Scale = None,
    labels: conversions.Labels = None,
    fill: conversions.Fill = None,
    fixed_size: conversions.FixedSize = False,
    description: conversions.Description = "",
    licence: conversions.Licence = "",
    overwrite: conversions.Overwrite = False,
    quiet: conversions.Quiet = False,
) -> None:
    """Convert a PyTorch network. Dreaming it needs no PyTorch.

    dreamkit convert torch timm:resnet50.a1_in1k --name r50
    """
    source = parse_source(model)
    _check_installed(*(("transformers", "tokenizers") if source.kind == "clip" else ()))
    if source.kind == "clip" and (weights not in (None, "random") or size is not None):
        raise DreamkitError(
            f"{source.text} has weights and a size of its own; leave out --weights and --size"
        )
    sides = parse_size(size)
    file = None if weights in (None, "random") else _existing(str(weights))

    def export(folder: Path, on_stage: Callable[[str], None]) -> ExportedModel:
        found: dict[str, Any] = sandbox.call(
            "dreamkit_torch.export:export",
            on_stage,
            model_bytes=_MODEL_BYTES,
            offline=False,
            seconds=_SECONDS,
            kind=source.kind,
            name=source.name,
            factory=source.factory,
            weights=file,
            random=weights == "random",
            size=sides,
            file=folder / f"{name}.onnx",
        )
        given, text = found.pop("preprocess"), found.pop("text")
        return ExportedModel(
            file=Path(found.pop("file")),
            source=source.text,
            preprocess=None if given is None else Preprocess(**given),
            text=None if text is None else TextFiles(*map(Path, text)),
            **found,
        )

    conversions.convert_exported(
        name,
        export,
        framework="PyTorch",
        layers=layers,
        order=order,
        mean=mean,
        scale=scale,
        labels=labels,
        fill=fill,
        fixed_size=fixed_size,
        description=description or _description(source, weights),
        licence=licence,
        overwrite=overwrite,
        quiet=quiet,
    )


def _description(source: Source, weights: str | None) -> str:
    if weights is None:
        return f"{source.text} by PyTorch"
    if weights == "random":
        return f"{source.text} by PyTorch, random weights"
    return f"{source.text} by PyTorch, weights of {Path(weights).name}"


def _existing(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise DreamkitError(
            f"weights file {weights} does not exist; give the path of a state dict, or --weights random"
        )
    return path


def _check_installed(*more: str) -> None:
    needed = ("torch", "torchvision", "timm", "onnxscript", *more)
    missing = [module for module in needed if find_spec(module) is None]
    if missing:
        command = plugin_command("dreamkit-torch", "clip" if more else "")
        raise DreamkitError(
            f"{', '.join(missing)} is not installed, which this command needs; run: {command}"
        )
