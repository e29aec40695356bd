"""A network that is a list of operations (`dreamkit.models.architecture`), in PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

MEAN = 117.0  # of the pixels, as the networks take them
FACTORS = ("kernel", "down", "core", "up")  # of a convolution, in the order in which they are applied


class OperationsNetwork(nn.Module):
    """From pixels in units, NCHW, to the activations of `layers`."""

    def __init__(self, path: str, layers: tuple[str, ...], *, folded: bool) -> None:
        """`path` is the file that `loops.export` wrote; `folded` sums over channels by a convolution."""
        super().__init__()
        arrays = np.load(path)
        self.layers = layers
        self._normalise = _by_convolution if folded else _as_pytorch
        self.operations = _needed(json.loads(str(arrays["operations"])), layers)
        self.made = nn.ModuleDict(
            {
                name: _convolution(name, arrays, **options)
                for name, kind, _, options in self.operations
                if kind == "convolution"
            }
        )
        self.eval().requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        found = {"input": pixels * 127.5 + (127.5 - MEAN)}
        for name, kind, inputs, options in self.operations:
            here = [found[each] for each in inputs]
            if kind == "convolution":
                found[name] = self.made[name](*here)
            elif kind == "response_normalisation":
                found[name] = self._normalise(*here, **options)
            else:
                found[name] = _run(kind, here, options)
        return [found[name] for name in self.layers]


class Convolution(nn.Conv2d):
    """Pads as TensorFlow does: of an odd number of rows the larger part goes below."""

    same = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        around = _missing(x, self.kernel_size, self.stride[0]) if self.same else []
        return super().forward(F.pad(x, around) if any(around) else x)


def _convolution(name: str, arrays: Mapping[str, Any], stride: int, padding: str) -> nn.Module:
    kernels = [
        torch.from_numpy(arrays[f"{name}/{factor}"]).permute(3, 2, 0, 1).contiguous()
        for factor in FACTORS
        if f"{name}/{factor}" in arrays
    ]
    areas = [kernel.shape[2] * kernel.shape[3] for kernel in kernels]
    parts = []
    for number, kernel in enumerate(kernels):
        out, into, *sides = kernel.shape
        last = number == len(kernels) - 1
        step = stride if number == areas.index(max(areas)) else 1
        part = Convolution(into, out, sides, step, bias=last)
        part.same, part.weight.data = padding == "same", kernel
        if last:
            part.bias.data = torch.from_numpy(arrays[f"{name}/bias"])
        parts.append(part)
    return nn.Sequential(*parts)


def _run(kind: str, inputs: list[torch.Tensor], options: Mapping[str, Any]) -> torch.Tensor:
    x = inputs[0]
    match kind:
        case "relu":
            return F.relu(x)
        case "concatenate":
            return torch.cat(inputs, 1)
        case "max_pool":
            size, stride = options["size"], options["stride"]
            around = _missing(x, (size, size), stride) if options["padding"] == "same" else []
            return F.max_pool2d(F.pad(x, around, value=-torch.inf) if any(around) else x, size, stride)
    raise ValueError(kind)


def _as_pytorch(x: torch.Tensor, radius: int, bias: float, alpha: float, beta: float) -> torch.Tensor:
    """Response normalisation by PyTorch's own function, which divides by the window's length."""
    length = 2 * radius + 1
    return F.local_response_norm(x, length, alpha * length, beta, bias)


def _by_convolution(x: torch.Tensor, radius: int, bias: float, alpha: float, beta: float) -> torch.Tensor:
    """The same much faster: the sum over neighbouring channels is a convolution of 1 x 1."""
    places = torch.arange(x.shape[1])
    band = ((places[:, None] - places).abs() <= radius).to(x.dtype)
    return x * (bias + alpha * F.conv2d(x.square(), band[:, :, None, None])) ** -beta


def _missing(x: torch.Tensor, window: Sequence[int], stride: int) -> list[int]:
    """What `same` pads: left, right, above, below."""
    around = []
    for length, side in zip(reversed(x.shape[2:]), reversed(tuple(window)), strict=True):
        missing = max((-(-length // stride) - 1) * stride + side - length, 0)
        around += [missing // 2, missing - missing // 2]
    return around


def _needed(operations: Sequence[Any], layers: Sequence[str]) -> list[Any]:
    """The operations that the layers need, in order."""
    needed = set(layers)
    for name, _, inputs, _ in reversed(operations):
        needed.update(inputs if name in needed else ())
    return [each for each in operations if each[0] in needed]
